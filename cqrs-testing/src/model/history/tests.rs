//! Histories made by hand, possible and impossible ones, and random ones that are possible.

use cqrs_core::{
    Append, AppendError, Appended, CommandId, EventFilter, EventStore, ExpectedVersion, LogPage, Position,
    RecordedEvent, StreamRead, Version,
};
use cqrs_memory::MemoryStore;
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::contract::build::{append, exact, remembered, stream, together, write, wrong};
use crate::model::client::Client;
use crate::model::step::{Step, step};

use ExpectedVersion::{Any, NoStream};

/// Events with an id and a time of their own.
fn events(first: u64, count: u64) -> Vec<cqrs_core::NewEvent> {
    let event = |n| {
        let id = cqrs_core::EventId::new(Uuid::from_u128(n));
        cqrs_core::NewEvent { id, ..crate::contract::build::event("Counted", 0) }
    };
    (u128::from(first)..u128::from(first + count)).map(event).collect()
}

fn add(key: &str, expected: ExpectedVersion, first: u64, count: u64) -> Append {
    append(&stream(key), expected, events(first, count))
}

fn command(n: u128) -> CommandId {
    CommandId::new(Uuid::from_u128(n))
}

/// An append without events that leaves a receipt.
fn mark(n: u128) -> Append {
    remembered(together(vec![]), command(n))
}

fn answered(versions: &[u64], position: u64, events: u64) -> Result<Appended, AppendError> {
    let versions = versions.iter().copied().map(Version::new).collect();
    Ok(Appended { versions, position: Position::new(position), events, duplicate: false })
}

fn again(answer: Result<Appended, AppendError>) -> Result<Appended, AppendError> {
    answer.map(|first| Appended { duplicate: true, ..first })
}

fn call(began: u64, ended: u64, call: Call, answer: Answer) -> Answered {
    Answered { client: 0, began, ended, call, answer }
}

fn one(began: u64, ended: u64, append: Append, answer: Result<Appended, AppendError>) -> Answered {
    call(began, ended, Call::Append(vec![append]), Answer::Append(vec![answer]))
}

fn head(began: u64, ended: u64, found: u64) -> Answered {
    call(began, ended, Call::Head, Answer::Head(Position::new(found)))
}

/// Which of the commands 1 and 2 are known, both as marks at the head 0.
fn marks(began: u64, ended: u64, found: [bool; 2]) -> Answered {
    let receipt = |found: bool| again(answered(&[], 0, 0)).ok().filter(|_| found);
    let found = found.into_iter().map(receipt).collect();
    call(began, ended, Call::Receipts(vec![command(1), command(2)]), Answer::Receipts(found))
}

fn log(began: u64, ended: u64, events: Vec<RecordedEvent>) -> Answered {
    let scanned_to = Position::new(events.len() as u64);
    let asked = Call::ReadLog { after: Position::ZERO, filter: EventFilter::all(), limit: 100 };
    call(began, ended, asked, Answer::Page(LogPage { events, scanned_to }))
}

