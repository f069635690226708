use cqrs_core::{EventId, ExpectedVersion, Json, Metadata, NewEvent, Timestamp};
use uuid::Uuid;

use super::*;

/// The number of the stream `me`, and that of its events' type.
const ME: i64 = 3;
const MINED: i32 = 2;

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

fn command(number: u128) -> CommandId {
    CommandId::new(Uuid::from_u128(number))
}

fn exact(version: u64) -> ExpectedVersion {
    ExpectedVersion::Exact(Version::new(version))
}

fn appended(position: u64, versions: &[u64], events: u64) -> Appended {
    let versions = versions.iter().copied().map(Version::new).collect();
    Appended { versions, position: Position::new(position), events, duplicate: false }
}

/// Seven events are in the stream `me`, and none is anywhere else.
fn facts() -> Facts {
    let me = Known { number: Some(ME), version: Version::new(7) };
    let streams = [("me", me), ("you", Known::NONE), ("new", Known::NONE)];
    Facts { streams: streams.map(|(key, known)| (stream(key), known)).into(), ..Facts::default() }
}

fn judged(facts: &Facts, batch: Vec<Append>) -> Plan {
    let types = Types::from([("account".to_owned(), HashMap::from([("CoinMined".into(), MINED)]))]);
    let batch: Vec<_> = batch.into_iter().map(|append| (append.clone(), append.validate())).collect();
    judge(facts, &types, &batch).unwrap()
}

/// The answers of a plan that was written when the log had ten events.
fn answers(plan: Plan) -> Vec<Result<Appended, AppendError>> {
    plan.answers(Position::new(10))
}

#[test]
fn an_earlier_append_counts_for_a_later_one_and_a_refused_one_does_not() {
    let plan = judged(
        &facts(),
        vec![
            append(vec![write("me", exact(7), 2)], None),
            append(vec![write("me", exact(7), 1)], None),
            append(vec![write("me", exact(9), 1), write("new", ExpectedVersion::NoStream, 1)], None),
            append(
                vec![write("new", ExpectedVersion::Any, 1), write("me", ExpectedVersion::NoStream, 1)],
                None,
            ),
            append(vec![write("you", exact(0), 1), write("new", exact(1), 1)], None),
        ],
    );
    assert_eq!(plan.new_streams, [stream("new"), stream("you")], "a stream gets its number once");
    assert_eq!(
        plan.events.places(),
        [(ME, 8, MINED), (ME, 9, MINED), (ME, 10, MINED), (-1, 1, MINED), (-2, 1, MINED), (-1, 2, MINED)]
    );
    assert!(plan.checked_streams.is_empty(), "an index guards what is written to");
    assert_eq!(plan.streams[&stream("me")], Known { number: Some(ME), version: Version::new(10) });
    let refused = |expected, actual| AppendError::WrongExpectedVersion {
        stream: stream("me"),
        expected,
        actual: Version::new(actual),
    };
    assert_eq!(
        answers(plan),
        [
            Ok(appended(12, &[9], 2)),
            Err(refused(exact(7), 9)),
            Ok(appended(14, &[10, 1], 2)),
            Err(refused(ExpectedVersion::NoStream, 10)),
            Ok(appended(16, &[1, 2], 2)),
        ]
    );
}

#[test]
fn a_receipt_comes_before_limits_and_expected_versions() {
    let (known, fresh) = (command(1), command(2));
    let first = appended(5, &[2], 2);
    let facts = Facts { receipts: HashMap::from([(known, first.clone())]), ..facts() };
    let twice = vec![write("me", exact(0), 1), write("me", exact(0), 1)];
    let plan = judged(
        &facts,
        vec![
            append(twice.clone(), Some(known)),
            append(twice.clone(), Some(fresh)),
            append(vec![write("me", exact(7), 1)], Some(fresh)),
            append(twice, Some(fresh)),
        ],
    );
    let receipt = ReceiptRow { command: fresh, position: 1, events: 1, versions: "{8}".to_owned() };
    assert_eq!((plan.events.len(), &plan.receipts[..]), (1, &[receipt][..]));
    assert_eq!(plan.checked_commands, [fresh], "whoever refuses must know that there is no receipt");
    let answers = answers(plan);
    assert_eq!(answers[0], Ok(Appended { duplicate: true, ..first }));
    assert!(matches!(answers[1], Err(AppendError::Invalid(InvalidAppend::StreamTwice(_)))));
    assert_eq!(answers[2], Ok(appended(11, &[8], 1)));
    assert_eq!(answers[3], Ok(Appended { duplicate: true, ..appended(11, &[8], 1) }));
}

#[test]
fn an_append_without_events_answers_with_the_head_and_may_leave_a_receipt() {
    let looks = || append(vec![write("you", ExpectedVersion::NoStream, 0), write("me", exact(7), 0)], None);
    let plan = judged(&facts(), vec![looks()]);
    assert!(plan.is_empty() && plan.new_streams.is_empty(), "a stream without events is not there");
    assert_eq!(answers(plan), [Ok(appended(10, &[0, 7], 0))]);
    let plan = judged(&facts(), vec![looks(), append(vec![], Some(command(1)))]);
    let receipt = ReceiptRow { command: command(1), position: 0, events: 0, versions: "{}".to_owned() };
    assert_eq!(plan.receipts, [receipt]);
    assert!(!plan.is_empty());
}

#[test]
fn what_is_not_written_to_is_looked_at_as_it_was_before_the_batch() {
    let plan = judged(
        &facts(),
        vec![
            append(vec![write("me", exact(7), 0), write("new", exact(0), 1)], Some(command(1))),
            append(vec![write("you", exact(1), 1), write("new", exact(1), 1)], Some(command(2))),
        ],
    );
    let checked: HashMap<_, _> = plan.checked_streams.iter().cloned().collect();
    assert_eq!(checked, HashMap::from([(stream("me"), Version::new(7)), (stream("you"), Version::ZERO)]));
    assert_eq!(plan.checked_commands, [command(2)]);
}

#[test]
fn an_append_falls_with_the_one_that_it_rests_on_whatever_its_own_version() {
    let resting =
        |version| Append { rests_on_previous: true, ..append(vec![write("me", exact(version), 1)], None) };
    let facts = Facts { receipts: HashMap::from([(command(7), appended(0, &[], 0))]), ..facts() };
    let plan = judged(
        &facts,
        vec![
            append(vec![write("me", exact(6), 1)], None),
            resting(7),
            resting(7),
            append(vec![write("me", exact(7), 1)], Some(command(7))),
            resting(7),
            append(vec![write("me", exact(7), 1)], None),
            resting(8),
        ],
    );
    let answers = answers(plan);
    let through: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(through, [false, false, false, true, false, true, true]);
    assert_eq!(answers[1], Err(AppendError::Unfounded));
    assert_eq!(answers[4], Err(AppendError::Unfounded), "a duplicate was not decided on this state");
}
