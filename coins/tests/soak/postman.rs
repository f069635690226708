//! An event handler that fails now and then, and knows what it must not be given.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use coins::AccountEvent;
use cqrs_core::{BoxError, EventHandler, HandlerOptions, RecordedEvent};

const IN_FLIGHT: usize = 64;

pub(crate) fn options() -> HandlerOptions {
    let mut options = HandlerOptions::default();
    (options.in_flight, options.max_attempts) = (IN_FLIGHT, u32::MAX);
    options.first_retry = Duration::from_millis(2);
    options
}

/// What was delivered, by whichever node; a clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Postman(Arc<Mutex<Delivered>>);

#[derive(Default)]
struct Delivered {
    attempts: u64,
    /// By account, the last version that was delivered, with all before it.
    upto: HashMap<String, u64>,
    deliveries: u64,
    too_early: Vec<String>,
}

impl Postman {
    /// Every event was delivered. Returns how many were more than once.
    pub(crate) fn check(&self, events: &[RecordedEvent<AccountEvent>], lives: u64) -> u64 {
        let found = self.0.lock().unwrap();
        assert!(found.too_early.is_empty(), "before the one before it of its key: {:?}", found.too_early);
        let mut last = HashMap::new();
        for event in events {
            last.insert(event.stream.key().to_owned(), event.version.as_u64());
        }
        assert_eq!(found.upto, last, "the last event that was delivered of each account");
        let repeated = found.deliveries - events.len() as u64;
        // What a life can repeat, and the other node's, should it lose its lease.
        let most = 2 * lives * 3 * IN_FLIGHT as u64;
        assert!(repeated <= most, "{repeated} were repeated, and {most} may be");
        repeated
    }
}

#[async_trait]
impl EventHandler for Postman {
    const NAME: &'static str = "postman";
    type Event = AccountEvent;

    async fn handle(&self, event: &RecordedEvent<AccountEvent>) -> Result<(), BoxError> {
        let (key, version) = (event.stream.key(), event.version.as_u64());
        let mood = {
            let mut delivered = self.0.lock().unwrap();
            delivered.attempts += 1;
            if delivered.upto.get(key).copied().unwrap_or_default() + 1 < version {
                delivered.too_early.push(format!("{key} {version}"));
            }
            delivered.attempts
        };
        if mood % 5 == 0 {
            tokio::time::sleep(Duration::from_millis(mood % 4)).await;
        }
        if mood % 7 == 0 {
            return Err("not in the mood".into());
        }
        let mut delivered = self.0.lock().unwrap();
        delivered.deliveries += 1;
        let upto = delivered.upto.entry(key.to_owned()).or_default();
        *upto = (*upto).max(version);
        Ok(())
    }
}
