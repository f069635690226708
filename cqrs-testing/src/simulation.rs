//! A whole application in a world where everything goes wrong, by a seed.

mod clock;
mod ledger;
mod lives;
mod rest;
mod step;
mod together;
mod world;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::dice::mixed;
use crate::seeds::{rerunnable, seeds};
use crate::{FaultRates, Faults};
use lives::Lives;

pub use rest::Rest;
pub use step::Step;
pub use world::World;

/// Names the one seed to run.
const SEED: &str = "SIMULATION_SEED";

/// Names how many seeds to run.
const SEEDS: &str = "SIMULATION_SEEDS";

/// A whole application, its clients and its crashes on one thread, where everything that is left to chance follows
/// from a seed.
///
/// Calls of the store fail, lose their answers, and come late and out of order, as [`Faults`] has it. Processes die
/// at any call and at any await, alone or with the whole machine: then the runtime is dropped with all that runs on
/// it, and the next one begins on the stored data. Clients repeat what was not answered, with the same command id. Time
/// is paused, so that hours pass in milliseconds. The same seed is the same run, as far as the [`World`] leaves nothing
/// to chance itself: the iteration of a `HashMap`, an unbiased `select!`, a clock or a random id of its own.
///
/// When all clients have their answers the storm ends, the application is started once more, and time passes until
/// nothing is left to do. Then these hold, or the seed has failed:
///
/// - every subscriber runs and is at the head of the log;
/// - no task of a process manager is pending, and no more are parked than [`World::parked`] says;
/// - every command took effect once if a client was told so, never if it was refused, and as was told; nothing took
///   effect twice, also of what process managers asked for;
/// - what [`World::check`] checks: of the domain, of its read models, and of the ends of its process managers.
///
/// A seed that fails prints the command that runs it alone. The environment variable `SIMULATION_SEEDS` says how many
/// seeds to run, `SIMULATION_SEED` which one.
pub struct Simulation<N> {
    world: N,
    shape: Shape,
    faults: Box<dyn Fn(u64) -> Faults>,
}

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
struct Shape {
    processes: u32,
    clients: u32,
    steps: u32,
    deaths: u64,
}

/// What happened in some seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Simulated {
    /// How many seeds there were.
    pub seeds: u64,
    /// How many commands of clients were answered.
    pub commands: u64,
    /// How many events were stored.
    pub events: u64,
    /// How often a process or a machine died.
    pub crashes: u64,
    /// How many calls of the store went wrong besides.
    pub faults: u64,
    /// All that happened, as one number: the same seeds come to the same one.
    pub fingerprint: u64,
}

/// A seed that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedSeed {
    /// The seed.
    pub seed: u64,
    /// What it says.
    pub message: String,
}

impl<W: World, N: Fn(u64) -> W> Simulation<N> {
    /// Simulates a world for each seed: one process at a time, with three clients of five steps each, and up to four
    /// deaths.
    pub fn new(world: N) -> Self {
        let shape = Shape { processes: 1, clients: 3, steps: 5, deaths: 4 };
        Self { world, shape, faults: Box::new(storm) }
    }

    /// How many processes work on the one store at a time, each with clients of its own.
    #[must_use]
    pub fn processes(mut self, processes: u32) -> Self {
        self.shape.processes = processes.max(1);
        self
    }

    /// How many clients each process has.
    #[must_use]
    pub fn clients(mut self, clients: u32) -> Self {
        self.shape.clients = clients;
        self
    }

    /// How many steps each client does.
    #[must_use]
    pub fn steps(mut self, steps: u32) -> Self {
        self.shape.steps = steps;
        self
    }

    /// How often a process dies at most, at any await. Deaths that [`Faults`] have at calls come besides.
    #[must_use]
    pub fn deaths(mut self, deaths: u64) -> Self {
        self.shape.deaths = deaths;
        self
    }

    /// What goes wrong with the calls of the store, for each seed.
    #[must_use]
    pub fn faults(mut self, faults: impl Fn(u64) -> Faults + 'static) -> Self {
        self.faults = Box::new(faults);
        self
    }

    /// Runs so many seeds, from zero on, or those that the environment names.
    ///
    /// # Panics
    ///
    /// With the first seed that fails.
    pub fn run(&self, count: u64) -> Simulated {
        let mut all = Simulated::default();
        for seed in seeds(SEED, SEEDS, count) {
            all.add(rerunnable(SEED, seed, || self.seed(seed)));
        }
        all
    }

    /// Runs one seed.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn seed(&self, seed: u64) -> Simulated {
        let lives = Lives::new(seed, &self.shape, (self.faults)(seed), (self.world)(seed));
        lives.live();
        lives.within(lives.rest())
    }

    /// Runs so many seeds, from zero on, until one fails; none when none does. A simulation that finds nothing where
    /// something was broken on purpose proves nothing: this is for the proof.
    pub fn first_failure(&self, count: u64) -> Option<FailedSeed> {
        (0..count).find_map(|seed| {
            let panic = catch_unwind(AssertUnwindSafe(|| self.seed(seed))).err()?;
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let message = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Some(FailedSeed { seed, message })
        })
    }
}

impl Simulated {
    fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.commands += other.commands;
        self.events += other.events;
        self.crashes += other.crashes;
        self.faults += other.faults;
        self.fingerprint = mixed(self.fingerprint ^ other.fingerprint);
    }
}

/// Each call may go wrong, and each eighth seed is without a death at a call, the next one with some, and so on.
fn storm(seed: u64) -> Faults {
    let mut rates = FaultRates::default();
    (rates.fail, rates.lose_answer, rates.crash) = (0.05, 0.05, 0.002 * (seed % 8) as f64);
    (rates.delay, rates.longest_delay, rates.reorder) = (0.15, Duration::from_millis(40), 0.3);
    Faults::seeded(seed).rates(rates)
}

impl<N> fmt::Debug for Simulation<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").field("shape", &self.shape).finish_non_exhaustive()
    }
}
