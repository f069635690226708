//! A clock for tests.

use std::sync::Arc;

use cqrs_core::{Clock, Timestamp};
use tokio::sync::watch;

/// A clock that stands where it is put, in microseconds.
#[derive(Clone)]
pub struct Hand(Arc<watch::Sender<i64>>);

impl Hand {
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    pub fn put(&self, seconds: i64) {
        self.0.send_replace(seconds * 1_000_000);
    }
}

#[async_trait::async_trait]
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(*self.0.borrow())
    }

    async fn wait_until(&self, moment: Timestamp) {
        self.0.subscribe().wait_for(|now| *now >= moment.as_micros()).await.unwrap();
    }
}
