//! What carries coins from one account to another.

use cqrs_core::{Interest, Outgoing, ProcessManager, RecordedEvent};
use serde::{Deserialize, Serialize};

use crate::{AccountEvent, AccountId, ReceiveCoins, TransferId};

/// Carries a transfer: coins that left one account arrive at the other.
///
/// It needs no state, since all that the second half of a transfer needs is in the event of the first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct SendCoinsProcess {}

/// One instance for each transfer. The sender is part of the id, since another sender may use the same
/// transfer id; a transfer id has no `/`, so two pairs never make the same text.
fn instance(transfer_id: TransferId, from: &AccountId) -> String {
    format!("{transfer_id}/{from}")
}

impl ProcessManager for SendCoinsProcess {
    const NAME: &'static str = "send-coins";
    type Event = AccountEvent;

    fn interested(event: &AccountEvent) -> Interest {
        match event {
            AccountEvent::CoinMined { .. } => Interest::none(),
            AccountEvent::CoinsSent { account_id, transfer_id, .. } => {
                Interest::start(instance(*transfer_id, account_id))
            }
            AccountEvent::CoinsReceived { from, transfer_id, .. } => {
                Interest::stop(instance(*transfer_id, from))
            }
        }
    }

    fn handle(&self, event: &RecordedEvent<AccountEvent>) -> Vec<Outgoing> {
        match &event.data {
            AccountEvent::CoinsSent { account_id, to, amount, transfer_id } => {
                vec![Outgoing::command(ReceiveCoins {
                    account_id: to.clone(),
                    from: account_id.clone(),
                    amount: *amount,
                    transfer_id: *transfer_id,
                })]
            }
            AccountEvent::CoinMined { .. } | AccountEvent::CoinsReceived { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use cqrs_testing::ProcessScenario;
    use uuid::Uuid;

    use super::*;
    use crate::Amount;

    const TRANSFER: TransferId = TransferId::new(Uuid::from_u128(7));

    fn id(text: &str) -> AccountId {
        text.parse().unwrap()
    }

    fn sent(from: &str) -> AccountEvent {
        let (account_id, to) = (id(from), id("them"));
        AccountEvent::CoinsSent { account_id, to, amount: Amount::MAX, transfer_id: TRANSFER }
    }

    fn received(from: &str) -> AccountEvent {
        let (account_id, from) = (id("them"), id(from));
        AccountEvent::CoinsReceived { account_id, from, amount: Amount::MAX, transfer_id: TRANSFER }
    }

    fn receive(from: &str) -> ReceiveCoins {
        ReceiveCoins { account_id: id("them"), from: id(from), amount: Amount::MAX, transfer_id: TRANSFER }
    }

    #[test]
    fn what_was_sent_is_to_be_received_and_then_the_transfer_is_over() {
        ProcessScenario::<SendCoinsProcess>::new()
            .when(sent("me"))
            .then([Outgoing::command(receive("me"))])
            .when(received("me"))
            .then_nothing()
            .running(&[])
            .when(sent("me"))
            .then_nothing();
    }

    #[test]
    fn two_senders_with_one_transfer_id_are_two_transfers() {
        let ids = [format!("{TRANSFER}/me"), format!("{TRANSFER}/you")];
        ProcessScenario::<SendCoinsProcess>::given([sent("me"), sent("you")])
            .running(&[&ids[0], &ids[1]])
            .when(received("me"))
            .then_nothing()
            .running(&[&ids[1]]);
    }

    #[test]
    fn a_mined_coin_is_no_transfer() {
        let mined = AccountEvent::CoinMined { account_id: id("me"), nonce: 190 };
        ProcessScenario::<SendCoinsProcess>::new().when(mined).then_nothing().running(&[]);
    }

    /// Nothing refuses it, by its type. If something did, coins must not be lost: an operator has to see them.
    #[test]
    fn coins_that_are_not_taken_wait_for_an_operator() {
        ProcessScenario::<SendCoinsProcess>::given([sent("me")])
            .when_failed(receive("me"), "the account is closed")
            .then_park();
    }
}
