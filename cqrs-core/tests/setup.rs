//! What a projection sets up is there whenever its read model begins anew.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use common::*;
use cqrs_core::*;
use cqrs_memory::{InMemory, MemoryStore};

/// Fails once, after it has changed something.
#[derive(Default)]
struct FailsOnce(AtomicBool);

#[async_trait]
impl Projection for FailsOnce {
    const NAME: &'static str = "fails-once";
    type Event = PotEvent;
    type Target = Vec<&'static str>;

    async fn setup(&self, target: &mut Vec<&'static str>) -> Result<(), BoxError> {
        if target.is_empty() {
            target.push("set up");
        }
        Ok(())
    }

    async fn project(
        &self,
        _: &RecordedEvent<PotEvent>,
        target: &mut Vec<&'static str>,
    ) -> Result<(), BoxError> {
        target.push("event");
        if self.0.swap(true, Ordering::SeqCst) { Ok(()) } else { Err("once".into()) }
    }
}

/// A value in memory begins anew after a failed batch, and had lost what the setup at the start had made.
#[tokio::test(start_paused = true)]
async fn a_read_model_that_begins_anew_is_set_up_again() {
    let model = InMemory::default();
    let builder = App::builder(MemoryStore::new()).projection(FailsOnce::default(), model.clone());
    let app = builder.start().await.unwrap();
    app.dispatch(add("a", 1)).strong().await.unwrap();
    assert_eq!(model.read(Clone::clone).await, ["set up", "event"]);
}
