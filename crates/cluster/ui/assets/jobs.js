// Jobs: filtered, sorted and cut into pages by the leader, so that thousands of them are as fast as
// ten. What is looked for is in the address.

import { get } from './api.js';
import { h } from './dom.js';
import { button, empty, state, table } from './parts.js';
import { ago, count } from './time.js';

/** Rows on a page. */
const ROWS = 50;

const STATES = ['waiting', 'running', 'restarting', 'stopping', 'suspended', 'finished', 'failed', 'canceled'];

/** Columns by which rows can be sorted, as the API names them. */
const COLUMNS = [
  ['name', 'Name'], ['state', 'State'], ['tasks', 'Tasks', 'right'], ['restarts', 'Restarts', 'right'],
  ['checkpoint', 'Checkpoint'], ['submitted', 'Submitted'],
];

export function jobs(view) {
  const query = () => ({
    state: view.query.get('state'), name: view.query.get('name'), sort: view.query.get('sort') ?? 'submitted',
    descending: view.query.get('order') !== 'up', limit: ROWS, offset: Number(view.query.get('from') ?? 0),
  });
  let look = () => {};
  const search = values => {
    view.remember({ from: '', ...values });
    look();
  };
  const draw = (found, stale) => view.show(h('h1', {}, 'Jobs'), stale, filters(view, search), list(view, found, search), pages(view, found, search));
  look = view.poll(signal => get('overview/jobs', query(), signal), draw, { on: ['jobs'], every: 10_000, key: view.query.size ? null : 'jobs' });
}

function filters(view, search) {
  return h('form', { class: 'filters', role: 'search', onsubmit: event => event.preventDefault() },
    h('label', {}, 'Name or id ', h('input', {
      type: 'search', name: 'name', 'data-keep': true, 'data-key': 'name', value: view.query.get('name') ?? '',
      oninput: event => search({ name: event.target.value }),
    })),
    h('label', {}, 'State ', h('select', { name: 'state', 'data-keep': true, 'data-key': 'state', onchange: event => search({ state: event.target.value }) },
      h('option', { value: '' }, 'all'),
      STATES.map(name => h('option', { value: name, selected: view.query.get('state') === name }, name)))),
    h('a', { class: 'button primary', href: '#/submit' }, 'Submit a job'));
}

function list(view, { jobs, total, all }, search) {
  if (total === 0 && all === 0) {
    return empty('There are no jobs yet.', h('p', {}, 'Drop a file on ', h('a', { href: '#/submit' }, 'Submit'), ', or run ', h('code', {}, 'incumbent job run -- COMMAND'), '.'));
  }
  if (total === 0) return empty('No job fits.', button('Show all jobs', () => { location.hash = '#/jobs'; }));
  const sort = view.query.get('sort') ?? 'submitted';
  const isUp = view.query.get('order') === 'up';
  const columns = COLUMNS.map(([name, title, kind]) => ({
    name: title, class: kind, sorted: sort === name ? (isUp ? 'ascending' : 'descending') : null,
    head: h('button', { type: 'button', class: 'sort', onclick: () => search({ sort: name, order: sort === name && !isUp ? 'up' : '' }) },
      title, h('span', { 'aria-hidden': 'true' }, sort === name ? (isUp ? ' ↑' : ' ↓') : '')),
  }));
  return table('Jobs', columns, jobs.map(row));
}

function row(job) {
  return {
    key: job.id,
    cells: [
      [h('a', { href: `#/jobs/${job.id}`, title: job.id }, job.name), job.why && h('div', { class: 'why' }, job.why)],
      state(job.state),
      job.running === job.tasks ? String(job.tasks) : `${job.running} / ${job.tasks}`,
      String(job.restarts),
      job.checkpoint ? [`${job.checkpoint.number}, `, ago(job.checkpoint.completed_at)] : h('span', { class: 'muted' }, 'none'),
      ago(job.submitted_at),
    ],
  };
}

function pages(view, { total, offset, jobs, is_complete: isComplete }, search) {
  const to = offset + jobs.length;
  return h('div', { class: 'pages' },
    h('p', { role: 'status' }, total ? `${offset + 1} to ${to} of ${count(total, 'job')}` : '',
      !isComplete && ' (the leader still opens records: more may come)'),
    h('div', { class: 'buttons' },
      button('Previous', () => search({ from: String(Math.max(0, offset - ROWS)) }), { disabled: offset === 0 }),
      button('Next', () => search({ from: String(to) }), { disabled: to >= total })));
}
