//! What event handlers keep: checkpoints, and parked events.

use cqrs_core::{
    EventId, EventPart, HandlerCheckpoint, HandlerStep, HandlerStore, ParkedEvent, ParkedMark, ParkedQuery,
    ParkedSet, ParkedState, Position, StepError, StoreError,
};
use uuid::Uuid;

use super::build_step::{at, fenced};
use super::violation::{want, want_eq};
use super::{StoreFactory, Verdict};

/// The handler of the rules.
const HANDLER: &str = "mailer";

/// A step of [`HANDLER`] to a revision.
fn step(revision: u64, parked: Vec<ParkedEvent>, released: Vec<EventPart>) -> HandlerStep {
    let read_to = Position::new(100 + revision);
    let checkpoint = HandlerCheckpoint { revision, read_to, watermarks: vec![read_to, Position::ZERO] };
    HandlerStep { handler: HANDLER.into(), checkpoint, parked, released }
}

fn part(position: u64) -> EventPart {
    Position::new(position).into()
}

/// An event that waits behind others of its key.
fn waiting(key: &str, part: EventPart) -> ParkedEvent {
    ParkedEvent {
        part,
        event: EventId::new(Uuid::now_v7()),
        key: key.into(),
        attempts: 0,
        last_error: None,
        at: at(0),
        state: ParkedState::Waiting,
    }
}

/// An event that was given up.
fn parked(key: &str, part: EventPart) -> ParkedEvent {
    let last_error = Some("down".into());
    ParkedEvent { attempts: 3, last_error, state: ParkedState::Parked, ..waiting(key, part) }
}

async fn read(store: &impl HandlerStore, query: &ParkedQuery) -> Result<Vec<ParkedEvent>, StoreError> {
    store.parked_events(HANDLER, query, EventPart::ZERO, 1_000).await
}

async fn parts(store: &impl HandlerStore, query: &ParkedQuery) -> Result<Vec<EventPart>, StoreError> {
    Ok(read(store, query).await?.iter().map(|event| event.part).collect())
}

async fn states(store: &impl HandlerStore) -> Result<Vec<ParkedState>, StoreError> {
    Ok(read(store, &ParkedQuery::All).await?.iter().map(|event| event.state).collect())
}

/// A handler that has never run is at the beginning, and holds nothing back.
pub async fn a_handler_begins_with_nothing<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    want_eq!(
        store.handler_checkpoint(HANDLER).await?,
        HandlerCheckpoint::default(),
        "the first checkpoint"
    );
    want_eq!(
        read(&store, &ParkedQuery::All).await?,
        vec![],
        "what a handler holds back that has never run"
    );
    want_eq!(store.mark_parked(HANDLER, &ParkedSet::All, ParkedMark::Drop).await?, 0, "marks of nothing");
    Ok(())
}

/// A step replaces the whole checkpoint, also with other partitions, and with positions beyond 2^53.
pub async fn a_step_replaces_the_checkpoint<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let far = Position::new((1 << 53) + 1);
    for (revision, watermarks) in [(1, vec![far; 8]), (2, vec![Position::new(7)]), (3, vec![far, far])] {
        let checkpoint = HandlerCheckpoint { revision, read_to: far, watermarks };
        let next = HandlerStep { checkpoint: checkpoint.clone(), ..step(revision, vec![], vec![]) };
        store.commit_handler(next).await?;
        want_eq!(store.handler_checkpoint(HANDLER).await?, checkpoint, "the checkpoint after a step");
    }
    Ok(())
}

/// A step whose revision does not follow the one that is there is fenced, and changes nothing.
pub async fn a_step_of_another_revision_is_fenced<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    fenced(store.commit_handler(step(2, vec![], vec![])).await, "a first step to revision 2")?;
    store.commit_handler(step(1, vec![parked("a", part(1))], vec![])).await?;
    store.commit_handler(step(2, vec![], vec![])).await?;
    let before = (store.handler_checkpoint(HANDLER).await?, read(&store, &ParkedQuery::All).await?);
    for revision in [0, 1, 2, 4] {
        let late = step(revision, vec![waiting("a", part(2))], vec![part(1)]);
        fenced(store.commit_handler(late).await, &format!("a step to revision {revision} after 2"))?;
        let after = (store.handler_checkpoint(HANDLER).await?, read(&store, &ParkedQuery::All).await?);
        want_eq!(after, before, "checkpoint and parked events after a fenced step");
    }
    Ok(())
}

