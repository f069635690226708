//! Calls of the store that are tried again for as long as it takes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::dispatch::backoff;
use crate::subscribe::Reporter;
use crate::{BoxError, IdSource, describe};

/// What goes wrong at present, by what is tried, and who is told.
pub(super) struct Troubles {
    pub(super) name: &'static str,
    pub(super) reporter: Reporter,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) first_retry: Duration,
    pub(super) max_retry: Duration,
    present: Mutex<BTreeMap<&'static str, (u32, String)>>,
}

impl Troubles {
    pub(super) fn new(
        reporter: Reporter,
        name: &'static str,
        ids: Arc<dyn IdSource>,
        (first_retry, max_retry): (Duration, Duration),
    ) -> Self {
        Self { name, reporter, ids, first_retry, max_retry, present: Mutex::default() }
    }

    fn present(&self) -> MutexGuard<'_, BTreeMap<&'static str, (u32, String)>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that goes wrong: how often it was tried, and why.
    pub(super) fn any(&self) -> Option<(u32, String)> {
        self.present().values().next().cloned()
    }

    /// Forgets what was tried by those who were stopped in the middle of it.
    pub(super) fn clear(&self) {
        self.present().clear();
    }

    /// Tries until it works.
    pub(super) async fn insist<T, F>(&self, what: &'static str, mut attempt: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, BoxError>>,
    {
        let mut failures = 0;
        loop {
            match attempt().await {
                Ok(done) => return self.over(what, done),
                Err(error) => {
                    failures += 1;
                    self.pause(what, failures, describe(&*error)).await;
                }
            }
        }
    }

    /// What was tried came to its end.
    pub(super) fn over<T>(&self, what: &'static str, end: T) -> T {
        self.present().remove(what);
        end
    }

    /// Tells everybody what went wrong, and pauses.
    pub(super) async fn pause(&self, what: &'static str, failures: u32, error: String) {
        let pause = backoff(self.first_retry, failures, &*self.ids).min(self.max_retry);
        self.tell(what, failures, error, pause);
        tokio::time::sleep(pause).await;
    }

    /// Tells everybody what went wrong, and when it is tried again.
    pub(super) fn tell(&self, what: &'static str, failures: u32, error: String, pause: Duration) {
        tracing::warn!(handler = self.name, attempts = failures, %error, "cannot {what}, and will try again");
        self.present().insert(what, (failures, error.clone()));
        self.reporter.retrying(failures, error, pause);
    }
}
