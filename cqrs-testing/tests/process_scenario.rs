//! Scenarios of process managers: what they accept, and what they say of what they do not.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cqrs_core::{
    Aggregate, Command, Event, Failure, Handle, Interest, Outgoing, ProcessManager, RecordedEvent,
    Recovery, event_set,
};
use cqrs_testing::ProcessScenario;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
enum ParcelEvent {
    Sent { id: String, to: String },
    Seen { id: String },
    Arrived { id: String },
    Weighed,
}

impl Event for ParcelEvent {
    const CATEGORY: &'static str = "parcel";
}

use ParcelEvent::Weighed;

fn sent(id: &str) -> ParcelEvent {
    ParcelEvent::Sent { id: id.to_owned(), to: "you".to_owned() }
}

fn seen(id: &str) -> ParcelEvent {
    ParcelEvent::Seen { id: id.to_owned() }
}

fn arrived(id: &str) -> ParcelEvent {
    ParcelEvent::Arrived { id: id.to_owned() }
}

#[derive(Default)]
struct Parcel;

impl Aggregate for Parcel {
    type Id = String;
    type Event = ParcelEvent;

    fn apply(&mut self, _: &ParcelEvent) {}
}

macro_rules! command {
    ($name:ident { $($field:ident: $type:ty),* }) => {
        #[derive(Serialize, Deserialize)]
        struct $name { id: String, $($field: $type),* }

        impl Command for $name {
            const NAME: &'static str = stringify!($name);
            type Aggregate = Parcel;

            fn aggregate_id(&self) -> &String {
                &self.id
            }
        }

        impl Handle<$name> for Parcel {
            type Error = Infallible;

            fn handle(&self, _: &$name) -> Result<Vec<ParcelEvent>, Infallible> {
                Ok(Vec::new())
            }
        }
    };
}

command!(Announce { to: String, seen: u32 });
command!(Search {});
command!(Refund {});

fn announce(id: &str, seen: u32) -> Announce {
    Announce { id: id.to_owned(), to: "you".to_owned(), seen }
}

fn search(id: &str) -> Outgoing {
    Outgoing::command(Search { id: id.to_owned() })
}

fn refund(id: &str) -> Outgoing {
    Outgoing::command(Refund { id: id.to_owned() })
}

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn late() -> Outgoing {
    Outgoing::deadline("late", DAY)
}

/// Announces a parcel, and searches it when it is late.
#[derive(Default, Serialize, Deserialize)]
struct Tracking {
    id: String,
    seen: u32,
}

impl ProcessManager for Tracking {
    const NAME: &'static str = "tracking";
    type Event = ParcelEvent;

    fn interested(event: &ParcelEvent) -> Interest {
        match event {
            ParcelEvent::Sent { id, .. } => Interest::start(id),
            ParcelEvent::Seen { id } => Interest::continue_(id),
            ParcelEvent::Arrived { id } => Interest::stop(id),
            Weighed => Interest::none(),
        }
    }

    fn handle(&self, event: &RecordedEvent<ParcelEvent>) -> Vec<Outgoing> {
        match &event.data {
            ParcelEvent::Sent { id, .. } => vec![Outgoing::command(announce(id, self.seen)), late()],
            ParcelEvent::Seen { id } => vec![Outgoing::command(announce(id, self.seen)).after(DAY / 2)],
            ParcelEvent::Arrived { .. } | Weighed => Vec::new(),
        }
    }

    fn apply(&mut self, event: &ParcelEvent) {
        match event {
            ParcelEvent::Sent { id, .. } => self.id = id.clone(),
            ParcelEvent::Seen { .. } => self.seen += 1,
            ParcelEvent::Arrived { .. } | Weighed => {}
        }
    }

    fn failed(&self, failure: &Failure) -> Recovery {
        match (&*failure.rejection, failure.attempts) {
            ("busy", 0..2) => Recovery::Retry { after: DAY },
            ("busy", _) => Recovery::Skip,
            ("unknown", _) => Recovery::Compensate(vec![refund(&self.id)]),
            _ => Recovery::Park,
        }
    }

    fn deadline(&self, name: &str) -> Vec<Outgoing> {
        assert_eq!(name, "late");
        vec![search(&self.id), late()]
    }
}

type Scenario = ProcessScenario<Tracking>;

/// What a scenario that fails says, without its first line.
fn says<T>(scenario: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(scenario)) {
        Ok(_) => panic!("the scenario did not fail"),
        Err(panic) => {
            let said = *panic.downcast::<String>().unwrap();
            said.strip_prefix("the scenario went another way\n").unwrap().to_owned()
        }
    }
}

