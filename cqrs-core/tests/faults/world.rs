//! What outlives the applications: the store, the read model, and what clients were told.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use cqrs_core::*;
use cqrs_memory::{InMemory, MemoryStore};
use cqrs_testing::{Faults, FaultyStore};
use uuid::Uuid;

use crate::books::{Books, take_in};
use crate::client::{Told, Waited};
use crate::common::{Carry, PausedClock, PotEvent, router};

pub(crate) type Sums = BTreeMap<String, i64>;

/// What outlives the applications.
pub(crate) struct World {
    pub(crate) store: FaultyStore<MemoryStore>,
    /// In a database of its own, as it were: it is still there after a crash.
    sums: InMemory<Sums>,
    told: Mutex<Vec<Told>>,
    clock: PausedClock,
}

impl World {
    pub(crate) fn new(faults: Faults) -> Self {
        let store = FaultyStore::new(MemoryStore::new(), faults);
        Self { store, sums: InMemory::default(), told: Mutex::default(), clock: PausedClock::new() }
    }

    /// Starts an application on a handle.
    pub(crate) async fn start(&self, store: &FaultyStore<MemoryStore>) -> Result<App, StartError> {
        let mut options = ProcessOptions::default();
        options.max_attempts = u32::MAX;
        App::builder(store.clone())
            .router(router())
            .process_options(options)
            .clock(self.clock)
            .ids(Counted(store.seed(), AtomicU64::default()))
            .projection(PotSums, store.read_model(self.sums.clone()))
            .process_manager::<Carry>()
            .start()
            .await
    }

    /// Writes down what a client was told, and holds the application to it.
    ///
    /// Whoever waited for a projection or a process manager finds it where the command's events are; whoever
    /// waited for the chain to settle finds it at an end, and the projection there.
    pub(crate) async fn told(&self, app: &App, told: Told, waited: Waited) {
        if let Some(outcome) = told.outcome {
            let books = self.books().await;
            assert_eq!(outcome.consistency, Consistency::Reached, "{}", books.report);
            let (name, position) = match waited {
                Waited::Settled => {
                    books.check_landed(told.id);
                    ("pot-sums", books.end_of(told.id.into()).max(outcome.position))
                }
                Waited::Projections => ("pot-sums", outcome.position),
                Waited::Carry => ("carry", outcome.position),
            };
            let found = app.watch_status(name).unwrap().borrow().position;
            assert!(found >= position, "{name} is at {found}, not at {position}; {}", books.report);
        }
        self.told.lock().unwrap().push(told);
    }

    /// A client was told that nothing was changed by this command, at any attempt.
    pub(crate) async fn check_nothing_changed(&self, id: CommandId) {
        let receipts = self.store.inner().receipts(&[id]).await.unwrap();
        assert_eq!(receipts, [None], "the receipt of {id}; {}", self.store.report());
    }

    async fn books(&self) -> Books {
        let events = crate::books::log(self.store.inner()).await;
        Books { events, report: self.store.report() }
    }

    /// Ends the storm, lets everything come to rest, and looks whether all is as it should be.
    pub(crate) async fn check(&self) {
        self.store.calm();
        let app = self.start(&self.store.restart()).await.unwrap();
        for chain in self.books().await.transfers() {
            let look = crate::common::Touch { pot: "a".to_owned() };
            let rests = app.dispatch(look).correlation_id(chain).settled().await.unwrap();
            assert_eq!(rests.consistency, Consistency::Reached, "{}", self.store.report());
        }
        assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
        let books = self.books().await;
        books.check_commands(&self.told.lock().unwrap());
        books.check_transfers();
        assert_eq!(self.sums.read(Clone::clone).await, books.sums(), "the read model; {}", books.report);
        app.shutdown().await;
    }
}

/// Sums up pots.
struct PotSums;

#[async_trait]
impl Projection for PotSums {
    const NAME: &'static str = "pot-sums";
    type Event = PotEvent;
    type Target = Sums;

    async fn project(&self, event: &RecordedEvent<PotEvent>, sums: &mut Sums) -> Result<(), BoxError> {
        take_in(sums, &event.data);
        Ok(())
    }
}

/// Ids that repeat with the seed.
struct Counted(u64, AtomicU64);

impl IdSource for Counted {
    fn next_id(&self) -> Uuid {
        let n = self.1.fetch_add(1, Ordering::Relaxed);
        Uuid::new_v5(&Uuid::from_u128(self.0.into()), &n.to_be_bytes())
    }
}
