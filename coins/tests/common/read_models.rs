//! Whether the read models in a file say the same as the log.

use std::collections::BTreeMap;

use coins::AccountEvent;
use cqrs_core::{Position, ReadModel, RecordedEvent};
use cqrs_sqlite::SqliteReadModel;

use crate::ledger::{Ledger, statements, transfers};

/// Each read model, that of the balances, the statements and the transfers, is the fold of the log up to its checkpoint.
/// Returns the lowest checkpoint.
pub(crate) async fn assert_read_models(
    [balances, lines, sent]: [&SqliteReadModel; 3],
    events: &[RecordedEvent<AccountEvent>],
) -> Position {
    let sql = "SELECT account_id, balance FROM coins_accounts";
    let (at, found) = read_model(balances, "account-balances", sql).await;
    let found: BTreeMap<String, i64> = found.into_iter().collect();
    assert_eq!(found, Ledger::of(&events[..at]).balances, "balances at {at}");
    let mut lowest = at;

    let sql = "SELECT account_id, version, balance FROM coins_statements ORDER BY position";
    let (at, found) = read_model::<(String, i64, i64)>(lines, "account-statements", sql).await;
    assert_eq!(found, statements(&events[..at]), "statements at {at}");
    lowest = lowest.min(at);

    let sql =
        "SELECT transfer_id, sender, amount, arrived_at IS NOT NULL FROM coins_transfers ORDER BY position";
    let (at, found) = read_model::<(String, String, i64, bool)>(sent, "transfers", sql).await;
    assert_eq!(found, transfers(&events[..at]), "transfers at {at}");
    Position::new(lowest.min(at) as u64)
}

/// How far a projection is, and what its table has. Both are empty before its first setup.
async fn read_model<T>(model: &SqliteReadModel, projection: &str, table: &'static str) -> (usize, Vec<T>)
where
    T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin,
{
    match model.checkpoint(projection).await.unwrap() {
        Some(at) => {
            let rows = sqlx::query_as(table).fetch_all(model.reader()).await.unwrap();
            (at.position.as_u64() as usize, rows)
        }
        None => (0, Vec::new()),
    }
}
