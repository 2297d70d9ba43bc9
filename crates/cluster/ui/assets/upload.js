// Uploads a file under its digest, and tells how far it is. What the cluster has already is not kept
// twice.

import { address, Problem } from './api.js';
import { bytes } from './time.js';

/** Uploads a file; `told` is called with words. */
export function upload(file, digest, told, signal) {
  const path = `artifacts/${digest}`;
  const { promise, resolve, reject } = Promise.withResolvers();
  // Only this way of asking tells how far it is.
  const request = new XMLHttpRequest();
  request.open('PUT', address(path));
  request.upload.onprogress = ({ loaded }) => told(`Uploading ${file.name}: ${bytes(loaded)} of ${bytes(file.size)}…`);
  request.onload = () => (request.status < 300 ? resolve() : reject(new Problem(request.status, read(request.responseText))));
  request.onerror = () => reject(new Problem(0, { title: 'The upload broke off', detail: 'The node does not answer. Submit again: what is there is not uploaded twice.' }));
  signal.addEventListener('abort', () => request.abort());
  request.send(file);
  return promise;
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { title: 'The upload was refused', detail: text };
  }
}
