// The shell: which page is shown, what all pages say (who leads, that somebody has to log in), and
// how a page asks again.

import { get, login, Problem } from './api.js';
import { h, show } from './dom.js';
import { live } from './live.js';
import { empty, problem } from './parts.js';
import { tick } from './time.js';
import { job } from './job.js';
import { jobs } from './jobs.js';
import { leadership } from './leadership.js';
import { askForToken, logOut } from './login.js';
import { nodes } from './nodes.js';
import { learn, others } from './others.js';
import { overview } from './overview.js';
import { records } from './records.js';
import { submit } from './submit.js';

/** Pages by the first part of what follows `#/`; `of` says where they are shown: the first is the first page. */
const PAGES = {
  '': { title: 'Overview', page: overview, of: ['cluster'] },
  jobs: { title: 'Jobs', page: (view, [id, ...rest]) => (id ? job(view, id, rest) : jobs(view)), of: ['cluster'] },
  nodes: { title: 'Nodes', page: nodes, of: ['cluster'] },
  leadership: { title: 'Leadership', page: leadership, of: ['cluster', 'group'] },
  submit: { title: 'Submit', page: submit, of: ['cluster'] },
  records: { title: 'Records', page: (view, rest) => records(view, rest.join('/')), of: ['cluster', 'group'] },
};

/** How soon after one answer the next question may follow, whatever happens meanwhile. */
const SHORTEST_PAUSE = 900;

/** From when on a page says that it still waits for its first answer. */
const SLOW = 400;

const main = document.getElementById('main');
const banner = document.getElementById('banner');
let features = { kind: 'cluster' };
let leave = () => {};

/** What was shown last, by page: going back and forth shows no empty page. */
const shown = new Map();
const MOST_KEPT = 20;

/** What a page gets: where it is shown, and what ends with it. */
class View {
  #left = new AbortController();
  signal = this.#left.signal;

  constructor(query) {
    /** What follows `?` in the address. */
    this.query = query;
  }

  leave() {
    this.#left.abort();
  }

  title(text) {
    document.title = `${text} · Incumbent`;
  }

  show(...children) {
    if (!this.signal.aborted) show(main, ...children);
  }

  on(target, kind, handler) {
    target.addEventListener(kind, handler, { signal: this.signal });
  }

  /** Changes what follows `?` in the address, without leaving the page. */
  remember(values) {
    for (const [name, value] of Object.entries(values)) {
      if (value) this.query.set(name, value);
      else this.query.delete(name);
    }
    const [path] = location.hash.split('?');
    const query = this.query.toString();
    history.replaceState(null, '', query ? `${path}?${query}` : path || '#/');
  }

  /**
   * Asks now, when one of these events comes, and at least every so often while somebody looks; one
   * question at a time. `draw(data, problem)` gets the newest answer, and why there is no newer one.
   * With a `key`, what was shown under it last is shown until the answer comes. Returns what asks at
   * once.
   */
  poll(ask, draw, { on = [], every = 5000, key = null }) {
    let [data, asking, wanted, timer] = [shown.get(key) ?? null, false, false, 0];
    if (data !== null) draw(data, null);
    const slow = setTimeout(() => {
      if (data === null && main.childElementCount < 2) main.append(h('p', { class: 'muted', role: 'status' }, 'Asking the node…'));
    }, SLOW);
    const look = async () => {
      if (asking) return void (wanted = true);
      clearTimeout(timer);
      [asking, wanted] = [true, false];
      let failed = null;
      try {
        data = await ask(this.signal);
        if (key !== null) keep(key, data);
      } catch (error) {
        failed = error;
        if (!(error instanceof Problem) && !this.signal.aborted) console.error(error);
      }
      asking = false;
      clearTimeout(slow);
      if (this.signal.aborted) return;
      if (data !== null) draw(data, failed && stale(failed));
      else if (failed.status !== 401) this.show(h('h1', {}, document.title.split(' · ')[0]), problem(failed, look));
      timer = setTimeout(() => !document.hidden && look(), wanted ? SHORTEST_PAUSE : every);
    };
    let last = 0;
    const soon = () => {
      const pause = Math.max(0, last + SHORTEST_PAUSE - performance.now());
      if (asking || document.hidden) return void (wanted = true);
      clearTimeout(timer);
      timer = setTimeout(() => { last = performance.now(); look(); }, pause);
    };
    for (const kind of on) this.on(live, kind, soon);
    this.on(document, 'visibilitychange', () => document.hidden || look());
    this.signal.addEventListener('abort', () => { clearTimeout(timer); clearTimeout(slow); });
    look();
    return look;
  }
}

