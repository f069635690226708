//! What enforces the rules of the currency.

use std::collections::HashSet;
use std::convert::Infallible;

use cqrs_core::{Aggregate, Handle};

use crate::{
    AccountEvent, AccountId, MineCoin, MineCoinError, Proof, ReceiveCoins, SendCoins, SendCoinsError,
    TransferId,
};

/// An account: what it has, and what it must not accept twice.
///
/// ```
/// use coins::{Account, AccountId, MineCoin, MineCoinError};
/// use cqrs_core::{Aggregate, Handle};
///
/// let me: AccountId = "me".parse()?;
/// let mine = |nonce| MineCoin { account_id: me.clone(), nonce };
/// let mut account = Account::default();
/// for event in account.handle(&mine(190))? {
///     account.apply(&event);
/// }
/// assert_eq!(account.balance(), 1);
/// assert!(matches!(account.handle(&mine(190)), Err(MineCoinError::UsedNonce { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Account {
    last_nonce: Option<u64>,
    // Exact whatever the stream holds: 2⁶⁴ − 1 events of at most 2⁶³ − 1 coins each stay within an i128.
    balance: i128,
    sent: HashSet<TransferId>,
    // With the sender, since a transfer's id is unique only among the transfers of one sender.
    received: HashSet<(AccountId, TransferId)>,
}

impl Account {
    /// How many coins it has, for who looks at it right after a command. Balances are queried with
    /// [`Coins::account`](crate::Coins::account).
    pub fn balance(&self) -> i128 {
        self.balance
    }
}

impl Aggregate for Account {
    type Id = AccountId;
    type Event = AccountEvent;

    fn apply(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::CoinMined { nonce, .. } => {
                self.last_nonce = Some(*nonce);
                self.balance += 1;
            }
            AccountEvent::CoinsSent { amount, transfer_id, .. } => {
                self.balance -= i128::from(amount.as_u64());
                self.sent.insert(*transfer_id);
            }
            AccountEvent::CoinsReceived { from, amount, transfer_id, .. } => {
                self.balance += i128::from(amount.as_u64());
                self.received.insert((from.clone(), *transfer_id));
            }
        }
    }
}

impl Handle<MineCoin> for Account {
    type Error = MineCoinError;

    fn handle(&self, command: &MineCoin) -> Result<Vec<AccountEvent>, MineCoinError> {
        let MineCoin { account_id, nonce } = command.clone();
        if let Some(last) = self.last_nonce.filter(|last| nonce <= *last) {
            return Err(MineCoinError::UsedNonce { account_id, nonce, last });
        }
        match Proof::of(&account_id).first_byte(nonce) {
            0 => Ok(vec![AccountEvent::CoinMined { account_id, nonce }]),
            found => Err(MineCoinError::InvalidNonce { account_id, nonce, found }),
        }
    }
}

impl Handle<SendCoins> for Account {
    type Error = SendCoinsError;

    fn handle(&self, command: &SendCoins) -> Result<Vec<AccountEvent>, SendCoinsError> {
        let SendCoins { account_id, to, amount, transfer_id } = command.clone();
        if self.sent.contains(&transfer_id) {
            return Err(SendCoinsError::UsedTransfer { account_id, transfer_id });
        }
        if self.balance < i128::from(amount.as_u64()) {
            return Err(SendCoinsError::NotEnoughCoins { account_id, balance: self.balance, amount });
        }
        Ok(vec![AccountEvent::CoinsSent { account_id, to, amount, transfer_id }])
    }
}

impl Handle<ReceiveCoins> for Account {
    type Error = Infallible;

