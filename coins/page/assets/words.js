// Events and refusals in plain words.
import { make, name, nameButton } from './dom.js';
import { coins, number } from './format.js';

/** What happened, as nodes. `account` makes the node of a name. */
export function happened({ type, data }, account = nameButton) {
  const who = account(data.account_id);
  switch (type) {
    case 'CoinMined':
      return [who, ' mined a coin with nonce ', make('span', { className: 'nonce' }, number(data.nonce))];
    case 'CoinsSent':
      return [who, ` sent ${coins(data.amount)} to `, account(data.to)];
    case 'CoinsReceived':
      return [who, ` received ${coins(data.amount)} from `, account(data.from)];
    default:
      return [who, ` ${type}`];
  }
}

/** The same as text, for labels. */
export const happenedText = (event) => make('p', {}, ...happened(event, name)).textContent;

/** Why a request was refused, as nodes: by the rule's name, with the numbers that the service gives. */
export function refusal(problem) {
  const who = () => name(problem.account_id);
  switch (problem.code) {
    case 'used_nonce':
      return [who(), ` has used nonce ${number(problem.last_nonce)} already, and each must be greater than the last one.`];
    case 'invalid_nonce':
      return [`Nonce ${number(problem.nonce)} is no coin for `, who(), ': its hash does not begin with a zero byte.'];
    case 'not_enough_coins':
      return [who(), ` has ${coins(problem.balance)}, less than the ${number(problem.amount)} to send.`];
    case 'invalid_account':
      return ['An account has a name of 1 to 64 characters, without spaces at its ends.'];
    case 'invalid_amount':
      return ['An amount is a whole number of coins, at least 1 and at most 9,223,372,036,854,775,807.'];
    case 'idempotency_key_reused':
      return ['Something else was sent with the same key before.'];
    default:
      return [problem.detail ?? problem.title ?? 'The service refused this, and does not say why.'];
  }
}
