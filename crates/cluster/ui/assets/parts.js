// What pages are made of: states, cards, tables, problems, and what a person has to confirm.

import { h, show } from './dom.js';

/** A shape and a word for each state: colour is never all that tells it. */
const STATES = {
  waiting: ['○', 'wait'], running: ['●', 'good'], restarting: ['◐', 'warn'], stopping: ['◑', 'wait'],
  suspended: ['‖', 'rest'], finished: ['✓', 'rest'], failed: ['✕', 'bad'], canceled: ['–', 'rest'],
  placed: ['○', 'wait'], starting: ['◔', 'wait'], ending: ['◑', 'wait'], ended: ['–', 'rest'],
  unknown: ['?', 'warn'], live: ['●', 'good'], draining: ['◑', 'wait'], silent: ['?', 'warn'],
  dead: ['✕', 'bad'],
};

/** A state, by shape, word and colour. */
export function state(name) {
  const [shape, kind] = STATES[name] ?? ['·', 'rest'];
  return h('span', { class: `state ${kind}` }, h('span', { 'aria-hidden': 'true' }, shape), ` ${name}`);
}

/** A part of a page with a heading. */
export function card(title, ...children) {
  return h('section', { class: 'card' }, h('h2', {}, title), children);
}

/** Names and values. Pairs whose value is `null` are left out. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return h('dl', { class: 'facts' }, known.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
}

/** A number that is looked at first. */
export function figure(number, words, href) {
  const shown = [h('span', { class: 'number' }, number), h('span', {}, words)];
  return href ? h('a', { class: 'figure', href }, shown) : h('div', { class: 'figure' }, shown);
}

/**
 * A table that scrolls by itself if its window is too narrow; on a phone, its rows become blocks.
 * `columns` are names, or `{ name, class }`; each row is `{ key, cells }`.
 */
export function table(caption, columns, rows) {
  const named = columns.map(column => (typeof column === 'string' ? { name: column } : column));
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    // Roles are said, because a browser forgets them where blocks are made of a table.
    h('table', { role: 'table' },
      h('caption', { class: 'unseen' }, caption),
      h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, named.map(column =>
        h('th', { role: 'columnheader', scope: 'col', class: column.class, 'aria-sort': column.sorted }, column.head ?? column.name)))),
      h('tbody', { role: 'rowgroup' }, rows.map(({ key, cells, class: kind }) =>
        h('tr', { role: 'row', 'data-key': key, class: kind }, cells.map((cell, index) =>
          h('td', { role: 'cell', class: named[index].class, 'data-name': named[index].name }, cell)))))));
}

/** Where there is nothing yet, and what to do about it. */
export function empty(title, ...children) {
  return h('div', { class: 'empty' }, h('p', { class: 'lead' }, title), children);
}

/** What went wrong, and what to do. */
export function problem(error, again) {
  return h('div', { class: 'problem', role: 'alert' },
    h('p', { class: 'lead' }, error.title ?? 'This page has a fault'),
    h('p', {}, error.detail || error.message),
    error.errors?.length ? h('ul', {}, error.errors.map(({ field, message }) => h('li', {}, h('code', {}, field), `: ${message}`))) : null,
    again ? h('button', { type: 'button', onclick: again }, 'Try again') : null);
}

/** A button. */
export function button(words, onclick, properties = {}) {
  return h('button', { type: 'button', onclick, ...properties }, words);
}

/**
 * Asks whether to do something, after it says what that will do; resolves to what `act` returned,
 * or to `undefined` if the person thought better of it. `fields` are asked for, too.
 */
export function confirm({ title, says, verb, isDangerous, fields = [], act }) {
  const { promise, resolve } = Promise.withResolvers();
  const answer = h('div', { 'aria-live': 'polite' });
  const dialog = h('dialog', { 'aria-labelledby': 'dialog-title' });
  const close = result => {
    dialog.close();
    dialog.remove();
    resolve(result);
  };
  const submit = async event => {
    event.preventDefault();
    const button = dialog.querySelector('[type=submit]');
    button.disabled = true;
    try {
      close(await act(Object.fromEntries(new FormData(event.target))) ?? null);
    } catch (error) {
      show(answer, problem(error));
      button.disabled = false;
    }
  };
  show(dialog, h('form', { method: 'dialog', onsubmit: submit },
    h('h2', { id: 'dialog-title' }, title),
    says.map(line => h('p', {}, line)),
    fields.map(({ name, label, ...input }) => h('label', {}, label, h('input', { name, ...input }))),
    answer,
    h('div', { class: 'buttons' },
      h('button', { type: 'submit', class: isDangerous ? 'danger' : 'primary' }, verb),
      button('Leave it as it is', () => close()))));
  dialog.addEventListener('cancel', () => close());
  document.body.append(dialog);
  dialog.showModal();
  return promise;
}
