// The attempts of a job as a line of time, newest first: each with its root cause and the last
// lines of the task that failed first.

import { h } from './dom.js';
import { ago } from './time.js';

export function attempts(job) {
  const ended = (job.attempts ?? []).toReversed();
  const present = job.attempt > (ended[0]?.attempt ?? 0) && h('li', { class: 'good' },
    h('h2', {}, `Attempt ${job.attempt}`), h('p', {}, `It is the present one: the job is ${job.state}.`));
  if (!present && !ended.length) return h('p', { class: 'muted' }, 'There was no attempt yet.');
  const failed = ended.find(({ cause }) => cause.last_lines?.length);
  return h('ol', { class: 'timeline', reversed: true }, present, ended.map(attempt => h('li', { class: kind(attempt.cause), 'data-key': String(attempt.attempt) },
    h('h2', {}, `Attempt ${attempt.attempt}`),
    h('p', {}, 'ended ', ago(attempt.ended_at), ': ', attempt.cause.message),
    where(attempt.cause),
    attempt.cause.last_lines?.length && h('details', { open: attempt === failed },
      h('summary', {}, 'The last lines'), h('pre', { class: 'code', tabindex: '0' }, attempt.cause.last_lines.join('\n'))))));
}

/** Ends that somebody wanted are no failures. */
function kind({ kind }) {
  return ['restarted', 'rescaled', 'stopped', 'canceled', 'drained'].includes(kind) ? 'rest' : 'bad';
}

function where({ rank, node, exit_code: code, signal }) {
  const known = [
    rank !== undefined && `rank ${rank}`, node && `on ${node}`,
    code !== undefined && `exit code ${code}`, signal !== undefined && `signal ${signal}`,
  ].filter(Boolean);
  return known.length > 0 && h('p', { class: 'muted' }, known.join(', '));
}
