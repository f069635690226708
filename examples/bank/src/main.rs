//! A story of an account with a past. `cargo run -p bank`

use bank::{Account, AccountEvent, Cents, Deposit, Tellers, Withdraw, past};
use cqrs_core::{Aggregate, App, BoxError, RecordedEvent, StreamRead, Version, describe};
use cqrs_sqlite::SqliteStore;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("bank.db");
    let account = "DE-1".to_owned();

    let store = SqliteStore::open(&file).await?;
    past::write(&store, &account).await?;
    let tellers = Tellers::new([("tom", "north")]);
    let app = App::builder(store).middleware(tellers.clone()).start().await?;

    println!("what is stored, and what it is today:");
    let stream = Account::stream(&account)?;
    for stored in app.store().read_stream(&stream, StreamRead::forward(Version::new(1), 100)).await? {
        let (version, before) = (stored.version, format!("{} {}", stored.event_type, stored.data.as_str()));
        let today = RecordedEvent::decode_all::<AccountEvent>(vec![stored])?;
        let today: Vec<_> = today.into_iter().map(|event| format!("{:?}", event.data)).collect();
        println!(
            "  {version}  {before}\n     {}",
            if today.is_empty() { "nothing".to_owned() } else { today.join(", ") }
        );
    }

    println!("\nwho may take money out:");
    for (user, euros) in [("zoë", 20), ("tom", 20), ("tom", 500)] {
        let withdraw = Withdraw { account: account.clone(), amount: Cents::new(euros * 100) };
        let answer = app.dispatch(withdraw).metadata("user", user).state(Account::clone).await;
        match answer {
            Ok((_, state)) => {
                println!("  {user}: done; {} are left, {} went in fees", state.balance(), state.fees())
            }
            Err(error) => println!("  {user}: {}", describe(&error)),
        }
    }

    println!("\na snapshot after every hundred events:");
    for _ in 0..250 {
        app.dispatch(Deposit { account: account.clone(), amount: Cents::new(1) }).await?;
    }
    app.shutdown().await;
    let app = App::builder(SqliteStore::open(&file).await?).middleware(tellers).start().await?;
    let snapshot = app.store().snapshot(&stream).await?.ok_or("there is no snapshot")?;
    let last = app.dispatch(Deposit { account, amount: Cents::new(1) }).state(Account::balance).await?;
    println!("  the snapshot has version {}, of schema {}", snapshot.version, snapshot.schema_version);
    println!(
        "  after a restart it and {} events were read",
        last.0.version.as_u64() - 1 - snapshot.version.as_u64()
    );
    println!("  the balance is {}", last.1);
    app.shutdown().await;
    Ok(())
}
