//! The lives of processes: from start to crash, again and again.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::time::Duration;

use cqrs_core::{App, AppBuilder};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::clock::SimulatedClock;
use super::ledger::Ledger;
use super::together::{polls, together};
use super::{Shape, Step, World};
use crate::dice::Dice;
use crate::{Faults, FaultyStore, SeededIds};

/// How long a life may take by the paused clock. A storm takes seconds, and what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// How many calls of the store there are at most from one death to the next.
const CALLS: u64 = 150;

/// How many more polls of tasks there are at most before a death, so that it comes at any await.
const POLLS: u64 = 30;

/// What the dice are thrown for, so that one use does not move another.
const DEATHS: u64 = 1;
const ORDER: u64 = 2;

/// One seed's world, and what keeps it going.
pub(super) struct Lives<'a, W: World> {
    pub(super) world: W,
    pub(super) store: FaultyStore<W::Store>,
    pub(super) clock: SimulatedClock,
    pub(super) ids: SeededIds,
    pub(super) ledger: Ledger,
    pub(super) crashes: Cell<u64>,
    seed: u64,
    shape: &'a Shape,
    /// How many steps each client has done.
    done: Vec<Cell<u32>>,
    /// For deaths to come, of which so many are left.
    dice: RefCell<Dice>,
    deaths: Cell<u64>,
    /// The present handle of each process.
    handles: RefCell<Vec<FaultyStore<W::Store>>>,
    /// The applications of this runtime, also of processes that are dead: nothing of them is dropped before the
    /// runtime is, as nothing of a process that is killed is.
    apps: RefCell<Vec<App>>,
    /// Told when the whole machine dies.
    cut: Notify,
}

/// How the life of a machine ended.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// All clients have their answers.
    Done,
    /// The power was cut.
    Cut,
}

impl<'a, W: World> Lives<'a, W> {
    pub(super) fn new(seed: u64, shape: &'a Shape, faults: Faults, world: W) -> Self {
        let store = FaultyStore::new(world.store(), faults);
        let mut dice = Dice::of(seed, &[DEATHS]);
        let deaths = dice.below(shape.deaths + 1);
        Self {
            done: (0..shape.processes * shape.clients).map(|_| Cell::new(0)).collect(),
            handles: RefCell::new((0..shape.processes).map(|_| store.restart()).collect()),
            clock: SimulatedClock::new(),
            ids: SeededIds::new(seed),
            ledger: Ledger::default(),
            crashes: Cell::new(0),
            dice: RefCell::new(dice),
            deaths: Cell::new(deaths),
            apps: RefCell::default(),
            cut: Notify::new(),
            world,
            store,
            seed,
            shape,
        }
    }

    /// Lives until all clients have their answers, on one machine after the other.
    pub(super) fn live(&self) {
        while self.within(self.life()) == End::Cut {
            self.crashes.set(self.crashes.get() + 1);
        }
    }

    /// Runs on a machine of its own, which ends with all that still runs on it, wherever that is.
    pub(super) fn within<T>(&self, future: impl Future<Output = T>) -> T {
        let runtime = machine();
        runtime.block_on(async {
            self.clock.go();
            let output = timeout(PATIENCE, future).await;
            self.clock.stop();
            self.apps.take();
            output.unwrap_or_else(|_| panic!("somebody waits for ever"))
        })
    }

    /// Starts an application as the world has it.
    pub(super) fn builder(&self, store: &FaultyStore<W::Store>) -> AppBuilder {
        self.world.app(store).clock(self.clock.clone()).ids(self.ids.clone())
    }

    /// The life of one machine.
    async fn life(&self) -> End {
        let processes = (0..self.shape.processes).map(|number| self.process(number));
        tokio::select! {
            biased;
            () = self.death() => End::Cut,
            () = self.cut.notified() => End::Cut,
            () = together(self.order(u64::MAX), processes) => End::Done,
        }
    }

    /// One process after the other, until its clients have their answers.
    async fn process(&self, number: u32) {
        loop {
            let store = self.store.restart();
            self.handles.borrow_mut()[number as usize] = store.clone();
            let lived = store.until_crash(async {
                // A store that fails may keep an application from starting.
                let Ok(app) = self.builder(&store).start().await else { return false };
                self.apps.borrow_mut().push(app.clone());
                let first = number * self.shape.clients;
                let clients = (first..first + self.shape.clients).map(|client| self.client(client, &app));
                together(self.order(number.into()), clients).await;
                // It is not shut down: it goes on with what is due, until the machine ends.
                true
            });
            match lived.await {
                Some(true) => return,
                Some(false) => {}
                // Alone on its machine, it takes the machine with it, so that its tasks are dropped, too.
                None if self.shape.processes == 1 => {
                    self.cut.notify_one();
                    return pending().await;
                }
                None => self.crashes.set(self.crashes.get() + 1),
            }
        }
    }

    /// A client goes on where it was when the process before this one died.
    async fn client(&self, client: u32, app: &App) {
        let done = &self.done[client as usize];
        while done.get() < self.shape.steps {
            let step =
                Step::new(self.seed, client, done.get(), &self.ledger, &self.clock, self.store.inner());
            self.world.step(app, &step).await;
            done.set(done.get() + 1);
        }
    }

    /// Kills processes, wherever they are; returns when it is the whole machine's turn.
    async fn death(&self) {
        while let Some(left) = self.deaths.get().checked_sub(1) {
            self.deaths.set(left);
            let (calls, more, victim) = {
                let mut dice = self.dice.borrow_mut();
                (1 + dice.below(CALLS), dice.below(POLLS), dice.below(u64::from(self.shape.processes) + 1))
            };
            self.store.after_calls(calls).await;
            polls(more).await;
            let victim = usize::try_from(victim).unwrap_or_default();
            match self.handles.borrow().get(victim) {
                Some(handle) if self.shape.processes > 1 => handle.crash(),
                _ => return,
            }
        }
        pending().await
    }

    fn order(&self, of: u64) -> Dice {
        Dice::of(self.seed, &[ORDER, of])
    }
}

/// A thread with a paused clock, which looks at the future that blocks on it after each poll of a task.
fn machine() -> Runtime {
    let mut builder = Builder::new_current_thread();
    #[expect(clippy::expect_used, reason = "without a runtime there is no simulation")]
    builder.enable_time().start_paused(true).event_interval(1).build().expect("a runtime")
}
