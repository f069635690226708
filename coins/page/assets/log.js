// The log as it grows, the newest event first.
import { byId, make, mayMove } from './dom.js';
import { dateTime, number, time } from './format.js';
import { go } from './past.js';
import { happened } from './words.js';

/** How many events are shown. */
export const ROWS = 40;

const list = byId('log');
const empty = byId('log-empty');
const hold = byId('hold');

/** What came while the log was held. */
let held = [];
const isHeld = () => hold.getAttribute('aria-pressed') === 'true';

function row(event) {
  const position = make('button', { type: 'button', className: 'position number', title: 'See the leaderboard then' }, number(event.position));
  position.setAttribute('aria-label', `Event ${event.position}: see the leaderboard then`);
  position.addEventListener('click', () => go(Number(event.position)));
  const item = make(
    'li',
    {},
    make('span', { className: `mark ${event.type}` }),
    make('p', {}, ...happened(event)),
    make('time', { dateTime: event.at, title: dateTime(event.at) }, time(event.at)),
    position,
  );
  return item;
}

/** Shows what happened. */
export function take(events) {
  empty.hidden = true;
  if (isHeld()) {
    held = [...held, ...events].slice(-ROWS);
    return;
  }
  // More than fit are not made at all: somebody may be mining fast.
  const items = events.slice(-ROWS).map(row).reverse();
  list.prepend(...items);
  while (list.children.length > ROWS) list.lastChild.remove();
  if (mayMove()) {
    for (const item of items.slice(0, 8)) {
      item.animate([{ background: 'var(--glow)', opacity: 0 }, { background: 'var(--glow)', opacity: 1, offset: 0.2 }, {}], {
        duration: 1400,
        easing: 'ease-out',
      });
    }
  }
}

/** Whether there is nothing in it. */
export function isEmpty(yes) {
  empty.hidden = !yes;
}

hold.addEventListener('click', () => {
  const was = isHeld();
  hold.setAttribute('aria-pressed', String(!was));
  if (was && held.length > 0) {
    const events = held;
    held = [];
    take(events);
  }
});
