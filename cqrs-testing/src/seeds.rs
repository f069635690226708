//! One test, many seeds.

use std::env;
use std::future::Future;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tokio::runtime::Builder;

/// Names the one seed to run.
const SEED: &str = "FAULT_SEED";

/// Names how many seeds to run.
const SEEDS: &str = "FAULT_SEEDS";

/// Runs an asynchronous test once for each seed, counted from zero, such as the seed of
/// [`Faults`](crate::Faults).
///
/// Each time it has a runtime of its own, with one thread and a paused clock, so that a seed repeats itself as far
/// as the test's own clock and ids do. When a seed fails, the command that runs it alone is printed. The environment
/// variable `FAULT_SEED` names one seed to run, `FAULT_SEEDS` how many to run in place of `count`.
///
/// ```
/// use cqrs_core::EventStore;
/// use cqrs_memory::MemoryStore;
/// use cqrs_testing::{FaultyStore, Faults, for_seeds};
///
/// for_seeds(10, async |seed| {
///     let store = FaultyStore::new(MemoryStore::new(), Faults::storm(seed));
///     store.until_crash(store.head()).await;
/// });
/// ```
///
/// # Panics
///
/// With the panic of the test, and when a variable is set and is no number.
pub fn for_seeds(count: u64, test: impl AsyncFn(u64)) {
    for seed in seeds(SEED, SEEDS, count) {
        rerunnable(SEED, seed, || run(test(seed)));
    }
}

/// The one seed that the environment names, or as many as it says, or `count`.
pub(crate) fn seeds(one: &str, many: &str, count: u64) -> Range<u64> {
    match number(one) {
        Some(seed) => seed..seed + 1,
        None => 0..number(many).unwrap_or(count),
    }
}

/// Runs a test with a seed. When it fails, it says how to run that seed again.
pub(crate) fn rerunnable<T>(variable: &str, seed: u64, test: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(test)).unwrap_or_else(|panic| {
        eprintln!("seed {seed} failed; to run it alone:\n  {variable}={seed} {}", command());
        resume_unwind(panic)
    })
}

fn run(test: impl Future<Output = ()>) {
    #[expect(clippy::expect_used, reason = "without a runtime there is no test")]
    let runtime =
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(test);
}

/// The number in an environment variable, if that is set.
pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{variable} must be a number, not {text:?}"),
    }
}

/// The command that runs this test: cargo names the package, and the thread of a test has the test's name.
pub(crate) fn command() -> String {
    let package = env::var("CARGO_PKG_NAME").map(|name| format!(" -p {name}")).unwrap_or_default();
    let thread = std::thread::current();
    let test = thread.name().filter(|name| *name != "main").map(|name| format!(" {name}"));
    format!("cargo test{package}{}", test.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn seeds_run_in_order_until_one_fails() {
        let seen = RefCell::new(Vec::new());
        let test = async |seed| {
            seen.borrow_mut().push(seed);
            assert_ne!(seed, 3, "the seed that fails");
        };
        for_seeds(3, test);
        assert_eq!(seen.take(), [0, 1, 2]);
        let failed = catch_unwind(AssertUnwindSafe(|| for_seeds(7, test)));
        assert!(failed.is_err());
        assert_eq!(seen.take(), [0, 1, 2, 3]);
    }

    #[test]
    fn the_command_names_the_package_and_the_test() {
        let wanted = "cargo test -p cqrs-testing seeds::tests::the_command_names_the_package_and_the_test";
        assert_eq!(command(), wanted);
    }
}
