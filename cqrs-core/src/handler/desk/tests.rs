use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::*;
use crate::{HandlerStep, Timestamp};

const BOUNDS: Bounds = Bounds { partitions: 1, concurrency: 2, in_flight: 4 };

fn at(position: u64) -> EventPart {
    Position::new(position).into()
}

fn desk(read_to: u64, watermark: u64, heads: Vec<ParkedEvent>) -> Desk<()> {
    let watermarks = vec![Position::new(watermark)];
    let checkpoint = HandlerCheckpoint { revision: 1, read_to: Position::new(read_to), watermarks };
    Desk::new("desk", BOUNDS, checkpoint, heads)
}

/// Reads events of these keys, one after the other, the first at `position`.
fn read(desk: &mut Desk<()>, position: u64, keys: &[&str]) {
    let arrival = |(key, position): (&&str, u64)| {
        let (event, key) = (EventId::new(Uuid::nil()), Key::from(*key));
        let recorded_at = Timestamp::from_micros(position as i64);
        Arrival { part: at(position), event, recorded_at, key, payload: () }
    };
    let arrivals: Vec<_> = keys.iter().zip(position..).map(arrival).collect();
    desk.page(arrivals, Position::new(position + keys.len() as u64 - 1));
}

/// What is delivered now: the positions.
fn delivered(desk: &mut Desk<()>, now: Instant) -> Vec<u64> {
    desk.deliveries(now).iter().map(|delivery| delivery.part.position.as_u64()).collect()
}

fn step(desk: &mut Desk<()>) -> HandlerStep {
    desk.step(Timestamp::from_micros(0)).step
}

fn watermark(step: &HandlerStep) -> u64 {
    step.checkpoint.watermarks[0].as_u64()
}

fn places(step: &HandlerStep) -> Vec<(u64, u32, ParkedState)> {
    step.parked.iter().map(|event| (event.part.position.as_u64(), event.attempts, event.state)).collect()
}

fn row(position: u64, key: &str, attempts: u32, state: ParkedState) -> ParkedEvent {
    ParkedEvent {
        part: at(position),
        event: EventId::new(Uuid::nil()),
        key: key.into(),
        attempts,
        last_error: None,
        at: Timestamp::from_micros(0),
        state,
    }
}

fn retry() -> Outcome {
    Outcome::Retry { error: "down".into(), pause: Duration::from_secs(1) }
}

fn park() -> Outcome {
    Outcome::Park { error: "down".into() }
}

#[test]
fn one_event_of_each_key_is_delivered_and_the_watermark_follows_the_slowest() {
    let (mut desk, now) = (desk(0, 0, vec![]), Instant::now());
    read(&mut desk, 1, &["a", "a", "b"]);
    assert_eq!(delivered(&mut desk, now), [1, 3]);
    desk.delivered(&"b".into(), Outcome::Done, now);
    assert_eq!((watermark(&step(&mut desk)), desk.settled().as_u64()), (0, 0));
    desk.delivered(&"a".into(), Outcome::Done, now);
    assert_eq!(watermark(&step(&mut desk)), 1);
    assert_eq!(delivered(&mut desk, now), [2]);
    desk.delivered(&"a".into(), Outcome::Done, now);
    let step = step(&mut desk);
    assert_eq!((watermark(&step), step.parked, step.released), (3, vec![], vec![]));
    assert!(!desk.has_news() && desk.is_idle());
}

#[test]
fn what_fails_is_parked_in_the_step_that_passes_it_and_is_not_settled_until_it_is_done() {
    let (mut desk, now) = (desk(0, 0, vec![]), Instant::now());
    read(&mut desk, 1, &["a", "a", "b"]);
    desk.deliveries(now);
    desk.delivered(&"b".into(), Outcome::Done, now);
    desk.delivered(&"a".into(), retry(), now);
    assert_eq!(desk.failing(), Some(&(1, "down".to_owned())));
    let stored = desk.step(Timestamp::from_micros(0));
    let waiting = ParkedState::Waiting;
    assert_eq!(places(&stored.step), [(1, 1, waiting), (2, 0, waiting)]);
    assert_eq!((watermark(&stored.step), stored.settled.as_u64()), (3, 0));
    assert!(delivered(&mut desk, now).is_empty());
    assert_eq!(desk.next_due(), Some(now + Duration::from_secs(1)));
    let later = now + Duration::from_secs(1);
    let delivery = desk.deliveries(later).remove(0);
    assert_eq!((delivery.part, delivery.attempt, delivery.payload), (at(1), 2, None));
    desk.delivered(&"a".into(), Outcome::Done, later);
    assert_eq!(delivered(&mut desk, later), [2]);
    desk.delivered(&"a".into(), Outcome::Done, later);
    let stored = desk.step(Timestamp::from_micros(0));
    assert_eq!((stored.step.released, stored.settled.as_u64()), (vec![at(1), at(2)], 3));
    assert_eq!(desk.held_back(), 0);
}

