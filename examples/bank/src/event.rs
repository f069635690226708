//! What happens to an account, and what its events of former days are today.

use std::sync::LazyLock;

use cqrs_core::{BoxError, Event, Upcasts};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Cents;

/// What has happened to an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AccountEvent {
    /// It belongs to somebody now.
    Opened {
        /// Whose it is.
        owner: String,
    },
    /// Money came in. The stored name says that this is the second shape of the event.
    #[serde(rename = "Deposited.2")]
    Deposited {
        /// How much.
        amount: Cents,
    },
    /// Money went out.
    Withdrawn {
        /// How much.
        amount: Cents,
    },
    /// The bank took a fee.
    FeeTaken {
        /// How much.
        amount: Cents,
    },
}

impl Event for AccountEvent {
    const CATEGORY: &'static str = "account";

    fn upcasts() -> Option<&'static Upcasts> {
        Some(&UPCASTS)
    }
}

/// One rule for each shape that was given up, from that shape to the next one. Nobody has to know them all to add
/// another one: what a rule makes is looked up again.
static UPCASTS: LazyLock<Upcasts> = LazyLock::new(|| {
    Upcasts::new()
        // It had another name.
        .rename("Created", "Opened")
        // It had euros, as a number with a fraction.
        .change("Deposited", "Deposited.2", deposited_in_cents)
        // One event said two things.
        .split("PaidOut", paid_out)
        // It was no fact about the account.
        .discard("StatementPrinted")
});

/// `{"euros": 12.5}` to `{"amount": 1250}`. Anything else is refused, since a guess would be money.
fn deposited_in_cents(data: Value) -> Result<Value, BoxError> {
    /// Up to here a double tells each cent from the next.
    const MOST_EUROS: f64 = 1e12;
    let euros = data["euros"].as_f64().filter(|euros| (0.0..=MOST_EUROS).contains(euros));
    let euros = euros.ok_or("a deposit of former days has a field `euros` from 0 to 1e12")?;
    Ok(json!({ "amount": (euros * 100.0).round() as u64 }))
}

/// `{"amount": 5000, "fee": 35}` to a withdrawal and a fee.
fn paid_out(data: Value) -> Result<Vec<(&'static str, Value)>, BoxError> {
    let field = |name: &str| data[name].as_u64().ok_or_else(|| format!("a payment without `{name}`"));
    Ok(vec![
        ("Withdrawn", json!({ "amount": field("amount")? })),
        ("FeeTaken", json!({ "amount": field("fee")? })),
    ])
}
