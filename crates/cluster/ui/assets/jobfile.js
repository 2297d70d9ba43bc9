// Writes the job file that a form stands for, in TOML. The node reads it, so that a page and the
// command line understand the same, and say the same about what is wrong.

/** The keys of the form; what is empty or usual is left out of the file. */
export const BLANK = {
  name: '', tasks: '1', artifact: '', command: '{artifact}', env: '', checkpoints: false, interval: '', fenced: false,
  restart: 'exponential-delay', attempts: '', delay: '', grace: '', isolation: '',
};

/** How a file is run, by the end of its name. */
const RUNNERS = { py: 'python3 {artifact}', zip: 'python3 {artifact}', sh: 'sh {artifact}', jar: 'java -jar {artifact}', js: 'node {artifact}' };

/** The usual command for a file that was dropped. */
export function commandFor(name) {
  return RUNNERS[name.toLowerCase().split('.').at(-1)] ?? '{artifact}';
}

/** A string of TOML: the escapes of JSON are a part of its own. */
const text = value => JSON.stringify(value).replaceAll('\u007f', '\\u007f');

/** The same over several lines, if it has some: a script in a command can be read then. */
function script(value) {
  const isPlain = value.includes('\n') && !/'''|'$|[^\t\n\x20-\x7e\u00a0-\uffff]/.test(value);
  return isPlain ? `'''\n${value}'''` : text(value);
}

/** The words of a command. Quotes hold words together, as in a shell; nothing else is special. */
export function wordsOf(command) {
  const words = [];
  for (const [, word] of command.matchAll(/((?:"[^"]*"|'[^']*'|[^\s"'])+)/g)) {
    words.push(word.replace(/"([^"]*)"|'([^']*)'/g, (_, double, single) => double ?? single));
  }
  return words;
}

/** Pairs of `NAME=value` lines. */
function variables(lines) {
  return lines.split('\n').map(line => line.trim()).filter(Boolean).map(line => {
    const at = line.indexOf('=');
    return at < 0 ? [line, ''] : [line.slice(0, at).trim(), line.slice(at + 1)];
  });
}

/** The job file of a form. */
export function write(form) {
  const lines = [];
  const add = (key, value) => value && lines.push(`${key} = ${value}`);
  add('name', form.name && text(form.name));
  add('tasks', form.tasks !== '' && form.tasks !== '1' && String(Number(form.tasks)));
  add('artifact', form.artifact && text(`./${form.artifact}`));
  lines.push(`command = [${wordsOf(form.command).map(text).join(', ')}]`);
  add('fenced', form.fenced && 'true');
  add('isolation-timeout', form.isolation && text(form.isolation));
  add('grace', form.grace && text(form.grace));
  const given = variables(form.env);
  if (given.length) lines.push('', '[env]', ...given.map(([name, value]) => `${/^[\w-]+$/.test(name) ? name : text(name)} = ${text(value)}`));
  if (form.checkpoints) lines.push('', '[checkpoints]', ...(form.interval ? [`interval = ${text(form.interval)}`] : []));
  if (form.restart !== BLANK.restart || form.attempts || form.delay) {
    lines.push('', '[restart]', `strategy = ${text(form.restart)}`);
    if (form.restart !== 'none') add('attempts', form.attempts && String(Number(form.attempts)));
    if (form.restart === 'fixed-delay') add('delay', form.delay && text(form.delay));
    if (form.restart === 'exponential-delay') add('initial-backoff', form.delay && text(form.delay));
  }
  return `${lines.join('\n')}\n`;
}

/** A time of a specification as a job file writes it. */
function time(ms) {
  for (const [unit, size] of [['h', 3_600_000], ['m', 60_000], ['s', 1000]]) {
    if (ms >= size && ms % size === 0) return text(`${ms / size}${unit}`);
  }
  return text(`${ms}ms`);
}

/** The job file of a job that was submitted. */
export function ofSpec(spec) {
  const lines = [`name = ${text(spec.name)}`, `tasks = ${spec.tasks}`];
  const { artifact, isolation, restart, checkpoints, restore } = spec;
  if (artifact) lines.push(`artifact = ${text(`./${artifact.name}`)}  # ${artifact.size} bytes, SHA-256 ${artifact.digest}`);
  lines.push(`command = [${spec.command.map(script).join(', ')}]`);
  if (isolation?.mode === 'fenced') lines.push('fenced = true');
  else if (isolation) lines.push(`isolation-timeout = ${isolation.timeout_ms ? time(isolation.timeout_ms) : '"never"'}`);
  lines.push(`grace = ${time(spec.grace_ms)}`);
  if (spec.endpoints?.length) lines.push(`endpoints = [${spec.endpoints.map(text).join(', ')}]`);
  if (restore) lines.push(`# It has started from ${JSON.stringify(restore)}.`);
  const table = (name, pairs) => {
    const given = pairs.filter(([, value]) => value !== undefined && value !== null);
    if (given.length) lines.push('', `[${name}]`, ...given.map(([key, value]) => `${/^[\w-]+$/.test(key) ? key : text(key)} = ${value}`));
  };
  const texts = values => Object.entries(values ?? {}).map(([key, value]) => [key, text(value)]);
  table('env', texts(spec.env));
  table('env-files', texts(spec.env_files));
  const optional = ms => (ms === undefined || ms === null ? null : time(ms));
  if (checkpoints) table('checkpoints', [['interval', optional(checkpoints.interval_ms)], ['timeout', time(checkpoints.timeout_ms)], ['failures', checkpoints.failures], ['keep', checkpoints.keep]]);
  table('restart', [
    ['strategy', text(restart.strategy)], ['attempts', restart.attempts], ['delay', optional(restart.delay_ms)],
    ['initial-backoff', optional(restart.initial_ms)], ['max-backoff', optional(restart.max_ms)], ['reset-backoff-threshold', optional(restart.reset_after_ms)],
  ]);
  return `${lines.join('\n')}\n`;
}