#[test]
fn a_key_that_was_given_up_counts_as_settled_and_its_later_events_are_parked_unseen() {
    let (mut desk, now) = (desk(0, 0, vec![]), Instant::now());
    read(&mut desk, 1, &["a"]);
    desk.deliveries(now);
    desk.delivered(&"a".into(), park(), now);
    read(&mut desk, 2, &["a", "b"]);
    assert_eq!(delivered(&mut desk, now), [3]);
    desk.delivered(&"b".into(), Outcome::Done, now);
    let stored = desk.step(Timestamp::from_micros(0));
    assert_eq!(places(&stored.step), [(1, 1, ParkedState::Parked), (2, 0, ParkedState::Waiting)]);
    assert_eq!(stored.settled.as_u64(), 3);
}

#[test]
fn a_retry_reads_the_rows_once_they_are_stored_and_what_comes_meanwhile_is_read_later() {
    let (mut desk, now) = (desk(2, 2, vec![row(1, "a", 3, ParkedState::Parked)]), Instant::now());
    let marked = row(1, "a", 3, ParkedState::ToRetry);
    desk.marked(std::slice::from_ref(&marked));
    assert_eq!(desk.take_loads(), [("a".into(), EventPart::ZERO)]);
    read(&mut desk, 3, &["a"]);
    desk.loaded(&"a".into(), &[marked]);
    let delivery = desk.deliveries(now).remove(0);
    assert_eq!(
        (delivery.part, delivery.attempt),
        (at(1), 1),
        "an operator's retry begins the attempts anew"
    );
    desk.delivered(&"a".into(), Outcome::Done, now);
    let stored = desk.step(Timestamp::from_micros(0));
    assert_eq!((stored.step.released, stored.loads), (vec![at(1)], vec![("a".into(), at(1))]));
    desk.loaded(&"a".into(), &[row(3, "a", 0, ParkedState::Waiting)]);
    assert_eq!(delivered(&mut desk, now), [3]);
}

/// It was taken for delivered once: the lane of a key was parked while events before the former end were still unread.
#[test]
fn nothing_is_delivered_until_the_log_is_read_as_far_as_it_was() {
    let (mut desk, now) = (desk(4, 1, vec![]), Instant::now());
    read(&mut desk, 2, &["a", "b"]);
    assert!(delivered(&mut desk, now).is_empty());
    assert_eq!(step(&mut desk).checkpoint.read_to, Position::new(4), "where it was is not forgotten");
    read(&mut desk, 4, &["a"]);
    assert_eq!(delivered(&mut desk, now), [2, 3]);
}

#[test]
fn what_is_read_again_of_a_key_with_parked_events_is_known() {
    let (mut desk, now) = (desk(4, 1, vec![row(3, "a", 1, ParkedState::Parked)]), Instant::now());
    read(&mut desk, 1, &["b", "a", "a", "b", "a"]);
    assert_eq!(delivered(&mut desk, now), [4], "1 is below the watermark, 2 was done, 3 is parked");
    assert_eq!(places(&step(&mut desk)), [(5, 0, ParkedState::Waiting)]);
}

/// They were taken for parked, whatever key they had had before.
#[test]
fn what_is_read_again_behind_the_parked_event_of_a_key_is_parked_too() {
    for state in [ParkedState::Parked, ParkedState::Waiting] {
        let mut desk = desk(4, 1, vec![row(2, "a", 1, state)]);
        read(&mut desk, 2, &["a", "a"]);
        assert!(step(&mut desk).parked.iter().map(|event| event.part).eq([at(3)]));
        assert!(desk.take_loads().is_empty(), "it is not known yet what is behind it");
        read(&mut desk, 4, &["a"]);
        let stored = desk.step(Timestamp::from_micros(0));
        assert_eq!(places(&stored.step), [(4, 0, ParkedState::Waiting)]);
        assert_eq!(stored.loads.len(), usize::from(state == ParkedState::Waiting));
    }
}

/// A start before the slow one had ended read it again, and delivered it.
#[test]
fn the_watermark_is_not_before_an_event_that_was_dropped() {
    let (mut desk, now) = (desk(0, 0, vec![]), Instant::now());
    read(&mut desk, 1, &["slow", "a", "a"]);
    assert_eq!(delivered(&mut desk, now), [1, 2]);
    desk.delivered(&"a".into(), park(), now);
    assert_eq!(watermark(&step(&mut desk)), 0);
    desk.marked(&[row(3, "a", 0, ParkedState::ToDrop)]);
    let step = step(&mut desk);
    assert_eq!((watermark(&step), step.released), (3, vec![at(3)]));
}

