//! Scenarios of projections: what they accept, and what they say of what they do not.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use cqrs_core::{BoxError, Event, Projection, ReadModel, RecordedEvent, event_set};
use cqrs_memory::InMemory;
use cqrs_testing::ProjectionScenario;
use futures::FutureExt;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum JarEvent {
    Filled(u32),
    Eaten(u32),
}

impl Event for JarEvent {
    const CATEGORY: &'static str = "jar";
}

use JarEvent::{Eaten, Filled};

type Sweets = BTreeMap<String, u32>;

/// How many sweets are in each jar.
struct Contents;

fn count(event: &RecordedEvent<JarEvent>, sweets: &mut Sweets) -> Result<(), BoxError> {
    let jar = sweets.entry(event.stream.key().to_owned()).or_default();
    match event.data {
        Filled(count) => *jar += count,
        Eaten(count) => *jar = jar.checked_sub(count).ok_or("more were eaten than there were")?,
    }
    Ok(())
}

#[async_trait]
impl Projection for Contents {
    const NAME: &'static str = "contents";
    type Event = JarEvent;
    type Target = Sweets;

    async fn project(&self, event: &RecordedEvent<JarEvent>, sweets: &mut Sweets) -> Result<(), BoxError> {
        count(event, sweets)
    }
}

fn sweets<const N: usize>(jars: [(&str, u32); N]) -> Sweets {
    jars.into_iter().map(|(jar, count)| (jar.to_owned(), count)).collect()
}

/// What a scenario that fails says, without the place that it names.
async fn says(scenario: impl Future<Output = ()>) -> String {
    let panic = AssertUnwindSafe(scenario).catch_unwind().await.unwrap_err();
    let said = *panic.downcast::<String>().unwrap();
    let (place, rest) = said.split_once(" went another way\n").unwrap();
    let place = place.strip_prefix("the scenario at ").unwrap();
    assert!(place.contains("projection_scenario.rs:"), "{place}");
    rest.to_owned()
}

#[tokio::test]
async fn a_value_in_memory_is_what_the_events_say() {
    let both = ProjectionScenario::new(Contents).in_stream("red").given([Filled(5), Eaten(2)]);
    both.in_stream("blue").given([Filled(1)]).then_target(sweets([("blue", 1), ("red", 3)])).await;
    ProjectionScenario::new(Contents).then_target(Sweets::new()).await;
    let filled = ProjectionScenario::new(Contents).in_stream("red").given([Filled(5)]);
    filled.then(|sweets| assert_eq!(sweets["red"], 5)).await;
}

#[tokio::test]
async fn another_value_fails_with_the_story_and_the_difference() {
    let scenario = ProjectionScenario::new(Contents).in_stream("red").given([Filled(5), Eaten(2)]);
    assert_eq!(
        says(scenario.then_target(sweets([("red", 4)]))).await,
        r#"given Filled 5
given Eaten 2

the read model differs (- expected, + projected):
  {
-     "red": 4,
+     "red": 3,
  }
"#
    );
}

#[tokio::test]
async fn a_projection_that_fails_is_told_with_its_cause() {
    let eaten = || ProjectionScenario::new(Contents).given([Filled(1), Eaten(2), Filled(2)]);
    let said = says(eaten().then_target(Sweets::new())).await;
    assert!(
        said.ends_with("\nthe projection failed, one by one: more were eaten than there were"),
        "{said}"
    );
    eaten().then_err("more were eaten").await;
    let said = says(eaten().then_err("the jar is closed")).await;
    let wanted = "\nexpected the projection to fail with \"the jar is closed\"\n\
                  but it failed otherwise, one by one: more were eaten than there were";
    assert!(said.ends_with(wanted), "{said}");
    let said = says(ProjectionScenario::new(Contents).given([Filled(1)]).then_err("more")).await;
    assert!(
        said.contains("\nbut it did not fail, one by one, and gives {\n    \"scenario\": 1,\n}"),
        "{said}"
    );
}

/// A projection whose batches are as wrong as each test wants.
struct Batches(fn(&[RecordedEvent<JarEvent>], &mut Sweets) -> Result<(), BoxError>);

#[async_trait]
impl Projection for Batches {
    const NAME: &'static str = "batches";
    type Event = JarEvent;
    type Target = Sweets;

    async fn project(&self, event: &RecordedEvent<JarEvent>, sweets: &mut Sweets) -> Result<(), BoxError> {
        count(event, sweets)
    }

    async fn project_batch(
        &self,
        events: &[RecordedEvent<JarEvent>],
        sweets: &mut Sweets,
    ) -> Result<(), BoxError> {
        (self.0)(events, sweets)
    }
}

/// A batch that is folded into one value for each jar, and then put in the place of what was there.
#[tokio::test]
async fn a_batch_that_overwrites_what_was_there_fails() {
    let overwrites = Batches(|events, sweets| {
        let mut batch = Sweets::new();
        events.iter().try_for_each(|event| count(event, &mut batch))?;
        sweets.extend(batch);
        Ok(())
    });
    let said = says(ProjectionScenario::new(overwrites).given([Filled(1), Filled(2)]).then(|_| ())).await;
    assert_eq!(
        said,
        r#"given Filled 1
given Filled 2

the read model depends on the batches (- one by one, + in batches of 1, 1):
  {
-     "scenario": 3,
+     "scenario": 2,
  }
"#
    );
}

