//! Scenarios: what they accept, and what they say of what they do not.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cqrs_core::{Aggregate, Command, Event, Handle};
use cqrs_testing::Scenario;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum JarEvent {
    Filled {
        sweets: u32,
        /// Forgotten by the store.
        #[serde(skip)]
        by: String,
    },
    Eaten {
        sweets: u32,
        left: u32,
    },
    Weighed(f64),
}

impl Event for JarEvent {
    const CATEGORY: &'static str = "jar";
}

fn filled(sweets: u32) -> JarEvent {
    JarEvent::Filled { sweets, by: String::new() }
}

fn eaten(sweets: u32, left: u32) -> JarEvent {
    JarEvent::Eaten { sweets, left }
}

#[derive(Default)]
struct Jar {
    sweets: u32,
}

impl Aggregate for Jar {
    type Id = String;
    type Event = JarEvent;

    fn apply(&mut self, event: &JarEvent) {
        match event {
            JarEvent::Filled { sweets, .. } => self.sweets += sweets,
            JarEvent::Eaten { left, .. } => self.sweets = *left,
            JarEvent::Weighed(_) => {}
        }
    }
}

macro_rules! command {
    ($name:ident { $($field:ident: $type:ty),* }) => {
        #[derive(Serialize, Deserialize)]
        struct $name { jar: String, $($field: $type),* }

        impl Command for $name {
            const NAME: &'static str = stringify!($name);
            type Aggregate = Jar;

            fn aggregate_id(&self) -> &String {
                &self.jar
            }
        }
    };
}

command!(Eat { sweets: u32 });
command!(EatTwice {});
command!(Weigh {});
command!(Sign { by: String });

fn eat(sweets: u32) -> Eat {
    Eat { jar: "red".to_owned(), sweets }
}

#[derive(Debug, PartialEq)]
struct TooFew {
    left: u32,
}

impl fmt::Display for TooFew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} left", self.left)
    }
}

impl Error for TooFew {}

impl Handle<Eat> for Jar {
    type Error = TooFew;

    fn handle(&self, eat: &Eat) -> Result<Vec<JarEvent>, TooFew> {
        match self.sweets.checked_sub(eat.sweets) {
            None => Err(TooFew { left: self.sweets }),
            Some(_) if eat.sweets == 0 => Ok(Vec::new()),
            Some(left) => Ok(vec![eaten(eat.sweets, left)]),
        }
    }
}

impl Handle<EatTwice> for Jar {
    type Error = TooFew;

    fn handle(&self, _: &EatTwice) -> Result<Vec<JarEvent>, TooFew> {
        Ok(vec![eaten(1, 1), eaten(1, 0)])
    }
}

impl Handle<Weigh> for Jar {
    type Error = TooFew;

    /// The weight of a sweet is unknown in an empty jar.
    fn handle(&self, _: &Weigh) -> Result<Vec<JarEvent>, TooFew> {
        Ok(vec![JarEvent::Weighed(0.0 / f64::from(self.sweets))])
    }
}

impl Handle<Sign> for Jar {
    type Error = TooFew;

    fn handle(&self, sign: &Sign) -> Result<Vec<JarEvent>, TooFew> {
        Ok(vec![JarEvent::Filled { sweets: 1, by: sign.by.clone() }])
    }
}

/// What a scenario that fails says.
fn says<T>(scenario: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(scenario)) {
        Ok(_) => panic!("the scenario did not fail"),
        Err(panic) => *panic.downcast::<String>().unwrap(),
    }
}

#[test]
fn a_scenario_goes_on_with_what_was_decided() {
    Scenario::<Jar>::given([filled(5), filled(1)])
        .when(eat(4))
        .then([eaten(4, 2)])
        .when(eat(3))
        .then_err(TooFew { left: 2 })
        .when(eat(2))
        .then([eaten(2, 0)])
        .when(eat(0))
        .then([]);
}

#[test]
fn to_an_aggregate_that_begins_nothing_has_happened() {
    Scenario::<Jar>::given([]).when(eat(1)).then_err(TooFew { left: 0 });
}

#[test]
fn what_cannot_be_compared_can_be_looked_at() {
    let scenario = || Scenario::<Jar>::given([filled(1)]);
    assert!(matches!(scenario().when(eat(2)).decision(), Err(TooFew { left: 1 })));
    assert_eq!(scenario().when(eat(1)).decision().unwrap(), [eaten(1, 0)]);
}

#[test]
fn other_events_fail_with_the_story_and_the_difference() {
    let said = says(|| {
        let scenario = Scenario::<Jar>::given([filled(5)]).when(eat(1)).then([eaten(1, 4)]);
        scenario.when(eat(9)).then_err(TooFew { left: 4 }).when(eat(3)).then([eaten(3, 2)])
    });
    assert_eq!(
        said,
        r#"the scenario went another way
given Filled { sweets: 5, by: "" }
 when Eat {"jar":"red","sweets":1}
 then Eaten { sweets: 1, left: 4 }
 when Eat {"jar":"red","sweets":9}
 then refused: TooFew { left: 4 }
 when Eat {"jar":"red","sweets":3}

the events differ (- expected, + decided):
  Eaten {
      sweets: 3,
-     left: 2,
+     left: 1,
  }
"#
    );
}

