//! How the databases answer: by index, and so in no time, however much there is.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Row, SqliteConnection};

use crate::database::{Sql, Tables, sql};
use crate::table::Table;
use crate::{AllTransfers, Balances, Statements};

async fn tables() -> SqliteConnection {
    let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
    for schema in [Balances::SCHEMA, AllTransfers::SCHEMA, Statements::SCHEMA] {
        connection.make(schema).await.unwrap();
    }
    connection
}

/// What SQLite says of how it runs a query, a step a line.
async fn plan(connection: &mut SqliteConnection, sql: Sql) -> Vec<String> {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", sql.sqlite));
    let rows = sqlx::query(explain).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

#[tokio::test]
async fn sqlite_reads_no_more_than_a_page_of_anything() {
    let mut connection = tables().await;
    for (name, sql) in [
        ("account", sql!("account")),
        ("accounts", sql!("accounts")),
        ("accounts_after", sql!("accounts_after")),
        ("statement", sql!("statement")),
        ("transfers", sql!("transfers")),
    ] {
        let plan = plan(&mut connection, sql).await;
        // The order is that of an index, and the page ends where the limit says.
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{name}: {plan:#?}");
        let whole = |step: &&String| step.starts_with("SCAN") && !step.contains("INDEX");
        assert!(!plan.iter().any(|step| whole(&step)), "{name}: {plan:#?}");
    }
}

/// Not a range of the index from which what lies before is left out one by one: there may be a million equals.
#[tokio::test]
async fn sqlite_begins_a_page_of_accounts_where_the_last_one_ended() {
    let plan = plan(&mut tables().await, sql!("accounts_after")).await;
    for range in ["(balance=? AND account_id>?)", "(balance<?)"] {
        let step = format!("SEARCH coins_accounts USING INDEX coins_accounts_by_balance {range}");
        assert!(plan.contains(&step), "{step}: {plan:#?}");
    }
}

/// It scans and sorts what happened since then, and nothing that grows with the log.
#[tokio::test]
async fn sqlite_makes_a_leaderboard_of_the_last_one_that_is_kept_and_what_happened_since() {
    let plan = plan(&mut tables().await, sql!("leaderboard")).await;
    for step in [
        "SEARCH coins_tops USING PRIMARY KEY (position<?)",
        "SEARCH coins_tops USING PRIMARY KEY (position=?)",
        "SEARCH coins_statements USING COVERING INDEX coins_statements_in_log (position>? AND position<?)",
    ] {
        assert!(plan.iter().any(|found| found == step), "{step}: {plan:#?}");
    }
    assert!(!plan.iter().any(|step| step.starts_with("SCAN coins")), "{plan:#?}");
}
