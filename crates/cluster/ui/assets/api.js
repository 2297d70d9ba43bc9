// Questions to the node that the page came from.

import { setClock } from './time.js';

/** Where `/v1` is: beside the folder of this file, also behind a proxy that adds a path. */
const BASE = new URL('../v1/', import.meta.url);

/** How long an answer may take: longer than a node holds a question while nobody leads. */
const PATIENCE = 40_000;

/** Tells the shell that somebody has to log in: event `needed`. */
export const login = new EventTarget();

/** An answer that is no success, or none at all. `detail` says what happened and what to do. */
export class Problem extends Error {
  constructor(status, fields) {
    super(fields.detail ?? fields.title ?? `status ${status}`);
    this.status = status;
    this.title = fields.title ?? 'It cannot be answered';
    this.detail = fields.detail ?? '';
    this.errors = fields.errors ?? [];
    /** The name that does not change, as in `not-found`. */
    this.kind = (fields.type ?? '').split(':').at(-1);
    /** Something may have been done all the same. */
    this.isUnknown = fields.processed === 'unknown';
  }
}

/** The address of something under `/v1`; parts of the path are encoded by the caller. */
export function address(path, query = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') url.searchParams.set(name, value);
  }
  return url;
}

/** Asks for JSON. */
export function get(path, query, signal) {
  return ask('GET', path, { query, signal });
}

/** Asks for something to be done. `body` becomes JSON, unless it is a file. */
export async function ask(method, path, { query, body, signal, patience = PATIENCE } = {}) {
  const request = { method, headers: { accept: 'application/json' }, signal: limited(signal, patience) };
  if (body instanceof Blob) request.body = body;
  else if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers['content-type'] = 'application/json';
  }
  const response = await reached(fetch(address(path, query), request), signal);
  setClock(response.headers.get('date'));
  if (!response.ok) throw await refused(response);
  if (response.status === 204) return null;
  return reached(response.json(), signal);
}

/** Asks for text, such as metrics. */
export async function text(path, signal) {
  const response = await reached(fetch(address(path), { signal: limited(signal, PATIENCE) }), signal);
  if (!response.ok) throw await refused(response);
  return reached(response.text(), signal);
}

function limited(signal, patience) {
  const late = AbortSignal.timeout(patience);
  return signal ? AbortSignal.any([signal, late]) : late;
}

async function reached(promise, signal) {
  try {
    return await promise;
  } catch (cause) {
    if (signal?.aborted) throw cause;
    const detail = cause.name === 'TimeoutError'
      ? 'The node did not answer in time. The page asks again.'
      : 'This node does not answer. Jobs go on without it; any other node has the same pages.';
    throw new Problem(0, { title: 'The node is not reached', detail, type: ':not-reached' });
  }
}

async function refused(response) {
  const fields = await response.json().catch(() => ({ title: response.statusText }));
  if (response.status === 401) login.dispatchEvent(new Event('needed'));
  return new Problem(response.status, fields);
}

/** 32 hexadecimal digits that nobody has drawn before: the id of a job or a savepoint. */
export function drawId() {
  const drawn = crypto.getRandomValues(new Uint8Array(16));
  return [...drawn].map(byte => byte.toString(16).padStart(2, '0')).join('');
}
