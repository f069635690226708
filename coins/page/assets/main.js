// The page: everything follows from the log that the service sends.
import { Away, get } from './api.js';
import { byId, make } from './dom.js';
import { Live } from './live.js';
import * as log from './log.js';
import './mine.js';
import * as past from './past.js';
import './send.js';
import * as story from './story.js';
import * as transfers from './transfers.js';

/** How many names the fields suggest. */
const SUGGESTIONS = 30;

const connection = byId('connection');
const names = byId('accounts');
const suggested = new Set();

function suggest(account) {
  if (suggested.has(account) || suggested.size >= SUGGESTIONS) return;
  suggested.add(account);
  names.append(make('option', { value: account }));
}

const WORDS = { connecting: 'Connecting', live: 'Live', lost: 'Reconnecting' };

const live = new Live(async (state) => {
  const wasLost = connection.dataset.state === 'lost';
  connection.dataset.state = state;
  connection.textContent = WORDS[state];
  if (state !== 'live' || !wasLost) return;
  past.refresh();
  const seen = live.position;
  const { head } = await get('/api/leaderboard', { limit: 1 }).catch(() => ({ head: seen }));
  // Another log: nothing on the page is true any more. What has come since the question does not count.
  if (Number(head) < seen) location.reload();
});

live.listen((events) => {
  past.extend(live.position);
  past.refresh();
  log.take(events);
  transfers.take(events);
  story.take(events);
  for (const { data } of events.slice(-SUGGESTIONS)) suggest(data.account_id);
});

async function begin() {
  for (let pause = 200; ; pause = Math.min(pause * 2, 2000)) {
    try {
      const [{ head, accounts }] = await Promise.all([get('/api/leaderboard', { limit: SUGGESTIONS }), transfers.load()]);
      for (const { account_id: account } of accounts) suggest(account);
      past.extend(Number(head));
      past.refresh();
      log.isEmpty(Number(head) === 0);
      live.open(Math.max(0, Number(head) - log.ROWS));
      return;
    } catch (error) {
      if (!(error instanceof Away)) throw error;
      connection.dataset.state = 'lost';
      connection.textContent = WORDS.lost;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

begin();
