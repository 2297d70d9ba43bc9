// What a job knows: its states, the value of a key, or the lowest keys of a range; live, or as the
// newest checkpoint has it.

import { get } from './api.js';
import { h, show } from './dom.js';
import { empty, problem, table } from './parts.js';

/** Entries of a range. */
const ENTRIES = 50;

/** Questions about the state of a job. */
export function lookup(job, view) {
  const [names, answer] = [h('datalist', { id: 'states' }), h('div', { 'aria-live': 'polite' })];
  const path = `jobs/${job.id}/state`;
  const asked = () => Object.fromEntries(new FormData(form));
  const form = h('form', { class: 'filters', role: 'search', onsubmit: event => { event.preventDefault(); ask(); } },
    h('label', {}, 'State', h('input', { name: 'state', required: true, list: 'states', autocomplete: 'off' })),
    h('label', {}, 'Key', h('input', { name: 'key', placeholder: 'empty: the first keys', autocomplete: 'off' })),
    h('label', {}, 'As of', h('select', { name: 'as-of', onchange: () => list() },
      h('option', { value: 'live' }, 'now, not committed yet'), h('option', { value: 'checkpoint' }, 'the newest checkpoint'))),
    h('button', { type: 'submit', class: 'primary' }, 'Look up'));
  const ask = async () => {
    const { state, key, 'as-of': asOf } = asked();
    const at = `${path}/${encodeURIComponent(state)}`;
    try {
      const found = key === '' ? await get(at, { 'as-of': asOf, limit: ENTRIES }, view.signal)
        : await get(`${at}/${encodeURIComponent(key)}`, { 'as-of': asOf }, view.signal);
      show(answer, key === '' ? range(found) : range({ ...found, entries: [found], more: false }));
    } catch (error) {
      if (!view.signal.aborted) show(answer, problem(error));
    }
  };
  const list = async () => {
    try {
      const { states } = await get(path, { 'as-of': asked()['as-of'] }, view.signal);
      show(names, states.map(name => h('option', { value: name })));
      const field = form.elements.state;
      if (!field.value && states.length) field.value = states[0];
      show(answer, h('p', { class: 'muted' }, states.length ? `Its states: ${states.join(', ')}.` : 'It has no state that can be asked for.'));
    } catch (error) {
      if (!view.signal.aborted) show(answer, problem(error));
    }
  };
  list();
  return h('div', { 'data-keep': true, 'data-key': 'lookup' }, form, names, answer);
}

function range({ entries, more, attempt, checkpoint, as_of: asOf }) {
  if (!entries.length) return empty('There is no such key.');
  const of = asOf === 'checkpoint' ? `of checkpoint ${checkpoint}` : `live, of attempt ${attempt}; not committed yet`;
  return [
    h('p', { class: 'muted' }, of),
    table('Entries', ['Key', 'Value', { name: 'Rank', class: 'right' }], entries.map(({ key, value, rank }) => ({
      key: JSON.stringify(key), cells: [h('code', {}, JSON.stringify(key)), h('code', {}, JSON.stringify(value)), String(rank)],
    }))),
    more && h('p', { class: 'muted' }, `The lowest ${entries.length} keys; there are more. Name a key to see it.`),
  ];
}