/// Of two steps to one revision that race on two handles, one is taken whole and one is fenced.
pub async fn of_two_racing_handler_steps_one_is_fenced<F: StoreFactory>(factory: &F) -> Verdict {
    let one = factory.make().await;
    let two = factory.again(&one).await;
    for revision in 1..=20 {
        let steps = [1, 2].map(|n| step(revision, vec![waiting("a", part(10 * revision + n))], vec![]));
        let [first, second] = steps;
        let winner = match futures::join!(one.commit_handler(first), two.commit_handler(second)) {
            (Ok(()), Err(StepError::Fenced)) => 1,
            (Err(StepError::Fenced), Ok(())) => 2,
            answers => {
                want!(false, "of two racing steps one must be fenced, found {answers:?}");
                return Ok(());
            }
        };
        let last = parts(&one, &ParkedQuery::All).await?.last().copied();
        want_eq!(last, Some(part(10 * revision + winner)), "what the step that won has parked");
        let checkpoint = two.handler_checkpoint(HANDLER).await?;
        want_eq!(checkpoint.revision, revision, "the revision on the other handle");
    }
    Ok(())
}

/// Handlers whose names differ in anything know nothing of each other.
pub async fn handlers_do_not_mix<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let names = ["mailer", "Mailer", "mailer ", "mail_r", "mail"];
    for (name, n) in names.iter().zip(1..) {
        let first = HandlerStep {
            handler: (*name).into(),
            ..step(1, vec![parked("a", part(n)), parked("b", part(50))], vec![])
        };
        store.commit_handler(first).await?;
    }
    store.mark_parked(names[0], &ParkedSet::All, ParkedMark::Drop).await?;
    let next = HandlerStep { handler: names[1].into(), ..step(2, vec![], vec![part(50)]) };
    store.commit_handler(next).await?;
    for (index, (name, n)) in names.iter().zip(1..).enumerate() {
        let found = store.parked_events(name, &ParkedQuery::All, EventPart::ZERO, 10).await?;
        let found: Vec<_> = found.iter().map(|event| (event.part, event.state)).collect();
        let state = if index == 0 { ParkedState::ToDrop } else { ParkedState::Parked };
        let mut wanted = vec![(part(n), state), (part(50), state)];
        wanted.truncate(if index == 1 { 1 } else { 2 });
        want_eq!(found, wanted, "what handler {name:?} holds back");
        let revision = store.handler_checkpoint(name).await?.revision;
        want_eq!(revision, if index == 1 { 2 } else { 1 }, "the revision of handler {name:?}");
    }
    Ok(())
}

/// A parked event is read back as it was written.
pub async fn a_parked_event_is_read_back_as_written<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let second = EventPart { part: 1, ..part(7) };
    let far = EventPart { position: Position::new((1 << 53) + 1), part: u32::MAX };
    let all = vec![
        waiting("", part(7)),
        ParkedEvent { at: at(-1_800_000_000_000_000_000), ..parked("überweisung 移", second) },
        ParkedEvent { last_error: Some("é\n\"'{}".into()), ..parked("7", part(8)) },
        ParkedEvent { attempts: u32::MAX, state: ParkedState::Waiting, ..parked(&"k".repeat(2_000), far) },
    ];
    store.commit_handler(step(1, all.clone(), vec![])).await?;
    want_eq!(read(&store, &ParkedQuery::All).await?, all, "parked events");
    Ok(())
}

