// Small charts, as SVG. Each has its numbers as text, too: the newest, the lowest and the highest.

import { h, svg } from './dom.js';

const [WIDTH, HEIGHT] = [320, 80];

/** How long a mark is for a value that is alone. */
const MARK = 4;

/** Few bars are as wide as so many would be. */
const FEWEST = 20;

/** Bars of values, oldest first; the last one is the newest. `{ name, value }` each. */
export function bars(title, points, unit) {
  const most = Math.max(...points.map(({ value }) => value), 1e-9);
  const step = WIDTH / Math.max(points.length, FEWEST);
  const begin = WIDTH - step * points.length;
  return framed(title, points, unit, points.map(({ name, value }, index) => {
    const height = Math.max(1, (value / most) * HEIGHT);
    return svg('rect', { x: begin + index * step + 0.5, y: HEIGHT - height, width: Math.max(0.5, step - 1), height },
      svg('title', {}, `${name}: ${unit(value)}`));
  }));
}

/** A line of values over time. */
export function line(title, points, unit) {
  const values = points.map(({ value }) => value);
  const [least, most] = [Math.min(...values, 0), Math.max(...values, 1e-9)];
  const x = index => (points.length < 2 ? WIDTH : (index / (points.length - 1)) * WIDTH);
  const y = value => HEIGHT - 2 - ((value - least) / (most - least)) * (HEIGHT - 4);
  const path = values.map((value, index) => `${index ? 'L' : 'M'}${x(index).toFixed(1)} ${y(value).toFixed(1)}`).join('')
    // One value is a mark where the line will begin.
    + (points.length === 1 ? `h-${MARK}` : '');
  return framed(title, points, unit, svg('path', { d: path }));
}

function framed(title, points, unit, ...shapes) {
  const values = points.map(({ value }) => value);
  const words = `now ${unit(values.at(-1))}, lowest ${unit(Math.min(...values))}, highest ${unit(Math.max(...values))}`;
  return h('figure', { class: 'chart' },
    svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': `${title}: ${words}` }, shapes),
    h('figcaption', {}, words));
}
