// The slider over the log: the leaderboard as it was, and what happened there.
import { get } from './api.js';
import { ROWS, show } from './board.js';
import { atMostEvery, byId, make } from './dom.js';
import { dateTime, number } from './format.js';
import { happened, happenedText } from './words.js';

/** In how many steps a long log is played. */
const STEPS = 120;

/** How long an event is shown while the log is played, in milliseconds, when it is short. */
const SLOWEST = 600;
const FASTEST = 120;

const slider = byId('slider');
const play = byId('play');
const now = byId('now');
const moment = byId('moment');
const told = byId('told');
const headline = byId('head');

let head = 0;
/** Where the slider is; `null` is now, wherever the log ends. */
let position = null;
let playing = 0;
let behind = () => {};

const isLive = () => position === null;

/** Shows the leaderboard where the slider is. */
export const refresh = atMostEvery(150, async () => {
  const wanted = position;
  const answer = await get('/api/leaderboard', { at: wanted, limit: ROWS });
  extend(Number(answer.head));
  const found = Number(answer.position);
  // While the log is played or dragged, the slider is elsewhere when an answer comes; it is shown all the same.
  if ((wanted === null) !== isLive()) return refresh();
  show(answer.accounts);
  moment.dataset.past = String(!isLive());
  if (isLive()) {
    moment.textContent = 'now';
  } else {
    moment.textContent = found === 0 ? 'before anything happened' : `after event ${number(found)}`;
    tell(found, answer);
  }
  // A read model may be behind the event that asked for this.
  if (wanted !== position || found < (wanted ?? head)) refresh();
});

function tell(found, { at, event }) {
  if (!event) {
    told.replaceChildren('The log is empty here. Nobody has anything.');
    if (found === position) slider.setAttribute('aria-valuetext', 'before the first event');
    return;
  }
  told.replaceChildren(
    make('time', { dateTime: at }, dateTime(at)),
    ' ',
    make('span', { className: `mark ${event.type}` }),
    ...happened(event),
  );
  if (found === position) slider.setAttribute('aria-valuetext', `event ${found} of ${head}: ${happenedText(event)}`);
}

/** The log has grown. */
export function extend(to) {
  if (to <= head) return;
  head = to;
  headline.textContent = number(head);
  slider.max = head;
  slider.disabled = play.disabled = false;
  if (isLive()) goLive();
  paint();
}

function paint() {
  slider.style.setProperty('--share', head === 0 ? '100%' : `${(100 * Number(slider.value)) / head}%`);
}

/** Goes to a position, to be seen there until somebody goes on. */
export function go(to) {
  stop();
  move(to);
}

function move(to) {
  position = Math.min(Math.max(to, 0), head);
  slider.value = position;
  now.disabled = false;
  paint();
  refresh();
}

function goLive() {
  position = null;
  slider.value = head;
  slider.setAttribute('aria-valuetext', `now, after event ${head}`);
  now.disabled = true;
  paint();
}

function back() {
  stop();
  goLive();
  told.textContent = 'Drag to see the leaderboard as it was after any event.';
  refresh();
}

function stop() {
  clearTimeout(playing);
  playing = 0;
  play.setAttribute('aria-label', 'Play the log');
  play.dataset.playing = 'false';
}

function step() {
  if (position === null || position >= head) return back();
  move(position + Math.max(1, Math.round(head / STEPS)));
  playing = setTimeout(step, Math.max(FASTEST, Math.min(SLOWEST, 12_000 / head)));
}

slider.addEventListener('input', () => {
  go(Number(slider.value));
});
now.addEventListener('click', back);
play.addEventListener('click', () => {
  if (playing) return stop();
  play.setAttribute('aria-label', 'Stop playing');
  play.dataset.playing = 'true';
  if (isLive() || position >= head) move(0);
  playing = setTimeout(step, SLOWEST);
});
slider.addEventListener('keydown', ({ key }) => {
  if (key === 'Escape' && !isLive()) back();
});
