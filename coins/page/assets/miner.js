// The worker that searches nonces, so that the page stays smooth. It rests once it has found one, until it is told where to
// go on: a nonce is worth something only when the service has taken it.
import { Proof, hex } from './sha256.js';

const LAST_NONCE = 2n ** 64n - 1n;

/** How long it hashes before it listens, in milliseconds. */
const SLICE = 12;

/** How many first bytes of hashes it tells in one message; nobody sees more of them. */
const MOST_BYTES = 48;

let search = null;
let timer = 0;

/** `{ account, from, pace }` begins a search at a nonce, `{ pace }` changes its pace in nonces a second, 0 for as fast as
 * may be, and `{ stop: true }` ends it. */
self.onmessage = ({ data }) => {
  if (data.stop) {
    clearTimeout(timer);
    search = null;
  } else if (data.account !== undefined) {
    clearTimeout(timer);
    search = { proof: new Proof(data.account), nonce: data.from, pace: data.pace, due: performance.now(), began: performance.now() };
    slice();
  } else if (search) {
    search.pace = data.pace;
    search.due = performance.now();
  }
};

/** Tries nonces for a while; tells what it tried, and what it found. */
function slice() {
  const began = performance.now();
  const { proof, pace } = search;
  const bytes = [];
  let tried = 0;
  let nonce = search.nonce;
  let words = null;
  let isCoin = false;
  while (!isCoin && nonce <= LAST_NONCE) {
    if (pace > 0 && search.due > began) break;
    words = proof.hash(nonce);
    if (pace > 0) search.due += 1000 / pace;
    tried += 1;
    const byte = words[0] >>> 24;
    if (bytes.length < MOST_BYTES) bytes.push(byte);
    isCoin = byte === 0;
    nonce += 1n;
    // The clock is asked now and then: it costs as much as a hash.
    if (pace === 0 && (tried & 63) === 0 && performance.now() - began > SLICE) break;
  }
  search.nonce = nonce;
  const now = performance.now();
  if (tried > 0) {
    const took = now - search.began;
    search.began = now;
    if (isCoin && bytes.at(-1) !== 0) bytes.push(0);
    self.postMessage({ nonce: nonce - 1n, hash: hex(words), tried, took, bytes, isCoin });
  }
  if (isCoin) {
    search = null;
  } else if (nonce > LAST_NONCE) {
    search = null;
    self.postMessage({ isEnd: true });
  } else {
    // What a slow machine misses is not made up for.
    if (pace > 0) search.due = Math.max(search.due, began - 1000);
    timer = setTimeout(slice, pace > 0 ? Math.max(0, search.due - now) : 0);
  }
}
