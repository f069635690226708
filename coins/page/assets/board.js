// The leaderboard: who has most, now or at a position of the past.
import { byId, make, mayMove, nameButton } from './dom.js';
import { number } from './format.js';

export const ROWS = 10;

const list = byId('board');
const empty = byId('board-empty');
const rows = new Map();

function makeRow(account) {
  const row = make(
    'li',
    {},
    make('span', { className: 'rank', 'aria-hidden': 'true' }),
    nameButton(account),
    make('span', { className: 'balance number' }),
    make('span', { className: 'track', 'aria-hidden': 'true' }, make('span', { className: 'bar' })),
  );
  row.dataset.account = account;
  return row;
}

/** Shows accounts, the richest first. Rows that change places are seen moving there. */
export function show(accounts) {
  const before = new Map(Array.from(rows, ([account, row]) => [account, row.getBoundingClientRect().top]));
  const most = accounts.reduce((most, { balance }) => (BigInt(balance) > most ? BigInt(balance) : most), 1n);
  const shown = accounts.map(({ account_id: account, balance }, index) => {
    const row = rows.get(account) ?? makeRow(account);
    row.querySelector('.rank').textContent = index + 1;
    const figure = row.querySelector('.balance');
    const text = number(balance);
    if (figure.textContent !== text) {
      if (figure.textContent !== '' && mayMove()) {
        figure.animate([{ color: 'var(--gold-text)' }, {}], { duration: 900, easing: 'ease-out' });
      }
      figure.textContent = text;
    }
    const share = Number((BigInt(balance) * 1000n) / most) / 10;
    row.querySelector('.bar').style.setProperty('--share', `${share}%`);
    return [account, row];
  });

  const focused = document.activeElement;
  for (const [account, row] of rows) {
    if (!shown.some(([other]) => other === account)) {
      row.remove();
      rows.delete(account);
    }
  }
  shown.forEach(([account, row], index) => {
    rows.set(account, row);
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  });
  // A row that was moved has lost the focus.
  if (focused !== document.activeElement && list.contains(focused)) focused.focus({ preventScroll: true });

  empty.hidden = accounts.length > 0;
  if (mayMove()) {
    for (const [account, row] of rows) {
      const was = before.get(account);
      const is = row.getBoundingClientRect().top;
      if (was === undefined) {
        row.animate([{ opacity: 0, transform: 'translateY(8px)' }, {}], { duration: 300, easing: 'ease-out' });
      } else if (Math.abs(was - is) > 1) {
        row.animate([{ transform: `translateY(${was - is}px)` }, {}], {
          duration: 450,
          easing: 'cubic-bezier(.2, .8, .2, 1)',
        });
      }
    }
  }
}
