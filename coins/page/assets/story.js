// An account's story: its events, with the balance at every step.
import { Away, get, Refused } from './api.js';
import { atMostEvery, byId, make, name, nameButton } from './dom.js';
import { dateTime, number, signed, time } from './format.js';
import { refusal } from './words.js';

const PAGE = 50;

const dialog = byId('story');
const title = byId('story-title');
const said = byId('story-said');
const figures = byId('story-figures');
const chart = byId('story-chart');
const table = byId('story-lines');
const older = byId('story-older');

/** The account that is open, what is known of it, where the next page begins, and which event the log has told last. */
let account = null;
let lines = [];
let next = null;
let told = 0;

function entryWords(line) {
  switch (line.entry) {
    case 'mined':
      return ['mined with nonce ', make('span', { className: 'nonce' }, number(line.nonce))];
    case 'sent':
      return ['sent to ', nameButton(line.to)];
    case 'received':
      return ['received from ', nameButton(line.from)];
    default:
      return [line.entry];
  }
}

function row(line) {
  const element = make(
    'tr',
    {},
    make('td', { className: 'number soft' }, number(line.version)),
    make('td', {}, make('time', { dateTime: line.at, title: dateTime(line.at) }, time(line.at))),
    make('td', {}, make('span', { className: `mark ${line.entry}` }), ...entryWords(line)),
    make('td', { className: `number right ${BigInt(line.change) < 0n ? 'minus' : 'plus'}` }, signed(line.change)),
    make('td', { className: 'number right' }, number(line.balance)),
  );
  element.dataset.version = line.version;
  return element;
}

/** Shows the events that are loaded. What was shown already stays where it is, and keeps the focus and what is selected. */
function showLines() {
  const shown = new Map(Array.from(table.children, (element) => [element.dataset.version, element]));
  const wanted = lines.map((line) => shown.get(String(line.version)) ?? row(line));
  for (const element of shown.values()) if (!wanted.includes(element)) element.remove();
  wanted.forEach((element, index) => {
    if (table.children[index] !== element) table.insertBefore(element, table.children[index] ?? null);
  });
}

function figure(label, value) {
  return make('div', {}, make('dt', {}, label), make('dd', {}, value));
}

/** Draws the balance over the events that are loaded, as the steps that it is. */
function draw() {
  const balances = lines.map(({ balance }) => Number(balance)).reverse();
  const [width, height, rim] = [600, 120, 6];
  const most = Math.max(1, ...balances);
  // Each is as wide as all others, the last one too.
  const x = (index) => (index * width) / balances.length;
  const y = (balance) => height - rim - (balance / most) * (height - 2 * rim);
  let path = balances.length === 0 ? '' : `M0 ${y(balances[0])}`;
  balances.forEach((balance, index) => (path += `H${x(index)}V${y(balance)}H${x(index + 1)}`));
  const shape = (className, d) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    element.setAttribute('class', className);
    element.setAttribute('d', d);
    return element;
  };
  chart.replaceChildren(shape('area', path && `${path}V${height}H0Z`), shape('line', path));
  const ends = lines.length > 0 ? `from ${number(lines.at(-1).balance)} to ${number(lines[0].balance)}` : '';
  chart.setAttribute('aria-label', `The balance over ${lines.length} events, ${ends}; at most ${number(most)}`);
}

function showAll(summary) {
  figures.replaceChildren(
    figure('Balance', number(summary.balance)),
    figure('Mined', number(summary.mined)),
    figure('Sent', number(summary.sent)),
    figure('Received', number(summary.received)),
    figure('Last nonce', summary.last_nonce == null ? '–' : number(summary.last_nonce)),
  );
  showLines();
  older.hidden = next == null;
  draw();
}

/** Reads what is new, and keeps the pages that were opened. */
const refresh = atMostEvery(250, async () => {
  const asked = account;
  if (asked === null) return;
  try {
    const answer = await get('/api/account', { account: asked });
    if (asked !== account) return;
    const first = answer.statement.lines;
    const oldest = first.length > 0 ? Number(first.at(-1).version) : 0;
    const known = lines.filter(({ version }) => Number(version) < oldest);
    // A gap between what is new and what is known is not shown as if there were none.
    const joins = known.length > 0 && Number(known[0].version) === oldest - 1;
    lines = joins ? [...first, ...known] : first;
    if (!joins) next = answer.statement.next;
    said.replaceChildren();
    showAll(answer);
    // The log is faster than read models, and these are not equally fast.
    const newest = first[0] ?? { version: 0, balance: 0 };
    if (Number(newest.version) < told || BigInt(newest.balance) !== BigInt(answer.balance)) refresh();
  } catch (error) {
    if (asked !== account) return;
    if (error instanceof Refused && error.problem.code === 'no_such_account') {
      if (told > 0) return refresh();
      said.textContent = 'Nothing has happened to this account yet.';
    } else if (error instanceof Refused) {
      said.replaceChildren(...refusal(error.problem));
    } else {
      // It is asked again, until it answers.
      if (error instanceof Away) said.textContent = 'The service does not answer.';
      throw error;
    }
  }
});

/** Opens the story of an account. */
export function open(of) {
  account = of;
  lines = [];
  next = null;
  told = 0;
  title.replaceChildren(name(of));
  for (const part of [said, figures, chart, table]) part.replaceChildren();
  older.hidden = true;
  if (!dialog.open) dialog.showModal();
  refresh();
}

/** What the log tells of the account that is open. */
export function take(events) {
  const newest = events.findLast(({ data }) => data.account_id === account);
  if (account === null || !newest) return;
  told = Math.max(told, Number(newest.version));
  refresh();
}

older.addEventListener('click', async () => {
  const [asked, before] = [account, next];
  older.disabled = true;
  try {
    const answer = await get('/api/statement', { account: asked, before, limit: PAGE });
    // What was read anew meanwhile may not end where this begins.
    if (asked !== account || before !== next) return;
    said.replaceChildren();
    lines.push(...answer.lines);
    next = answer.next;
    showLines();
    older.hidden = next == null;
    draw();
  } catch (error) {
    if (!(error instanceof Away)) throw error;
    said.textContent = 'The service does not answer.';
  } finally {
    older.disabled = false;
  }
});

byId('story-close').addEventListener('click', () => dialog.close());
dialog.addEventListener('close', () => {
  // It is told later, when another story may be open already.
  if (!dialog.open) account = null;
});
// A click beside it: one that began there. A selection of text may end there, and a click on the rim is one on the dialog.
let beganBeside = false;
dialog.addEventListener('pointerdown', ({ clientX: x, clientY: y }) => {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  beganBeside = x < left || x > right || y < top || y > bottom;
});
dialog.addEventListener('click', (event) => {
  if (event.target === dialog && beganBeside) dialog.close();
});
document.addEventListener('click', (event) => {
  const button = event.target.closest?.('button.account');
  if (button) open(button.dataset.account);
});
