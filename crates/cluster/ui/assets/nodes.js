// Nodes: where each is seen and what it advertises, whether the leader could connect back, slots,
// version and tasks.

import { ask, get } from './api.js';
import { h } from './dom.js';
import { live } from './live.js';
import { button, confirm, empty, state, table } from './parts.js';
import { count, duration } from './time.js';

export function nodes(view) {
  let look = () => {};
  const again = () => look();
  const draw = ({ nodes, refused = [] }, stale) => {
    const taskManagers = nodes.filter(node => node.kind === 'task-manager');
    view.show(h('h1', {}, 'Nodes'), stale, notVerified(refused),
      h('h2', {}, 'TaskManagers'),
      taskManagers.length ? list('TaskManagers', taskManagers, again)
        : empty('There is no TaskManager, so no job runs.', h('p', {}, 'Start one: ', h('code', {}, 'incumbent task-manager'))),
      h('h2', {}, 'JobManagers'),
      list('JobManagers', nodes.filter(node => node.kind === 'job-manager'), again));
  };
  look = view.poll(signal => get('overview/nodes', {}, signal), draw, { on: ['nodes', 'leader'], every: 5000, key: 'nodes' });
}

function notVerified(refused) {
  return refused.length > 0 && h('section', { class: 'card wrong' }, h('h2', {}, 'Not verified'),
    h('p', {}, 'The leader could not connect back to these, so they get no tasks:'),
    h('ul', {}, refused.map(({ name, seen, advertised, why, ago_ms: ms }) => h('li', { 'data-key': `${name} ${seen}` },
      h('strong', {}, name), ` (seen at ${seen}${advertised ? `, advertises ${advertised}` : ''}), ${duration(ms)} ago: ${why}`))));
}

/** By name, and those that are dead last. */
const inOrder = (a, b) => (a.state === 'dead') - (b.state === 'dead') || a.name.localeCompare(b.name, 'en', { numeric: true });

function list(caption, nodes, look) {
  const isTask = caption === 'TaskManagers';
  const right = name => ({ name, class: 'right' });
  const columns = ['Name', 'State', 'Address', ...(isTask ? [right('Slots used'), 'Tasks'] : []), 'Version', right('Process'), ...(isTask ? ['Actions'] : [])];
  return table(caption, columns, nodes.toSorted(inOrder).map(node => ({
    key: node.nonce,
    cells: [
      h('strong', { title: node.nonce }, node.name),
      [state(node.state), node.state === 'silent' && ` for ${duration(node.silent_ms)}`, leads(node) && h('div', { class: 'why' }, 'leads')],
      address(node),
      ...(isTask ? [`${node.slots - node.slots_free} of ${node.slots}`, tasks(node)] : []),
      node.version ?? '–',
      node.pid ? String(node.pid) : '–',
      ...(isTask ? [actions(node, look)] : []),
    ],
  })));
}

/** Whether this node's address is that of the leader. */
function leads({ address }) {
  const { leader } = live;
  return leader?.state === 'active' && leader.address?.split('//')[1] === address;
}

function address(node) {
  return [h('div', {}, node.address),
    node.seen && h('div', { class: 'why' }, `seen at ${node.seen}`),
    node.advertised && h('div', { class: 'why' }, `advertises ${node.advertised}`)];
}

function tasks({ tasks = [], tasks_more: more = 0 }) {
  if (!tasks.length) return h('span', { class: 'muted' }, 'none');
  return [tasks.map(({ job, name, rank }, index) => [index > 0 && ', ', h('a', { href: `#/jobs/${job}` }, `${name}[${rank}]`)]), more > 0 && ` and ${more} more`];
}

function actions(node, look) {
  const want = (words, title, says, wanted, isDangerous) => button(words, async () => {
    const act = () => ask('PUT', `nodes/${encodeURIComponent(node.nonce)}/desired`, { body: { state: wanted } });
    if (await confirm({ title, says, verb: words, isDangerous, act }) !== undefined) look();
  }, { 'aria-label': `${words} ${node.name}` });
  const running = count(node.slots - node.slots_free, 'task');
  return h('div', { class: 'buttons' },
    node.state === 'live' && want('Drain', `Drain ${node.name}?`, [`Its tasks (${running}) are started elsewhere, and it gets no more.`, 'It ends when the last of them has left. What has started it may start it again, as `incumbent up` does.'], 'draining'),
    // One that is dead holds nobody up any more.
    node.state === 'silent' && want('Forget', `Forget ${node.name}?`,
      ['You say that this TaskManager, and all that it ran, is gone for good. Exclusive jobs may then start again elsewhere.',
        'If that is not true, they run twice. Make sure that the machine is off.'], 'forgotten', true));
}
