//! What clients are to do, drawn at random: in words that make sense whatever has happened before.

use cqrs_core::Direction;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// How many streams a history has: few, so that clients meet.
pub(super) const STREAMS: u8 = 4;

/// How many commands a history has.
pub(super) const COMMANDS: u8 = 6;

/// One thing that a client does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Reads the head.
    Head,
    /// Waits for what it knows to be there: this many positions before the head that it knows.
    Wait(u64),
    /// Reads the receipts of commands.
    Receipts(Vec<u8>),
    /// Reads a page of a stream.
    ReadStream { stream: u8, direction: Direction, from: u64, limit: usize },
    /// Reads a page of the log, after so many positions before the head that it knows, or beyond it.
    ReadLog { after: After, filter: Filter, limit: usize },
    /// Appends a batch.
    Append(Vec<Appending>),
    /// Closes the store and opens it again; only where there is one client.
    Reopen,
}

/// Where a page of the log begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    Origin,
    BeforeHead(u64),
    BeyondHead(u64),
}

/// What a page of the log may have; each part may be any.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) category: Option<bool>,
    pub(super) event_type: Option<bool>,
    pub(super) streams: Option<Vec<u8>>,
}

/// One append of a batch.
#[derive(Clone, Debug)]
pub(super) struct Appending {
    pub(super) writes: Vec<Writing>,
    pub(super) receipt: Option<u8>,
    pub(super) rests_on_previous: bool,
    /// Whether it breaks a limit.
    pub(super) invalid: bool,
}

/// One write of an append.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    pub(super) stream: u8,
    pub(super) expected: Guess,
    pub(super) events: u8,
}

/// What a client expects of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Guess {
    Any,
    /// The version that it knows.
    Known,
    NoStream,
    StreamExists,
    /// The version before the one that it knows.
    Before,
    /// The version after the one that it knows.
    After,
}

/// Anything that a client may do while there are others.
pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Head),
        1 => (0_u64..4).prop_map(Step::Wait),
        2 => vec(0..COMMANDS, 0..4).prop_map(Step::Receipts),
        2 => read_stream(),
        3 => (after(), filter(), limit()).prop_map(|(after, filter, limit)| Step::ReadLog { after, filter, limit }),
        8 => vec(appending(), 0..4).prop_map(Step::Append),
    ]
}

/// Anything that the only client may do.
pub(super) fn step_alone(restarts: bool) -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => step(),
        u32::from(restarts) => Just(Step::Reopen),
    ]
}

fn read_stream() -> impl Strategy<Value = Step> {
    let direction = prop_oneof![Just(Direction::Forward), Just(Direction::Backward)];
    let from = prop_oneof![4 => 0_u64..8, 1 => Just(u64::MAX)];
    (0..STREAMS, direction, from, limit()).prop_map(|(stream, direction, from, limit)| Step::ReadStream {
        stream,
        direction,
        from,
        limit,
    })
}

fn limit() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0_usize..4, 2 => Just(1_000)]
}

fn after() -> impl Strategy<Value = After> {
    prop_oneof![
        2 => Just(After::Origin),
        4 => (0_u64..8).prop_map(After::BeforeHead),
        1 => (1_u64..3).prop_map(After::BeyondHead),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    let streams = option::weighted(0.25, vec(0..STREAMS, 0..3));
    (option::weighted(0.3, any::<bool>()), option::weighted(0.3, any::<bool>()), streams)
        .prop_map(|(category, event_type, streams)| Filter { category, event_type, streams })
}

fn appending() -> impl Strategy<Value = Appending> {
    let writes = prop_oneof![1 => Just(0_usize), 8 => Just(1), 3 => Just(2), 1 => Just(3)];
    let writes = writes.prop_flat_map(|count| vec(writing(), count));
    let receipt = option::weighted(0.5, 0..COMMANDS);
    (writes, receipt, prop::bool::weighted(0.3), prop::bool::weighted(0.03)).prop_map(
        |(writes, receipt, rests_on_previous, invalid)| Appending {
            writes,
            receipt,
            rests_on_previous,
            invalid,
        },
    )
}

fn writing() -> impl Strategy<Value = Writing> {
    let guess = prop_oneof![
        4 => Just(Guess::Any),
        6 => Just(Guess::Known),
        1 => Just(Guess::NoStream),
        1 => Just(Guess::StreamExists),
        1 => Just(Guess::Before),
        1 => Just(Guess::After),
    ];
    (0..STREAMS, guess, 0_u8..4).prop_map(|(stream, expected, events)| Writing { stream, expected, events })
}