#[test]
fn a_scenario_goes_on_with_what_has_happened() {
    Scenario::new()
        .when(sent("1"))
        .then([Outgoing::command(announce("1", 0)), late()])
        .and([seen("1"), seen("1")])
        .when(seen("1"))
        .then([Outgoing::command(announce("1", 2)).after(DAY / 2)])
        .running(&["1"])
        .when(arrived("1"))
        .then_nothing()
        .running(&[]);
}

#[test]
fn what_starts_concerns_and_ends_an_instance_is_what_an_application_has() {
    Scenario::given([seen("1")]).running(&[]);
    Scenario::given([arrived("1"), sent("1")]).running(&["1"]);
    let again = Scenario::given([sent("1"), seen("1")]).when(sent("1"));
    again.then([Outgoing::command(announce("1", 1)), late()]).running(&["1"]);
    let ended = Scenario::given([sent("1"), arrived("1"), sent("2")]);
    ended.when(sent("1")).then_nothing().when(seen("1")).then_nothing().running(&["2"]);
    Scenario::new().when(Weighed).then_nothing();
}

#[test]
fn a_deadline_comes_once_for_each_time_it_was_asked_for() {
    Scenario::given([sent("1"), sent("2")])
        .when_deadline("late")
        .then([search("1"), late()])
        .when_deadline("late")
        .then([search("2"), late()])
        .when_deadline("late")
        .then([search("1"), late()]);
    // Each is due a day after the one before it, not after the event.
    let again = Scenario::given([sent("1")]).when_deadline("late").then([search("1"), late()]);
    let said = says(|| again.when_deadline("early"));
    assert!(said.ends_with("1: deadline \"late\" after 172800s\n"), "{said}");
    let ended = Scenario::given([sent("1"), arrived("1")]).when_deadline("late").then_nothing();
    assert_eq!(
        says(|| ended.when_deadline("late")),
        r#"given Sent {"id":"1","to":"you"}
given Arrived {"id":"1"}
 when deadline "late" of 1
 then nothing is asked for

deadline "late" was not asked for; what waits is:
1: command Announce {
  "id": "1",
  "seen": 0,
  "to": "you"
}
"#
    );
}

#[test]
fn a_refused_command_is_answered_as_in_an_application() {
    let sent = || Scenario::given([sent("1")]);
    sent().when_failed(announce("1", 0), "unknown").then([refund("1")]);
    sent().when_failed(announce("1", 0), "out of paper").then_park();
    let busy = sent().when_failed(announce("1", 0), "busy").then_retry(DAY);
    let busy = busy.when_failed(announce("1", 0), "busy").then_retry(DAY);
    let skipped = busy.when_failed(announce("1", 0), "busy").then_nothing();
    let said = says(|| skipped.when_failed(announce("1", 0), "busy"));
    assert!(
        said.ends_with("was not asked for; what waits is:\n1: deadline \"late\" after 86400s\n"),
        "{said}"
    );
    let said = says(|| sent().when_failed(announce("1", 1), "busy"));
    let wanted = r#"Announce {"id":"1","to":"you","seen":1} was not asked for; what waits is:"#;
    assert!(said.contains(wanted), "{said}");
    let compensated = Scenario::given([sent1()]).when_deadline("late").then([search("1"), late()]);
    says(|| compensated.when_failed(Refund { id: "1".to_owned() }, "no"));
    // An instance that has ended answers for what it asked for.
    Scenario::given([sent1(), arrived("1")]).when_failed(announce("1", 0), "unknown").then([refund("1")]);
    // What undoes can be refused too.
    let undone = sent().when_failed(announce("1", 0), "unknown").then([refund("1")]);
    undone.when_failed(Refund { id: "1".to_owned() }, "no").then_park();
}

fn sent1() -> ParcelEvent {
    sent("1")
}

