// Overview: what is wrong now, first; then who leads, nodes and slots, and jobs by state.

import { get } from './api.js';
import { h } from './dom.js';
import { live } from './live.js';
import { card, empty, facts, figure, state } from './parts.js';
import { ago, count, duration } from './time.js';

/** Where a thing that is wrong is shown. */
const PLACES = {
  job: id => `#/jobs/${id}`,
  node: () => '#/nodes',
  record: name => `#/records/${encodeURIComponent(name)}`,
};

export function overview(view) {
  let [newest, story, look] = [null, null, () => {}];
  const draw = (now, stale) => {
    newest = now ?? newest;
    view.show(h('h1', {}, 'Overview'), stale, newest && wrong(newest, isNow()), h('div', { class: 'cards' },
      newest ? [leader(newest, story, isNow()), slots(newest), jobs(newest)] : before(story)));
  };
  // Any node knows this, also while nobody leads.
  const learn = async () => {
    story = await get('leadership', {}, view.signal).catch(() => story);
    if (story && !view.signal.aborted) draw(newest, null);
  };
  view.on(live, 'overview', ({ detail }) => {
    draw(detail, null);
    // A leader writes its part of the story a moment after it has begun.
    if (story && !told(story, detail)) learn();
  });
  view.on(live, 'state', () => newest && draw(newest, null));
  view.on(live, 'leader', ({ detail }) => (detail.state === 'active' ? look() : null, learn()));
  look = view.poll(signal => get('overview', {}, signal), draw, { every: 10_000, key: 'overview' });
  learn();
}

/** What the story says of the present leader; nothing, if it is not written yet. */
const told = ({ changes }, { epoch }) => changes.find(change => change.epoch === epoch);

/** Whether what is shown is the present state: the node answers, and somebody leads. */
const isNow = () => live.state !== 'lost' && live.leader?.state !== 'none';

/** What is known while no leader has answered yet. */
function before(story) {
  if (!story) return null;
  const [last] = story.changes;
  return card(story.now.state === 'active' ? 'Waiting for the leader' : 'Nobody leads',
    h('p', {}, story.now.why || `${story.now.name} leads, and has not answered yet.`),
    last && h('p', {}, `The last leader was ${last.leader}, since `, ago(last.since), '. Tasks go on without one.'),
    h('p', {}, h('a', { href: '#/leadership' }, 'The story of changes')));
}

function wrong({ wrong, wrong_more: more }, isNow) {
  if (!wrong.length && !isNow) return h('p', { class: 'muted' }, 'Nothing was wrong when a leader answered last.');
  if (!wrong.length) return h('p', { class: 'allwell' }, h('span', { 'aria-hidden': 'true' }, '✓ '), 'Nothing is wrong.');
  return h('section', { class: 'card wrong', 'aria-live': 'polite' }, h('h2', {}, isNow ? 'What is wrong now' : 'What was wrong when a leader answered last'),
    h('ul', {}, wrong.map(({ severity, text, about }) => {
      const place = about && PLACES[about.kind]?.(about.id);
      return h('li', { class: severity === 'error' ? 'bad' : 'warn' },
        h('strong', {}, severity === 'error' ? '✕ Error: ' : '▲ Warning: '), text, ' ',
        place && h('a', { href: place, 'aria-label': `Show ${about.name}` }, about.name));
    })),
    more > 0 && h('p', { class: 'muted' }, `and ${count(more, 'more thing')}`));
}

function leader({ leader, epoch }, story, isNow) {
  const change = story && told(story, { epoch });
  return card(isNow ? 'Leader' : 'The last leader', facts([
    ['JobManager', leader.name],
    ['began to lead', ago(leader.since)],
    ['epoch', String(epoch)],
    ['address', leader.address],
    ['process', String(leader.pid)],
    ['last change', change?.why],
    ['nobody led for', change?.nobody_led_ms === undefined ? null : duration(change.nobody_led_ms)],
  ]), h('p', {}, h('a', { href: '#/leadership' }, 'The story of changes')));
}

function slots({ nodes, slots }) {
  const used = slots.total - slots.free;
  return card('Nodes and slots',
    h('div', { class: 'figures' },
      figure(String(nodes.task_managers), nodes.task_managers === 1 ? 'TaskManager' : 'TaskManagers', '#/nodes'),
      figure(String(nodes.job_managers), nodes.job_managers === 1 ? 'JobManager' : 'JobManagers', '#/nodes'),
      figure(`${used} / ${slots.total}`, 'slots used', '#/nodes')),
    slots.total > 0 && h('meter', { min: '0', max: String(slots.total), value: String(used), 'aria-label': 'slots used' }),
    h('ul', { class: 'inline' }, ['silent', 'dead', 'draining'].filter(name => nodes[name] > 0).map(name =>
      h('li', {}, state(name), ` ${nodes[name]}`))));
}

function jobs({ jobs, is_complete: isComplete }) {
  const there = Object.entries(jobs).filter(([, number]) => number > 0);
  return card('Jobs',
    there.length === 0
      ? empty('There are no jobs yet.', h('p', {}, h('a', { href: '#/submit' }, 'Submit one'), ', or ', h('code', {}, 'incumbent job run -- COMMAND'), '.'))
      : h('ul', { class: 'states' }, there.map(([name, number]) =>
        h('li', {}, h('a', { href: `#/jobs?state=${name}` }, state(name), h('span', { class: 'number' }, String(number)))))),
    !isComplete && h('p', { class: 'muted' }, 'The leader still opens records: jobs may be missing.'));
}
