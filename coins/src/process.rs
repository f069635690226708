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