/// Parked events come in the order of the log, whatever the order in which they were parked, page after page.
pub async fn parked_events_come_in_order_and_in_pages<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let places = [9, 100, 2, 30].map(part);
    let mut sorted: Vec<_> = places.into_iter().chain([EventPart { part: 1, ..part(9) }]).collect();
    let all = sorted.iter().map(|part| waiting("a", *part)).collect();
    store.commit_handler(step(1, all, vec![])).await?;
    sorted.sort_unstable();
    want_eq!(parts(&store, &ParkedQuery::All).await?, sorted, "the order of parked events");
    let (mut paged, mut after) = (Vec::new(), EventPart::ZERO);
    for _ in 0..10 {
        let page = store.parked_events(HANDLER, &ParkedQuery::All, after, 2).await?;
        want!(page.len() <= 2, "a page of at most 2 has {}", page.len());
        let Some(last) = page.last() else { break };
        after = last.part;
        paged.extend(page.iter().map(|event| event.part));
    }
    want_eq!(paged, sorted, "the pages of parked events");
    let none = store.parked_events(HANDLER, &ParkedQuery::All, EventPart::ZERO, 0).await?;
    want_eq!(none, vec![], "a page of no events");
    Ok(())
}

/// Parked events are found by their key, and so is the first one of each key, page after page.
pub async fn parked_events_are_found_by_key<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let keys = ["a", "b", "a", "A", "b", "a"];
    let all = keys.iter().zip(1..).map(|(key, n)| waiting(key, part(n))).collect();
    store.commit_handler(step(1, all, vec![])).await?;
    let of_a = ParkedQuery::Key("a".into());
    want_eq!(parts(&store, &of_a).await?, [1, 3, 6].map(part), "the events of a key");
    want_eq!(
        parts(&store, &ParkedQuery::Key("c".into())).await?,
        vec![],
        "the events of a key without any"
    );
    want_eq!(
        parts(&store, &ParkedQuery::Heads).await?,
        [1, 2, 4].map(part),
        "the first events of the keys"
    );
    let page = store.parked_events(HANDLER, &of_a, part(1), 1).await?;
    want_eq!(page.iter().map(|event| event.part).collect::<Vec<_>>(), [part(3)], "a page of a key");
    let page = store.parked_events(HANDLER, &ParkedQuery::Heads, part(1), 1).await?;
    want_eq!(page.iter().map(|event| event.part).collect::<Vec<_>>(), [part(2)], "a page of first events");
    let page = store.parked_events(HANDLER, &ParkedQuery::Heads, part(4), 1).await?;
    want_eq!(page, vec![], "the page after the last first event");
    Ok(())
}

/// An event that is parked again is replaced when the step counts attempts for it, and is left as it is otherwise.
pub async fn a_parked_event_is_replaced_by_attempts_alone<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let first = parked("a", part(1));
    store.commit_handler(step(1, vec![first.clone()], vec![])).await?;
    store.commit_handler(step(2, vec![waiting("a", part(1))], vec![])).await?;
    want_eq!(
        read(&store, &ParkedQuery::All).await?,
        vec![first],
        "an event that was parked without attempts"
    );
    let again = ParkedEvent {
        attempts: 4,
        last_error: Some("still down".into()),
        at: at(9),
        state: ParkedState::Waiting,
        ..parked("a", part(1))
    };
    store.commit_handler(step(3, vec![again.clone()], vec![])).await?;
    want_eq!(read(&store, &ParkedQuery::All).await?, vec![again], "an event that has failed again");
    Ok(())
}

/// What is released is gone, also when the same step has parked it; what was not parked is ignored.
pub async fn a_released_event_is_gone<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let second = EventPart { part: 1, ..part(1) };
    let all = vec![parked("a", part(1)), waiting("a", second), waiting("a", part(3))];
    store.commit_handler(step(1, all, vec![])).await?;
    let released = vec![part(1), part(2), part(4)];
    store.commit_handler(step(2, vec![waiting("a", part(4)), waiting("a", part(5))], released)).await?;
    want_eq!(parts(&store, &ParkedQuery::All).await?, [second, part(3), part(5)], "what is still parked");
    Ok(())
}

