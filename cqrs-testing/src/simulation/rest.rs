//! How everything is once it has come to rest.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use cqrs_core::{
    App, Clock, Consistency, EventFilter, EventSet, InstanceId, Position, ProcessManager, ProcessStore,
    RecordedEvent, Share, Store, SubscriberState, Timestamp, describe,
};

use super::lives::Lives;
use super::{Simulated, World};
use crate::dice::mixed;

/// How many times a task may come due before everything is at rest: far more than any chain of deadlines has.
const ROUNDS: usize = 10_000;

/// How everything is once the storm is over, time has passed, and all has come to rest.
pub struct Rest<'a, S> {
    app: &'a App,
    store: &'a S,
    log: Vec<RecordedEvent>,
}

impl<'a, S: Store> Rest<'a, S> {
    /// An application that runs.
    pub fn app(&self) -> &'a App {
        self.app
    }

    /// The store inside, where nothing goes wrong.
    pub fn store(&self) -> &'a S {
        self.store
    }

    /// All events.
    pub fn log(&self) -> &[RecordedEvent] {
        &self.log
    }

    /// The events of a kind, in order.
    ///
    /// # Panics
    ///
    /// When one cannot be read.
    pub fn events<E: EventSet>(&self) -> Vec<RecordedEvent<E>> {
        let filter = E::filter();
        let events: Vec<_> = self.log.iter().filter(|event| filter.matches(event)).cloned().collect();
        RecordedEvent::decode_all(events).unwrap_or_else(|error| panic!("{}", describe(&error)))
    }

    /// Checks that an instance of a process manager has come to its end.
    ///
    /// # Panics
    ///
    /// When it has not begun, or not ended.
    pub async fn assert_finished<P: ProcessManager>(&self, id: impl std::fmt::Display) {
        let name = P::NAME;
        let ids = InstanceId::new(&id).map(|id| [id]);
        let ids = ids.unwrap_or_else(|error| panic!("{}", describe(&error)));
        let found = self.store.instances(name, &ids).await;
        let found = found.unwrap_or_else(|error| panic!("{}", describe(&error)));
        match found.first().and_then(Option::as_ref) {
            None => panic!("instance {id} of {name:?} has never begun"),
            Some(record) => {
                assert!(record.finished, "instance {id} of {name:?} has not ended: {record:?}")
            }
        }
    }
}

impl<W: World> Lives<'_, W> {
    /// Ends the storm, starts once more, lets everything come to rest, and looks whether all is as it should be.
    pub(super) async fn rest(&self) -> Simulated {
        self.store.calm();
        let app = match self.builder(&self.store.restart()).start().await {
            Ok(app) => app,
            Err(error) => panic!("the application does not start: {}", describe(&error)),
        };
        let store = self.store.inner();
        self.come_to_rest(&app, store).await;
        let log = log(store).await;
        check_subscribers(&app, Position::new(log.len() as u64));
        self.ledger.check(&log);
        check_tasks(store, &log, self.world.parked()).await;
        let rest = Rest { app: &app, store, log };
        self.world.check(&rest).await;
        app.shutdown().await;
        Simulated {
            seeds: 1,
            commands: self.ledger.commands(),
            events: rest.log.len() as u64,
            crashes: self.crashes.get(),
            faults: self.store.injected().len() as u64,
            fingerprint: mixed(self.store.fingerprint() ^ digest(&rest.log)),
        }
    }

    /// Lets time pass from one due task to the next, until there is none and the log has stood still meanwhile: the
    /// clock runs on while the last events are waited for, and what it makes due then is not waited for.
    async fn come_to_rest(&self, app: &App, store: &W::Store) {
        for _ in 0..ROUNDS {
            let head = end(store).await;
            match app.settle().await {
                // How many may be parked is the world's to say, and is counted in the end.
                Ok(Consistency::Reached | Consistency::Parked) => {}
                Ok(other) => panic!("it comes to no rest: {other:?}, {:?}", app.status()),
                Err(error) => panic!("the application does not settle: {}", describe(&error)),
            }
            let now = self.clock.now();
            match (store.next_due(now).await, store.due_tasks(now, Share::ALL, 1).await) {
                // What has come due since it was looked at is waited for.
                (Ok(_), Ok(due)) if !due.is_empty() => {}
                (Ok(Some(next)), Ok(_)) => self.clock.put_forward(next.since(now)),
                (Ok(None), Ok(_)) if end(store).await == head => return,
                (Ok(None), Ok(_)) => {}
                (Err(error), _) | (_, Err(error)) => {
                    panic!("the tasks cannot be read: {}", describe(&error))
                }
            }
        }
        panic!("tasks come due for ever");
    }
}

async fn end(store: &impl Store) -> Position {
    store.head().await.unwrap_or_else(|error| panic!("the log's end cannot be read: {}", describe(&error)))
}

async fn log(store: &impl Store) -> Vec<RecordedEvent> {
    let (mut log, mut at) = (Vec::new(), Position::ZERO);
    loop {
        let page = store.read_log(at, &EventFilter::all(), 1_000).await;
        let page = page.unwrap_or_else(|error| panic!("the log cannot be read: {}", describe(&error)));
        if page.scanned_to == at {
            return log;
        }
        at = page.scanned_to;
        log.extend(page.events);
    }
}

/// All that the log has, as one number.
fn digest(log: &[RecordedEvent]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for event in log {
        (event.stream.as_str(), event.version.as_u64(), event.id, &event.event_type).hash(&mut hasher);
        (event.data.to_string(), event.recorded_at).hash(&mut hasher);
        (event.metadata.causation_id, event.metadata.correlation_id).hash(&mut hasher);
    }
    hasher.finish()
}

/// Every subscriber runs, or waits for the lease of one that has died, and is at the head of the log.
fn check_subscribers(app: &App, head: Position) {
    for status in app.status() {
        let name = status.name;
        let well = matches!(status.state, SubscriberState::Running | SubscriberState::Waiting { .. });
        assert!(well, "the state of {name:?} is {:?}", status.state);
        assert_eq!(status.position, head, "where {name:?} is, and where the log ends");
    }
}

/// No task is left to be done, and no more are parked than must be.
async fn check_tasks(store: &impl Store, log: &[RecordedEvent], parked: u64) {
    let chains: BTreeSet<_> = log.iter().filter_map(|event| event.metadata.correlation_id).collect();
    let mut found = 0;
    for chain in chains {
        let chain = store.chain(chain).await;
        found += chain.unwrap_or_else(|error| panic!("{}", describe(&error))).parked;
    }
    assert_eq!(found, parked, "tasks that are parked, and that must be");
    let pending = store.next_due(Timestamp::from_micros(i64::MIN)).await;
    let pending = pending.unwrap_or_else(|error| panic!("{}", describe(&error)));
    assert!(parked > 0 || pending.is_none(), "a task is stuck that was due at {pending:?}");
}

impl<S> std::fmt::Debug for Rest<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest")
            .field("app", &self.app)
            .field("events", &self.log.len())
            .finish_non_exhaustive()
    }
}
