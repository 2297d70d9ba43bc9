// Submit: a file is dropped, a form writes the job file that it stands for, and that file is what
// is submitted: it can be changed by hand first, and kept.
//
// The order is that of `incumbent job run`: the id is drawn, the job file is read by the node, its
// artifact is uploaded under its digest, and the job is put under its id. So trying again makes no
// second job.

import { ask, drawId } from './api.js';
import { h, show } from './dom.js';
import { BLANK, commandFor, write } from './jobfile.js';
import { button, card, problem } from './parts.js';
import { sha256 } from './sha256.js';
import { bytes } from './time.js';
import { upload } from './upload.js';

/** The longest job file, and the largest artifact, in bytes: as the nodes have it. */
const LARGEST_FILE = 256 * 1024;
const LARGEST_ARTIFACT = 1024 ** 3;

export function submit(view) {
  const form = { ...BLANK };
  let [file, id, isByHand, from] = [null, drawId(), false, null];
  const text = h('textarea', { id: 'jobfile', rows: '16', spellcheck: 'false', autocapitalize: 'off', oninput: () => { [isByHand, from] = [true, null]; tell(); } });
  const [status, dropped, hint] = [h('div', { 'aria-live': 'polite' }), h('p', { role: 'status' }), h('p', { class: 'muted' })];
  const fields = inputs(form, () => { [isByHand, from] = [false, null]; renew(); });

  const renew = () => {
    if (!isByHand) text.value = write(form);
    // Another job from now on.
    id = drawId();
    tell();
  };
  const tell = () => {
    show(dropped, from ? `${from} is a job file: submit it as it is, or change it first.` : file ? `${file.name}, ${bytes(file.size)}` : 'No file yet. A job may also run a program that every TaskManager has.');
    show(hint, from ? `From ${from}. The form does not write it, until you change the form.` : isByHand ? 'Changed by hand: the form no longer writes it, until you change the form.' : 'Written by the form. Change it here if you want something else.');
  };
  const take = async given => {
    if (!given) return;
    show(status);
    if (given.name.endsWith('.toml') && given.size <= LARGEST_FILE) {
      text.value = await given.text();
      [isByHand, id, from] = [true, drawId(), given.name];
      return tell();
    }
    if (given.size > LARGEST_ARTIFACT) return show(status, problem({ title: 'The file is too large', detail: `It has ${bytes(given.size)}; an artifact has at most ${bytes(LARGEST_ARTIFACT)}.` }));
    file = given;
    if (!isByHand) {
      [form.artifact, form.command] = [given.name, commandFor(given.name)];
      fields.set('command', form.command);
    }
    renew();
  };
  const send = async event => {
    event.preventDefault();
    const go = root.querySelector('[type=submit]');
    go.disabled = true;
    try {
      await run(text.value, file, id, words => show(status, h('p', { role: 'status' }, words)), view.signal);
      location.hash = `#/jobs/${id}`;
    } catch (error) {
      if (!view.signal.aborted) show(status, problem(error));
    }
    go.disabled = false;
  };
  const root = h('form', { class: 'submit', onsubmit: send },
    h('div', {}, drop(take, dropped), card('The job', fields.element)),
    card('The job file', h('label', { for: 'jobfile' }, h('span', {}, 'TOML, as ', h('code', {}, 'incumbent job run FILE.toml'), ' takes it')), text, hint, status,
      h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'primary' }, 'Submit the job'), button('Keep the file', () => keep(text.value)))));
  renew();
  view.show(h('h1', {}, 'Submit a job'), root);
}

/** Where a file is dropped, or chosen. */
function drop(take, dropped) {
  const input = h('input', { type: 'file', id: 'file', class: 'unseen', onchange: event => take(event.target.files[0]) });
  const over = isOver => event => {
    event.preventDefault();
    area.classList.toggle('over', isOver);
  };
  const area = h('section', {
    class: 'card drop', 'aria-label': 'The file', ondragover: over(true), ondragleave: over(false),
    ondrop: event => { over(false)(event); take(event.dataTransfer.files[0]); },
  },
  h('p', { class: 'lead' }, 'Drop a program, a script or a job file here'),
  input, h('label', { for: 'file', class: 'button' }, 'Choose a file'), dropped);
  return area;
}

