// Elements. All text becomes text nodes: an account may have any name, and none of it is ever read as HTML.

export const byId = (id) => document.getElementById(id);

/** Makes an element with properties, attributes (`aria-…`, `data-…`, `role`, `scope`) and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes('-') || name === 'role') element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

// A name that has one shows it: what has no width or turns around what follows, and blanks but for single spaces. Two kinds
// stay where they make a picture: the one that joins two, and the one that makes a picture of what would be a letter.
const TRICKY = new RegExp(
  [
    '(?<!\\p{Extended_Pictographic}[\\ufe0f\\p{Emoji_Modifier}]?)\\u200d',
    '\\u200d(?!\\p{Extended_Pictographic})',
    '(?<!(?!\\p{Emoji_Presentation})\\p{Extended_Pictographic})\\ufe0f',
    '(?![\\u200d\\ufe0f])[\\p{Default_Ignorable_Code_Point}\\p{Cc}]',
    '(?! )[\\p{Z}\\u2800]',
    '(?<= ) ',
  ].join('|'),
  'gu',
);
const VISIBLE = /[^\p{C}\p{Z}\p{M}]/u;

const codePoint = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`;

/** An account's name, with what nobody could see made visible. */
export function nameText(account) {
  if (!VISIBLE.test(account)) return `⟨${Array.from(account, codePoint).join(' ')}⟩`;
  return account.replace(TRICKY, (character) => `⟨${codePoint(character)}⟩`);
}

/** An account's name as it stands in a sentence, in its own direction of writing. */
export const name = (account) => make('bdi', { className: 'name', title: account }, nameText(account));

/** An account's name as a button that opens its story. */
export function nameButton(account) {
  const button = make('button', { type: 'button', className: 'account' }, name(account));
  button.dataset.account = account;
  return button;
}

const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** Whether things may move. */
export const mayMove = () => !calm.matches;

/** How long to leave a service alone that does not answer, in milliseconds. */
const AWAY = 500;

/**
 * Calls `work` when asked, never twice at a time and not more often than every `pause` milliseconds; what is asked
 * meanwhile is done once, afterwards.
 */
export function atMostEvery(pause, work) {
  let isAsked = false;
  let isBusy = false;
  const run = async () => {
    isBusy = true;
    while (isAsked) {
      isAsked = false;
      const rested = new Promise((resolve) => setTimeout(resolve, pause));
      try {
        await work();
      } catch (error) {
        if (error.name !== 'Away') {
          isBusy = false;
          throw error;
        }
        // What was asked for is still wanted when the service is back.
        isAsked = true;
        await new Promise((resolve) => setTimeout(resolve, error.pause ?? AWAY));
      }
      await rested;
    }
    isBusy = false;
  };
  return () => {
    isAsked = true;
    if (!isBusy) run();
  };
}
