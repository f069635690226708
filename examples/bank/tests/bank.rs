//! What the account does, what its past means, and who may touch it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use bank::{
    Account, AccountEvent, Cents, Deposit, NoTeller, NotEnough, NotMoved, Open, Tellers, Withdraw, past,
};
use cqrs_core::EventStore;
use cqrs_core::{
    Aggregate, App, CodecError, DispatchError, Event, Json, Snapshot, SnapshotStore, StreamRead, Version,
};
use cqrs_memory::MemoryStore;
use cqrs_testing::{PersistedShapes, Scenario, TestApp};

const NUMBER: &str = "DE-1";

fn account() -> String {
    NUMBER.to_owned()
}

fn deposit(cents: u64) -> Deposit {
    Deposit { account: account(), amount: Cents::new(cents) }
}

fn withdraw(cents: u64) -> Withdraw {
    Withdraw { account: account(), amount: Cents::new(cents) }
}

fn opened() -> AccountEvent {
    AccountEvent::Opened { owner: "zoë".to_owned() }
}

fn deposited(cents: u64) -> AccountEvent {
    AccountEvent::Deposited { amount: Cents::new(cents) }
}

/// A store with the events of former days.
async fn old_store() -> MemoryStore {
    let store = MemoryStore::new();
    past::write(&store, NUMBER).await.unwrap();
    store
}

#[test]
fn what_is_there_can_be_taken_and_no_more() {
    Scenario::<Account>::given([opened(), deposited(500)])
        .when(withdraw(501))
        .then_err(NotMoved::from(NotEnough { balance: Cents::new(500), wanted: Cents::new(501) }))
        .when(withdraw(500))
        .then([AccountEvent::Withdrawn { amount: Cents::new(500) }]);
}

#[test]
fn an_account_that_nobody_opened_takes_nothing() {
    Scenario::<Account>::given([]).when(deposit(1)).then_err(NotMoved::NoAccount);
    Scenario::<Account>::given([]).when(withdraw(1)).then_err(NotMoved::NoAccount);
}

#[test]
fn an_account_never_holds_more_than_a_number_can() {
    Scenario::<Account>::given([opened(), deposited(u64::MAX)])
        .when(deposit(1))
        .then_err(NotMoved::TooMuch(Cents::new(1)));
}

#[test]
fn an_account_is_opened_once() {
    let open = || Open { account: account(), owner: "zoë".to_owned() };
    Scenario::<Account>::given([])
        .when(open())
        .then([opened()])
        .when(open())
        .then_err(bank::OpenAlready { owner: "zoë".to_owned() });
}

/// What a stored event is today, as names and fields.
fn today(event_type: &str, data: &str) -> Result<Vec<(String, String)>, CodecError> {
    let upcasts = AccountEvent::upcasts().unwrap();
    let events = upcasts.upcast(event_type, &Json::parse(data).unwrap())?;
    Ok(events.into_iter().map(|(name, data)| (name, data.as_str().to_owned())).collect())
}

#[test]
fn each_shape_of_former_days_becomes_todays() {
    let owned = |events: &[(&str, &str)]| {
        events.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(today("Created", r#"{"owner":"me"}"#).unwrap(), owned(&[("Opened", r#"{"owner":"me"}"#)]));
    assert_eq!(
        today("Deposited", r#"{"euros":0.29}"#).unwrap(),
        owned(&[("Deposited.2", r#"{"amount":29}"#)])
    );
    assert_eq!(
        today("PaidOut", r#"{"amount":5000,"fee":35}"#).unwrap(),
        owned(&[("Withdrawn", r#"{"amount":5000}"#), ("FeeTaken", r#"{"amount":35}"#)])
    );
    assert_eq!(today("StatementPrinted", "{}").unwrap(), []);
}

#[test]
fn money_is_never_guessed() {
    for data in [r#"{"cents":5}"#, r#"{"euros":"5"}"#, r#"{"euros":-5}"#, r#"{"euros":1e13}"#] {
        assert!(today("Deposited", data).is_err(), "{data}");
    }
    assert!(today("PaidOut", r#"{"amount":5000}"#).is_err());
}

#[tokio::test]
async fn commands_are_decided_on_the_past_as_it_reads_today() {
    let app = TestApp::start(App::builder(old_store().await)).await;
    let (_, state) = app.dispatch(withdraw(6_994)).state(Account::clone).await.unwrap();
    assert_eq!((state.balance(), state.fees()), (Cents::new(0), Cents::new(35)));
}

#[tokio::test]
async fn a_snapshot_that_knew_no_fees_is_not_believed() {
    let store = old_store().await;
    let stream = Account::stream(&account()).unwrap();
    let state = Json::parse(r#"{"owner":"zoë","balance":1,"fees":0}"#).unwrap();
    let version = Version::new(5);
    store
        .save_snapshot(Snapshot { stream: stream.clone(), version, schema_version: 1, state })
        .await
        .unwrap();
    let app = TestApp::start(App::builder(store.clone())).await;
    let (_, balance) = app.dispatch(deposit(1)).state(Account::balance).await.unwrap();
    assert_eq!(balance, Cents::new(6_995));
}

#[tokio::test]
async fn a_snapshot_is_made_after_a_hundred_events() {
    let store = old_store().await;
    let app = App::builder(store.clone()).start().await.unwrap();
    for _ in 0..100 {
        app.dispatch(deposit(1)).await.unwrap();
    }
    // Snapshots are made in the background, and a shutdown waits for them.
    app.shutdown().await;
    let stream = Account::stream(&account()).unwrap();
    let snapshot = store.snapshot(&stream).await.unwrap().unwrap();
    assert_eq!((snapshot.version, snapshot.schema_version), (Version::new(100), 2));
}

#[tokio::test]
async fn only_tellers_take_money_out_and_the_events_say_where_they_sit() {
    let store = old_store().await;
    let tellers = Tellers::new([("tom", "north")]);
    let app = TestApp::start(App::builder(store.clone()).middleware(tellers)).await;
    let denied = app.dispatch(withdraw(1)).metadata("user", "zoë").await.unwrap_err();
    let DispatchError::Denied(reason) = denied else { panic!("{denied:?}") };
    assert_eq!(reason.downcast_ref(), Some(&NoTeller { user: "zoë".to_owned() }));
    assert!(matches!(app.dispatch(withdraw(1)).await, Err(DispatchError::Denied(_))));

    app.dispatch(withdraw(1)).metadata("user", "tom").await.unwrap();
    app.dispatch(deposit(1)).metadata("user", "zoë").await.unwrap();
    let stream = Account::stream(&account()).unwrap();
    let events = store.read_stream(&stream, StreamRead::forward(Version::new(6), 10)).await.unwrap();
    let branches: Vec<_> = events.iter().map(|event| event.metadata.extra.get("branch")).collect();
    assert_eq!(branches, [Some(&"north".into()), None]);
}

/// A form that was stored once is in the file for ever, and must be readable for ever.
#[test]
fn what_is_stored_keeps_its_shape() {
    let amount = Cents::new(1);
    let state = [opened(), deposited(3), AccountEvent::FeeTaken { amount }];
    let mut account = Account::default();
    state.iter().for_each(|event| account.apply(event));
    PersistedShapes::in_file("tests/shapes/bank.json")
        .event(&opened())
        .event(&deposited(1))
        .event(&AccountEvent::Withdrawn { amount })
        .event(&AccountEvent::FeeTaken { amount })
        .snapshot("account", 2, &account)
        .check();
}