/// The last event of a batch of three is lost, and only then.
#[tokio::test]
async fn a_batch_of_one_size_that_is_wrong_is_found() {
    let loses = || {
        Batches(|events, sweets| {
            let kept = if events.len() == 3 { 2 } else { events.len() };
            events[..kept].iter().try_for_each(|event| count(event, sweets))
        })
    };
    let filled = |count| (0..count).map(|_| Filled(1));
    let said = says(ProjectionScenario::new(loses()).given(filled(5)).then(|_| ())).await;
    assert!(said.contains("(- one by one, + in batches of 3, 2)"), "{said}");
    ProjectionScenario::new(loses()).given(filled(2)).then(|_| ()).await;
    let fails = Batches(|events, _| if events.len() == 2 { Err("two at once".into()) } else { Ok(()) });
    let said = says(ProjectionScenario::new(fails).given([Filled(0), Filled(0)]).then_err("two")).await;
    assert!(said.contains("but it did not fail, one by one"), "{said}");
}

/// The setup of every start wipes what is there.
#[tokio::test]
async fn a_setup_that_does_harm_fails() {
    struct Wipes;
    #[async_trait]
    impl Projection for Wipes {
        const NAME: &'static str = "wipes";
        type Event = JarEvent;
        type Target = Sweets;

        async fn setup(&self, sweets: &mut Sweets) -> Result<(), BoxError> {
            *sweets = Sweets::from([("new".to_owned(), 0)]);
            Ok(())
        }

        async fn project(
            &self,
            event: &RecordedEvent<JarEvent>,
            sweets: &mut Sweets,
        ) -> Result<(), BoxError> {
            count(event, sweets)
        }
    }
    ProjectionScenario::new(Wipes).then_target(sweets([("new", 0)])).await;
    let said = says(ProjectionScenario::new(Wipes).given([Filled(1), Filled(1)]).then(|_| ())).await;
    assert!(said.contains("-     \"scenario\": 1,\n+     \"scenario\": 2,\n"), "{said}");
}

#[tokio::test]
async fn a_read_model_of_ones_own_is_made_anew_for_each_cut_and_looked_at() {
    let before = || InMemory::new(sweets([("old", 7)]));
    let filled = || ProjectionScenario::new(Contents).in_stream("red").given([Filled(5), Eaten(2)]);
    let on = |look: fn(&Sweets) -> u32| {
        filled().on(async move || before(), async move |model| model.read(look).await)
    };
    on(|sweets| sweets["red"] + sweets["old"]).then(10).await;
    let said = says(on(|sweets| sweets["red"]).then(4)).await;
    assert!(said.ends_with("the read model differs (- expected, + projected):\n- 4\n+ 3\n"), "{said}");
    let eaten = filled().given([Eaten(9)]);
    eaten.on(async || before(), async |model| model.position().await).then_err("more were eaten").await;
}

#[tokio::test]
async fn positions_are_those_of_the_log() {
    let scenario = ProjectionScenario::new(Contents).given([Filled(5), Eaten(2)]);
    let on = scenario.on(
        async || InMemory::<Sweets>::default(),
        async |model| model.checkpoint("contents").await.unwrap().map(|at| at.position.as_u64()),
    );
    on.then(Some(2)).await;
}

#[derive(Serialize, Deserialize)]
enum ShopEvent {
    Delivered { jar: String },
}

impl Event for ShopEvent {
    const CATEGORY: &'static str = "shop";
}

event_set! {
    enum Both { Jar(JarEvent), Shop(ShopEvent) }
}

struct Stock;

#[async_trait]
impl Projection for Stock {
    const NAME: &'static str = "stock";
    type Event = Both;
    type Target = Vec<String>;

    async fn project(&self, event: &RecordedEvent<Both>, told: &mut Vec<String>) -> Result<(), BoxError> {
        told.push(match &event.data {
            Both::Jar(Filled(count)) => format!("{} {count}", event.version),
            Both::Jar(Eaten(count)) => format!("{} -{count}", event.version),
            Both::Shop(ShopEvent::Delivered { jar }) => format!("{} {jar}", event.version),
        });
        Ok(())
    }
}

#[tokio::test]
async fn events_of_several_categories_have_positions_in_one_log_and_versions_in_their_streams() {
    let delivered = ShopEvent::Delivered { jar: "red".to_owned() };
    let both = ProjectionScenario::new(Stock).given([Filled(1)]).given([delivered]).given([Eaten(1)]);
    both.then_target(vec!["1 1".to_owned(), "1 red".to_owned(), "2 -1".to_owned()]).await;
}

#[test]
fn events_that_the_projection_would_never_see_fail() {
    let delivered = ShopEvent::Delivered { jar: "red".to_owned() };
    let scenario = AssertUnwindSafe(|| ProjectionScenario::new(Contents).given([delivered]));
    let panic = std::panic::catch_unwind(scenario).unwrap_err();
    let said = panic.downcast::<String>().unwrap();
    assert!(said.ends_with("\n\"contents\" wants no events of category \"shop\""), "{said}");
}
