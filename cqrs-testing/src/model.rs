//! A model of a store, and histories of random calls that it must be able to explain.
//!
//! The rules of the [contract](crate::contract) are examples. The model is the contract as code that answers every
//! call in every state; here random calls are made to a store and to the model.
//!
//! # One client
//!
//! With one client each call is answered before the next one begins, so the state in which it is judged is known: the
//! answer must be the model's. Where the contract leaves something open, such as how far a page of the log looks, the
//! model accepts all that it allows.
//!
//! # Several clients
//!
//! With several clients at once nobody knows in which state a call was judged. What a contract of shared data means
//! then is *linearizability*: there is an order of all calls, such that
//!
//! 1. a call that was answered before another one began comes before it, also by another handle;
//! 2. made one after the other in that order, the model gives every call the answer that it had.
//!
//! When all clients are done, one more reads the whole log, all streams and all receipts. These are calls like any
//! other, which come after all others, so an order that explains them explains what was stored. A history without such
//! an order is a violation, and there are no others: what is told here is never a false alarm.
//!
//! The search for the order goes from the first call to the last. A call may come next if it began before every other
//! one that is left had ended, and if the model, where it stands, answers as the store did. Two things keep the search
//! short, and it remains complete:
//!
//! - *A call that may come next and changes nothing is put next at once.* These are reads, refusals, duplicates, and
//!   checks without events and receipts. If any order is possible from here, so is the one with this call moved to
//!   its front: nothing that is left must come before it, it has the right answer here, and since it changes nothing
//!   all others keep theirs. (It changes nothing wherever its answer is right, for an answer that is refused or a
//!   duplicate changes nothing, and neither does an append without events and without a receipt.) So a refusal is
//!   accepted just if some state within its time explains it.
//! - *Appends tell their positions.* An append with events was answered with the position of its last one, and so can
//!   come only where the model's log has just that length; the log orders them by itself. A batch is one call, so its
//!   appends come together: whoever sees a part of it has no place in the order. What is left to choose is the place of
//!   appends without events that leave a receipt. They tell the head, and so which events were there; where several of
//!   them meet at one head, each order is tried. The calls that were placed determine the state, so a set of them that
//!   has failed once is not tried again.
//!
//! # Seeds
//!
//! A case follows from its seed: what each client is to do, not how the clients meet. A failing case is made as small
//! as it goes, one with several clients by running each smaller one several times; what is told is the smallest case,
//! what is wrong with it, and the command that runs the case again. `MODEL_SEED` is the first seed, 0 by default, and
//! `MODEL_CASES` how many there are.

mod call;
mod client;
mod history;
mod reference;
mod run;
mod step;

use std::cell::Cell;
use std::fmt::Debug;

use proptest::collection::vec;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::runtime::{Builder, Runtime};

use crate::seeds::{command, number};
use crate::{StoreFactory, Verdict, Violation};

/// Names the first seed.
const SEED: &str = "MODEL_SEED";

/// Names how many cases there are.
const CASES: &str = "MODEL_CASES";

/// How many cases there are by default: less than a second on a store in memory, some on one that writes files.
const DEFAULT_CASES: u64 = 40;

/// The most steps of a client who is alone.
const STEPS_ALONE: usize = 60;

/// The most steps of one of several clients.
const STEPS: usize = 10;

/// How often a smaller case of several clients is tried before it is taken for sound.
const TRIES: u32 = 30;

/// How long a failing case is made smaller, in milliseconds.
const SHRINKING: u32 = 20_000;

/// How many cases are run, and which. See [`store_model!`](crate::store_model).
#[derive(Clone, Debug)]
pub struct Model {
    seed: u64,
    cases: u64,
    restarts: bool,
    shrinks: bool,
}

impl Model {
    /// As the environment variables `MODEL_SEED` and `MODEL_CASES` say, or their defaults.
    ///
    /// # Panics
    ///
    /// When a variable is set and is no number.
    pub fn from_env() -> Self {
        let (seed, cases) = (number(SEED).unwrap_or_default(), number(CASES).unwrap_or(DEFAULT_CASES));
        Self { seed, cases, restarts: true, shrinks: true }
    }

    /// For a store whose data ends with the process: it is not opened again.
    #[must_use]
    pub fn without_restarts(mut self) -> Self {
        self.restarts = false;
        self
    }

