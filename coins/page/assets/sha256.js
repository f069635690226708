// SHA-256, and the proof of work that is made of it. The browser's own is not there on a page without TLS, and costs a
// promise for every hash.

function primes(count) {
  const found = [];
  for (let n = 2; found.length < count; n += 1) {
    if (found.every((prime) => n % prime !== 0)) found.push(n);
  }
  return found;
}

/** The first 32 bits behind the point. */
const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;

const K = Int32Array.from(primes(64), (prime) => fraction(Math.cbrt(prime)));
const INITIAL = Int32Array.from(primes(8), (prime) => fraction(Math.sqrt(prime)));

/** Takes one block, the first 16 words of `w`, into a state. The other 48 words are overwritten. */
function compress(state, w) {
  for (let i = 16; i < 64; i += 1) {
    const x = w[i - 15];
    const y = w[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
  }
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  let f = state[5];
  let g = state[6];
  let h = state[7];
  for (let i = 0; i < 64; i += 1) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}

/** The hash of bytes, as eight words. */
export function sha256(bytes) {
  const state = INITIAL.slice();
  const padded = new DataView(new ArrayBuffer(Math.ceil((bytes.length + 9) / 64) * 64));
  new Uint8Array(padded.buffer).set(bytes);
  padded.setUint8(bytes.length, 0x80);
  padded.setUint32(padded.byteLength - 8, Math.floor(bytes.length / 2 ** 29));
  padded.setUint32(padded.byteLength - 4, bytes.length << 3);
  const w = new Int32Array(64);
  for (let block = 0; block < padded.byteLength; block += 64) {
    for (let i = 0; i < 16; i += 1) w[i] = padded.getInt32(block + 4 * i);
    compress(state, w);
  }
  return state;
}

/** Words as hexadecimal digits. */
export const hex = (words) =>
  Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');

/** The task of one account: `sha256(sha256(account) ++ sha256(decimal nonce))`. */
export class Proof {
  #account;
  #nonce = new Int32Array(8);
  #outer = new Int32Array(8);
  #w = new Int32Array(64);

  constructor(account) {
    // Everything but the nonce is the same for all, and is hashed once.
    this.#account = sha256(new TextEncoder().encode(account));
  }

  /** The hash of a nonce, a BigInt below 2^64, as eight words which the next call overwrites. */
  hash(nonce) {
    const w = this.#w;
    // At most 20 digits: one block.
    const digits = nonce.toString();
    w.fill(0, 0, 16);
    for (let i = 0; i < digits.length; i += 1) w[i >> 2] |= digits.charCodeAt(i) << (24 - 8 * (i & 3));
    w[digits.length >> 2] |= 0x80 << (24 - 8 * (digits.length & 3));
    w[15] = digits.length << 3;
    this.#nonce.set(INITIAL);
    compress(this.#nonce, w);

    // Two hashes of 32 bytes fill a block, so the padding has one for itself.
    w.set(this.#account, 0);
    w.set(this.#nonce, 8);
    this.#outer.set(INITIAL);
    compress(this.#outer, w);
    w.fill(0, 0, 16);
    w[0] = 0x80000000;
    w[15] = 512;
    compress(this.#outer, w);
    return this.#outer;
  }
}
