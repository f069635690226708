// Numbers and times for people. Numbers may be Numbers, BigInts or strings of digits.

const numbers = new Intl.NumberFormat('en');
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

export const number = (value) => numbers.format(BigInt(value));
export const about = (value) => compact.format(value);
export const coins = (value) => (BigInt(value) === 1n ? '1 coin' : `${number(value)} coins`);
export const signed = (value) => (BigInt(value) > 0n ? `+${number(value)}` : number(value).replace('-', '−'));
export const time = (text) => clock.format(new Date(text));
export const dateTime = (text) => full.format(new Date(text));

/** What there is between two times, which have microseconds. */
export function between(from, to) {
  const micros = microseconds(to) - microseconds(from);
  if (micros < 10_000n) return `${(Number(micros) / 1000).toFixed(1)} ms`;
  if (micros < 1_000_000n) return `${micros / 1000n} ms`;
  return `${(Number(micros) / 1e6).toFixed(1)} s`;
}

function microseconds(text) {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? '';
  const seconds = Math.floor(Date.parse(text.replace(/\.\d+/, '')) / 1000);
  return BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
}
