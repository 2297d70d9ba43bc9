// The metrics of a job as small charts, one a metric; what the page has seen since it was opened.
// What is counted is shown as a rate.

import { get } from './api.js';
import { line } from './chart.js';
import { h, show } from './dom.js';
import { empty, problem } from './parts.js';
import { bytes, duration } from './time.js';

/** How often it asks, and how many answers are kept. */
const EVERY = 2000;
const MOST_POINTS = 150;

/** The shortest time over which a rate is worth anything, in milliseconds. */
const SHORTEST = 500;

/** Most metrics that are drawn. */
const MOST_DRAWN = 60;

/** Charts of a job, until the page is left. */
export function metrics(job, view) {
  const seen = new Map();
  const root = h('div', { 'data-keep': true, 'data-key': 'charts' }, h('p', { class: 'muted', role: 'status' }, 'Asking the TaskManagers…'));
  let timer = 0;
  const look = async () => {
    try {
      const { series, left_out: left, age_ms: age = 0 } = await get(`jobs/${job.id}/metrics`, {}, view.signal);
      take(seen, series, performance.now() - age);
      show(root, left.length > 0 && h('p', { class: 'stale' }, `Left out: ${left.join('; ')}`), draw(seen));
    } catch (error) {
      if (view.signal.aborted) return;
      show(root, problem(error));
    }
    timer = setTimeout(look, document.hidden ? 10 * EVERY : EVERY);
  };
  view.signal.addEventListener('abort', () => clearTimeout(timer));
  look();
  return root;
}

/** Adds values to what was seen. What ends in `_total` counts: its rate is kept. */
function take(seen, series, at) {
  for (const { name, labels, value } of series) {
    if (/_bucket$|^.*_created$/.test(name) || !Number.isFinite(value)) continue;
    const key = `${name}{${labels}}`;
    const known = seen.get(key) ?? { name, labels, points: [] };
    seen.set(key, known);
    // A node answers with the same look for a second.
    if (known.last && at - known.last.at < SHORTEST) continue;
    const counts = name.endsWith('_total');
    const rate = known.last && Math.max(0, (value - known.last.value) / ((at - known.last.at) / 1000));
    if (!counts || known.last) known.points.push({ value: counts ? rate : value });
    if (known.points.length > MOST_POINTS) known.points.shift();
    known.last = { value, at };
  }
}

function draw(seen) {
  // Those of one name beside each other.
  const drawn = [...seen.values()].filter(({ points }) => points.length > 0).sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  if (!drawn.length) return empty('Its tasks show no metrics yet.', h('p', {}, 'A program shows some with ', h('code', {}, 'PUT /v1/metrics'), ' on its task socket.'));
  return [
    h('div', { class: 'cards' }, drawn.slice(0, MOST_DRAWN).map(({ name, labels, points }) => {
      const [title, unit] = words(name);
      const of = plain(labels);
      return h('section', { class: 'card', 'data-key': `${name}{${labels}}` }, h('h2', {}, title, h('span', { class: 'muted' }, ` ${of}`)), line(`${title} ${of}`, points, unit));
    })),
    drawn.length > MOST_DRAWN && h('p', { class: 'muted' }, `and ${drawn.length - MOST_DRAWN} more, which /v1/metrics has`),
  ];
}

/** Labels for people: `rank 0, operator split`. */
function plain(labels) {
  return [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => `${name} ${value.replace(/\\(.)/g, '$1')}`).join(', ');
}

const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 4, notation: 'compact' });

/** What a metric is called, and how its values are written. */
function words(name) {
  if (name === 'incumbent_cluster_task_cpu_seconds_total') return ['Processor', value => `${(value * 100).toFixed(0)} % of a core`];
  if (name === 'incumbent_cluster_task_memory_bytes') return ['Memory', bytes];
  if (name.endsWith('_bytes_total')) return [name, value => `${bytes(value)}/s`];
  if (name.endsWith('_total')) return [name, value => `${short.format(value)}/s`];
  if (name.endsWith('_bytes')) return [name, bytes];
  if (name.endsWith('_seconds')) return [name, value => duration(value * 1000)];
  return [name, value => short.format(value)];
}
