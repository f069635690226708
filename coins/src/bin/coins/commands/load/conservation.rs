//! Whether all coins are there: mined = what accounts have + what is under way.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use super::client::{NoAnswer, Service};

/// How many accounts or transfers are asked for at once: as many as the service gives.
const PAGE: &str = "1000";

/// For how long the books are opened anew when somebody has written meanwhile, or what follows is not done yet:
/// as long as the service itself waits for that.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// What the books say.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(super) enum Conservation {
    Kept(Books),
    Broken(Books),
    /// It could not be asked.
    Unknown {
        why: String,
    },
}

/// Coins, counted over all accounts and transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Books {
    pub(super) accounts: u64,
    pub(super) mined: u128,
    pub(super) balances: u128,
    pub(super) under_way: u128,
}

impl Books {
    fn judge(self) -> Conservation {
        match self.mined == self.balances + self.under_way {
            true => Conservation::Kept(self),
            false => Conservation::Broken(self),
        }
    }
}

impl fmt::Display for Conservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Kept(books) | Self::Broken(books)) = self else {
            let Self::Unknown { why } = self else { return Ok(()) };
            return write!(f, "whether all coins are there could not be asked: {why}");
        };
        let Books { accounts, mined, balances, under_way } = books;
        let sign = if matches!(self, Self::Kept(_)) { "=" } else { "is not" };
        write!(f, "{mined} mined {sign} {balances} in {accounts} accounts + {under_way} under way")
    }
}

/// Adds everything up, at a moment at which nobody writes.
pub(super) async fn check(service: &Service) -> Conservation {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let why = match add_up(service).await {
            Ok(Ok(books)) => return books.judge(),
            Ok(Err(reason)) => reason.to_owned(),
            Err(error) => error.to_string(),
        };
        if Instant::now() > deadline {
            return Conservation::Unknown { why };
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn add_up(service: &Service) -> Result<Result<Books, &'static str>, NoAnswer> {
    let (head, is_done) = service.head().await?;
    if !is_done {
        return Ok(Err("read models are behind"));
    }
    let mut books = Books::default();
    pages(service, "accounts", "after", &[], |account| {
        books.accounts += 1;
        books.mined += coins(&account["mined"]);
        books.balances += coins(&account["balance"]);
    })
    .await?;
    pages(service, "transfers", "before", &[("under_way", "true")], |transfer| {
        books.under_way += coins(&transfer["amount"]);
    })
    .await?;
    // Pages of different moments do not add up.
    Ok(match service.head().await? {
        (now, _) if now == head => Ok(books),
        _ => Err("others keep writing"),
    })
}

/// Goes through all pages of a list.
async fn pages(
    service: &Service,
    list: &str,
    cursor: &str,
    filter: &[(&str, &str)],
    mut each: impl FnMut(&Value),
) -> Result<(), NoAnswer> {
    let mut next: Option<String> = None;
    loop {
        let mut query = vec![("limit", PAGE)];
        query.extend(filter);
        query.extend(next.iter().map(|next| (cursor, next.as_str())));
        let page = service.get(&format!("/api/{list}"), &query).await?;
        page[list].as_array().into_iter().flatten().for_each(&mut each);
        next = match &page["next"] {
            Value::Null => return Ok(()),
            Value::String(next) => Some(next.clone()),
            next => Some(next.to_string()),
        };
    }
}

fn coins(number: &Value) -> u128 {
    number.as_u64().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coin_too_few_or_too_many_is_told() {
        let books = Books { accounts: 2, mined: 5, balances: 3, under_way: 2 };
        assert!(matches!(books.judge(), Conservation::Kept(_)));
        for balances in [2, 4] {
            let broken = Books { balances, ..books }.judge();
            assert!(matches!(broken, Conservation::Broken(_)));
            assert_eq!(
                broken.to_string(),
                format!("5 mined is not {balances} in 2 accounts + 2 under way")
            );
        }
    }
}
