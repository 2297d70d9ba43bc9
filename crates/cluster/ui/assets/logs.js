// The logs of a job, as they are written, of one task or of all; searched as they come. The browser
// goes on at the right line by itself if the connection breaks.

import { address } from './api.js';
import { h, show } from './dom.js';
import { button } from './parts.js';

/** Lines that are kept here. The log itself has more: `incumbent job logs`. */
const MOST_LINES = 5000;

/** Lines of each rank to begin with. */
const TAIL = 500;

/** The log of a job, until the page is left. */
export function logs(job, view) {
  const lines = h('pre', { class: 'code log', tabindex: '0', role: 'log', 'aria-live': 'off', 'aria-label': 'The log' });
  const status = h('p', { class: 'muted', role: 'status' }, 'Opening…');
  const wanted = { search: '', rank: '', attempt: '' };
  let [source, follows, missing] = [null, true, 0];
  const waiting = [];

  lines.addEventListener('scroll', () => {
    follows = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 24;
  });
  const flush = () => {
    const several = wanted.rank === '' && job.tasks.length > 1;
    const all = waiting.splice(0).slice(-MOST_LINES);
    lines.append(...all.map(({ rank, line, note }) => h('div', { class: note && 'note', hidden: !fits(line ?? note) },
      several && h('span', { class: 'rank' }, `[${rank}] `), line ?? note)));
    while (lines.childElementCount > MOST_LINES) {
      lines.firstElementChild.remove();
      missing += 1;
    }
    if (follows) lines.scrollTop = lines.scrollHeight;
    tell();
  };
  const fits = text => !wanted.search || text.toLowerCase().includes(wanted.search);
  const add = event => {
    if (!waiting.length) setTimeout(flush, 100);
    waiting.push(JSON.parse(event.data));
  };
  let state = 'Opening…';
  const tell = () => {
    const shown = [...lines.children].filter(line => !line.hidden).length;
    const found = wanted.search ? `${shown} of ${lines.childElementCount} lines fit. ` : `${shown} lines. `;
    show(status, `${found}${missing ? `${missing} older ones are left out. ` : ''}${state}`);
  };
  const open = () => {
    source?.close();
    lines.replaceChildren();
    [missing, waiting.length, follows, state] = [0, 0, true, 'Opening…'];
    source = new EventSource(address(`jobs/${job.id}/logs`, { follow: true, tail: TAIL, rank: wanted.rank, attempt: wanted.attempt }));
    const now = source;
    now.onopen = () => { state = 'It goes on as the tasks write.'; tell(); };
    now.onmessage = add;
    now.addEventListener('note', add);
    now.addEventListener('end', event => {
      now.close();
      state = `That is all: the job is ${JSON.parse(event.data).state}.`;
      setTimeout(tell, 150);
    });
    now.onerror = () => {
      state = now.readyState === EventSource.CLOSED ? 'The node does not give this log: there may be too many ranks; choose one.' : 'Not connected; it goes on by itself.';
      tell();
    };
  };
  const search = event => {
    wanted.search = event.target.value.toLowerCase();
    for (const line of lines.children) line.hidden = !fits(line.textContent);
    if (follows) lines.scrollTop = lines.scrollHeight;
    tell();
  };
  view.signal.addEventListener('abort', () => source?.close());
  open();
  const choice = (label, name, options) => h('label', {}, label, h('select', { onchange: event => { wanted[name] = event.target.value; open(); } },
    options.map(([value, words]) => h('option', { value }, words))));
  return h('div', { 'data-keep': true, 'data-key': 'logs' },
    h('form', { class: 'filters', role: 'search', onsubmit: event => event.preventDefault() },
      h('label', {}, 'Search', h('input', { type: 'search', oninput: search })),
      choice('Task', 'rank', [['', 'all'], ...job.tasks.map(({ rank }) => [String(rank), `rank ${rank}`])]),
      choice('Attempt', 'attempt', [['', 'the present one'], ...(job.attempts ?? []).toReversed().map(({ attempt }) => [String(attempt), String(attempt)])]),
      button('To the end', () => { follows = true; lines.scrollTop = lines.scrollHeight; })),
    status, lines);
}
