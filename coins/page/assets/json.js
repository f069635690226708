// JSON with numbers as they are. JavaScript rounds integers beyond 2^53, and nonces and amounts go up to 2^64.

// A string, or a number; strings come first, so that digits inside of them are left alone.
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const LONG_INTEGER = /^-?\d{16,}$/;

/** Reads JSON; integers of 16 digits and more come as strings of digits, for BigInt. */
export function parse(text) {
  return JSON.parse(text.replace(TOKENS, (token) => (LONG_INTEGER.test(token) ? `"${token}"` : token)));
}

/** Writes an object of strings, numbers and BigInts; the latter in all their digits. */
export function stringify(fields) {
  const members = Object.entries(fields).map(
    ([name, value]) => `${JSON.stringify(name)}:${typeof value === 'bigint' ? value : JSON.stringify(value)}`,
  );
  return `{${members.join(',')}}`;
}
