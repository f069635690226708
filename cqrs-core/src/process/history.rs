//! What an instance has seen and asked for.

use super::worker::ProcessWorker;
use super::{ProcessManager, plan};
use crate::{
    BoxError, EventSet, InstanceId, InstanceRecord, OutboxEntry, Position, RecordedEvent, Store,
    StoreError, TaskQuery,
};

/// How many tasks are read at a time.
const TASKS: usize = 1_000;

/// Everything that is known of an instance: how it stands, what it has seen, what it asked for, and what came of
/// that.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// # #[derive(Default, Serialize, Deserialize)] struct Fee {}
/// # impl ProcessManager for Fee {
/// #     const NAME: &'static str = "fee";
/// #     type Event = AccountEvent;
/// #     fn interested(event: &AccountEvent) -> Interest {
/// #         match event {
/// #             AccountEvent::Deposited { account, .. } => Interest::start(account),
/// #             AccountEvent::Withdrawn { account, .. } => Interest::stop(account),
/// #         }
/// #     }
/// #     fn handle(&self, event: &RecordedEvent<AccountEvent>) -> Vec<Outgoing> {
/// #         match &event.data {
/// #             AccountEvent::Deposited { account, .. } => vec![Outgoing::command(withdraw(account, 1))],
/// #             AccountEvent::Withdrawn { .. } => Vec::new(),
/// #         }
/// #     }
/// # }
/// # let app = App::builder(MemoryStore::new())
/// #     .router(Router::new().route::<Withdraw>())
/// #     .process_manager::<Fee>()
/// #     .start()
/// #     .await?;
/// // `Fee` answers each deposit with a withdrawal of 1, and ends with it.
/// app.dispatch(deposit("me", 5)).settled().await?;
/// let fee = app.process("fee").ok_or("it runs here")?;
/// let history = fee.history(&InstanceId::new("me")?).await?.ok_or("it has begun")?;
/// assert!(history.record.finished);
/// let seen: Vec<_> = history.events.iter().map(|event| &*event.event_type).collect();
/// assert_eq!(seen, ["Deposited", "Withdrawn"]);
/// assert_eq!((history.tasks.len(), history.tasks[0].state), (1, OutboxState::Done));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InstanceHistory {
    /// Its id.
    pub id: InstanceId,
    /// How it stands.
    pub record: InstanceRecord,
    /// The events that concern it, in order, as they are stored: those that it has taken, and after them those for
    /// which it is stuck. Later ones that it passed over because it had finished are left out.
    pub events: Vec<RecordedEvent>,
    /// What it asked for, in order, with attempts and errors. What was done is forgotten after
    /// [`ProcessOptions::keep_done`](crate::ProcessOptions::keep_done).
    pub tasks: Vec<OutboxEntry>,
}

/// The history of an instance. What is read of the log lies between its first event and its last one.
pub(super) async fn of<P: ProcessManager>(
    worker: &ProcessWorker<P>,
    id: &InstanceId,
) -> Result<Option<InstanceHistory>, BoxError> {
    let Some(record) = worker.instance(id).await? else { return Ok(None) };
    let checkpoint = worker.store.checkpoint(P::NAME).await?;
    let to = if record.stuck.is_some() || record.last == Position::ZERO { checkpoint } else { record.last };
    let first = match &record.stuck {
        Some(stuck) if record.state.is_none() => stuck.at,
        _ => record.first,
    };
    let mut after = Position::new(first.as_u64().saturating_sub(1));
    let mut events = Vec::new();
    while after < to {
        let page = worker.store.read_log(after, &P::Event::filter(), worker.page).await?;
        if page.scanned_to == after {
            break;
        }
        after = page.scanned_to;
        for event in page.events.into_iter().filter(|event| event.position <= to) {
            if concerns::<P>(&event, id)? {
                events.push(event);
            }
        }
    }
    let tasks = tasks(&*worker.store, P::NAME, id).await?;
    Ok(Some(InstanceHistory { id: id.clone(), record, events, tasks }))
}

fn concerns<P: ProcessManager>(event: &RecordedEvent, id: &InstanceId) -> Result<bool, BoxError> {
    let parts = plan::concerned::<P>(RecordedEvent::decode_all([event.clone()])?)?;
    Ok(parts.iter().flat_map(|part| &part.instances).any(|(_, concerned)| concerned == id))
}

async fn tasks(store: &dyn Store, process: &str, id: &InstanceId) -> Result<Vec<OutboxEntry>, StoreError> {
    let mut query = TaskQuery::all(TASKS).of(process).of_instance(id.clone());
    let mut tasks = Vec::new();
    loop {
        let page = store.list_tasks(&query).await?;
        tasks.extend(page.tasks);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(tasks),
        }
    }
}
