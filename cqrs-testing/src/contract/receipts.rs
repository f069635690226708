//! Receipts: the same command again changes nothing, and is answered with its first outcome.

use std::sync::Arc;

use cqrs_core::{
    Append, AppendError, Appended, EventStore, ExpectedVersion, MAX_EVENT_BYTES, NewEvent, Position,
};

use super::build::{append, command, event, events, exact, json, one, remembered, stream, together, write};
use super::look::log;
use super::violation::{want, want_eq};
use super::{StoreFactory, Verdict, Violation};

/// What the second answer must be, given the first.
fn again(first: &Appended) -> Result<Appended, AppendError> {
    Ok(Appended { duplicate: true, ..first.clone() })
}

/// A repeated command answers with the versions, position and count of its first time, and changes nothing,
/// however the log has grown since.
pub async fn a_repeated_command_changes_nothing<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let command = command();
    let both = || {
        let writes = ["a", "b"].map(|key| write(&stream(key), ExpectedVersion::Any, events(2)));
        remembered(together(writes.into()), command)
    };
    let first = one(&store, both()).await??;
    want!(!first.duplicate, "the first time of a command must not be told to be a duplicate");
    one(&store, append(&stream("a"), ExpectedVersion::Any, events(3))).await??;
    want_eq!(one(&store, both()).await?, again(&first), "the answer to a repeated command");
    want_eq!(one(&store, both()).await?, again(&first), "the answer to a command repeated twice");
    want_eq!(log(&store).await?.len(), 7, "the events in the log");
    Ok(())
}

/// The id alone makes a command a repeated one, whatever it would append now.
pub async fn the_id_alone_makes_a_repetition<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let command = command();
    let first = one(&store, remembered(append(&stream("a"), exact(0), events(2)), command)).await??;
    let other = remembered(append(&stream("b"), ExpectedVersion::Any, events(5)), command);
    want_eq!(one(&store, other).await?, again(&first), "the answer to other events with the same id");
    want_eq!(log(&store).await?.len(), 2, "the events in the log");
    Ok(())
}

/// A command that emitted no events leaves a receipt too, also one that writes no stream.
pub async fn a_command_without_events_is_remembered<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("b"), exact(0), events(3))).await??;
    let command = command();
    let first = one(&store, remembered(append(&stream("a"), exact(0), vec![]), command)).await??;
    want_eq!((first.position, first.events), (Position::new(3), 0), "position and count of no events");
    one(&store, append(&stream("a"), exact(0), events(1))).await??;
    let second = one(&store, remembered(append(&stream("a"), exact(0), events(1)), command)).await?;
    want_eq!(second, again(&first), "the answer to a repeated command that emitted nothing");
    let command = super::build::command();
    let first = one(&store, remembered(together(vec![]), command)).await??;
    let second = one(&store, remembered(append(&stream("a"), exact(1), events(1)), command)).await?;
    want_eq!(second, again(&first), "the answer to a repeated command that wrote no stream");
    want_eq!(log(&store).await?.len(), 4, "the events in the log");
    Ok(())
}

/// A command that is repeated within one batch takes effect once.
pub async fn a_repetition_in_the_same_batch_changes_nothing<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (command, silent) = (command(), super::build::command());
    let batch = vec![
        remembered(append(&stream("a"), exact(0), events(2)), command),
        remembered(append(&stream("b"), exact(0), vec![]), silent),
        append(&stream("a"), exact(2), events(1)),
        remembered(append(&stream("a"), exact(0), events(2)), command),
        remembered(append(&stream("b"), exact(0), events(2)), silent),
    ];
    let answers = store.append(batch).await?;
    let firsts = answers[..2].iter().cloned().collect::<Result<Vec<_>, _>>()?;
    want!(answers[2].is_ok(), "an append between must be accepted: {:?}", answers[2]);
    want_eq!(answers[3], again(&firsts[0]), "the answer to a repetition in the batch");
    want_eq!(answers[4], again(&firsts[1]), "the answer to a repetition without events in the batch");
    want_eq!(log(&store).await?.len(), 3, "the events in the log");
    want_eq!(store.receipts(&[command]).await?[0], again(&firsts[0]).ok(), "the receipt");
    Ok(())
}

