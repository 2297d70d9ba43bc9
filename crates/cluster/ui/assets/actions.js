// What can be done to a job. Each says what it will do before it does it. Repeating one does no
// harm: a stop and a savepoint name the savepoint, a restart names the attempt that is to be over.

import { ask, drawId } from './api.js';
import { h } from './dom.js';
import { button, confirm } from './parts.js';
import { count } from './time.js';

export function actions(job, look) {
  const path = `jobs/${job.id}/desired`;
  const want = body => ask('PUT', path, { body });
  const offer = (words, asked) => button(words, async () => {
    if (await confirm(asked) !== undefined) look();
  });
  return h('div', { class: 'buttons', role: 'group', 'aria-label': 'Actions' }, choices(job, want).map(([words, asked]) => offer(words, asked)));
}

function choices(job, want) {
  const ended = ['finished', 'failed', 'canceled'].includes(job.state);
  if (ended) return [['Forget', forget(job)]];
  const resume = ['Resume', {
    title: `Resume ${job.name}?`, verb: 'Resume', act: () => want({ state: 'running' }),
    says: [`It starts again as soon as there are slots, ${job.checkpoints ? 'from its last checkpoint or savepoint' : 'from the beginning'}.`],
  }];
  const cancel = ['Cancel', {
    title: `Cancel ${job.name}?`, verb: 'Cancel the job', isDangerous: true, act: () => want({ state: 'canceled' }),
    says: ['Its tasks are ended, and it cannot be resumed.', job.checkpoints ? 'What it did since its last checkpoint is lost. Savepoints stay.' : 'It makes no checkpoints: what it has not written elsewhere is lost.'],
  }];
  if (job.state === 'suspended') return [resume, cancel];
  if (job.state === 'stopping') return [cancel];
  return [
    job.checkpoints && ['Savepoint', savepoint(job)],
    ['Stop', stop(job, want)],
    ['Restart', {
      title: `Restart ${job.name}?`, verb: 'Restart', act: () => want({ state: 'running', after_attempt: job.attempt }),
      says: [`Attempt ${job.attempt} is ended, and another one begins in the same slots, ${job.checkpoints ? 'from the last checkpoint' : 'from the beginning'}.`],
    }],
    ['Rescale', rescale(job, want)],
    cancel,
  ].filter(Boolean);
}

function stop(job, want) {
  const id = drawId();
  return {
    title: `Stop ${job.name}?`, verb: 'Stop', act: () => want({ state: 'suspended', ...(job.checkpoints && { savepoint: id }) }),
    says: job.checkpoints
      ? ['It makes a savepoint, publishes what it has staged, and ends. It can be resumed from there.']
      : ['Its tasks are ended. It makes no checkpoints, so it begins anew when it is resumed.'],
  };
}

function savepoint(job) {
  const id = drawId();
  return {
    title: `Make a savepoint of ${job.name}?`, verb: 'Make it',
    act: () => ask('PUT', `jobs/${job.id}/savepoints/${id}`),
    says: ['The job goes on. The savepoint stays until somebody removes it, also if the job is forgotten.'],
  };
}

function rescale(job, want) {
  const tasks = job.wanted_tasks || job.tasks.length || 1;
  return {
    title: `Give ${job.name} another number of tasks?`, verb: 'Rescale',
    fields: [{ name: 'tasks', label: 'Tasks', type: 'number', min: '1', max: '1000', value: String(tasks), required: true }],
    act: ({ tasks }) => want({ state: 'running', tasks: Number(tasks) }),
    says: [`It has ${count(tasks, 'task')}. If there are slots for the new number, the tasks are ended and started again, ${
      job.checkpoints ? 'from a checkpoint that is made first' : 'from the beginning'}.`],
  };
}

function forget(job) {
  return {
    title: `Forget ${job.name}?`, verb: 'Forget it', isDangerous: true,
    act: async () => {
      await ask('DELETE', `jobs/${job.id}`);
      location.hash = '#/jobs';
    },
    says: ['Its record, logs and checkpoints are removed. Savepoints stay.'],
  };
}
