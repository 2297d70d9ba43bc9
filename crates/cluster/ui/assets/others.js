// Where else the same pages are: addresses of other nodes, learned while this one answers.

import { get } from './api.js';
import { h } from './dom.js';

/** Most that are offered. */
const MOST = 4;

let known = [];

/** Asks for them. What is known stays if there is no answer. */
export async function learn() {
  const { nodes } = await get('overview/nodes').catch(() => ({ nodes: [] }));
  const found = nodes.filter(({ state, address }) => state === 'live' && address && address !== location.host);
  if (found.length) known = found;
}

/** Links to this page at other nodes. */
export function others() {
  if (!known.length) return null;
  return [' The same page at ', known.slice(0, MOST).map(({ name, address }, index) => [
    index > 0 && ', ', h('a', { href: `${location.protocol}//${address}/${location.hash}` }, name),
  ]), '.'];
}
