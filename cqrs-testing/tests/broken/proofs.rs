//! Which rules must reject which broken store.

use std::sync::Arc;
use std::time::Duration;

use cqrs_testing::{Verdict, Violation, contract};
use futures::future::LocalBoxFuture;

use crate::breach::{Breach, Factory};

/// How long a rule may wait. Nobody waits that long: the clock is paused and jumps.
const PATIENCE: Duration = Duration::from_secs(600);

/// A broken store, and the rules that reject it.
pub(crate) struct Proof {
    pub(crate) name: &'static str,
    pub(crate) make: fn() -> Arc<dyn Breach>,
    pub(crate) rejected_by: &'static [&'static str],
}

impl Proof {
    pub(crate) fn lists(&self, rule: &str) -> bool {
        self.rejected_by.contains(&rule)
    }

    /// Runs all rules, and checks that exactly those listed reject the store.
    pub(crate) fn check(&self) {
        let rejecting = rejecting(self.make);
        let mut found: Vec<_> = rejecting.iter().map(|(rule, _)| *rule).collect();
        let mut wanted = self.rejected_by.to_vec();
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "the rules that reject {}: {rejecting:#?}", self.name);
    }
}

/// Lists broken stores with the rules that reject them, and makes a test of each.
macro_rules! proofs {
    ($($breach:ident: $($rule:path),+;)*) => {
        /// The proofs of these stores.
        pub(crate) const PROOFS: &[$crate::proofs::Proof] = &[$($crate::proofs::Proof {
            name: stringify!($breach),
            make: || std::sync::Arc::new($breach::default()),
            rejected_by: &[$(stringify!($rule)),+],
        }),*];

        #[allow(non_snake_case, reason = "a proof is named like its store")]
        mod is_rejected {
            $(#[test]
            fn $breach() {
                let name = stringify!($breach);
                super::PROOFS.iter().find(|proof| proof.name == name).unwrap().check();
            })*
        }
    };
}

pub(crate) use proofs;

/// All proofs.
pub(crate) fn all() -> impl Iterator<Item = &'static Proof> {
    crate::PROOFS.iter().copied().flatten()
}

macro_rules! list {
    ({} $($family:ident { $($rule:ident)* })*) => {
        /// The names of all rules.
        pub(crate) fn rules() -> Vec<&'static str> {
            vec![$($(concat!(stringify!($family), "::", stringify!($rule)),)*)*]
        }

        /// What each rule says of a store.
        fn verdicts(factory: &Factory) -> Vec<Verdict> {
            vec![$($(verdict(Box::pin(contract::$family::$rule(factory))),)*)*]
        }
    };
}

cqrs_testing::rules!(list,);

/// The rules that reject a store, and what they say of it.
pub(crate) fn rejecting(make: fn() -> Arc<dyn Breach>) -> Vec<(&'static str, Violation)> {
    let named = rules().into_iter().zip(verdicts(&Factory(make)));
    named.filter_map(|(rule, verdict)| verdict.err().map(|violation| (rule, violation))).collect()
}

/// Runs a rule; one that waits for ever has rejected.
fn verdict(rule: LocalBoxFuture<'_, Verdict>) -> Verdict {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, rule).await });
    ended.unwrap_or_else(|_| Err(Violation::new("the rule waits for ever")))
}
