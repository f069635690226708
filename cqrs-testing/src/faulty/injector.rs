//! What makes calls go wrong, whatever they are calls of.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cqrs_core::StoreError;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::fate::Fate;
use super::plan::{Fault, Faults, Operation};
use crate::dice::mixed;

/// A fault that was injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Injected {
    /// The operation.
    pub operation: Operation,
    /// Which call of it, counted from 1 over all handles.
    pub nth: u64,
    /// What went wrong.
    pub fault: Fault,
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, nth, fault } = self;
        let what = match fault {
            Fault::Fail => "failed",
            Fault::LoseAnswer => "lost its answer",
            Fault::Panic => "panicked",
            Fault::CrashBefore => "crashed before it took effect",
            Fault::CrashAfter => "crashed after it took effect",
        };
        write!(f, "{operation} {nth} {what}")
    }
}

/// A process, as far as its store can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    Closed,
    Crashed,
}

/// One handle. Clones are the same handle.
#[derive(Clone, Debug)]
pub(super) struct Injector {
    shared: Arc<Shared>,
    life: watch::Sender<Life>,
}

/// What all handles have in common.
#[derive(Debug)]
struct Shared {
    plan: Faults,
    state: Mutex<State>,
    /// Tells that as many calls have begun as somebody waits for.
    rung: Notify,
}

#[derive(Debug, Default)]
struct State {
    calls: BTreeMap<Operation, u64>,
    /// What the next calls suffer, before anything of the plan.
    next: BTreeMap<Operation, VecDeque<Fault>>,
    calm: bool,
    /// Those who asked for leases, and how their processes are.
    holders: HashMap<Uuid, watch::Sender<Life>>,
    injected: Vec<Injected>,
    /// How many calls have begun, of all operations.
    begun: u64,
    /// After how many somebody is to be told.
    alarm: Option<u64>,
    /// What was called and how it ended, in order, as one number.
    fingerprint: u64,
}

impl State {
    fn note(&mut self, operation: Operation, what: u64) {
        self.fingerprint = mixed(self.fingerprint ^ mixed((operation as u64) << 8 | what));
    }
}

impl Injector {
    pub(super) fn new(plan: Faults) -> Self {
        let shared = Shared { plan, state: Mutex::default(), rung: Notify::new() };
        Self { shared: Arc::new(shared), life: watch::Sender::new(Life::Running) }
    }

