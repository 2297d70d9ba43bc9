// Records: browsed by name, shown as JSON, for reading only. Nothing here writes.

import { get } from './api.js';
import { h } from './dom.js';
import { button, empty, facts, table } from './parts.js';
import { count } from './time.js';

const NAMES = 100;

export function records(view, name) {
  if (name) one(view, name);
  else all(view);
}

function all(view) {
  const before = [];
  let look = () => {};
  const search = values => {
    view.remember(values);
    look();
  };
  const ask = signal => get('records', { prefix: view.query.get('prefix'), after: view.query.get('after'), limit: NAMES }, signal);
  const draw = ({ names, total, next }, stale) => view.show(h('h1', {}, 'Records'), stale,
    h('form', { class: 'filters', role: 'search', onsubmit: event => event.preventDefault() },
      h('label', {}, 'Names that begin with ', h('input', {
        type: 'search', 'data-keep': true, 'data-key': 'prefix', value: view.query.get('prefix') ?? '',
        oninput: event => search({ prefix: event.target.value, after: '' }),
      }))),
    names.length === 0 ? empty('There is no such record.')
      : table('Records', ['Name'], names.map(name => ({ key: name, cells: [h('a', { href: `#/records/${encodeURIComponent(name)}` }, name)] }))),
    h('div', { class: 'pages' }, h('p', { role: 'status' }, count(total, 'record')),
      h('div', { class: 'buttons' },
        button('Previous', () => search({ after: before.pop() }), { disabled: !before.length }),
        button('Next', () => { before.push(view.query.get('after') ?? ''); search({ after: next }); }, { disabled: !next }))));
  look = view.poll(ask, draw, { every: 15_000 });
}

function one(view, name) {
  view.title(name);
  const path = `records/${name.split('/').map(encodeURIComponent).join('/')}`;
  const draw = (record, stale) => view.show(
    h('p', { class: 'crumbs' }, h('a', { href: '#/records' }, 'Records')), h('h1', {}, name), stale,
    facts([
      ['epoch of its last seal', record.epoch === 0 ? 'none: created without leading' : String(record.epoch)],
      ['write', h('code', {}, record.stamp)],
      ['left out', record.hidden.length ? `${record.hidden.join(', ')}: ${record.hidden.length === 1 ? 'it looks' : 'they look'} like a secret` : null],
    ]),
    h('pre', { class: 'code', tabindex: '0', 'aria-label': 'The record as JSON' }, JSON.stringify(record.data, null, 2)));
  view.poll(signal => get(path, {}, signal), draw, { every: 5000 });
}
