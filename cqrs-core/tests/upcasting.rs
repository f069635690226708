//! Upcasting: streams of former days, read by aggregates, projections and process managers of today.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

use std::convert::Infallible;
use std::sync::LazyLock;

use async_trait::async_trait;
use cqrs_core::*;
use cqrs_memory::{InMemory, MemoryStore};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// Today's events. In former days there were `Opened`, `Put { amount }`, `Swapped { out, in }` and `Pinged`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum TillEvent {
    TillOpened,
    #[serde(rename = "Put.2")]
    Put {
        cents: u64,
    },
    Taken {
        cents: u64,
    },
}

static UPCASTS: LazyLock<Upcasts> = LazyLock::new(|| {
    Upcasts::new()
        .rename("Opened", "TillOpened")
        .change("Put", "Put.2", |data| {
            let amount = data["amount"].as_u64().ok_or("no amount")?;
            Ok(json!({ "cents": amount * 100 }))
        })
        .split("Swapped", |data| {
            let cents = |key: &str| data[key].as_u64().map(|amount| amount * 100);
            Ok(vec![("Taken", json!({ "cents": cents("out") })), ("Put", json!({ "amount": data["in"] }))])
        })
        .discard("Pinged")
});

impl Event for TillEvent {
    const CATEGORY: &'static str = "till";

    fn upcasts() -> Option<&'static Upcasts> {
        Some(&UPCASTS)
    }
}

#[derive(Debug, Default)]
struct Till {
    open: bool,
    cents: u64,
}

impl Aggregate for Till {
    type Id = String;
    type Event = TillEvent;

    fn apply(&mut self, event: &TillEvent) {
        match event {
            TillEvent::TillOpened => self.open = true,
            TillEvent::Put { cents } => self.cents += cents,
            TillEvent::Taken { cents } => self.cents -= cents,
        }
    }
}

/// Takes all that is in the till.
#[derive(Serialize, Deserialize)]
struct Empty {
    till: String,
}

impl Command for Empty {
    const NAME: &'static str = "Empty";
    type Aggregate = Till;

    fn aggregate_id(&self) -> &String {
        &self.till
    }
}

impl Handle<Empty> for Till {
    type Error = Infallible;

    fn handle(&self, _: &Empty) -> Result<Vec<TillEvent>, Infallible> {
        Ok(vec![TillEvent::Taken { cents: self.cents }])
    }
}

async fn store_of_former_days(events: &[(&str, &str)]) -> MemoryStore {
    let store = MemoryStore::new();
    let events = events.iter().map(|(event_type, data)| NewEvent {
        id: EventId::new(Uuid::now_v7()),
        event_type: (*event_type).into(),
        data: Json::parse(*data).unwrap(),
        metadata: Metadata::default(),
    });
    let write = StreamWrite {
        stream: Till::stream(&"t".to_owned()).unwrap(),
        expected: ExpectedVersion::NoStream,
        events: events.collect(),
    };
    let recorded_at = Timestamp::from_micros(0);
    let append = Append { writes: vec![write], receipt: None, recorded_at, rests_on_previous: false };
    store.append(vec![append]).await.unwrap().pop().unwrap().unwrap();
    store
}

const FORMER: &[(&str, &str)] = &[
    ("Opened", "null"),
    ("Put", r#"{"amount":3}"#),
    ("Pinged", "7"),
    ("Swapped", r#"{"out":1,"in":2}"#),
    ("Put.2", r#"{"cents":50}"#),
];

#[tokio::test]
async fn an_aggregate_is_made_of_the_events_of_former_days() {
    let store = store_of_former_days(FORMER).await;
    let app = App::builder(store.clone()).start().await.unwrap();
    let emptied = app.dispatch(Empty { till: "t".to_owned() }).await.unwrap();
    assert_eq!((emptied.version, emptied.events), (Version::new(6), 1));
    let page = store.read_log(Position::new(5), &EventFilter::all(), 9).await.unwrap();
    assert_eq!(page.events[0].data.as_str(), r#"{"cents":450}"#);
    let first = store.read_log(Position::ZERO, &EventFilter::all(), 1).await.unwrap();
    assert_eq!(&*first.events[0].event_type, "Opened", "what is stored stays as it is");
}

/// Keeps what it is shown, with positions.
struct Shown;

#[async_trait]
impl Projection for Shown {
    const NAME: &'static str = "shown";
    type Event = TillEvent;
    type Target = Vec<(u64, TillEvent)>;

    async fn project(
        &self,
        event: &RecordedEvent<TillEvent>,
        shown: &mut Self::Target,
    ) -> Result<(), BoxError> {
        shown.push((event.position.as_u64(), event.data.clone()));
        Ok(())
    }
}

#[tokio::test]
async fn a_projection_is_shown_the_parts_in_order_and_nothing_of_what_is_discarded() {
    let shown = InMemory::default();
    let app = App::builder(store_of_former_days(FORMER).await).projection(Shown, shown.clone());
    let app = app.start().await.unwrap();
    app.settle().await.unwrap();
    let wanted = [
        (1, TillEvent::TillOpened),
        (2, TillEvent::Put { cents: 300 }),
        (4, TillEvent::Taken { cents: 100 }),
        (4, TillEvent::Put { cents: 200 }),
        (5, TillEvent::Put { cents: 50 }),
    ];
    shown.read(|shown| assert_eq!(shown[..], wanted)).await;
}

/// Has a till emptied for every event that it sees.
#[derive(Default, Serialize, Deserialize)]
struct Sweeper;

impl ProcessManager for Sweeper {
    const NAME: &'static str = "sweeper";
    type Event = TillEvent;

    fn interested(event: &TillEvent) -> Interest {
        match event {
            TillEvent::Taken { cents: 0 } => Interest::none(),
            _ => Interest::start("all"),
        }
    }

    fn handle(&self, event: &RecordedEvent<TillEvent>) -> Vec<Outgoing> {
        let till = format!("emptied-{}", event.position);
        vec![Outgoing::command(Empty { till })]
    }
}

/// What a process manager asks for is told apart by the position of the event that it answers. The parts of one
/// stored event share theirs: were that all, the second part's command would be taken for the first one's.
#[tokio::test]
async fn a_process_manager_answers_each_part() {
    let store = store_of_former_days(&FORMER[3..4]).await;
    let app = App::builder(store.clone()).router(Router::new().route::<Empty>());
    let app = app.process_manager::<Sweeper>().start().await.unwrap();
    app.settle().await.unwrap();
    let stream = Till::stream(&"emptied-1".to_owned()).unwrap();
    let emptied = store.read_stream(&stream, StreamRead::forward(Version::new(1), 9)).await.unwrap();
    assert_eq!(emptied.len(), 2);
}

/// A stored event that cannot be made one of today is neither skipped nor guessed.
#[tokio::test]
async fn an_event_that_cannot_be_upcast_is_named() {
    let store = store_of_former_days(&[("Put", r#"{"sum":3}"#)]).await;
    let app = App::builder(store).start().await.unwrap();
    let error = app.dispatch(Empty { till: "t".to_owned() }).await.unwrap_err();
    let told = describe(&error);
    assert!(
        told.contains("\"Put\" at version 1 of stream till-t") && told.ends_with("no amount"),
        "{told}"
    );
}
