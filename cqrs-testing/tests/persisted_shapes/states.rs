//! Commands, states and names.

use cqrs_core::{Aggregate, Command, Event, Handle, Interest, Outgoing, ProcessManager, RecordedEvent};
use serde::{Deserialize, Serialize};

use super::{Place, event};

#[derive(Default)]
struct Jar;

event!(NoEvent {});

impl Aggregate for Jar {
    type Id = String;
    type Event = NoEvent;

    fn apply(&mut self, event: &NoEvent) {
        match *event {}
    }
}

#[derive(Serialize, Deserialize)]
struct Fill {
    jar: String,
    sweets: u32,
}

impl Command for Fill {
    const NAME: &'static str = "Fill";
    type Aggregate = Jar;

    fn aggregate_id(&self) -> &String {
        &self.jar
    }
}

impl Handle<Fill> for Jar {
    type Error = std::convert::Infallible;

    fn handle(&self, _: &Fill) -> Result<Vec<NoEvent>, Self::Error> {
        Ok(Vec::new())
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Refill {
    jars: Vec<String>,
}

impl ProcessManager for Refill {
    const NAME: &'static str = "refill";
    type Event = NoEvent;

    fn interested(event: &NoEvent) -> Interest {
        match *event {}
    }

    fn handle(&self, event: &RecordedEvent<NoEvent>) -> Vec<Outgoing> {
        match event.data {}
    }
}

#[test]
fn commands_and_states_of_process_managers_are_kept_readable_too() {
    let fill = || Fill { jar: "red".into(), sweets: 1 };
    let refill = || Refill { jars: vec!["red".into()] };
    let command = r#"{"entry":"command Fill","stored":{"jar":"red","sweets":1}}"#;
    let process = r#"{"entry":"process refill","stored":{"jars":["red"]}}"#;
    let place = Place::new(&format!("{command},{process}"));
    place.shapes().command(&fill()).process(&refill()).check();

    let old = r#"{"entry":"command Fill","stored":{"jar":"red"}},{"entry":"process refill","stored":null}"#;
    let said = Place::new(old).says(|shapes| shapes.command(&fill()).process(&refill()));
    assert!(said.starts_with("command Fill: what is stored can no longer be read: missing field `sweets`"));
    assert!(said.contains("\nprocess refill: what is stored can no longer be read: invalid type: null"));
    assert!(said.contains("Another meaning is a new command beside this one.\n"), "{said}");

    let said = place.says(|shapes| shapes);
    assert!(said.contains("only if no outbox holds such a command and nobody sends it."), "{said}");
    assert!(said.contains("only if no instance of it is running."), "{said}");
}

#[test]
fn a_snapshot_that_changes_wants_another_schema_version() {
    #[derive(Serialize, Deserialize)]
    struct State {
        sweets: u32,
        #[serde(default)]
        thieves: Vec<String>,
    }
    let state = || State { sweets: 5, thieves: vec!["me".into()] };
    let old = r#"{"entry":"snapshot 1 jar","stored":{"sweets":5}}"#;
    let place = Place::new(old);
    assert_eq!(
        place.says(|shapes| shapes.snapshot("jar", 1, &state())),
        r#"snapshot 1 jar: written otherwise under the same schema version
  the difference (- frozen, + written today):
      {
    -   "sweets": 5
    +   "sweets": 5,
    +   "thieves": [
    +     "me"
    +   ]
      }
  to do: raise the schema version, so that stored snapshots are made anew. A field that is filled with a default would give a state that is not what the events say. If the type is the same and only the sample differs, delete the line of the old one from the file.
"#
    );
    let said = place.says(|shapes| shapes.snapshot("jar", 2, &state()));
    assert!(said.starts_with("snapshot 2 jar: not frozen yet\n") && !said.contains("snapshot 1"), "{said}");
    let said = place.says(|shapes| shapes);
    assert!(said.starts_with("snapshot 1 jar: stored once, and no longer in the code\n"), "{said}");
    let new = r#"{"entry":"snapshot 2 jar","stored":{"sweets":5,"thieves":["me"]}}"#;
    Place::new(&format!("{old},{new}")).shapes().snapshot("jar", 2, &state()).check();
}

#[test]
fn a_name_never_changes() {
    let place = Place::new(r#"{"entry":"name projection","stored":"jars"}"#);
    place.shapes().name("projection", "jars").check();
    assert_eq!(
        place.says(|shapes| shapes.name("projection", "all-jars")),
        r#"name projection: stores hold "jars", the code says "all-jars"
  to do: give it its stored name again; nothing is found under another one.
"#
    );
}
