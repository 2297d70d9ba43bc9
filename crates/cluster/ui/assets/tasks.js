// The tasks of the present attempt by rank: where, since when, how far, and what they take.

import { h } from './dom.js';
import { state, table } from './parts.js';
import { ago, bytes } from './time.js';

/** The shortest time over which a share is worth anything, in milliseconds. */
const SHORTEST = 500;

const COLUMNS = [
  { name: 'Rank', class: 'right' }, 'State', 'TaskManager', 'Since', { name: 'Process', class: 'right' },
  { name: 'Processor', class: 'right' }, { name: 'Memory', class: 'right' }, 'Progress',
];

export function tasks(job, memory) {
  if (!job.tasks.length) return h('p', { class: 'muted' }, 'No task is placed: it has no slots yet, or has ended.');
  take(memory);
  return table('Tasks by rank', COLUMNS, job.tasks.map(task => {
    const usage = memory.usage.get(String(task.rank)) ?? {};
    return {
      key: String(task.rank),
      cells: [
        String(task.rank), state(task.state), task.node ?? '–', task.since ? ago(task.since) : '–', task.pid ? String(task.pid) : '–',
        usage.share === undefined ? '–' : `${(usage.share * 100).toFixed(0)} %`, usage.bytes === undefined ? '–' : bytes(usage.bytes),
        h('span', { class: 'progress' }, task.progress ?? ''),
      ],
    };
  }));
}

/** What each rank takes: memory as it was said last, and the share of a core since the time before. */
function take(memory) {
  memory.usage ??= new Map();
  const { metrics } = memory;
  if (!metrics || metrics === memory.taken) return;
  memory.taken = metrics;
  const at = performance.now() - (metrics.age_ms ?? 0);
  for (const { name, labels, value } of metrics.series) {
    const rank = labels.match(/^rank="(\d+)"$/)?.[1];
    if (rank === undefined) continue;
    const usage = memory.usage.get(rank) ?? {};
    if (name === 'incumbent_cluster_task_memory_bytes') usage.bytes = value;
    if (name === 'incumbent_cluster_task_cpu_seconds_total') {
      // A node answers with the same look for a second.
      if (usage.seconds !== undefined && at - usage.at < SHORTEST) continue;
      if (usage.seconds !== undefined) usage.share = Math.max(0, value - usage.seconds) / ((at - usage.at) / 1000);
      [usage.seconds, usage.at] = [value, at];
    }
    memory.usage.set(rank, usage);
  }
}
