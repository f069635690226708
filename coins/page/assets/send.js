// Sending coins.
import { command, Refused } from './api.js';
import { byId, make, nameText } from './dom.js';
import { coins } from './format.js';
import { refusal } from './words.js';

const form = byId('send');
const said = byId('send-said');
const fields = { from: byId('from'), to: byId('to'), amount: byId('amount') };

function say(state, ...words) {
  said.dataset.state = state;
  said.replaceChildren(...words);
}

/** Says what is missing, at the field where it is missing. */
function missing(field, words) {
  field.setAttribute('aria-invalid', 'true');
  field.focus();
  say('refused', words);
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = form.querySelector('button');
  if (button.disabled) return;
  for (const field of Object.values(fields)) field.removeAttribute('aria-invalid');
  const [from, to, amount] = Object.values(fields).map((field) => field.value.trim());
  if (from === '') return missing(fields.from, 'Say from which account.');
  if (to === '') return missing(fields.to, 'Say to which account.');
  if (!/^-?\d+$/.test(amount)) return missing(fields.amount, 'An amount is a whole number of coins, such as 3.');

  button.disabled = true;
  say('under-way', 'Sending …');
  try {
    await command(
      '/api/transfers',
      { from, to, amount: BigInt(amount) },
      {
        // Answered as soon as the coins have left; that they arrive is seen in the log.
        headers: { prefer: 'respond-async' },
        onAway: () => say('under-way', 'The service does not answer. Trying again; nothing is sent twice.'),
      },
    );
    say('done', `${coins(amount)} on the way to `, make('bdi', {}, nameText(to)), '.');
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say('refused', ...refusal(error.problem));
  } finally {
    button.disabled = false;
  }
});
