// The service's HTTP interface.
import { parse, stringify } from './json.js';

/** The service refused something, and says why as `application/problem+json`. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.title ?? `status ${status}`);
    this.name = 'Refused';
    this.status = status;
    this.problem = problem;
  }
}

/** The service cannot be reached, or cannot answer now; trying again makes sense. */
export class Away extends Error {
  constructor(message, pause) {
    super(message);
    this.name = 'Away';
    /** How long to wait, in milliseconds, if the service says so. */
    this.pause = pause;
  }
}

/** How long an answer may take, in milliseconds: the service itself gives up after 40 seconds. */
const PATIENCE = 45_000;

async function ask(path, { signal, ...options }) {
  const late = AbortSignal.timeout(PATIENCE);
  let response;
  let text;
  try {
    response = await fetch(path, { cache: 'no-store', ...options, signal: signal ? AbortSignal.any([signal, late]) : late });
    text = await response.text();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Away('the service cannot be reached');
  }
  if (response.ok) return { status: response.status, ...parse(text) };
  const seconds = Number(response.headers.get('retry-after'));
  if ([408, 429, 502, 503, 504].includes(response.status)) {
    throw new Away('the service is busy', seconds > 0 ? seconds * 1000 : undefined);
  }
  let problem = {};
  try {
    problem = parse(text);
  } catch {
    // No problem document: the status is all that is known.
  }
  throw new Refused(response.status, problem);
}

/** Reads something; `query` has the parameters. */
export function get(path, query = {}, signal = undefined) {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value != null));
  return ask(`${path}?${parameters}`, { signal });
}

/** A key for a command: whatever is sent with it takes effect once. */
export function newKey() {
  // `crypto.randomUUID` is not there on a page without TLS.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const wait = (pause, signal) =>
  new Promise((resolve, reject) => {
    const abort = () => reject(new DOMException('stopped', 'AbortError'));
    if (signal?.aborted) return abort();
    const timer = setTimeout(resolve, pause);
    signal?.addEventListener('abort', () => (clearTimeout(timer), abort()), { once: true });
  });

/**
 * Sends a command until the service has answered. Whether an attempt got through does not matter: all have the same key, so
 * that the command takes effect once. `onAway` hears of attempts that failed.
 */
export async function command(path, fields, { headers = {}, signal, onAway = () => {} } = {}) {
  const key = newKey();
  for (let pause = 250; ; pause = Math.min(pause * 2, 3000)) {
    try {
      return await ask(path, {
        method: 'POST',
        body: stringify(fields),
        headers: { 'content-type': 'application/json', 'idempotency-key': key, ...headers },
        signal,
      });
    } catch (error) {
      if (!(error instanceof Away)) throw error;
      onAway(error);
      await wait(error.pause ?? pause, signal);
    }
  }
}
