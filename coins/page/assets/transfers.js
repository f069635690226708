// Transfers as they are: under way from the first event to the second.
import { get } from './api.js';
import { byId, make, mayMove, nameButton } from './dom.js';
import { between, coins, time } from './format.js';

const ROWS = 6;

/** How long a coin is seen to travel at least, in milliseconds: it is there before anybody could see it go. */
const JOURNEY = 700;

const list = byId('transfers');
const empty = byId('transfers-empty');
const rows = new Map();

// Senders choose ids for themselves, so an id alone names nothing.
const keyOf = (id, from) => `${id} ${from}`;

function add(transfer, isNew) {
  const key = keyOf(transfer.transfer_id, transfer.from);
  if (rows.has(key)) return;
  const row = make(
    'li',
    {},
    nameButton(transfer.from),
    make('span', { className: 'lane', 'aria-hidden': 'true' }, make('span', { className: 'flyer' })),
    nameButton(transfer.to),
    make('span', { className: 'amount number' }, coins(transfer.amount)),
    make('span', { className: 'state' }, 'under way'),
  );
  row.dataset.state = 'under-way';
  rows.set(key, { row, sentAt: transfer.sent_at, shownAt: isNew ? performance.now() : -JOURNEY });
  list.prepend(row);
  empty.hidden = true;
  if (transfer.arrived_at) arrive(transfer.transfer_id, transfer.from, transfer.arrived_at);
  while (list.children.length > ROWS) list.lastChild.remove();
  for (const [other, { row }] of rows) if (!row.isConnected) rows.delete(other);
}

function arrive(id, from, at) {
  const known = rows.get(keyOf(id, from));
  if (!known || known.row.dataset.state === 'arrived') return;
  const { row, sentAt, shownAt } = known;
  // The words are true at once; the coin takes its time.
  row.lastChild.replaceChildren(`arrived in ${between(sentAt, at)}`);
  row.lastChild.title = `sent ${time(sentAt)}, arrived ${time(at)}`;
  const rest = mayMove() ? JOURNEY - (performance.now() - shownAt) : 0;
  if (rest > 0) setTimeout(() => (row.dataset.state = 'arrived'), rest);
  else row.dataset.state = 'arrived';
}

/** What the log tells of transfers. */
export function take(events) {
  for (const { type, at, data } of events) {
    if (type === 'CoinsSent') {
      add({ transfer_id: data.transfer_id, from: data.account_id, to: data.to, amount: data.amount, sent_at: at }, true);
    } else if (type === 'CoinsReceived') {
      arrive(data.transfer_id, data.from, at);
    }
  }
}

/** Shows the newest transfers. */
export async function load() {
  const { transfers } = await get('/api/transfers', { limit: ROWS });
  for (const transfer of transfers.toReversed()) {
    add(transfer, false);
    if (transfer.arrived_at) arrive(transfer.transfer_id, transfer.from, transfer.arrived_at);
  }
  empty.hidden = list.children.length > 0;
}
