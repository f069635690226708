//! Letting one instance go on, or come to its end, beside the loop that all of them run on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::asked::Asked;
use super::plan::{self, Turn};
use super::play::{Played, play};
use super::worker::ProcessWorker;
use super::{ErasedProcess, ProcessManager};
use crate::{
    BoxError, EventSet, InstanceChange, InstanceId, InstanceQuery, InstanceRecord, InstanceState, Position,
    ProcessStep, RecordedEvent, StepCause, StepError, Store, Stuck, describe,
};

/// How many stuck instances are looked for at a time.
const PAGE: usize = 100;

/// The pause after the store has failed.
const PAUSE: Duration = Duration::from_millis(500);

/// What came of letting an instance go on.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// # #[derive(Default, Serialize, Deserialize)] struct Welcome {}
/// # impl ProcessManager for Welcome {
/// #     const NAME: &'static str = "welcome";
/// #     type Event = AccountEvent;
/// // Each account has one deposit, or so we thought.
/// fn interested(event: &AccountEvent) -> Interest {
///     match event {
///         AccountEvent::Deposited { account, .. } => Interest::start_strict(account),
///         AccountEvent::Withdrawn { account, .. } => Interest::stop(account),
///     }
/// }
/// #     fn handle(&self, _: &RecordedEvent<AccountEvent>) -> Vec<Outgoing> { Vec::new() }
/// # }
///
/// let app = App::builder(MemoryStore::new()).process_manager::<Welcome>().start().await?;
/// app.dispatch(deposit("me", 5)).await?;
/// let again = app.dispatch(deposit("me", 6)).settled().await?;
/// assert_eq!(again.consistency, Consistency::Stuck);
///
/// let welcome = app.process("welcome").ok_or("it runs here")?;
/// let me = InstanceId::new("me")?;
/// assert!(matches!(welcome.retry_instance(&me).await?, Mended::Stuck(_)));
/// assert_eq!(welcome.skip_event(&me).await?, Mended::GoesOn);
/// assert_eq!(welcome.retry_instance(&me).await?, Mended::WasNotStuck);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mended {
    /// It has taken all that it had missed, and goes on.
    GoesOn,
    /// It is stuck still, or again.
    Stuck(Stuck),
    /// It was not stuck.
    WasNotStuck,
    /// There is no such instance.
    Unknown,
}

/// Works on one instance.
pub(super) struct Mender<'a, P> {
    pub(super) worker: &'a ProcessWorker<P>,
    pub(super) id: &'a InstanceId,
}

/// What a page of the log came to for a stuck instance.
struct CaughtUp {
    record: InstanceRecord,
    asked: Asked,
    /// Why it went no further, if it cannot.
    fails: Option<Stuck>,
    /// Where the checkpoint must be for that.
    checkpoint: Option<Position>,
}