#[test]
fn other_commands_fail_with_the_story_and_the_difference() {
    let said = says(|| {
        let scenario = Scenario::given([Weighed, sent("1")]).when(seen("1"));
        let scenario = scenario.then([Outgoing::command(announce("1", 0)).after(DAY / 2)]);
        scenario
            .when_failed(announce("1", 0), "busy")
            .then_retry(DAY)
            .when(seen("1"))
            .then([Outgoing::command(announce("1", 7)).after(DAY), late()])
    });
    assert_eq!(
        said,
        r#"given Weighed null
given Sent {"id":"1","to":"you"}
 when Seen {"id":"1"}
 then it asks for Announce {"id":"1","to":"you","seen":0}
 when Announce {"id":"1","to":"you","seen":0} is refused: busy
 then the command is tried again after 86400s
 when Seen {"id":"1"}

it asks for something else (- expected, + asked for):
- command Announce after 86400s {
+ command Announce after 43200s {
    "id": "1",
-   "seen": 7,
+   "seen": 1,
    "to": "you"
  }
- deadline "late" after 86400s
"#
    );
}

#[test]
fn commands_in_another_order_and_missing_and_surplus_ones_fail() {
    let asked = || Scenario::new().when(sent("1"));
    says(|| asked().then([late(), Outgoing::command(announce("1", 0))]));
    says(|| asked().then([Outgoing::command(announce("1", 0))]));
    let said = says(|| asked().then_nothing());
    assert!(
        said.contains("+ command Announce {\n") && said.ends_with("+ deadline \"late\" after 86400s\n")
    );
}

#[test]
fn another_answer_to_a_refusal_fails() {
    let refused = |rejection: &str| Scenario::given([sent("1")]).when_failed(announce("1", 0), rejection);
    let said = says(|| refused("busy").then([refund("1")]));
    let wanted = "\nexpected it to ask for\ncommand Refund {\n  \"id\": \"1\"\n}\nbut the command is tried again after 86400s";
    assert!(said.ends_with(wanted), "{said}");
    let said = says(|| refused("busy").then_retry(DAY / 2));
    let wanted = "\nexpected that the command is tried again after 43200s\nbut the command is tried again after 86400s";
    assert!(said.ends_with(wanted), "{said}");
    let said = says(|| refused("unknown").then_park());
    assert!(said.ends_with("\nexpected that the command is parked\nbut it asks for Refund {\"id\":\"1\"}"));
    says(|| refused("no paper").then_nothing());
}

#[test]
fn other_instances_fail() {
    let said = says(|| Scenario::given([sent("1"), sent("2"), arrived("1")]).running(&["1"]));
    assert!(said.ends_with("other instances are running (- expected, + running):\n- 1\n+ 2\n"), "{said}");
}

/// An instance that is stored after every event, as an idle application does it, forgets what a busy one, which
/// finds both events in one page, still has in memory.
#[test]
fn a_state_that_forgets_what_it_does_not_store_fails() {
    #[derive(Default, Serialize, Deserialize)]
    struct Forgetful {
        #[serde(skip)]
        seen: u32,
    }
    impl ProcessManager for Forgetful {
        const NAME: &'static str = "forgetful";
        type Event = ParcelEvent;
        fn interested(event: &ParcelEvent) -> Interest {
            Tracking::interested(event)
        }
        fn handle(&self, event: &RecordedEvent<ParcelEvent>) -> Vec<Outgoing> {
            match &event.data {
                ParcelEvent::Seen { id } => {
                    vec![Outgoing::command(announce(id, self.seen)), late().after(DAY * self.seen)]
                }
                _ => Vec::new(),
            }
        }
        fn apply(&mut self, _: &ParcelEvent) {
            self.seen += 1;
        }
    }
    let said = says(|| ProcessScenario::<Forgetful>::given([sent("1")]).when(seen("1")));
    assert_eq!(
        said,
        r#"given Sent {"id":"1","to":"you"}
 when Seen {"id":"1"}

other things are asked for when the state was not stored in between: does it come back from JSON as it was? (- event by event, + all at once):
  1: command Announce {
    "id": "1",
-   "seen": 0,
+   "seen": 1,
    "to": "you"
  }
- 1: deadline "late"
+ 1: deadline "late" after 86400s
"#
    );
}

#[test]
fn a_state_that_cannot_be_read_back_fails() {
    #[derive(Default, Serialize, Deserialize)]
    struct Weight(f64);
    impl ProcessManager for Weight {
        const NAME: &'static str = "weight";
        type Event = ParcelEvent;
        fn interested(event: &ParcelEvent) -> Interest {
            Tracking::interested(event)
        }
        fn handle(&self, _: &RecordedEvent<ParcelEvent>) -> Vec<Outgoing> {
            Vec::new()
        }
        fn apply(&mut self, _: &ParcelEvent) {
            self.0 = f64::INFINITY;
        }
    }
    let said = says(|| ProcessScenario::<Weight>::given([sent("1")]).when(seen("1")).then_nothing());
    let wanted = "the state of instance 1 of process manager \"weight\" cannot be read: invalid type: null, expected f64";
    assert!(said.contains(wanted), "{said}");
}

#[derive(Clone, Serialize, Deserialize)]
enum StationEvent {
    Closed,
}

impl Event for StationEvent {
    const CATEGORY: &'static str = "station";
}

event_set! {
    enum Both { Parcel(ParcelEvent), Station(StationEvent) }
}

/// Searches in a station that closes.
#[derive(Default, Serialize, Deserialize)]
struct Closing {}

impl ProcessManager for Closing {
    const NAME: &'static str = "closing";
    type Event = Both;

    fn interested(event: &Both) -> Interest {
        match event {
            Both::Parcel(parcel) => Tracking::interested(parcel),
            Both::Station(StationEvent::Closed) => {
                Interest::continue_("1").and_also(Interest::continue_("2"))
            }
        }
    }

    fn handle(&self, event: &RecordedEvent<Both>) -> Vec<Outgoing> {
        match event.data {
            Both::Station(StationEvent::Closed) => vec![search(event.stream.key())],
            Both::Parcel(_) => Vec::new(),
        }
    }
}

#[test]
fn events_of_several_categories_and_streams_reach_all_instances_that_they_concern() {
    let both = ProcessScenario::<Closing>::given([sent("1"), sent("2")]).in_stream("north");
    let both = both.when(StationEvent::Closed).then([search("north"), search("north")]);
    both.and([arrived("2")]).and([StationEvent::Closed]).running(&["1"]);
}

#[test]
fn events_that_the_process_manager_would_never_see_fail() {
    let said = says(|| Scenario::given([sent("1")]).when(StationEvent::Closed));
    assert!(said.ends_with("\n\"tracking\" wants no events of category \"station\""), "{said}");
}

/// Searches a parcel that nobody has seen for a day.
#[derive(Default, Serialize, Deserialize)]
struct Watch {
    id: String,
}

impl ProcessManager for Watch {
    const NAME: &'static str = "watch";
    type Event = ParcelEvent;

    fn interested(event: &ParcelEvent) -> Interest {
        Tracking::interested(event)
    }

    fn handle(&self, event: &RecordedEvent<ParcelEvent>) -> Vec<Outgoing> {
        match &event.data {
            ParcelEvent::Sent { .. } => vec![late(), Outgoing::deadline("lost", DAY * 9)],
            ParcelEvent::Seen { .. } => vec![late()],
            ParcelEvent::Arrived { .. } => {
                vec![Outgoing::cancel_deadline("lost"), Outgoing::cancel_deadline("late")]
            }
            Weighed => Vec::new(),
        }
    }

    fn apply(&mut self, event: &ParcelEvent) {
        if let ParcelEvent::Sent { id, .. } = event {
            self.id = id.clone();
        }
    }

    fn deadline(&self, name: &str) -> Vec<Outgoing> {
        vec![
            Outgoing::command(Search { id: format!("{} {name}", self.id) }),
            Outgoing::cancel_deadline("lost"),
        ]
    }
}

#[test]
fn an_instance_has_one_deadline_of_a_name() {
    type Watched = ProcessScenario<Watch>;
    let search = |what: &str| search(what);
    let again = || Watched::given([sent("1"), seen("1"), sent("2"), seen("1")]);
    again()
        .when_deadline("late")
        .then([search("2 late"), Outgoing::cancel_deadline("lost")])
        .when_deadline("late")
        .then([search("1 late"), Outgoing::cancel_deadline("lost")]);
    let said = says(|| {
        let once =
            again().when_deadline("late").then([search("2 late"), Outgoing::cancel_deadline("lost")]);
        let twice = once.when_deadline("late").then([search("1 late"), Outgoing::cancel_deadline("lost")]);
        twice.when_deadline("late")
    });
    assert!(said.contains("deadline \"late\" was not asked for; what waits is:\n2: command"), "{said}");
}

#[test]
fn what_is_cancelled_does_not_come_and_is_compared() {
    type Watched = ProcessScenario<Watch>;
    let given = || Watched::given([sent("1")]);
    let cancelled = || [Outgoing::cancel_deadline("late"), Outgoing::cancel_deadline("lost")];
    given().when(seen("1")).then([late()]).when(arrived("1")).then(cancelled()).running(&[]);
    let said = says(|| given().when(arrived("1")).then([]));
    assert!(said.contains("+ no deadline \"late\"\n+ no deadline \"lost\"\n"), "{said}");
    let said = says(|| given().when(seen("1")).then([late(), Outgoing::cancel_deadline("late")]));
    assert!(said.contains("- no deadline \"late\"\n"), "{said}");
    let said = says(|| given().when(arrived("1")).then(cancelled()).when_deadline("lost"));
    assert!(said.contains("deadline \"lost\" was not asked for"), "{said}");
}
