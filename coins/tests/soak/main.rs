//! Writers and consumers for a long time: whatever stops and begins again, every consumer sees every event, and each once,
//! or as often as is promised.
//!
//! Two nodes on one file have all kinds of subscribers, and are stopped and started at random moments, in good order or by
//! taking their runtime away in the middle of whatever they do. Two more applications write. `SOAK_COMMANDS` says how
//! many commands there are, and `SOAK_SEED` reruns the decisions of one run.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "../common/ledger.rs"]
mod ledger;
#[path = "../common/random.rs"]
mod random;
#[path = "../common/read_models.rs"]
mod read_models;

mod node;
mod postman;
mod reader;
mod writer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use coins::{AccountBalances, AccountEvent, AccountStatements, ReceiveCoins, SendCoinsProcess, Transfers};
use cqrs_core::{
    App, BoxError, Consistency, Position, Projection, RecordedEvent, Router, SubscribeOptions,
};
use cqrs_memory::InMemory;
use cqrs_sqlite::{SqliteOptions, SqliteReadModel, SqliteStore};
use ledger::{Ledger, log};
use node::Node;
use postman::Postman;
use random::{Random, setting};
use read_models::assert_read_models;
use reader::Reader;
use tokio::sync::watch;

/// Keeps the positions that it was given, in a value.
struct Positions;

#[async_trait]
impl Projection for Positions {
    const NAME: &'static str = "positions";
    type Event = AccountEvent;
    type Target = Vec<u64>;

    async fn project(
        &self,
        event: &RecordedEvent<AccountEvent>,
        seen: &mut Vec<u64>,
    ) -> Result<(), BoxError> {
        seen.push(event.position.as_u64());
        Ok(())
    }
}

/// So many work on a file that on a busy machine one may wait long for its turn.
fn patient() -> SqliteOptions {
    SqliteOptions::new().busy_timeout(Duration::from_secs(300))
}

/// Opens the file with the log.
async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open_with(path, patient()).await.unwrap()
}

/// What outlives the nodes.
#[derive(Clone)]
struct World {
    path: PathBuf,
    /// Where the transfers are, in a file of their own.
    elsewhere: PathBuf,
    positions: InMemory<Vec<u64>>,
    postman: Postman,
}

impl World {
    /// An application with one subscriber of each kind.
    async fn start(&self, store: SqliteStore, batch: usize) -> App {
        let elsewhere = SqliteReadModel::open_with(&self.elsewhere, patient()).await.unwrap();
        let mut options = SubscribeOptions::default();
        options.batch_events = batch;
        App::builder(store.clone())
            .router(Router::new().route::<ReceiveCoins>())
            .subscribe_options(options)
            .projection(AccountBalances::default(), store.read_model())
            .projection(AccountStatements::default(), store.read_model())
            .projection(Transfers::default(), elsewhere)
            .projection(Positions, self.positions.clone())
            .event_handler_with(self.postman.clone(), postman::options())
            .process_manager::<SendCoinsProcess>()
            .start()
            .await
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_misses_an_event_or_sees_one_twice_whatever_stops_and_begins_again() {
    let mut random = Random::seeded_by("SOAK_SEED");
    let commands = setting("SOAK_COMMANDS", 600);
    let directory = tempfile::tempdir().unwrap();
    let world = World {
        path: directory.path().join("coins.db"),
        elsewhere: directory.path().join("transfers.db"),
        positions: InMemory::default(),
        postman: Postman::default(),
    };
    let store = open(&world.path).await;
    let readers: Vec<_> = (0..8).map(|number| Reader::new(number, &mut random)).collect();
    let (over, ends) = watch::channel(false);
    let nodes = readers.chunks(4).map(|readers| {
        let random = Random::of(random.below(u64::MAX));
        let node = Node::new(world.clone(), readers.to_vec(), random, ends.clone());
        std::thread::spawn(move || node.run())
    });
    let nodes: Vec<_> = nodes.collect();
    let acknowledged = writer::write(&world.path, commands, &mut random).await;
    over.send_replace(true);
    let mut lives = 0;
    for node in nodes {
        lives +=
            tokio::task::spawn_blocking(move || node.join()).await.unwrap().expect("a node does not fail");
    }

    // What is left is done by one that nobody disturbs.
    let app = world.start(store.clone(), 1_000).await;
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    let events = log(&store).await;
    let head = events.last().map_or(Position::ZERO, |event| event.position);
    for reader in &readers {
        reader.finish(&app, &events).await;
    }
    let books = Ledger::of(&events);
    books.check(&acknowledged);
    assert!(books.under_way.is_empty(), "left under way: {:?}", books.under_way);
    let elsewhere = SqliteReadModel::open(&world.elsewhere).await.unwrap();
    let tables = store.read_model();
    assert_eq!(assert_read_models([&tables, &tables, &elsewhere], &events).await, head);
    let seen = world.positions.read(Clone::clone).await;
    assert_eq!(seen, (1..=head.as_u64()).collect::<Vec<_>>(), "the value in memory");
    let repeated = world.postman.check(&events, lives);
    let taken: usize = readers.iter().map(Reader::taken).sum();
    println!("{head} events, {lives} lives of nodes, {taken} events read, {repeated} deliveries repeated");
    app.shutdown().await;
}
