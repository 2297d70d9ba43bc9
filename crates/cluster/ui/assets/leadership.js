// Leadership: who leads, and the story of changes: who, when, why, and how long nobody led.

import { get } from './api.js';
import { h } from './dom.js';
import { bars } from './chart.js';
import { card, empty, facts, state, table } from './parts.js';
import { ago, duration } from './time.js';

export function leadership(view) {
  const draw = (story, stale) => view.show(h('h1', {}, 'Leadership'), stale, h('div', { class: 'cards' }, present(story), root(story), gaps(story)), changes(story));
  view.poll(signal => get('leadership', {}, signal), draw, { on: ['leader'], every: 5000, key: 'leadership' });
}

function present({ now, group }) {
  if (now.state === 'none') return card('Nobody leads', h('p', {}, now.why), h('p', {}, 'Tasks go on. A candidate takes over as soon as it may.'));
  return card(now.state === 'active' ? 'The leader' : 'About to lead', facts([
    ['name', now.name], ['epoch', String(now.epoch)], ['began to lead', ago(now.since)], ['address', now.address], ['group', group],
  ]));
}

function root({ root }) {
  if (!root) return card('The root record', h('p', { class: 'muted' }, 'There is none: nobody has led yet.'));
  return card('The root record', facts([
    ['state', state(root.state === 'active' ? 'live' : root.state)],
    ['written', ago(root.renewed)],
    ['lease', duration(root.lease_ms)],
    ['liveness', root.liveness],
    ...Object.entries(root.endpoints).map(([name, address]) => [`endpoint ${name}`, address]),
    ['to lead next', root.preferred],
    ['hand-over', root.is_asked_to_hand_over ? 'asked for' : null],
  ]));
}

function gaps({ changes }) {
  if (changes.length < 2) return null;
  const points = changes.toReversed().map(change => ({ name: `epoch ${change.epoch}`, value: change.nobody_led_ms }));
  return card('How long nobody led', bars('How long nobody led at each change', points, duration));
}

function changes({ changes, is_recorded: isRecorded }) {
  if (!changes.length) return empty('No change is written down yet.');
  return [
    h('h2', {}, 'Changes'),
    h('p', { class: 'muted' }, isRecorded ? 'As each leader has written it down; the newest 100.' : 'What this process has seen since it was started.'),
    table('Changes of the leader', [{ name: 'Epoch', class: 'right' }, 'Leader', 'Began to lead', { name: 'Nobody led for', class: 'right' }, 'Why the one before led no more', 'Address', { name: 'Process', class: 'right' }],
      changes.map(change => ({
        key: String(change.epoch),
        cells: [String(change.epoch), h('strong', {}, change.leader), ago(change.since), duration(change.nobody_led_ms), change.why, change.address, change.pid ? String(change.pid) : '–'],
      }))),
  ];
}
