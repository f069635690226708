//! How long aggregates stay in memory, seen from the outside: by how often their events are read.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::cell::Cell;
use std::convert::Infallible;
use std::time::Duration;

use cqrs_core::*;
use cqrs_memory::MemoryStore;
use serde::{Deserialize, Serialize};

thread_local! {
    /// How many events were applied on this thread.
    static APPLIED: Cell<u64> = const { Cell::new(0) };
}

/// Lives long while it is short, and ends when it has three lines.
#[derive(Default)]
struct List {
    lines: u64,
}

#[derive(Serialize, Deserialize)]
enum ListEvent {
    LineAdded,
}

impl Event for ListEvent {
    const CATEGORY: &'static str = "list";
}

impl Aggregate for List {
    type Id = String;
    type Event = ListEvent;

    fn apply(&mut self, _: &ListEvent) {
        APPLIED.set(APPLIED.get() + 1);
        self.lines += 1;
    }

    fn lifespan(&self) -> Lifespan {
        match self.lines {
            1 => Lifespan::Default,
            2 => Lifespan::Idle(Duration::from_secs(5)),
            _ => Lifespan::End,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct AddLine {
    list: String,
}

impl Command for AddLine {
    const NAME: &'static str = "AddLine";
    type Aggregate = List;

    fn aggregate_id(&self) -> &String {
        &self.list
    }
}

impl Handle<AddLine> for List {
    type Error = Infallible;

    fn handle(&self, _: &AddLine) -> Result<Vec<ListEvent>, Infallible> {
        Ok(vec![ListEvent::LineAdded])
    }
}

/// How many events are applied because of a command after a pause: its own, and those that had to be read.
async fn applied(app: &App, pause: u64) -> u64 {
    tokio::time::sleep(Duration::from_secs(pause)).await;
    APPLIED.set(0);
    app.dispatch(AddLine { list: "l".to_owned() }).await.unwrap();
    APPLIED.get()
}

#[tokio::test(start_paused = true)]
async fn an_aggregate_lives_as_long_as_it_says_and_else_as_long_as_the_options_say() {
    let mut options = DispatchOptions::default();
    options.live_idle = Some(Duration::from_secs(60));
    let app = App::builder(MemoryStore::new()).dispatch_options(options).start().await.unwrap();
    assert_eq!(applied(&app, 0).await, 1);
    assert_eq!(applied(&app, 59).await, 1, "by default a minute: it is there after 59 seconds");
    assert_eq!(applied(&app, 6).await, 3, "of two lines five seconds: it is read again after six");
    assert_eq!(applied(&app, 1).await, 4, "of three lines no time at all");

    let app = App::builder(MemoryStore::new()).dispatch_options(options).start().await.unwrap();
    applied(&app, 0).await;
    assert_eq!(applied(&app, 61).await, 2, "by default a minute: it is read again after 61 seconds");
    assert_eq!(applied(&app, 4).await, 1);
}
