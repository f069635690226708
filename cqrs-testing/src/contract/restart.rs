//! What is there after a restart.

use std::pin::pin;

use cqrs_core::{
    Appended, EventFilter, EventId, EventPart, EventStore, ExpectedVersion, HandlerCheckpoint, HandlerStep,
    HandlerStore, ParkedEvent, ParkedMark, ParkedQuery, ParkedSet, ParkedState, Position, SnapshotStore,
    StreamRead, Timestamp, Version,
};
use futures::poll;

use super::build::{append, command, event, events, exact, one, remembered, stream, stream_of, wrong};
use super::look::{log, pages, positions, soon};
use super::snapshots::{snapshot, stream_of as stream_of_events};
use super::violation::{want, want_eq};
use super::{StoreFactory, Verdict};

/// Events and the head are after a restart what they were before it.
pub async fn events_survive_a_restart<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    for key in ["a", "b"] {
        let events = vec![event("Counted", 1), event("Counted", 2)];
        one(&store, append(&stream(key), ExpectedVersion::NoStream, events)).await??;
    }
    let before = store.read_log(Position::ZERO, &EventFilter::all(), 10).await?;
    let store = factory.reopen(store).await;
    want_eq!(store.head().await?, Position::new(4), "the head after a restart");
    want_eq!(
        store.read_log(Position::ZERO, &EventFilter::all(), 10).await?,
        before,
        "the log after a restart"
    );
    let found = store.read_stream(&stream("b"), StreamRead::forward(Version::new(1), 10)).await?;
    want_eq!(found, before.events[2..], "a stream after a restart");
    Ok(())
}

/// Versions and positions go on after a restart where they were.
pub async fn versions_and_positions_go_on_after_a_restart<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("a"), exact(0), vec![event("Counted", 1)])).await??;
    let store = factory.reopen(store).await;
    let appended = one(&store, append(&stream("a"), exact(1), vec![event("Counted", 2)])).await??;
    want_eq!(appended.versions, vec![Version::new(2)], "the version of the first append after a restart");
    want_eq!(appended.position, Position::new(2), "the position of the first append after a restart");
    Ok(())
}

/// A command that was stored before a restart is a repeated one after it, with events or without.
pub async fn receipts_survive_a_restart<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (loud, silent, refused) = (command(), command(), command());
    let first = one(&store, remembered(append(&stream("a"), exact(0), events(2)), loud)).await??;
    let nothing = one(&store, remembered(append(&stream("a"), exact(2), vec![]), silent)).await??;
    let answer = one(&store, remembered(append(&stream("a"), exact(9), events(1)), refused)).await?;
    want!(answer.is_err(), "the append must be refused: {answer:?}");
    let store = factory.reopen(store).await;
    let again = |first: &Appended| Appended { duplicate: true, ..first.clone() };
    let wanted = vec![Some(again(&first)), Some(again(&nothing)), None];
    want_eq!(store.receipts(&[loud, silent, refused]).await?, wanted, "the receipts after a restart");
    for (command, first) in [(loud, &first), (silent, &nothing)] {
        let repeated = remembered(append(&stream("a"), exact(0), events(2)), command);
        want_eq!(
            one(&store, repeated).await?,
            Ok(again(first)),
            "the answer to a repetition after a restart"
        );
    }
    want_eq!(log(&store).await?.len(), 2, "the events in the log");
    Ok(())
}

/// Expected versions hold over a restart.
pub async fn expected_versions_hold_over_a_restart<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("a"), exact(0), events(2))).await??;
    let store = factory.reopen(store).await;
    for expected in [ExpectedVersion::NoStream, exact(0), exact(1), exact(3)] {
        let answer = one(&store, append(&stream("a"), expected, events(1))).await?;
        want_eq!(answer, wrong(&stream("a"), expected, 2), "the answer after a restart");
    }
    one(&store, append(&stream("b"), ExpectedVersion::NoStream, events(1))).await??;
    one(&store, append(&stream("a"), ExpectedVersion::StreamExists, events(1))).await??;
    Ok(())
}

