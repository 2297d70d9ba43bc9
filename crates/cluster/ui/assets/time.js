// Times, sizes and numbers for people: with units, relative times with the exact one in the title.

import { h } from './dom.js';

/** How far the clock of the node is ahead of the one here, in milliseconds; whole seconds only. */
let ahead = 0;

/** Takes the clock of the node that answers: times in answers are of its machines. */
export function setClock(date) {
  const there = Date.parse(date ?? '');
  if (Number.isNaN(there)) return;
  const difference = there - Date.now();
  ahead = Math.abs(difference) > 2000 ? difference : 0;
}

/** The present moment, on the clock of the node. */
export const now = () => Date.now() + ahead;

/** A time, as long as people need it. */
export function duration(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

/** How long ago that was; whole seconds, as it is counted on. */
function age(at) {
  const ms = Math.max(0, now() - at);
  return ms < 1000 ? 'just now' : `${ms < 120000 ? `${Math.floor(ms / 1000)} s` : duration(ms)} ago`;
}

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' });

/** How long ago a moment was, with the exact one in its title; goes on by itself. */
export function ago(iso) {
  const at = Date.parse(iso ?? '');
  if (Number.isNaN(at)) return h('span', { class: 'muted' }, iso || '–');
  return h('time', { datetime: iso, title: exact.format(at) }, age(at));
}

/** The exact moment. */
export function moment(iso) {
  const at = Date.parse(iso ?? '');
  return Number.isNaN(at) ? iso || '–' : exact.format(at);
}

/** Lets all times that are shown go on. */
export function tick(root) {
  for (const element of root.querySelectorAll('time[datetime]')) {
    const text = age(Date.parse(element.dateTime));
    if (element.textContent !== text) element.textContent = text;
  }
}

/** A size in bytes. */
export function bytes(number) {
  let shown = number;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (shown < 1000) return unit === 'B' ? `${shown} B` : `${shown.toFixed(1)} ${unit}`;
    shown /= 1024;
  }
  return `${shown.toFixed(1)} TiB`;
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** A number with what it counts: `1 task`, `1,000 tasks`. */
export function count(number, one, many = `${one}s`) {
  return `${whole.format(number)} ${number === 1 ? one : many}`;
}

/** Which ranks, as in `ranks 0, 2 and 5`; ten are named. */
export function ranks(list) {
  if (list.length === 1) return `rank ${list[0]}`;
  if (list.length > 10) return `ranks ${list.slice(0, 10).join(', ')} and ${list.length - 10} more`;
  return `ranks ${list.slice(0, -1).join(', ')} and ${list.at(-1)}`;
}