    /// How many cases are run.
    #[must_use]
    pub fn cases(mut self, cases: u64) -> Self {
        self.cases = cases;
        self
    }

    /// Tells a case that fails as it was drawn, sooner than the smallest one.
    #[must_use]
    pub fn without_shrinking(mut self) -> Self {
        self.shrinks = false;
        self
    }

    /// Runs cases with one client.
    ///
    /// # Errors
    ///
    /// When an answer is not the model's.
    pub fn alone(&self, factory: &impl StoreFactory) -> Verdict {
        let steps = vec(step::step_alone(self.restarts), 1..=STEPS_ALONE);
        self.run(&steps, 1, async |steps| run::alone(factory, steps).await)
    }

    /// Runs cases with several clients at once, by two handles.
    ///
    /// # Errors
    ///
    /// When no order of the calls explains the answers.
    pub fn together(&self, factory: &impl StoreFactory) -> Verdict {
        let clients = vec(vec(step::step(), 1..=STEPS), 2..=5);
        self.run(&clients, TRIES, async |clients| run::together(factory, clients).await)
    }

    /// Runs cases until one fails, and makes that one smaller.
    fn run<C: Debug>(
        &self,
        strategy: &impl Strategy<Value = C>,
        tries: u32,
        case: impl AsyncFn(&C) -> Verdict,
    ) -> Verdict {
        let runtime = runtime()?;
        for seed in self.seed..self.seed.saturating_add(self.cases) {
            let failed = Cell::new(false);
            let found = self.runner(seed).run(strategy, |drawn| {
                for _ in 0..if failed.get() { tries } else { 1 } {
                    if let Err(violation) = runtime.block_on(case(&drawn)) {
                        failed.set(true);
                        return Err(TestCaseError::fail(violation.what().to_owned()));
                    }
                }
                Ok(())
            });
            match found {
                Ok(()) => {}
                // What is told is the last failure: that of the smallest case.
                Err(TestError::Fail(why, _)) => {
                    let again = format!("{SEED}={seed} {CASES}=1 {}", command());
                    let what = format!("{why}\nto run the case again:\n  {again}");
                    return Err(Violation::new(format_args!("seed {seed}: {what}")));
                }
                Err(error) => return Err(Violation::new(error)),
            }
        }
        Ok(())
    }

    /// Draws one case by its seed.
    fn runner(&self, seed: u64) -> TestRunner {
        let config = Config {
            cases: 1,
            failure_persistence: None,
            max_shrink_time: SHRINKING,
            // The very highest number means few, by the number of cases.
            max_shrink_iters: if self.shrinks { u32::MAX - 1 } else { 0 },
            ..Config::default()
        };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }
}

fn runtime() -> Result<Runtime, Violation> {
    let built = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(|error| Violation::new(format_args!("there is no runtime to test with: {error}")))
}

/// Makes two tests that hold a store against the model: with one client, and with several at once.
///
/// A backend whose data ends with the process says so: it is not opened again.
///
/// ```ignore
/// cqrs_testing::store_model!(MyStoreFactory);
/// cqrs_testing::store_model!(MyStoreFactory, lacks { restart: "the data ends with the process" });
/// ```
///
/// For `needs`, see [`store_contract!`](crate::store_contract).
#[macro_export]
macro_rules! store_model {
    (@tests $factory:expr, $model:expr, $attribute:tt) => {
        mod model {
            #[allow(unused_imports, reason = "the factory may be named by a path or made by an expression")]
            use super::*;

            #[test]
            #$attribute
            fn one_client_is_answered_as_by_the_model() {
                if let Err(violation) = $model.alone(&$factory) {
                    panic!("{violation}");
                }
            }

            #[test]
            #$attribute
            fn answers_to_several_clients_have_an_order() {
                if let Err(violation) = $model.together(&$factory) {
                    panic!("{violation}");
                }
            }
        }
    };
    ($factory:expr) => {
        $crate::store_model!(@tests $factory, $crate::Model::from_env(), [allow()]);
    };
    ($factory:expr, needs { $cfg:ident: $why:literal $(,)? }) => {
        $crate::store_model!(@tests $factory, $crate::Model::from_env(), [cfg_attr(not($cfg), ignore = $why)]);
    };
    ($factory:expr, lacks { restart: $why:literal $(,)? }) => {
        $crate::store_model!(@tests $factory, $crate::Model::from_env().without_restarts(), [allow()]);
    };
}