/// Restart after restart, all that was acknowledged is there and nothing else, also for filters.
pub async fn restarts_neither_lose_nor_add<F: StoreFactory>(factory: &F) -> Verdict {
    let mut store = factory.make().await;
    for round in 0..5_u64 {
        for category in ["odd", "even"] {
            let new = vec![event(category, round), event(&format!("Round{round}"), round)];
            one(&store, append(&stream_of(category, "a"), exact(2 * round), new)).await??;
        }
        let refused = one(&store, append(&stream_of("odd", "a"), exact(0), events(3))).await?;
        want!(refused.is_err(), "the append must be refused: {refused:?}");
        let before = log(&store).await?;
        store = factory.reopen(store).await;
        want_eq!(log(&store).await?, before, "the log after restart {round}");
        want_eq!(positions(&before), (1..=4 * (round + 1)).collect::<Vec<_>>(), "its positions");
        for filter in [EventFilter::category("odd"), EventFilter::all().and_event_types(["even", "Round0"])]
        {
            let wanted: Vec<_> = before.iter().filter(|event| filter.matches(event)).cloned().collect();
            want_eq!(
                pages(&store, &filter, 3).await?,
                wanted,
                "the log for {filter:?} after restart {round}"
            );
        }
    }
    Ok(())
}

/// After a restart, a wait for the past ends at once, and one for the future with the next append.
pub async fn waits_work_after_a_restart<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("a"), exact(0), events(2))).await??;
    let store = factory.reopen(store).await;
    let head = soon("the head", store.wait_beyond(Position::ZERO)).await??;
    want_eq!(head, Position::new(2), "the head that a wait tells after a restart");
    let mut wait = pin!(store.wait_beyond(Position::new(2)));
    want!(poll!(wait.as_mut()).is_pending(), "a wait beyond the head must not end");
    one(&store, append(&stream("a"), exact(2), events(1))).await??;
    want_eq!(soon("the end of a wait", wait).await??, Position::new(3), "the head that the wait tells");
    Ok(())
}

/// A snapshot is after a restart what it was before it, and still does not regress.
pub async fn snapshots_survive_a_restart<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stream = stream_of_events(&store, "a", 5).await?;
    let saved = snapshot(&stream, 4, 2);
    want!(store.save_snapshot(saved.clone()).await?, "a first snapshot must be kept");
    let store = factory.reopen(store).await;
    want_eq!(store.snapshot(&stream).await?, Some(saved.clone()), "the snapshot after a restart");
    want!(!store.save_snapshot(snapshot(&stream, 3, 2)).await?, "an older snapshot must not be kept");
    want_eq!(store.snapshot(&stream).await?, Some(saved), "the snapshot after an older one came");
    Ok(())
}

/// What an event handler knows, what it holds back and what an operator wants are after a restart what they were before
/// it, and the fence holds.
pub async fn handlers_survive_a_restart<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let checkpoint = HandlerCheckpoint {
        revision: 1,
        read_to: Position::new(9),
        watermarks: vec![Position::new(7), Position::new(9)],
    };
    let event = |position, state| ParkedEvent {
        part: Position::new(position).into(),
        event: EventId::new(uuid::Uuid::now_v7()),
        key: "a".into(),
        attempts: 1,
        last_error: Some("down".into()),
        at: Timestamp::from_micros(1),
        state,
    };
    let parked = vec![event(3, ParkedState::Parked), event(4, ParkedState::Waiting)];
    let step =
        HandlerStep { handler: "mailer".into(), checkpoint: checkpoint.clone(), parked, released: vec![] };
    store.commit_handler(step.clone()).await?;
    store.mark_parked("mailer", &ParkedSet::All, ParkedMark::Retry).await?;
    let before = store.parked_events("mailer", &ParkedQuery::All, EventPart::ZERO, 9).await?;
    let store = factory.reopen(store).await;
    want_eq!(store.handler_checkpoint("mailer").await?, checkpoint, "the checkpoint after a restart");
    let after = store.parked_events("mailer", &ParkedQuery::All, EventPart::ZERO, 9).await?;
    want_eq!(after, before, "the parked events after a restart");
    super::build_step::fenced(store.commit_handler(step).await, "a step to revision 1 after a restart")?;
    Ok(())
}