impl<P: ProcessManager> Mender<'_, P> {
    /// Plays what the instance has missed, page by page, each in a step of its own. The last one is taken only while
    /// the checkpoint stands where the instance then is.
    pub(super) async fn mend(&self, mut pass_over: bool) -> Result<Mended, BoxError> {
        let mut any = false;
        let mut at = None;
        loop {
            // The other instances go on between two pages.
            let _turn = self.worker.turn.lock().await;
            let Some(record) = self.worker.instance(self.id).await? else { return Ok(Mended::Unknown) };
            let Some(stuck) = record.stuck.clone() else {
                return Ok(if any { Mended::GoesOn } else { Mended::WasNotStuck });
            };
            // Somebody else may let it go on, up to another event, which nobody wants to be passed over.
            pass_over &= *at.get_or_insert(stuck.at) == stuck.at;
            let caught_up = self.catch_up(record, &stuck, pass_over).await?;
            let CaughtUp { record, asked, fails, checkpoint } = caught_up;
            let cause = StepCause::Stuck { instance: self.id.clone(), at: stuck.at, checkpoint };
            match self.take(cause, record, asked).await {
                // Somebody else moved the checkpoint, or the instance: look again.
                Err(StepError::Fenced) => continue,
                taken => taken?,
            }
            (any, pass_over) = (true, false);
            if let Some(stuck) = fails {
                return Ok(Mended::Stuck(stuck));
            }
        }
    }

    /// Plays one page.
    async fn catch_up(
        &self,
        record: InstanceRecord,
        stuck: &Stuck,
        pass_over: bool,
    ) -> Result<CaughtUp, BoxError> {
        let store = &self.worker.store;
        let checkpoint = store.checkpoint(P::NAME).await?;
        let after = if pass_over { stuck.at } else { Position::new(stuck.at.as_u64().saturating_sub(1)) };
        let page = store.read_log(after, &P::Event::filter(), self.worker.page).await?;
        let is_last = page.scanned_to >= checkpoint;
        let missed = page.events.into_iter().filter(|event| event.position <= checkpoint);
        let events = plan::concerned::<P>(RecordedEvent::decode_all(missed)?)?;
        let turns: Vec<Turn<'_, _>> = plan::turns(&events).remove(self.id).unwrap_or_default();
        let unstuck = InstanceRecord { stuck: None, ..record };
        let knows = |name: &str| self.worker.router.knows(name);
        let Played { record, asked } = play::<P>(self.id, Some(unstuck.clone()), &turns, &knows);
        let mut record = record.unwrap_or(unstuck);
        let fails = record.stuck.clone();
        if fails.is_none() && !is_last {
            let at = Position::new(page.scanned_to.as_u64() + 1);
            record.stuck = Some(Stuck { at, ..stuck.clone() });
        }
        Ok(CaughtUp { checkpoint: record.stuck.is_none().then_some(checkpoint), fails, record, asked })
    }

    /// Marks the instance as finished, stuck or not.
    pub(super) async fn end(&self) -> Result<bool, BoxError> {
        loop {
            let _turn = self.worker.turn.lock().await;
            // First, so that whoever changes the instance afterwards has moved it.
            let checkpoint = self.worker.store.checkpoint(P::NAME).await?;
            let Some(mut record) = self.worker.instance(self.id).await? else { return Ok(false) };
            let cause = match record.stuck.take() {
                None if record.finished => return Ok(true),
                Some(Stuck { at, .. }) => {
                    StepCause::Stuck { instance: self.id.clone(), at, checkpoint: None }
                }
                None => StepCause::Events { from: checkpoint, to: checkpoint },
            };
            let ended = InstanceRecord { finished: true, ..record };
            match self.take(cause, ended, Asked::default()).await {
                Err(StepError::Fenced) => {}
                taken => return Ok(taken.map(|()| true)?),
            }
        }
    }

    async fn take(&self, cause: StepCause, record: InstanceRecord, asked: Asked) -> Result<(), StepError> {
        let cancels = asked.cancels(self.id);
        let tasks: Vec<_> = asked.into_tasks().into_iter().map(|(_, task)| task).collect();
        let wakes = !tasks.is_empty();
        let step = ProcessStep {
            process: P::NAME.to_owned(),
            cause,
            instances: vec![InstanceChange { id: self.id.clone(), record }],
            cancels,
            tasks,
            at: self.worker.clock.now(),
        };
        self.worker.store.commit_step(step).await?;
        if wakes {
            self.worker.wake.notify_one();
        }
        Ok(())
    }
}

/// Retries every stuck instance once: a new start may have brought new code. The store is asked until it answers, or
/// the application ends.
pub(crate) async fn mend_all(
    process: Arc<dyn ErasedProcess>,
    store: Arc<dyn Store>,
    mut stop: watch::Receiver<bool>,
) {
    let mut query = InstanceQuery::all(PAGE).standing(InstanceState::Stuck);
    while !*stop.borrow() {
        let found = match store.list_instances(process.name(), &query).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(process = process.name(), %error, "stuck instances cannot be listed");
                let _ = tokio::time::timeout(PAUSE, stop.wait_for(|stop| *stop)).await;
                continue;
            }
        };
        let Some((last, _)) = found.last() else { return };
        query.after = Some(last.clone());
        for (id, _) in &found {
            match process.mend(id, false).await {
                Ok(mended) => {
                    tracing::info!(process = process.name(), instance = %id, ?mended, "a stuck instance was retried");
                }
                Err(error) => {
                    let error = describe(&*error);
                    tracing::warn!(process = process.name(), instance = %id, %error, "a stuck instance cannot be retried");
                }
            }
        }
    }
}