function keep(key, data) {
  shown.delete(key);
  shown.set(key, data);
  if (shown.size > MOST_KEPT) shown.delete(shown.keys().next().value);
}

/** Why what is shown is not the newest. */
function stale(error) {
  return h('p', { class: 'stale', role: 'status' }, `Not up to date: ${error.detail || error.message}`);
}

function route() {
  if (location.hash && !location.hash.startsWith('#/')) return;
  leave();
  const [path, query] = location.hash.slice(2).split('?');
  const [name, ...rest] = decoded(path);
  // A group without a cluster has no overview.
  if (!name && features.kind === 'group') return void location.replace('#/leadership');
  const found = Object.hasOwn(PAGES, name) ? PAGES[name] : null;
  const view = new View(new URLSearchParams(query));
  leave = () => view.leave();
  shell(name);
  window.scrollTo(0, 0);
  if (!found || !found.of.includes(features.kind)) {
    const why = name === null ? 'A % in the address has to be followed by two hexadecimal digits, as in %20. The address may have been cut off.'
      : 'The address names no page.';
    view.title('Not found');
    view.show(h('h1', {}, 'There is no such page'), empty(why, h('a', { href: '#/' }, 'To the first page')));
    return;
  }
  view.title(found.title);
  view.show(h('h1', {}, found.title));
  found.page(view, rest);
}

/** The parts of a path. The first is `null` if it is none: a `%` in it stands for nothing. */
function decoded(path) {
  try {
    return path.split('/').map(part => decodeURIComponent(part));
  } catch {
    return [null];
  }
}

/** What all pages have: where they lead, who leads, and whether this is the present state. */
function shell(current) {
  const shown = Object.entries(PAGES).filter(([, { of }]) => of.includes(features.kind));
  show(document.getElementById('nav'), shown.map(([name, { title }]) =>
    h('a', { href: `#/${name}`, 'aria-current': name === current && 'page' }, title)),
    features.needs_token && h('button', { type: 'button', class: 'quiet', onclick: leaveSession }, 'Log out'));
}

async function leaveSession() {
  await logOut().catch(() => {});
  askWho();
}

/** Shows the log-in in place of the page, and then the page again. */
function askWho() {
  leave();
  live.stop();
  for (const id of ['nav', 'live']) show(document.getElementById(id));
  askForToken(main, () => {
    live.start();
    route();
  });
}

function tell() {
  const { leader, state } = live;
  if (state === 'stopped') {
    show(document.getElementById('live'));
    banner.hidden = true;
    return;
  }
  const [kind, words] = state === 'lost' ? ['bad', 'not connected'] : state === 'connecting' ? ['wait', 'connecting']
    : leader?.state === 'active' ? ['good', `${leader.name} leads`] : ['warn', 'nobody leads'];
  show(document.getElementById('live'), h('span', { class: `state ${kind}` },
    h('span', { 'aria-hidden': 'true' }, kind === 'good' ? '●' : '○'), ` ${words}`));
  const says = state === 'lost' ? 'This node does not answer. Jobs go on, and the page connects again by itself.'
    : leader && leader.state !== 'active' ? `${leader.why} Tasks go on; what is asked of the leader waits for the next one.` : '';
  banner.hidden = !says;
  show(banner, says, state === 'lost' && others());
}

async function start() {
  document.querySelector('.skip').addEventListener('click', event => {
    event.preventDefault();
    main.focus();
  });
  login.addEventListener('needed', askWho);
  live.addEventListener('state', tell);
  live.addEventListener('leader', tell);
  for (const kind of ['leader', 'nodes']) live.addEventListener(kind, () => features.kind === 'cluster' && learn());
  setInterval(() => document.hidden || tick(document), 1000);
  addEventListener('hashchange', () => {
    route();
    // So that a screen reader begins to read, and Tab goes on, at the new page.
    main.focus({ preventScroll: true });
  });
  features = await get('features').catch(() => features);
  // Without asking in vain first.
  if (features.needs_token && !features.is_allowed) return askWho();
  live.start();
  route();
}

start();