    fn handle(&self, command: &ReceiveCoins) -> Result<Vec<AccountEvent>, Infallible> {
        let ReceiveCoins { account_id, from, amount, transfer_id } = command.clone();
        if self.received.contains(&(from.clone(), transfer_id)) {
            return Ok(Vec::new());
        }
        Ok(vec![AccountEvent::CoinsReceived { account_id, from, amount, transfer_id }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Amount;
    use cqrs_testing::Scenario;
    use uuid::Uuid;

    fn id(text: &str) -> AccountId {
        text.parse().unwrap()
    }

    fn transfer(number: u128) -> TransferId {
        TransferId::new(Uuid::from_u128(number))
    }

    fn amount(coins: u64) -> Amount {
        coins.try_into().unwrap()
    }

    fn given(events: impl IntoIterator<Item = AccountEvent>) -> Scenario<Account> {
        Scenario::given(events)
    }

    fn mine(nonce: u64) -> MineCoin {
        MineCoin { account_id: id("me"), nonce }
    }

    fn mined(nonce: u64) -> AccountEvent {
        AccountEvent::CoinMined { account_id: id("me"), nonce }
    }

    fn used(nonce: u64, last: u64) -> MineCoinError {
        MineCoinError::UsedNonce { account_id: id("me"), nonce, last }
    }

    fn invalid(nonce: u64) -> MineCoinError {
        let found = Proof::of(&id("me")).first_byte(nonce);
        MineCoinError::InvalidNonce { account_id: id("me"), nonce, found }
    }

    fn send(coins: u64, number: u128) -> SendCoins {
        let transfer_id = transfer(number);
        SendCoins { account_id: id("me"), to: id("you"), amount: amount(coins), transfer_id }
    }

    fn sent(coins: u64, number: u128) -> AccountEvent {
        let SendCoins { account_id, to, amount, transfer_id } = send(coins, number);
        AccountEvent::CoinsSent { account_id, to, amount, transfer_id }
    }

    fn too_few(balance: i128, coins: u64) -> SendCoinsError {
        SendCoinsError::NotEnoughCoins { account_id: id("me"), balance, amount: amount(coins) }
    }

    fn receive(from: &str, coins: u64, number: u128) -> ReceiveCoins {
        let (from, transfer_id) = (id(from), transfer(number));
        ReceiveCoins { account_id: id("me"), from, amount: amount(coins), transfer_id }
    }

    fn received(from: &str, coins: u64, number: u128) -> AccountEvent {
        let ReceiveCoins { account_id, from, amount, transfer_id } = receive(from, coins, number);
        AccountEvent::CoinsReceived { account_id, from, amount, transfer_id }
    }

    #[test]
    fn the_session_of_the_talk_is_answered_as_in_the_talk() {
        given([])
            .when(mine(1))
            .then_err(invalid(1))
            .when(mine(190))
            .then([mined(190)])
            .when(mine(190))
            .then_err(used(190, 190))
            .when(mine(443))
            .then([mined(443)])
            .when(send(3, 1))
            .then_err(too_few(2, 3));
    }

    #[test]
    fn the_last_nonce_cannot_be_used_again_and_again() {
        // The guard of the slides, `n < last`, lets an equal nonce pass: a coin for nothing, for ever.
        given([mined(443)])
            .when(mine(443))
            .then_err(used(443, 443))
            .when(mine(443))
            .then_err(used(443, 443))
            .when(send(2, 1))
            .then_err(too_few(1, 2));
    }

    #[test]
    fn a_used_nonce_is_told_before_an_invalid_one() {
        // 190 would prove work and 1 would not; both lie below the last one.
        given([mined(443)])
            .when(mine(1))
            .then_err(used(1, 443))
            .when(mine(190))
            .then_err(used(190, 443))
            .when(mine(444))
            .then_err(invalid(444));
    }

    #[test]
    fn a_fresh_account_takes_any_nonce_also_zero() {
        let lucky = (0..10_000)
            .map(|number| id(&format!("account {number}")))
            .find(|account| Proof::of(account).accepts(0))
            .unwrap();
        let command = MineCoin { account_id: lucky.clone(), nonce: 0 };
        given([])
            .when(command.clone())
            .then([AccountEvent::CoinMined { account_id: lucky.clone(), nonce: 0 }])
            .when(command)
            .then_err(MineCoinError::UsedNonce { account_id: lucky, nonce: 0, last: 0 });
    }

    #[test]
    fn the_largest_nonce_is_judged_like_any_other() {
        given([mined(u64::MAX)]).when(mine(u64::MAX)).then_err(used(u64::MAX, u64::MAX));
    }

    #[test]
    fn an_account_cannot_send_more_than_it_has() {
        given([])
            .when(send(1, 1))
            .then_err(too_few(0, 1))
            .when(receive("you", 3, 2))
            .then([received("you", 3, 2)])
            .when(send(4, 3))
            .then_err(too_few(3, 4))
            .when(send(3, 4))
            .then([sent(3, 4)])
            .when(send(1, 5))
            .then_err(too_few(0, 1));
    }

    #[test]
    fn a_negative_amount_does_not_exist() {
        // The slides' `SendCoins` with an amount of -5 would give five coins to its sender.
        let json = |amount: &str| {
            format!(r#"{{"account_id":"me","to":"you","amount":{amount},"transfer_id":"{}"}}"#, transfer(1))
        };
        assert!(serde_json::from_str::<SendCoins>(&json("5")).is_ok());
        for amount in ["-5", "0", "-9223372036854775808", "1e3"] {
            assert!(serde_json::from_str::<SendCoins>(&json(amount)).is_err(), "{amount}");
        }
    }

    #[test]
    fn a_transfer_is_sent_once() {
        // The id of an incoming transfer is not taken.
        given([received("you", 10, 1)])
            .when(send(3, 1))
            .then([sent(3, 1)])
            .when(send(3, 1))
            .then_err(SendCoinsError::UsedTransfer { account_id: id("me"), transfer_id: transfer(1) })
            .when(send(8, 2))
            .then_err(too_few(7, 8));
    }

    #[test]
    fn a_transfer_is_credited_once() {
        // The slides' `ReceiveCoins` ignores its transfer id, so a redelivery doubles the coins.
        given([])
            .when(receive("you", 3, 1))
            .then([received("you", 3, 1)])
            .when(receive("you", 3, 1))
            .then([])
            // Another sender, another transfer.
            .when(receive("them", 3, 1))
            .then([received("them", 3, 1)])
            .when(receive("you", 3, 2))
            .then([received("you", 3, 2)])
            .when(send(10, 3))
            .then_err(too_few(9, 10));
    }

    #[test]
    fn sending_to_oneself_changes_nothing_in_the_end() {
        given([received("you", 3, 1), sent(3, 2)])
            .when(receive("me", 3, 2))
            .then([received("me", 3, 2)])
            .when(send(4, 3))
            .then_err(too_few(3, 4));
    }

    #[test]
    fn balances_are_exact_beyond_the_limits_of_one_amount() {
        let most = Amount::MAX.as_u64();
        let rich = given((0..5).map(|number| received("you", most, number)));
        let poor = (0..5)
            .fold(rich, |account, number| account.when(send(most, number)).then([sent(most, number)]));
        poor.when(send(1, 5)).then_err(too_few(0, 1));
    }

    #[test]
    fn refusals_have_stable_codes_and_say_what_was_found() {
        assert_eq!((used(1, 2).code(), invalid(1).code()), ("used_nonce", "invalid_nonce"));
        let again = SendCoinsError::UsedTransfer { account_id: id("me"), transfer_id: transfer(1) };
        assert_eq!((too_few(0, 1).code(), again.code()), ("not_enough_coins", "used_transfer"));
        assert_eq!(used(443, 444).to_string(), r#"nonce 443 was used: the last one of "me" is 444"#);
        assert!(invalid(444).to_string().starts_with(r#"nonce 444 proves no work of "me": "#));
        assert_eq!(too_few(3, 4).to_string(), r#""me" has 3 coins, less than the 4 to send"#);
    }
}