/// A retry marks what was given up, of all keys that the set has an event of, and counts it once.
pub async fn a_retry_marks_what_was_given_up<F: StoreFactory>(factory: &F) -> Verdict {
    use ParkedState::{Parked, ToRetry, Waiting};
    let store = factory.make().await;
    let all =
        vec![parked("a", part(1)), parked("b", part(2)), waiting("a", part(3)), waiting("c", part(4))];
    store.commit_handler(step(1, all, vec![])).await?;
    let retry = async |set| store.mark_parked(HANDLER, &set, ParkedMark::Retry).await;
    want_eq!(retry(ParkedSet::Key("c".into())).await?, 0, "marks of a key that was not given up");
    want_eq!(retry(ParkedSet::Event(part(9))).await?, 0, "marks of an event that is not there");
    want_eq!(states(&store).await?, [Parked, Parked, Waiting, Waiting], "states after no retry");
    want_eq!(retry(ParkedSet::Event(part(3))).await?, 1, "marks by an event behind the first of its key");
    want_eq!(states(&store).await?, [ToRetry, Parked, Waiting, Waiting], "states after the retry of a key");
    want_eq!(parts(&store, &ParkedQuery::Marked).await?, [part(1)], "what is marked");
    want_eq!(retry(ParkedSet::All).await?, 1, "marks of all, of which one is marked");
    want_eq!(states(&store).await?, [ToRetry, ToRetry, Waiting, Waiting], "states after the retry of all");
    want_eq!(parts(&store, &ParkedQuery::Marked).await?, [part(1), part(2)], "what is marked");
    Ok(())
}

/// A drop marks the set itself, whatever its state, and nothing takes the mark away.
pub async fn a_drop_marks_the_set_and_stays<F: StoreFactory>(factory: &F) -> Verdict {
    use ParkedState::{Parked, ToDrop, ToRetry, Waiting};
    let store = factory.make().await;
    let all =
        vec![parked("a", part(1)), waiting("a", part(2)), parked("b", part(3)), waiting("b", part(4))];
    store.commit_handler(step(1, all, vec![])).await?;
    let mark = async |set, mark| store.mark_parked(HANDLER, &set, mark).await;
    want_eq!(mark(ParkedSet::Event(part(2)), ParkedMark::Drop).await?, 1, "marks of an event");
    want_eq!(states(&store).await?, [Parked, ToDrop, Parked, Waiting], "states after the drop of an event");
    want_eq!(mark(ParkedSet::Key("b".into()), ParkedMark::Retry).await?, 1, "marks of a key");
    want_eq!(states(&store).await?, [Parked, ToDrop, ToRetry, Waiting], "states after the retry of a key");
    want_eq!(mark(ParkedSet::Key("b".into()), ParkedMark::Drop).await?, 2, "marks of a key");
    want_eq!(mark(ParkedSet::All, ParkedMark::Drop).await?, 1, "marks of all, of which three are marked");
    let again = ParkedEvent { attempts: 9, ..parked("a", part(1)) };
    store.commit_handler(step(2, vec![again, waiting("a", part(2))], vec![])).await?;
    mark(ParkedSet::All, ParkedMark::Retry).await?;
    want_eq!(states(&store).await?, [ToDrop; 4], "states after the drop of all, a failure and a retry");
    want_eq!(parts(&store, &ParkedQuery::Marked).await?, [1, 2, 3, 4].map(part), "what is marked");
    Ok(())
}

/// What one handle parks and marks, another one sees as soon as the call has returned.
pub async fn other_handles_see_parked_events<F: StoreFactory>(factory: &F) -> Verdict {
    let one = factory.make().await;
    let two = factory.again(&one).await;
    want_eq!(two.handler_checkpoint(HANDLER).await?.revision, 0, "the revision on another handle");
    one.commit_handler(step(1, vec![parked("a", part(1))], vec![])).await?;
    want_eq!(two.handler_checkpoint(HANDLER).await?.revision, 1, "the revision on another handle");
    want_eq!(states(&two).await?, [ParkedState::Parked], "the states on another handle");
    want_eq!(
        two.mark_parked(HANDLER, &ParkedSet::All, ParkedMark::Retry).await?,
        1,
        "marks on another handle"
    );
    want_eq!(parts(&one, &ParkedQuery::Marked).await?, [part(1)], "what is marked on another handle");
    Ok(())
}
