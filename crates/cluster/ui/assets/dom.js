// Makes elements, and changes a page into the next one. Nothing here parses HTML: what a job, a
// line of a log or an error says becomes text, whatever it contains.

const SVG = 'http://www.w3.org/2000/svg';

/** What an element does on events, by type. One dispatcher an element and type looks it up. */
const handlers = new WeakMap();

/**
 * An element. A property that begins with `on` is a handler; `false`, `null` and `undefined` leave
 * an attribute or a child out.
 */
export function h(name, properties, ...children) {
  return build(document.createElement(name), properties, children);
}

/** An element of SVG. */
export function svg(name, properties, ...children) {
  return build(document.createElementNS(SVG, name), properties, children);
}

function build(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) listen(element, name.slice(2), value);
    else if (name === 'value') element.value = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  const given = children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false);
  element.append(...given);
  return element;
}

function listen(element, type, handler) {
  const own = handlers.get(element) ?? {};
  if (!(type in own)) element.addEventListener(type, event => handlers.get(element)[type]?.(event));
  own[type] = handler;
  handlers.set(element, own);
}

/**
 * Changes the children of `parent` into these. Elements that are the same stay, with their focus,
 * their selection and where they are scrolled to. `data-key` tells the same element among others;
 * one with `data-keep` changes itself, and is left alone once it is there.
 */
export function show(parent, ...children) {
  const wanted = build(document.createElement(parent.nodeName), {}, children);
  changeChildren(parent, wanted);
}

function change(from, to) {
  if (from.nodeType === Node.TEXT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return;
  }
  if (to.hasAttribute('data-keep')) return;
  for (const { name } of [...from.attributes]) {
    // What a person has opened stays open.
    if (name !== 'open' && !to.hasAttribute(name)) from.removeAttribute(name);
  }
  for (const { name, value } of [...to.attributes]) {
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  const own = handlers.get(from) ?? {};
  for (const type of Object.keys(own)) own[type] = null;
  for (const [type, handler] of Object.entries(handlers.get(to) ?? {})) listen(from, type, handler);
  changeChildren(from, to);
}

function changeChildren(from, to) {
  const keyOf = node => (node.nodeType === Node.ELEMENT_NODE && node.getAttribute('data-key')) || null;
  const wanted = [...to.childNodes];
  const keys = new Set(wanted.map(keyOf));
  for (const child of [...from.children]) {
    if (keyOf(child) !== null && !keys.has(keyOf(child))) child.remove();
  }
  const kept = new Map([...from.children].map(child => [keyOf(child), child]));
  let at = from.firstChild;
  for (const node of wanted) {
    const key = keyOf(node);
    const found = key !== null ? kept.get(key) : at && keyOf(at) === null ? at : null;
    if (found && found.nodeName === node.nodeName && found.nodeType === node.nodeType) {
      if (found === at) at = at.nextSibling;
      else from.insertBefore(found, at);
      change(found, node);
    } else {
      from.insertBefore(node, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}
