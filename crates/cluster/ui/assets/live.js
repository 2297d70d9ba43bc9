// What changes, as the node tells it: one stream of server-sent events for the whole page. It is
// closed while nobody looks, because a browser has few connections for all its tabs.

import { address } from './api.js';

/** Kinds of events of `/v1/events`. */
const KINDS = ['leader', 'overview', 'jobs', 'nodes'];

/** How long after a tab is hidden its stream is closed. */
const HIDDEN = 10_000;

/** How long after a refusal to try again. A stream that breaks is opened again by the browser. */
const PAUSE = 3_000;

/** Tells events of these kinds with their data in `detail`, and `state` when `live.state` changes. */
class Live extends EventTarget {
  /** `stopped`, `connecting`, `live` or `lost`. */
  state = 'stopped';
  /** Who leads, as the node says it; `null` before it did. */
  leader = null;
  #source = null;
  #hidden = 0;
  #isStarted = false;

  constructor() {
    super();
    document.addEventListener('visibilitychange', () => {
      clearTimeout(this.#hidden);
      if (document.hidden) this.#hidden = setTimeout(() => this.#close(), HIDDEN);
      else if (this.#isStarted) this.#open();
    });
  }

  /** Opens the stream, and keeps it open. */
  start() {
    this.#isStarted = true;
    this.#enter('connecting');
    this.#open();
  }

  /** Closes it until it is started again. */
  stop() {
    this.#isStarted = false;
    this.#close();
    this.#enter('stopped');
  }

  #open() {
    if (this.#source) return;
    const source = new EventSource(address('events'));
    this.#source = source;
    source.onopen = () => this.#enter('live');
    source.onerror = () => {
      this.#enter('lost');
      if (source.readyState !== EventSource.CLOSED) return;
      this.#close();
      setTimeout(() => this.#isStarted && !document.hidden && this.#open(), PAUSE);
    };
    for (const kind of KINDS) {
      source.addEventListener(kind, event => {
        const detail = JSON.parse(event.data);
        if (kind === 'leader') this.leader = detail;
        this.dispatchEvent(new CustomEvent(kind, { detail }));
      });
    }
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  #enter(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }
}

export const live = new Live();