#[test]
fn a_lane_whose_next_event_was_given_up_before_is_given_up_again() {
    let (mut desk, now) = (desk(9, 9, vec![row(1, "a", 0, ParkedState::Waiting)]), Instant::now());
    desk.take_loads();
    desk.loaded(&"a".into(), &[row(1, "a", 0, ParkedState::Waiting), row(2, "a", 3, ParkedState::Parked)]);
    assert_eq!(delivered(&mut desk, now), [1]);
    desk.delivered(&"a".into(), Outcome::Done, now);
    assert!(delivered(&mut desk, now).is_empty());
    assert_eq!(desk.settled().as_u64(), 9);
}

#[test]
fn an_event_that_others_overtake_is_parked_so_that_the_watermark_moves() {
    let (mut desk, now) = (desk(0, 0, vec![]), Instant::now());
    read(&mut desk, 1, &["slow"]);
    desk.deliveries(now);
    for position in 2..=6 {
        read(&mut desk, position, &["quick"]);
        desk.deliveries(now);
        desk.delivered(&"quick".into(), Outcome::Done, now);
        desk.step(Timestamp::from_micros(0));
    }
    read(&mut desk, 7, &["quick"]);
    let step = step(&mut desk);
    assert_eq!(watermark(&step), 6, "the slow one is parked, and no more than four were ahead of it");
    desk.delivered(&"slow".into(), Outcome::Done, now);
    assert_eq!(desk.step(Timestamp::from_micros(0)).step.released, [at(1)]);
}

#[test]
fn memory_that_one_slow_key_fills_is_freed_after_a_while() {
    let bounds = Bounds { partitions: 2, ..BOUNDS };
    let (mut desk, now) = (Desk::new("desk", bounds, HandlerCheckpoint::default(), vec![]), Instant::now());
    read(&mut desk, 1, &["a", "a", "a", "a"]);
    assert_eq!(delivered(&mut desk, now), [1]);
    assert_eq!(desk.room(), 0);
    let due = desk.next_due().unwrap();
    desk.deliveries(due);
    desk.step(Timestamp::from_micros(0));
    assert_eq!(desk.room(), 3, "what is left is the lane itself");
    assert_eq!(desk.next_due(), None);
}

/// A key in its pause took the place of the last event, and the memory was never taken for full.
#[test]
fn memory_that_a_slow_key_and_a_parked_one_fill_is_freed_after_a_while() {
    let bounds = Bounds { partitions: 2, ..BOUNDS };
    let (mut desk, now) = (Desk::new("desk", bounds, HandlerCheckpoint::default(), vec![]), Instant::now());
    read(&mut desk, 1, &["b"]);
    desk.deliveries(now);
    let pause = Duration::from_secs(3_600);
    desk.delivered(&"b".into(), Outcome::Retry { error: "down".into(), pause }, now);
    step(&mut desk);
    read(&mut desk, 2, &["a", "a", "a"]);
    assert_eq!(delivered(&mut desk, now), [2]);
    assert_eq!(desk.room(), 0);
    assert_eq!(desk.next_due(), Some(now + PATIENCE));
    desk.deliveries(now + PATIENCE);
    step(&mut desk);
    assert_eq!(desk.room(), 2, "what is left is the two lanes");
}

/// Each of them had no more than its share, and none was parked.
#[test]
fn memory_that_several_slow_keys_fill_together_is_freed_after_a_while() {
    let (mut desk, now) = (desk(0, 0, vec![]), Instant::now());
    read(&mut desk, 1, &["a", "a", "b", "b"]);
    assert_eq!(delivered(&mut desk, now), [1, 3]);
    assert_eq!(desk.room(), 0);
    assert_eq!(desk.next_due(), Some(now + PATIENCE));
    desk.deliveries(now + PATIENCE);
    let step = step(&mut desk);
    assert_eq!(step.parked.len(), 2, "one of them is enough");
    assert_eq!(desk.room(), 1);
}

#[test]
fn of_the_keys_that_fill_the_memory_the_fullest_is_parked() {
    let (mut desk, now) = (desk(0, 0, vec![]), Instant::now());
    read(&mut desk, 1, &["b", "a", "a", "a"]);
    assert_eq!(delivered(&mut desk, now), [1, 2]);
    desk.deliveries(now + PATIENCE);
    assert_eq!(places(&step(&mut desk)).iter().map(|place| place.0).collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn no_more_is_delivered_than_can_be_repeated_before_it_is_stored() {
    let (mut desk, now) = (desk(0, 0, vec![]), Instant::now());
    for position in 1..=4 {
        read(&mut desk, position, &["a"]);
        desk.deliveries(now);
        desk.delivered(&"a".into(), Outcome::Done, now);
    }
    assert_eq!((desk.unstored(), desk.room()), (4, 0));
    read(&mut desk, 5, &["a"]);
    assert!(delivered(&mut desk, now).is_empty());
    step(&mut desk);
    assert_eq!(delivered(&mut desk, now), [5]);
}
