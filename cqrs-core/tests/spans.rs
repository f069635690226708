//! What stands around what in the log. A program of its own: who listens on one thread is not heard while others listen to
//! nothing.

mod common;

use async_trait::async_trait;
use common::*;
use cqrs_core::*;
use cqrs_memory::{InMemory, MemoryStore};

struct Quiet;

#[async_trait]
impl Projection for Quiet {
    const NAME: &'static str = "quiet";
    type Event = PotEvent;
    type Target = ();

    async fn project(&self, _: &RecordedEvent<PotEvent>, (): &mut ()) -> Result<(), BoxError> {
        Ok(())
    }
}

struct Mail;

#[async_trait]
impl EventHandler for Mail {
    const NAME: &'static str = "mail";
    type Event = PotEvent;

    async fn handle(&self, _: &RecordedEvent<PotEvent>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[tokio::test]
async fn each_batch_each_delivery_and_each_attempt_at_a_task_has_a_span() {
    let (text, _here) = log_here();
    let builder = App::builder(MemoryStore::new()).router(router()).projection(Quiet, InMemory::default());
    let app = builder.event_handler(Mail).process_manager::<Carry>().start().await.unwrap();
    app.dispatch(add("a", 9)).await.unwrap();
    app.dispatch(carry("a", "b", 1, "t1")).settled().await.unwrap();
    app.settle().await.unwrap();
    let closed = text.lines("close");
    let span = |name: &str| closed.iter().find(|line| line.contains(name)).unwrap().clone();
    for (name, parts) in [
        ("task{", &["process=\"carry\"", "instance=t1", "name=\"Arrive\"", "attempt=1"][..]),
        ("handle{", &["handler=\"mail\"", "part=1 ", "attempt=1"]),
        ("batch{subscriber=\"quiet\"", &["from=0", "to=1", "events=1"]),
        ("batch{subscriber=\"carry\"", &["from=0"]),
    ] {
        let span = span(name);
        assert!(parts.iter().all(|part| span.contains(part)), "{span}");
    }
}
