// SHA-256 of a file, piece by piece. The browser's own takes a whole file in memory, and is not
// there at all on a page without TLS.

const K = primes(64).map(prime => fraction(Math.cbrt(prime)));
const START = primes(8).map(prime => fraction(Math.sqrt(prime)));

function primes(count) {
  const found = [];
  for (let number = 2; found.length < count; number++) {
    if (found.every(prime => number % prime)) found.push(number);
  }
  return found;
}

/** The first 32 bits behind the point. */
function fraction(number) {
  return ((number - Math.floor(number)) * 2 ** 32) >>> 0;
}

const turn = (word, by) => (word >>> by) | (word << (32 - by));

/** 64 bytes more. */
function block(hash, view, at, words) {
  for (let i = 0; i < 16; i++) words[i] = view.getUint32(at + 4 * i);
  for (let i = 16; i < 64; i++) {
    const [a, b] = [words[i - 15], words[i - 2]];
    const small = turn(a, 7) ^ turn(a, 18) ^ (a >>> 3);
    const large = turn(b, 17) ^ turn(b, 19) ^ (b >>> 10);
    words[i] = words[i - 16] + small + words[i - 7] + large;
  }
  let [a, b, c, d, e, f, g, h] = hash;
  for (let i = 0; i < 64; i++) {
    const choice = (e & f) ^ (~e & g);
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + choice + K[i] + words[i]) | 0;
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + majority) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) hash[i] += word;
}

/** The digest of a file, as 64 hexadecimal digits. `told` is called with how many bytes are done. */
export async function sha256(file, told = () => {}) {
  const hash = Uint32Array.from(START);
  const words = new Int32Array(64);
  let [rest, length] = [new Uint8Array(0), 0];
  const take = bytes => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    for (; at + 64 <= bytes.length; at += 64) block(hash, view, at, words);
    return bytes.slice(at);
  };
  for await (const piece of file.stream()) {
    length += piece.length;
    const bytes = new Uint8Array(rest.length + piece.length);
    bytes.set(rest);
    bytes.set(piece, rest.length);
    rest = take(bytes);
    told(length);
  }
  const end = new Uint8Array(rest.length < 56 ? 64 : 128);
  end.set(rest);
  end[rest.length] = 0x80;
  new DataView(end.buffer).setBigUint64(end.length - 8, BigInt(length) * 8n);
  take(end);
  return [...hash].map(word => word.toString(16).padStart(8, '0')).join('');
}
