// Log-in, where the nodes were started with a token. The token goes to the node once; what the
// browser keeps is a cookie that no script can read.

import { ask } from './api.js';
import { h, show } from './dom.js';
import { problem } from './parts.js';

/** Asks for the token until it is right; `done` goes on. */
export function askForToken(main, done) {
  if (main.querySelector('#token')) return;
  const answer = h('div', { 'aria-live': 'polite' });
  const submit = async event => {
    event.preventDefault();
    const field = event.target.elements.token;
    try {
      await ask('POST', 'session', { body: { token: field.value } });
      field.value = '';
      done();
    } catch (error) {
      const wrong = { title: 'That is not the token', detail: 'It is the one that the nodes were started with: the content of the file of --token-file.' };
      show(answer, problem(error.status === 401 ? wrong : error));
      field.select();
    }
  };
  show(main, h('form', { class: 'card login', onsubmit: submit, 'data-key': 'login' },
    h('h1', {}, 'Log in'),
    h('p', {}, 'The nodes of this cluster ask for a token, because submitting a job is running a program.'),
    h('label', {}, 'Token', h('input', { id: 'token', name: 'token', type: 'password', autocomplete: 'current-password', required: true })),
    answer,
    h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'primary' }, 'Log in')),
    h('p', { class: 'muted' }, 'The session lasts for 12 hours, at every node. A program says ', h('code', {}, 'Authorization: Bearer TOKEN'), ' instead.')));
  document.title = 'Log in · Incumbent';
  main.querySelector('#token').focus();
}

/** Ends the session. */
export const logOut = () => ask('DELETE', 'session');