    /// A handle of the next process.
    pub(super) fn restart(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), life: watch::Sender::new(Life::Running) }
    }

    pub(super) fn plan(&self) -> &Faults {
        &self.shared.plan
    }

    /// Nothing that runs under the lock can panic half-way.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn inject(&self, operation: Operation, faults: VecDeque<Fault>) {
        self.state().next.insert(operation, faults);
    }

    pub(super) fn calm(&self) {
        self.state().calm = true;
    }

    pub(super) fn calls(&self, operation: Operation) -> u64 {
        self.state().calls.get(&operation).copied().unwrap_or_default()
    }

    pub(super) fn injected(&self) -> Vec<Injected> {
        self.state().injected.clone()
    }

    /// This process asks for leases in this name.
    pub(super) fn holds(&self, holder: Uuid) {
        self.state().holders.insert(holder, self.life.clone());
    }

    /// Whether whoever asked for leases in this name has died.
    pub(super) fn has_died(&self, holder: Uuid) -> bool {
        self.state().holders.get(&holder).is_some_and(|life| *life.borrow() == Life::Crashed)
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.state().fingerprint
    }

    /// Waits until so many more calls have begun. One waits at a time.
    pub(super) async fn after_calls(&self, more: u64) {
        {
            let mut state = self.state();
            state.alarm = Some(state.begun + more);
        }
        self.shared.rung.notified().await;
    }

    /// Ends the process, wherever it is.
    pub(super) fn crash(&self) {
        self.life.send_replace(Life::Crashed);
    }

    pub(super) fn has_crashed(&self) -> bool {
        *self.life.borrow() == Life::Crashed
    }

    pub(super) async fn crashed(&self) {
        self.becomes(Life::Crashed).await;
    }

    pub(super) async fn closed(&self) {
        self.becomes(Life::Closed).await;
    }

    async fn becomes(&self, wanted: Life) {
        // The sender lives as long as this handle.
        let _ = self.life.subscribe().wait_for(|life| *life == wanted).await;
    }

    /// Ends the handle as a process that ends in good order does.
    pub(super) async fn close(&self) {
        match self.alive() {
            Some(()) => drop(self.life.send_replace(Life::Closed)),
            None => pending().await,
        }
    }

    /// Lets a call take effect, or not, and tells its answer, or not.
    pub(super) async fn call<T, E: From<StoreError>>(
        &self,
        operation: Operation,
        effect: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let answer = self.attempt(operation, effect).await;
        self.state().note(operation, answer.as_ref().map_or(1, |answer| 2 + u64::from(answer.is_ok())));
        match answer {
            Some(answer) => answer,
            // By now the call and all that it holds, such as a transaction, are dropped.
            None => pending().await,
        }
    }

    /// The answer of a call; none when the process died.
    ///
    /// A future does nothing until it is polled, so a call that is not to take effect is dropped.
    async fn attempt<T, E: From<StoreError>>(
        &self,
        operation: Operation,
        effect: impl Future<Output = Result<T, E>>,
    ) -> Option<Result<T, E>> {
        if let Err(closed) = self.open()? {
            return Some(Err(closed.into()));
        }
        let (nth, Fate { before, fault, after }) = self.fate(operation);
        before.pass().await;
        if let Err(closed) = self.open()? {
            return Some(Err(closed.into()));
        }
        let happens = |fault| self.happens(Injected { operation, nth, fault });
        match fault {
            Some(Fault::Fail) => {
                happens(Fault::Fail);
                let source = format!("injected: {operation} {nth} was made to fail");
                return Some(Err(StoreError::backend(operation.action(), source).into()));
            }
            Some(Fault::Panic) => {
                happens(Fault::Panic);
                panic!("injected: {operation} {nth} was made to panic");
            }
            Some(Fault::CrashBefore) => {
                happens(Fault::CrashBefore);
                return None;
            }
            _ => {}
        }
        let answer = effect.await;
        self.alive()?;
        after.pass().await;
        self.alive()?;
        match fault {
            Some(Fault::CrashAfter) => {
                happens(Fault::CrashAfter);
                None
            }
            Some(Fault::LoseAnswer) if answer.is_ok() => {
                happens(Fault::LoseAnswer);
                Some(Err(lost(operation, nth).into()))
            }
            _ => Some(answer),
        }
    }

    /// Counts a call and draws its fate.
    fn fate(&self, operation: Operation) -> (u64, Fate) {
        let mut state = self.state();
        state.note(operation, 0);
        state.begun += 1;
        let begun = state.begun;
        if state.alarm.take_if(|alarm| *alarm <= begun).is_some() {
            self.shared.rung.notify_one();
        }
        let calls = state.calls.entry(operation).or_default();
        *calls += 1;
        let nth = *calls;
        let next = state.next.get_mut(&operation).and_then(VecDeque::pop_front);
        let mut fate = match state.calm {
            true => Fate::default(),
            false => Fate::draw(self.plan(), operation, nth),
        };
        fate.fault = next.or(fate.fault);
        (nth, fate)
    }

    /// Writes a fault down; a crash ends the process.
    fn happens(&self, injected: Injected) {
        self.state().injected.push(injected);
        if matches!(injected.fault, Fault::CrashBefore | Fault::CrashAfter) {
            self.crash();
        }
    }

    /// What comes after the close is refused; what comes after the crash, which is none, never happens.
    fn open(&self) -> Option<Result<(), StoreError>> {
        let life = *self.life.borrow();
        match life {
            Life::Running => Some(Ok(())),
            Life::Closed => Some(Err(StoreError::Closed)),
            Life::Crashed => None,
        }
    }

    fn alive(&self) -> Option<()> {
        (!self.has_crashed()).then_some(())
    }
}

fn lost(operation: Operation, nth: u64) -> StoreError {
    let source = format!("injected: {operation} {nth} took effect, and its answer was lost");
    if operation.writes() {
        StoreError::OutcomeUnknown { source: source.into() }
    } else {
        StoreError::backend(operation.action(), source)
    }
}