/** The fields of the form. `set` changes one. */
function inputs(form, changed) {
  const by = new Map();
  const make = (name, label, properties, help) => {
    const { options, ...rest } = properties;
    const take = event => {
      form[name] = event.target.type === 'checkbox' ? event.target.checked : event.target.value;
      changed();
    };
    const input = options ? h('select', { onchange: take }, options.map(option => h('option', { value: option }, option)))
      : h(rest.rows ? 'textarea' : 'input', { value: form[name] || '', oninput: take, ...rest });
    by.set(name, input);
    const isBox = rest.type === 'checkbox';
    return h('label', { class: isBox && 'box' }, isBox ? [input, label] : [label, input], help && h('span', { class: 'help' }, help));
  };
  const element = h('div', { class: 'fields' },
    make('name', 'Name', { placeholder: 'from the file', pattern: '[A-Za-z0-9._\\-]*' }),
    make('tasks', 'Tasks', { type: 'number', min: '1', max: '1000' }, 'each a process in a slot, started and stopped together'),
    make('command', 'Command', { class: 'mono' }, '{artifact} is the file, {rank} and {tasks} tell the tasks apart'),
    make('checkpoints', 'It checkpoints', { type: 'checkbox' }, 'its program speaks the task contract, or is a stream job'),
    h('details', {}, h('summary', {}, 'More'), h('div', { class: 'fields' },
      make('env', 'Environment, NAME=value in each line', { rows: '3', class: 'mono' }, 'not for secrets: who may look at the job sees it'),
      make('interval', 'Between two checkpoints', { placeholder: '1s' }),
      make('fenced', 'Fenced', { type: 'checkbox' }, 'all that it does is refused for older attempts, so two may overlap'),
      make('isolation', 'Isolation timeout', { placeholder: '5m' }, 'if it is not fenced: when a node that is cut off ends its tasks'),
      make('restart', 'After a failure', { options: ['exponential-delay', 'fixed-delay', 'none'] }),
      make('attempts', 'Most restarts', { type: 'number', min: '0', placeholder: 'no limit' }),
      make('delay', 'First delay', { placeholder: '1s' }),
      make('grace', 'Time to end', { placeholder: '10s' }))));
  return { element, set: (name, value) => { by.get(name).value = value; } };
}

/** Reads, uploads and submits. */
async function run(text, file, id, told, signal) {
  told('The node reads the job file…');
  const { spec, artifact, restore } = await ask('POST', 'job-file', { body: new Blob([text], { type: 'text/plain' }), signal });
  if (restore) throw refuse('The page cannot start a job from a checkpoint', `It says restore = "${restore}". Use incumbent job run, or take that line out.`);
  if (artifact) {
    const wanted = artifact.split('/').at(-1);
    if (!file) throw refuse('The file of the job is missing', `The job file names ${artifact}: drop ${wanted} here, too.`);
    if (file.name !== wanted) throw refuse('That is another file', `The job file names ${artifact}, and what was dropped is ${file.name}.`);
    const digest = await sha256(file, done => told(`Digesting ${file.name}: ${bytes(done)} of ${bytes(file.size)}…`));
    await upload(file, digest, told, signal);
    spec.artifact = { digest, name: file.name, size: file.size };
  }
  spec.name ||= usualName(spec.command, spec.artifact?.name, id);
  told('Submitting…');
  await ask('PUT', `jobs/${id}`, { body: spec, signal });
}

function refuse(title, detail) {
  return Object.assign(new Error(detail), { title, detail });
}

/** As the command line names a job: the program, and six digits of the id. */
function usualName(command, artifact, id) {
  const program = (artifact ?? command[0]?.split('/').at(-1) ?? 'job').replace(/[^A-Za-z0-9._-]/g, '');
  return `${program || 'job'}-${id.slice(0, 6)}`;
}

/** Lets a person keep the job file. */
function keep(text) {
  const href = URL.createObjectURL(new Blob([text], { type: 'application/toml' }));
  h('a', { href, download: 'job.toml' }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}
