// A job: what it is and what can be done to it, and one part of it at a time.

import { get } from './api.js';
import { actions } from './actions.js';
import { attempts } from './attempts.js';
import { checkpoints } from './checkpoints.js';
import { h } from './dom.js';
import { ofSpec } from './jobfile.js';
import { logs } from './logs.js';
import { lookup } from './lookup.js';
import { metrics } from './metrics.js';
import { facts, state } from './parts.js';
import { tasks } from './tasks.js';
import { ago, count } from './time.js';

/**
 * Parts by what follows the id in the address; `isFor` says which jobs have one, and `wants` what is
 * asked for, too.
 */
const PARTS = {
  '': { title: 'Tasks', draw: tasks, wants: 'metrics' },
  checkpoints: { title: 'Checkpoints', draw: checkpoints, isFor: job => job.checkpoints },
  attempts: { title: 'Attempts', draw: attempts },
  metrics: { title: 'Metrics', draw: kept('charts', metrics) },
  logs: { title: 'Logs', draw: kept('logs', logs) },
  state: { title: 'State', draw: kept('lookup', lookup), isFor: job => job.checkpoints },
  file: { title: 'Job file', draw: file },
};

/** A part that changes itself: it is made once, and then only its place is drawn. */
function kept(key, make) {
  return (job, memory, view) => {
    if (memory[key]) return h('div', { 'data-keep': true, 'data-key': key });
    memory[key] = true;
    return make(job, view);
  };
}

export function job(view, id, [name = '']) {
  const part = PARTS[name] ?? PARTS[''];
  const path = `jobs/${encodeURIComponent(id)}`;
  const memory = {};
  const ask = async signal => {
    const more = name => get(`${path}/${name}`, {}, signal).catch(() => null);
    const [found, why, metrics] = await Promise.all([get(path, {}, signal), more('why'), part.wants && more(part.wants)]);
    if (metrics) memory.metrics = metrics;
    return { job: found, why };
  };
  let look = () => {};
  const draw = ({ job, why }, stale) => {
    view.title(job.name);
    view.show(head(job, why, () => look()), stale, parts(job, id, name), h('section', { 'data-key': name || 'tasks', 'aria-label': part.title }, part.draw(job, memory, view)));
  };
  look = view.poll(ask, draw, { on: ['jobs'], every: 2000, key: id });
}

function head(job, why, look) {
  const all = job.wanted_tasks || job.tasks.length;
  const running = job.tasks.filter(task => task.state === 'running').length;
  const lines = why?.lines ?? job.why;
  return [
    h('p', { class: 'crumbs' }, h('a', { href: '#/jobs' }, 'Jobs')),
    h('div', { class: 'head' }, h('h1', {}, job.name, ' '), state(job.state), actions(job, look)),
    facts([
      ['tasks', job.tasks.length ? `${running} of ${count(all, 'task')} running` : count(all, 'task')],
      ['attempt', String(job.attempt)],
      ['restarts', String(job.restarts)],
      ['submitted', ago(job.submitted_at)],
      ['ended', job.ended_at && ago(job.ended_at)],
      ['last checkpoint', job.checkpoint && [`${job.checkpoint.number}, `, ago(job.checkpoint.completed_at)]],
      ['id', h('code', { class: 'id' }, job.id)],
    ]),
    lines.length > 0 && h('ul', { class: 'lines', 'aria-label': 'Why it is as it is' }, lines.map(line => h('li', { class: line.startsWith('  ') && 'said' }, line.trim()))),
  ];
}

function parts(job, id, current) {
  const there = Object.entries(PARTS).filter(([, { isFor }]) => !isFor || isFor(job));
  return h('nav', { class: 'tabs', 'aria-label': 'Parts of the job' }, there.map(([name, { title }]) =>
    h('a', { href: `#/jobs/${encodeURIComponent(id)}${name && `/${name}`}`, 'aria-current': name === current && 'page' }, title)));
}

function file(job) {
  return [
    h('p', { class: 'muted' }, 'What was submitted, with what is usual written out. It never changes.'),
    h('pre', { class: 'code', tabindex: '0', 'aria-label': 'The job file' }, job.spec ? ofSpec(job.spec) : 'It is not known.'),
  ];
}