/// The receipt comes before the expected version: a repeated command is never told that it is too late.
pub async fn a_receipt_comes_before_the_expected_version<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let command = command();
    let first = one(&store, remembered(append(&stream("a"), exact(0), events(1)), command)).await??;
    for expected in [ExpectedVersion::NoStream, exact(0), exact(7)] {
        let repeated = remembered(append(&stream("a"), expected, events(1)), command);
        want_eq!(
            one(&store, repeated).await?,
            again(&first),
            "the answer to a repetition that expects {expected}"
        );
    }
    Ok(())
}

/// The receipt comes before the limits: a repeated command is answered even if it would be invalid now.
pub async fn a_receipt_comes_before_the_limits<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let command = command();
    let first = one(&store, remembered(append(&stream("a"), exact(0), events(1)), command)).await??;
    let huge = NewEvent { data: json(&format!("\"{}\"", "x".repeat(MAX_EVENT_BYTES))), ..event("Huge", 1) };
    for bad in [event("", 1), huge] {
        let repeated = remembered(append(&stream("a"), exact(1), vec![bad]), command);
        want_eq!(
            one(&store, repeated).await?,
            again(&first),
            "the answer to a repetition beyond the limits"
        );
    }
    Ok(())
}

/// A refused append leaves no receipt: its command can still be decided anew.
pub async fn a_refused_append_leaves_no_receipt<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let command = command();
    let tried: [Append; 2] = [
        append(&stream("a"), exact(1), events(1)),
        append(&stream("a"), ExpectedVersion::Any, vec![event("", 1)]),
    ];
    for refused in tried {
        let answer = one(&store, remembered(refused, command)).await?;
        want!(answer.is_err(), "the append must be refused: {answer:?}");
        want_eq!(store.receipts(&[command]).await?, vec![None], "the receipt of a refused append");
    }
    let batch = vec![
        remembered(append(&stream("a"), exact(1), events(1)), command),
        remembered(append(&stream("a"), exact(0), events(1)), command),
    ];
    let answers = store.append(batch).await?;
    want!(answers[0].is_err(), "the wrong version must be refused");
    want!(
        matches!(&answers[1], Ok(first) if !first.duplicate && first.events == 1),
        "the command must take effect after its refusal: {:?}",
        answers[1]
    );
    Ok(())
}

/// Of 16 repetitions that race, exactly one takes effect, and all answer with the same outcome.
pub async fn one_of_racing_repetitions_takes_effect<F: StoreFactory>(factory: &F) -> Verdict {
    let store = Arc::new(factory.make().await);
    let command = command();
    let racers = (0..16).map(|n| {
        let store = Arc::clone(&store);
        let racer = remembered(append(&stream(&format!("{n}")), ExpectedVersion::Any, events(2)), command);
        tokio::spawn(async move { one(&*store, racer).await })
    });
    let mut answers = Vec::new();
    for answer in futures::future::join_all(racers).await {
        answers.push(answer.map_err(Violation::new)???);
    }
    want_eq!(answers.iter().filter(|answer| !answer.duplicate).count(), 1, "how many took effect");
    for answer in &answers {
        let (found, wanted) = (again(answer), again(&answers[0]));
        want_eq!(found, wanted, "the outcome that a repetition tells");
    }
    want_eq!(log(&*store).await?.len(), 2, "the events in the log");
    Ok(())
}

/// Receipts are answered in the order of the ids, as first outcomes with `duplicate` set, and `None` where
/// there is none.
pub async fn receipts_come_in_the_order_of_the_ids<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (mut ids, mut wanted) = (Vec::new(), Vec::new());
    for n in 0..20 {
        let command = command();
        if n % 3 != 0 {
            let append = remembered(append(&stream(&format!("{n}")), exact(0), events(n)), command);
            wanted.push(again(&one(&store, append).await??).ok());
        } else {
            wanted.push(None);
        }
        ids.push(command);
    }
    want_eq!(store.receipts(&ids).await?, wanted, "the receipts of known and unknown ids");
    ids.reverse();
    wanted.reverse();
    want_eq!(store.receipts(&ids).await?, wanted, "the receipts in the opposite order");
    let (twice, both) = ([ids[0], ids[0]], vec![wanted[0].clone(), wanted[0].clone()]);
    want_eq!(store.receipts(&twice).await?, both, "the receipts of one id asked twice");
    want_eq!(store.receipts(&[]).await?, vec![], "the receipts of no ids");
    Ok(())
}
