//! What enforces the rules of the currency.

use std::collections::HashSet;
use std::convert::Infallible;

use cqrs_core::{Aggregate, Handle};

use crate::{
    AccountEvent, AccountId, MineCoin, MineCoinError, Proof, ReceiveCoins, SendCoins, SendCoinsError,
    TransferId,
};

/// An account: what it has, and what it must not accept twice.
#[derive(Debug, Default)]
pub struct Account {
    last_nonce: Option<u64>,
    // Exact whatever the stream holds: 2⁶⁴ − 1 events of at most 2⁶³ − 1 coins each stay within an i128.
    balance: i128,
    sent: HashSet<TransferId>,
    // With the sender, since a transfer's id is unique only among the transfers of one sender.
    received: HashSet<(AccountId, TransferId)>,
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
    use cqrs_core::Command;
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

    /// Decides, and takes in what follows: how many events.
    fn dispatch<C: Command<Aggregate = Account>>(
        account: &mut Account,
        command: &C,
    ) -> Result<usize, <Account as Handle<C>>::Error>
    where
        Account: Handle<C>,
    {
        let events = account.handle(command)?;
        events.iter().for_each(|event| account.apply(event));
        Ok(events.len())
    }

    fn mine(account: &mut Account, nonce: u64) -> Result<usize, MineCoinError> {
        dispatch(account, &MineCoin { account_id: id("me"), nonce })
    }

    fn send(account: &mut Account, coins: u64, transfer_id: TransferId) -> Result<usize, SendCoinsError> {
        let command = SendCoins { account_id: id("me"), to: id("you"), amount: amount(coins), transfer_id };
        dispatch(account, &command)
    }

    fn receive(account: &mut Account, from: &str, coins: u64, transfer_id: TransferId) -> usize {
        let command =
            ReceiveCoins { account_id: id("me"), from: id(from), amount: amount(coins), transfer_id };
        dispatch(account, &command).unwrap()
    }

    #[test]
    fn the_session_of_the_talk_is_answered_as_in_the_talk() {
        let mut me = Account::default();
        assert_eq!(mine(&mut me, 1).unwrap_err().code(), "invalid_nonce");
        assert_eq!(mine(&mut me, 190), Ok(1));
        assert_eq!(mine(&mut me, 190).unwrap_err().code(), "used_nonce");
        assert_eq!(mine(&mut me, 443), Ok(1));
        assert_eq!(me.balance, 2);
    }

    #[test]
    fn the_last_nonce_cannot_be_used_again_and_again() {
        // The guard of the slides, `n < last`, lets an equal nonce pass: a coin for nothing, for ever.
        let mut me = Account::default();
        assert_eq!(mine(&mut me, 443), Ok(1));
        for _ in 0..3 {
            let error = mine(&mut me, 443).unwrap_err();
            assert_eq!(error.to_string(), r#"nonce 443 was used: the last one of "me" is 443"#);
        }
        assert_eq!(me.balance, 1);
    }

    #[test]
    fn a_used_nonce_is_told_before_an_invalid_one() {
        let mut me = Account::default();
        assert_eq!(mine(&mut me, 443), Ok(1));
        // 190 would prove work and 1 would not; both lie below the last one.
        for nonce in [1, 190] {
            assert_eq!(
                mine(&mut me, nonce),
                Err(MineCoinError::UsedNonce { account_id: id("me"), nonce, last: 443 })
            );
        }
        let error = mine(&mut me, 444).unwrap_err();
        assert_eq!(error.code(), "invalid_nonce");
        assert!(error.to_string().starts_with(r#"nonce 444 proves no work of "me": "#), "{error}");
    }

    #[test]
    fn a_fresh_account_takes_any_nonce_also_zero() {
        let lucky = (0..10_000)
            .map(|number| id(&format!("account {number}")))
            .find(|account| Proof::of(account).accepts(0))
            .unwrap();
        let mut account = Account::default();
        let command = MineCoin { account_id: lucky, nonce: 0 };
        assert_eq!(dispatch(&mut account, &command), Ok(1));
        assert_eq!(dispatch(&mut account, &command).unwrap_err().code(), "used_nonce");
    }

    #[test]
    fn the_largest_nonce_is_judged_like_any_other() {
        let mut me = Account { last_nonce: Some(u64::MAX), ..Account::default() };
        assert_eq!(mine(&mut me, u64::MAX).unwrap_err().code(), "used_nonce");
    }

    #[test]
    fn an_account_cannot_send_more_than_it_has() {
        let mut me = Account::default();
        assert_eq!(send(&mut me, 1, transfer(1)).unwrap_err().code(), "not_enough_coins");
        receive(&mut me, "you", 3, transfer(2));
        let error = send(&mut me, 4, transfer(3)).unwrap_err();
        assert_eq!(error.to_string(), r#""me" has 3 coins, less than the 4 to send"#);
        assert_eq!(send(&mut me, 3, transfer(4)), Ok(1));
        assert_eq!(send(&mut me, 1, transfer(5)).unwrap_err().code(), "not_enough_coins");
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
        let mut me = Account::default();
        receive(&mut me, "you", 10, transfer(1));
        assert_eq!(send(&mut me, 3, transfer(1)), Ok(1), "the id of an incoming transfer is not taken");
        let error = send(&mut me, 3, transfer(1)).unwrap_err();
        assert_eq!(error, SendCoinsError::UsedTransfer { account_id: id("me"), transfer_id: transfer(1) });
        assert_eq!(error.code(), "used_transfer");
        assert_eq!(me.balance, 7);
    }

    #[test]
    fn a_transfer_is_credited_once() {
        // The slides' `ReceiveCoins` ignores its transfer id, so a redelivery doubles the coins.
        let mut me = Account::default();
        assert_eq!(receive(&mut me, "you", 3, transfer(1)), 1);
        assert_eq!(receive(&mut me, "you", 3, transfer(1)), 0);
        assert_eq!(me.balance, 3);
        assert_eq!(receive(&mut me, "them", 3, transfer(1)), 1, "another sender, another transfer");
        assert_eq!(receive(&mut me, "you", 3, transfer(2)), 1);
        assert_eq!(me.balance, 9);
    }

    #[test]
    fn sending_to_oneself_changes_nothing_in_the_end() {
        let mut me = Account::default();
        receive(&mut me, "you", 3, transfer(1));
        assert_eq!(send(&mut me, 3, transfer(2)), Ok(1));
        assert_eq!(me.balance, 0);
        assert_eq!(receive(&mut me, "me", 3, transfer(2)), 1);
        assert_eq!(me.balance, 3);
    }

    #[test]
    fn balances_are_exact_beyond_the_limits_of_one_amount() {
        let mut me = Account::default();
        let most = Amount::MAX.as_u64();
        for number in 0..5 {
            receive(&mut me, "you", most, transfer(number));
        }
        assert_eq!(me.balance, 5 * i128::from(i64::MAX));
        for number in 0..5 {
            assert_eq!(send(&mut me, most, transfer(number)), Ok(1));
        }
        assert_eq!(me.balance, 0);
    }
}