#[test]
fn missing_and_surplus_events_fail() {
    let decided = || Scenario::<Jar>::given([filled(5)]).when(eat(1));
    let said = says(|| decided().then([]));
    assert!(said.contains("+ Eaten {\n+     sweets: 1,"), "{said}");
    let said = says(|| decided().then([eaten(1, 4), eaten(1, 3)]));
    assert!(said.contains("- Eaten {") && !said.contains("\n+ "), "{said}");
    let said = says(|| Scenario::<Jar>::given([]).when(eat(0)).then([eaten(0, 0)]));
    assert!(said.starts_with("the scenario went another way\ngiven nothing\n"), "{said}");
    assert!(said.contains("- Eaten {"), "{said}");
}

#[test]
fn events_in_another_order_fail() {
    let decided = || Scenario::<Jar>::given([filled(2)]).when(EatTwice { jar: "red".to_owned() });
    decided().then([eaten(1, 1), eaten(1, 0)]);
    says(|| decided().then([eaten(1, 0), eaten(1, 1)]));
}

#[test]
fn a_refusal_in_the_place_of_events_and_the_other_way_round_fail() {
    let said = says(|| Scenario::<Jar>::given([]).when(eat(1)).then([eaten(1, 0)]));
    assert!(said.contains("but it was refused: TooFew {\n    left: 0,\n}"), "{said}");
    let said = says(|| Scenario::<Jar>::given([filled(1)]).when(eat(1)).then_err(TooFew { left: 1 }));
    assert!(said.contains("but it was accepted, with [\n    Eaten {"), "{said}");
}

#[test]
fn another_refusal_fails_with_the_difference() {
    let said = says(|| Scenario::<Jar>::given([filled(1)]).when(eat(2)).then_err(TooFew { left: 7 }));
    assert!(said.contains("-     left: 7,\n+     left: 1,\n"), "{said}");
}

#[test]
fn an_event_that_the_store_would_change_fails() {
    let signed = || JarEvent::Filled { sweets: 1, by: "me".to_owned() };
    let wanted = r#"is stored as Filled {"sweets":1}, and comes back as Filled { sweets: 1, by: "" }"#;
    let said = says(|| Scenario::<Jar>::given([signed()]));
    assert!(said.ends_with(wanted), "{said}");
    let sign = Sign { jar: "red".to_owned(), by: "me".to_owned() };
    let said = says(|| Scenario::<Jar>::given([]).when(sign).then([signed()]));
    assert!(said.ends_with(wanted), "{said}");
}

#[test]
fn an_event_that_the_store_could_not_give_back_fails() {
    let said = says(|| Scenario::<Jar>::given([JarEvent::Weighed(f64::NAN)]));
    assert!(said.contains("is stored as Weighed null, which cannot be read: cannot read it as"), "{said}");
}

#[test]
fn what_is_unequal_to_itself_is_said_to_print_alike() {
    let weigh = Weigh { jar: "red".to_owned() };
    let said = says(|| Scenario::<Jar>::given([]).when(weigh).then([JarEvent::Weighed(f64::NAN)]));
    assert!(said.contains("they are not equal, though they print alike"), "{said}");
}

/// Equality looks past what the store forgets, so that only the state can tell.
#[test]
fn the_state_is_made_of_what_comes_back() {
    #[derive(Debug, Serialize, Deserialize)]
    enum NoteEvent {
        Left {
            #[serde(skip)]
            text: String,
        },
    }
    impl PartialEq for NoteEvent {
        fn eq(&self, _: &Self) -> bool {
            true
        }
    }
    impl Event for NoteEvent {
        const CATEGORY: &'static str = "note";
    }
    #[derive(Default)]
    struct Note(String);
    impl Aggregate for Note {
        type Id = u8;
        type Event = NoteEvent;
        fn apply(&mut self, NoteEvent::Left { text }: &NoteEvent) {
            self.0.clone_from(text);
        }
    }
    #[derive(Serialize, Deserialize)]
    struct Read(u8);
    impl Command for Read {
        const NAME: &'static str = "Read";
        type Aggregate = Note;
        fn aggregate_id(&self) -> &u8 {
            &self.0
        }
    }
    #[derive(Debug, PartialEq)]
    struct Says(String);
    impl fmt::Display for Says {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.0)
        }
    }
    impl Error for Says {}
    impl Handle<Read> for Note {
        type Error = Says;
        fn handle(&self, _: &Read) -> Result<Vec<NoteEvent>, Says> {
            Err(Says(self.0.clone()))
        }
    }
    let left = NoteEvent::Left { text: "hello".to_owned() };
    Scenario::<Note>::given([left]).when(Read(1)).then_err(Says(String::new()));
}
