// Mining: the worker searches, the service judges.
import { Away, command, get, Refused } from './api.js';
import { lightUp, prepare } from './die.js';
import { byId, make, nameText } from './dom.js';
import { about, number } from './format.js';
import { refusal } from './words.js';

/** How many coins of the search are listed. */
const FINDS = 4;

/** How long to wait before a worker is made anew, in milliseconds. */
const AGAIN = 500;

/** How often a screen reader hears of coins while mining goes on, in milliseconds. */
const ANNOUNCE = 4000;

const form = byId('mine');
const account = byId('miner');
const oneButton = byId('mine-one');
const onButton = byId('mine-on');
const said = byId('mine-said');
const finds = byId('finds');

/** The mining under way, or `null`. */
let mining = null;
let announced = 0;

function say(...words) {
  said.replaceChildren(...words);
}

function showHash(hash) {
  const bytes = hash.match(/../g);
  byId('trial-hash').replaceChildren(
    ...bytes.map((byte, index) =>
      make('span', { className: index > 0 ? '' : byte === '00' ? 'first zero' : 'first' }, byte),
    ),
  );
}

function showFigures() {
  const { tried, took, coins } = mining;
  byId('tried').textContent = number(tried);
  byId('found').textContent = number(coins);
  if (took > 0) byId('rate').textContent = about((tried / took) * 1000);
}

/** One mining: of one account, until it is stopped or has what it was for. */
class Mining {
  #worker = null;
  #from = 0n;
  #aborter = new AbortController();
  #resolve = () => {};
  #isStopped = false;
  #isAway = false;
  tried = 0;
  took = 0;
  coins = 0;

  constructor(account, isEndless) {
    this.account = account;
    this.isEndless = isEndless;
  }

  /** Makes the worker, whose file comes from the service like everything else; and makes another one when it has died. */
  #hire() {
    const worker = new Worker('/assets/miner.js', { type: 'module', name: 'miner' });
    worker.onmessage = ({ data }) => this.#hear(data);
    worker.onerror = () => {
      worker.terminate();
      if (this.#isStopped || worker !== this.#worker) return;
      this.#worker = null;
      say('The search has ended by itself. It begins again.');
      setTimeout(() => this.#search(), AGAIN);
    };
    return worker;
  }

  /** Lets the worker search, from where the search is. */
  #search() {
    if (this.#isStopped) return;
    this.#worker ??= this.#hire();
    this.#worker.postMessage({ account: this.account, from: this.#from, pace: pace() });
  }

  #hear(data) {
    if (mining !== this) return;
    if (data.isEnd) {
      say('No nonce is left below 2⁶⁴.');
      return this.#resolve(null);
    }
    this.tried += data.tried;
    this.took += data.took;
    this.#from = data.nonce + 1n;
    byId('trial-nonce').textContent = data.nonce;
    showHash(data.hash);
    lightUp(data.bytes);
    showFigures();
    if (data.isCoin) this.#resolve(data);
  }

