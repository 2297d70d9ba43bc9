// The checkpoints of a job: what is kept, what is being made, who was late, and a chart of those
// that were completed while the page was open.

import { bars } from './chart.js';
import { h } from './dom.js';
import { card, empty, facts, table } from './parts.js';
import { ago, bytes, duration, ranks } from './time.js';

/** How many are in the chart. */
const MOST_SHOWN = 60;

export function checkpoints(job, memory) {
  const known = job.checkpoints;
  if (!known) return empty('This job makes no checkpoints.', h('p', {}, 'Its job file has no ', h('code', {}, '[checkpoints]'), '.'));
  const seen = (memory.checkpoints ??= new Map());
  for (const checkpoint of known.completed) seen.set(checkpoint.number, checkpoint);
  const shown = [...seen.values()].sort((a, b) => a.number - b.number).slice(-MOST_SHOWN);
  return [
    facts([
      ['interval', duration(known.interval_ms)],
      ['being made', known.pending && pending(known.pending)],
      ['aborted last', known.last_aborted && [`${known.last_aborted.number}, `, ago(known.last_aborted.at), `: ${known.last_aborted.why}`]],
      ['aborted in a row', known.aborted_in_row > 0 ? String(known.aborted_in_row) : null],
      ['started from', known.restored_from],
    ]),
    shown.length > 1 && h('div', { class: 'cards' },
      card('Time', bars('Time of checkpoints', shown.map(c => ({ name: `checkpoint ${c.number}`, value: c.took_ms })), duration)),
      card('Size', bars('Size of checkpoints', shown.map(c => ({ name: `checkpoint ${c.number}`, value: c.bytes })), bytes))),
    known.completed.length === 0
      ? h('p', { class: 'muted' }, 'None is completed yet.')
      : table('Completed checkpoints that are kept', [{ name: 'Number', class: 'right' }, 'Completed', { name: 'Took', class: 'right' }, { name: 'Size', class: 'right' }, { name: 'Attempt', class: 'right' }, 'Savepoint'],
        known.completed.toReversed().map(c => ({
          key: String(c.number),
          cells: [String(c.number), ago(c.completed_at), duration(c.took_ms), bytes(c.bytes), String(c.attempt), c.savepoint ? h('code', { class: 'id' }, c.savepoint) : ''],
        }))),
    h('h2', {}, 'Savepoints'),
    !job.savepoints?.length
      ? h('p', { class: 'muted' }, 'It has none.')
      : table('Savepoints', ['Id', 'Completed', { name: 'Size', class: 'right' }], job.savepoints.toReversed().map(({ id, checkpoint }) => ({
        key: id, cells: [h('code', { class: 'id' }, id), ago(checkpoint.completed_at), bytes(checkpoint.bytes)],
      }))),
  ];
}

function pending({ number, for_ms: ms, missing }) {
  const waits = missing.length ? `; it waits for ${ranks(missing)}` : '; it is being written down';
  return `${number}, since ${duration(ms)}${waits}`;
}