/// What the log has when these appends have come one after the other.
fn stored(appends: &[Append]) -> Vec<RecordedEvent> {
    run(async {
        let store = MemoryStore::new();
        store.append(appends.to_vec()).await.unwrap();
        store.read_log(Position::ZERO, &EventFilter::all(), 100).await.unwrap().events
    })
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[track_caller]
fn possible(history: &[Answered]) {
    order(history).unwrap();
}

/// An impossible history, and that it is only just so: without the one call it is possible.
#[track_caller]
fn impossible(history: &[Answered], but_for: usize) {
    let why = order(history).unwrap_err();
    assert!(why.contains("can come next"), "{why}");
    let mut less = history.to_vec();
    less.remove(but_for);
    order(&less).unwrap();
}

#[test]
fn an_empty_history_is_possible() {
    possible(&[]);
}

#[test]
fn appends_that_meet_may_come_in_either_order() {
    let first = |position| one(1, 10, add("a", Any, 1, 1), answered(&[1], position, 1));
    let second = |position| one(2, 9, add("b", Any, 2, 1), answered(&[1], position, 1));
    possible(&[first(1), second(2)]);
    possible(&[first(2), second(1)]);
    impossible(&[first(1), second(1)], 1);
    impossible(&[first(1), second(1)], 0);
}

#[test]
fn an_append_that_was_answered_comes_before_one_that_begins_later() {
    let first = one(1, 2, add("a", Any, 1, 1), answered(&[1], 2, 1));
    let second = one(3, 4, add("b", Any, 2, 1), answered(&[1], 1, 1));
    let late = one(1, 4, add("a", Any, 1, 1), answered(&[1], 2, 1));
    impossible(&[first, second.clone()], 0);
    possible(&[late, second]);
}

#[test]
fn a_read_sees_what_was_answered_and_nothing_that_did_not_begin() {
    let write = |began, ended| one(began, ended, add("a", Any, 1, 1), answered(&[1], 1, 1));
    possible(&[write(1, 2), head(3, 4, 1)]);
    impossible(&[write(1, 2), head(3, 4, 0)], 1);
    impossible(&[head(1, 2, 1), write(3, 4)], 0);
    possible(&[write(1, 4), head(2, 3, 0)]);
    possible(&[write(1, 4), head(2, 3, 1)]);
}

/// The write is under way the whole time, so each read by itself could be right.
#[test]
fn a_later_read_never_sees_less_than_an_earlier_one() {
    let write = one(1, 10, add("a", Any, 1, 1), answered(&[1], 1, 1));
    possible(&[write.clone(), head(2, 3, 0), head(4, 5, 1)]);
    impossible(&[write.clone(), head(2, 3, 1), head(4, 5, 0)], 2);
    impossible(&[write.clone(), head(2, 3, 1), head(4, 5, 0)], 1);
    possible(&[write, head(2, 5, 1), head(3, 4, 0)]);
}

#[test]
fn a_gap_in_the_positions_is_impossible() {
    let first = one(1, 2, add("a", Any, 1, 1), answered(&[1], 1, 1));
    let second = one(3, 4, add("a", Any, 2, 1), answered(&[2], 3, 1));
    impossible(&[first, second], 1);
}

#[test]
fn an_event_that_was_acknowledged_is_in_the_log() {
    let appends = [add("a", Any, 1, 2), add("a", Any, 3, 1)];
    let acknowledged = |log_read| {
        let first = one(1, 2, appends[0].clone(), answered(&[2], 2, 2));
        vec![first, one(3, 4, appends[1].clone(), answered(&[3], 3, 1)), log_read]
    };
    possible(&acknowledged(log(5, 6, stored(&appends))));
    let mut short = acknowledged(log(5, 6, stored(&appends[..1])));
    possible(&short);
    let asked = Call::ReadLog { after: Position::new(2), filter: EventFilter::all(), limit: 100 };
    let end = LogPage { events: vec![], scanned_to: Position::new(2) };
    short.push(call(7, 8, asked, Answer::Page(end)));
    impossible(&short, 3);
    let mut other = stored(&appends);
    other[1].id = cqrs_core::EventId::new(Uuid::from_u128(9));
    impossible(&acknowledged(log(5, 6, other)), 2);
    let mut out_of_order = stored(&appends);
    out_of_order.swap(0, 1);
    impossible(&acknowledged(log(5, 6, out_of_order)), 2);
}

#[test]
fn one_of_two_who_expect_the_same_version_wins() {
    let first = one(1, 10, add("a", NoStream, 1, 1), answered(&[1], 1, 1));
    let second = one(2, 9, add("a", NoStream, 2, 1), answered(&[1], 2, 1));
    impossible(&[first.clone(), second], 1);
    let refused = one(2, 9, add("a", NoStream, 2, 1), wrong(&stream("a"), NoStream, 1));
    possible(&[first, refused]);
}

/// The event with this version comes at ten times its number.
fn grow(n: u64) -> Answered {
    one(10 * n, 10 * n + 1, add("a", exact(n - 1), n, 1), answered(&[n], n, 1))
}

#[test]
fn a_refusal_is_explained_by_some_state_within_its_time() {
    let refused = |began, ended, expected, actual| {
        let answer = wrong(&stream("a"), exact(expected), actual);
        vec![grow(1), grow(2), grow(3), one(began, ended, add("a", exact(expected), 9, 1), answer)]
    };
    possible(&refused(15, 35, 7, 1));
    possible(&refused(15, 35, 7, 2));
    possible(&refused(15, 35, 7, 3));
    impossible(&refused(15, 35, 7, 0), 3);
    impossible(&refused(35, 36, 7, 2), 3);
    impossible(&refused(15, 16, 7, 2), 3);
    impossible(&refused(15, 35, 1, 1), 3);
}

#[test]
fn a_batch_is_seen_whole_or_not_at_all() {
    let appends = vec![add("a", Any, 1, 1), add("b", Any, 2, 1)];
    let answers = Answer::Append(vec![answered(&[1], 1, 1), answered(&[1], 2, 1)]);
    let batch = call(1, 10, Call::Append(appends), answers);
    possible(&[batch.clone(), head(2, 3, 0), head(4, 5, 2)]);
    impossible(&[batch, head(2, 3, 1)], 1);
}

#[test]
fn half_of_an_append_to_several_streams_is_impossible() {
    let both =
        together(vec![write(&stream("a"), Any, events(1, 1)), write(&stream("b"), Any, events(2, 1))]);
    let appended = one(1, 10, both.clone(), answered(&[1, 1], 2, 2));
    let of = |key| {
        let read = StreamRead::forward(Version::new(1), 10);
        let found = stored(std::slice::from_ref(&both));
        let found = found.into_iter().filter(|event| event.stream == stream(key)).collect();
        (Call::ReadStream(stream(key), read), Answer::Stream(found))
    };
    let none = || Answer::Stream(vec![]);
    let (a, b) = (of("a"), of("b"));
    possible(&[appended.clone(), call(2, 3, a.0.clone(), a.1.clone()), call(4, 5, b.0.clone(), b.1)]);
    impossible(&[appended, call(2, 3, a.0, a.1), call(4, 5, b.0, none())], 2);
}

#[test]
fn a_command_takes_effect_once() {
    let first = one(1, 10, remembered(add("a", Any, 1, 1), command(1)), answered(&[1], 1, 1));
    let other = |answer| one(2, 9, remembered(add("a", Any, 2, 1), command(1)), answer);
    impossible(&[first.clone(), other(answered(&[2], 2, 1))], 1);
    possible(&[first.clone(), other(again(answered(&[1], 1, 1)))]);
    impossible(&[first, other(again(answered(&[2], 2, 1)))], 1);
}

#[test]
fn a_duplicate_needs_a_first_time() {
    let duplicate = one(1, 2, remembered(add("a", Any, 1, 1), command(1)), again(answered(&[1], 1, 1)));
    impossible(std::slice::from_ref(&duplicate), 0);
    let first = one(3, 4, remembered(add("a", Any, 2, 1), command(1)), answered(&[1], 1, 1));
    impossible(&[duplicate, first], 0);
}

#[test]
fn a_receipt_that_was_seen_is_not_forgotten() {
    let marked = one(1, 10, mark(1), answered(&[], 0, 0));
    possible(&[marked.clone(), marks(2, 3, [false, false]), marks(4, 5, [true, false])]);
    impossible(&[marked, marks(2, 3, [true, false]), marks(4, 5, [false, false])], 2);
}

/// Two appends leave receipts at the same head, and nothing else tells which came first. Whichever the search takes
/// first, it has to turn back for one of these.
#[test]
fn each_order_of_receipts_at_one_head_is_tried() {
    let (one_mark, other) =
        (one(1, 10, mark(1), answered(&[], 0, 0)), one(2, 9, mark(2), answered(&[], 0, 0)));
    let both = [one_mark, other];
    let with = |seen: &[Answered]| [&both[..], seen].concat();
    possible(&with(&[marks(3, 4, [true, false])]));
    possible(&with(&[marks(3, 4, [false, true])]));
    possible(&with(&[marks(3, 4, [false, true]), marks(5, 6, [true, true])]));
    impossible(&with(&[marks(3, 4, [false, true]), marks(5, 6, [true, false])]), 3);
    impossible(&with(&[marks(3, 5, [false, true]), marks(4, 6, [true, false])]), 3);
}

/// The search meets the append with the event first, and has to take it back: the receipt was left before it.
#[test]
fn an_append_that_was_placed_too_early_is_taken_back() {
    let append = one(1, 10, add("a", Any, 1, 1), answered(&[1], 1, 1));
    let marked = |position| one(2, 9, mark(1), answered(&[], position, 0));
    possible(&[append.clone(), marked(0), head(11, 12, 1)]);
    possible(&[append.clone(), marked(1), head(11, 12, 1)]);
    impossible(&[append, marked(2), head(11, 12, 1)], 1);
}

#[test]
fn a_check_without_events_tells_a_head_of_its_time() {
    let check = |began, ended, version, position| {
        let answer = answered(&[version], position, 0);
        vec![grow(1), grow(2), one(began, ended, add("a", exact(version), 9, 0), answer)]
    };
    possible(&check(15, 25, 1, 1));
    possible(&check(15, 25, 2, 2));
    impossible(&check(15, 25, 1, 2), 2);
    impossible(&check(25, 26, 1, 1), 2);
}

#[test]
fn what_rests_on_a_refusal_falls_with_it() {
    let mut second = add("a", Any, 2, 1);
    second.rests_on_previous = true;
    let batch = vec![add("a", exact(7), 1, 1), second];
    let refused = wrong(&stream("a"), exact(7), 0);
    let answers = |last| Answer::Append(vec![refused.clone(), last]);
    possible(&[call(1, 2, Call::Append(batch.clone()), answers(Err(AppendError::Unfounded)))]);
    impossible(&[call(1, 2, Call::Append(batch), answers(answered(&[1], 1, 1)))], 0);
}

#[test]
fn a_batch_has_an_answer_for_each_append() {
    let appends = vec![add("a", Any, 1, 1), add("b", Any, 2, 1)];
    impossible(&[call(1, 2, Call::Append(appends), Answer::Append(vec![answered(&[1], 1, 1)]))], 0);
}

#[test]
fn a_wait_tells_a_head_that_was_beyond() {
    let wait = |began, ended, found| {
        let asked = Call::WaitBeyond(Position::ZERO);
        vec![grow(1), grow(2), call(began, ended, asked, Answer::Head(Position::new(found)))]
    };
    possible(&wait(1, 30, 1));
    possible(&wait(25, 26, 1));
    impossible(&wait(25, 26, 0), 2);
    impossible(&wait(15, 16, 2), 2);
}

#[test]
fn an_answer_of_another_call_is_none() {
    impossible(&[call(1, 2, Call::Head, Answer::Receipts(vec![]))], 0);
}

/// A step of a client, and how far its beginning and its end are drawn apart.
type Stretched = (u32, Step, u64, u64);

/// Makes calls of several clients one after the other, and then draws their times apart, so that they meet.
fn stretched(steps: Vec<Stretched>) -> Vec<Answered> {
    const PACE: u64 = 30;
    let mut clients: Vec<_> = (0..4).map(Client::new).collect();
    let store = MemoryStore::new();
    let mut history = Vec::new();
    for (at, (number, step, before, after)) in (1..).zip(steps) {
        let client = &mut clients[number as usize];
        let Some(call) = client.call(&step) else { continue };
        let answer = run(call.run(&store)).unwrap();
        client.learn(&call, &answer);
        let (began, ended) = ((at * PACE).saturating_sub(before), at * PACE + after);
        history.push(Answered { client: number, began, ended, call, answer });
        // A client waits for its answer. Beginnings are even and ends are odd, so no two are the same moment.
        let own = history.iter_mut().rev().filter(|answered| answered.client == number);
        if let [now, last] = &mut own.take(2).collect::<Vec<_>>()[..] {
            last.ended = last.ended.min(at * PACE - 1);
            now.began = now.began.max(last.ended | 1);
        }
    }
    for answered in &mut history {
        answered.began += answered.began % 2;
        answered.ended |= 1;
    }
    history
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// What happened one after the other, and is only told with vaguer times, is never called impossible.
    #[test]
    fn a_possible_history_is_never_called_impossible(
        steps in vec((0_u32..4, step(), 0_u64..120, 0_u64..120), 1..40),
    ) {
        let history = stretched(steps);
        prop_assert_eq!(order(&history), Ok(()));
    }
}