  #find(from) {
    if (this.#isStopped) return null;
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#from = from;
      this.#search();
    });
  }

  /** Changes how fast it searches. */
  setPace(pace) {
    this.#worker?.postMessage({ pace });
  }

  /** Searches, offers what was found, and goes on behind whatever was used meanwhile, by whomever. */
  async run() {
    const { signal } = this.#aborter;
    const onAway = (words) => {
      this.#isAway = true;
      say(`The service does not answer. ${words}`);
    };
    let from = await firstNonce(this.account, signal, () => onAway('It is asked again.'));
    this.#isAway = false;
    if (!this.#isStopped) say('Searching …');
    do {
      const find = await this.#find(from);
      if (find === null) return;
      from = find.nonce + 1n;
      const row = addFind(find);
      try {
        await command('/api/coins', { account: this.account, nonce: find.nonce }, { signal, onAway: () => onAway('The nonce is kept, and offered again.') });
        this.#isAway = false;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        row.dataset.state = 'refused';
        row.lastChild.textContent = 'refused';
        if (error.problem.code !== 'used_nonce') throw error;
        // Somebody else mined for the same account, and was faster.
        row.lastChild.textContent = 'used';
        const last = BigInt(error.problem.last_nonce);
        say('Somebody else mined for ', make('bdi', {}, nameText(this.account)), `. Going on behind nonce ${number(last)}.`);
        from = from > last ? from : last + 1n;
        continue;
      }
      this.coins += 1;
      row.dataset.state = 'mined';
      row.lastChild.textContent = 'mined';
      showFigures();
      if (!this.isEndless || performance.now() - announced > ANNOUNCE) {
        announced = performance.now();
        say(`A coin for `, make('bdi', {}, nameText(this.account)), `, with nonce ${number(find.nonce)}.`);
      }
    } while (!this.#isStopped && (this.isEndless || this.coins === 0));
  }

  /** Whether it was ended, by whomever. */
  get isStopped() {
    return this.#isStopped;
  }

  /** Ends it. What is offered already is waited for, unless the service is away. */
  stop() {
    this.#isStopped = true;
    this.#worker?.terminate();
    this.#resolve(null);
    if (this.#isAway) this.#aborter.abort();
  }
}

/** Where the search begins: behind the account's last nonce. */
async function firstNonce(account, signal, onAway) {
  for (;;) {
    try {
      const { last_nonce: last } = await get('/api/account', { account }, signal);
      return last == null ? 0n : BigInt(last) + 1n;
    } catch (error) {
      if (error instanceof Refused && error.problem.code === 'no_such_account') return 0n;
      if (!(error instanceof Away)) throw error;
      onAway();
      await new Promise((resolve) => setTimeout(resolve, error.pause ?? 500));
    }
  }
}

function addFind({ nonce, hash }) {
  const row = make(
    'li',
    {},
    make('span', { className: 'nonce' }, number(nonce)),
    make('span', { className: 'hash', 'aria-hidden': 'true' }, make('span', { className: 'first zero' }, '00'), hash.slice(2, 18), '…'),
    make('span', { className: 'state' }, 'offered'),
  );
  row.dataset.state = 'offered';
  finds.prepend(row);
  while (finds.children.length > FINDS) finds.lastChild.remove();
  return row;
}

const pace = () => Number(new FormData(form).get('pace'));

async function start(isEndless) {
  if (mining) {
    mining.stop();
    return;
  }
  const who = account.value.trim();
  if (who === '') return say('Say for which account.');
  const current = new Mining(who, isEndless);
  mining = current;
  byId('trial-account').textContent = nameText(who);
  account.readOnly = true;
  oneButton.disabled = isEndless;
  onButton.disabled = !isEndless;
  (isEndless ? onButton : oneButton).textContent = 'Stop';
  say('Searching …');
  let refused = null;
  let isWish = false;
  try {
    await current.run();
  } catch (error) {
    if (error instanceof Refused) refused = error.problem;
    else if (error.name !== 'AbortError') throw error;
  } finally {
    isWish = current.isStopped;
    current.stop();
    mining = null;
    account.readOnly = false;
    oneButton.disabled = onButton.disabled = false;
    oneButton.textContent = 'Mine one coin';
    onButton.textContent = 'Keep mining';
  }
  // Where it has ended by itself, the reason stays.
  if (refused) say(...refusal(refused));
  else if (isEndless && isWish) say(`Stopped after ${number(current.coins)} coins and ${number(current.tried)} nonces.`);
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  start(false);
});
onButton.addEventListener('click', () => start(true));
for (const radio of form.elements.pace) radio.addEventListener('change', () => mining?.setPace(pace()));
account.addEventListener('input', () => {
  if (!mining) byId('trial-account').textContent = nameText(account.value);
});
prepare();
showHash('0'.repeat(64).replace(/0/g, '·'));
