use cqrs_core::{EventId, ExpectedVersion, Json, Metadata, NewEvent, Timestamp};
use uuid::Uuid;

use super::*;

fn stream(key: &str) -> StreamId {
    StreamId::new("account", key).unwrap()
}

fn write(key: &str, expected: ExpectedVersion, count: usize) -> StreamWrite {
    let event = NewEvent {
        id: EventId::new(Uuid::nil()),
        event_type: "CoinMined".into(),
        data: Json::parse("{}").unwrap(),
        metadata: Metadata::default(),
    };
    StreamWrite { stream: stream(key), expected, events: vec![event; count] }
}

fn append(writes: Vec<StreamWrite>, receipt: Option<CommandId>) -> Append {
    Append { writes, receipt, recorded_at: Timestamp::from_micros(0), rests_on_previous: false }
}

/// A log of ten events, seven of them in the stream `me`.
fn state() -> State {
    let mut state = State::at(Position::new(10), (4, 2));
    state.learn_stream(&stream("me"), Some((3, Version::new(7))));
    state
}

fn judged(state: &mut State, batch: Vec<Append>) -> Plan {
    judge(state, batch.into_iter().map(|append| (append.clone(), append.validate())).collect()).unwrap()
}

fn exact(version: u64) -> ExpectedVersion {
    ExpectedVersion::Exact(Version::new(version))
}

#[test]
fn an_earlier_append_counts_for_a_later_one_and_a_refused_one_does_not() {
    let plan = judged(
        &mut state(),
        vec![
            append(vec![write("me", exact(7), 2)], None),
            append(vec![write("me", exact(7), 1)], None),
            append(vec![write("me", exact(9), 1), write("new", ExpectedVersion::NoStream, 1)], None),
            append(
                vec![write("new", ExpectedVersion::Any, 1), write("me", ExpectedVersion::NoStream, 1)],
                None,
            ),
        ],
    );
    let ends: Vec<_> =
        plan.answers.iter().map(|answer| answer.as_ref().map(|it| it.position.as_u64()).ok()).collect();
    assert_eq!(ends, [Some(12), None, Some(14), None]);
    assert!(matches!(
        &plan.answers[1],
        Err(AppendError::WrongExpectedVersion { actual, .. }) if *actual == Version::new(9)
    ));
    assert_eq!(plan.events.iter().map(|event| event.position()).collect::<Vec<_>>(), [11, 12, 13, 14]);
    assert_eq!(plan.streams, [(5, stream("new"))], "a stream gets its number once");
    assert_eq!(plan.types.len(), 1);
}

#[test]
fn a_receipt_comes_before_limits_and_expected_versions() {
    let known = CommandId::new(Uuid::from_u128(1));
    let fresh = CommandId::new(Uuid::from_u128(2));
    let first = Appended {
        versions: vec![Version::new(2)],
        position: Position::new(5),
        events: 2,
        duplicate: false,
    };
    let mut state = State { receipts: HashMap::from([(known, first.clone())]), ..state() };
    let twice = vec![write("me", exact(0), 1), write("me", exact(0), 1)];
    let plan = judged(
        &mut state,
        vec![
            append(twice.clone(), Some(known)),
            append(twice.clone(), Some(fresh)),
            append(vec![write("me", exact(7), 1)], Some(fresh)),
            append(twice, Some(fresh)),
        ],
    );
    assert_eq!(plan.answers[0], Ok(Appended { duplicate: true, ..first }));
    assert!(matches!(plan.answers[1], Err(AppendError::Invalid(InvalidAppend::StreamTwice(_)))));
    let written = plan.answers[2].clone().unwrap();
    assert!(!written.duplicate);
    assert_eq!(plan.answers[3], Ok(Appended { duplicate: true, ..written }));
    assert_eq!((plan.events.len(), plan.receipts.len()), (1, 1));
}

#[test]
fn an_append_without_events_answers_with_the_head_and_may_leave_a_receipt() {
    let command = CommandId::new(Uuid::from_u128(1));
    let plan = judged(
        &mut state(),
        vec![
            append(vec![write("you", ExpectedVersion::NoStream, 0), write("me", exact(7), 0)], None),
            append(vec![], Some(command)),
        ],
    );
    let answer = plan.answers[0].clone().unwrap();
    assert_eq!(answer.versions, [Version::ZERO, Version::new(7)]);
    assert_eq!((answer.position, answer.events), (Position::new(10), 0));
    assert!(plan.streams.is_empty(), "a stream without events is not there");
    assert_eq!(plan.receipts, [ReceiptRow { command, position: 10, events: 0, versions: "[]".to_owned() }]);
}

#[test]
fn a_full_log_takes_nothing_more() {
    let mut state = State { head: Position::new(i64::MAX as u64 - 1), ..State::default() };
    assert!(
        judge(&mut state, vec![(append(vec![write("me", ExpectedVersion::Any, 1)], None), Ok(()))]).is_ok()
    );
    let batch = vec![(append(vec![write("me", ExpectedVersion::Any, 1)], None), Ok(()))];
    assert!(matches!(judge(&mut state, batch), Err(Unjudged::Full)));
}

#[test]
fn an_append_falls_with_the_one_that_it_rests_on_whatever_its_own_version() {
    let command = CommandId::new(Uuid::from_u128(7));
    let resting =
        |version| Append { rests_on_previous: true, ..append(vec![write("me", exact(version), 1)], None) };
    let mut state = state();
    state.receipts.insert(
        command,
        Appended { versions: vec![], position: Position::ZERO, events: 0, duplicate: true },
    );
    let plan = judged(
        &mut state,
        vec![
            append(vec![write("me", exact(6), 1)], None),
            resting(7),
            resting(7),
            append(vec![write("me", exact(7), 1)], Some(command)),
            resting(7),
            append(vec![write("me", exact(7), 1)], None),
            resting(8),
        ],
    );
    let through: Vec<_> = plan.answers.iter().map(Result::is_ok).collect();
    assert_eq!(through, [false, false, false, true, false, true, true]);
    assert_eq!(plan.answers[1], Err(AppendError::Unfounded));
    assert_eq!(plan.answers[4], Err(AppendError::Unfounded), "a duplicate was not decided on this state");
}
