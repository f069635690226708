//! Stores that break appends, batches and expected versions.

mod proofs;

pub(crate) use proofs::PROOFS;

use std::collections::HashSet;
use std::sync::Mutex;

use async_trait::async_trait;
use tokio::task::yield_now;

use crate::breach::*;
use crate::shapes::{appends, changes_appends};
use crate::trick::{one, version};

changes_appends! {
    /// Takes a writer's word for the version.
    AcceptsStaleAppends: append => {
        for write in &mut append.writes {
            if let ExpectedVersion::Exact(version) = write.expected && version > Version::new(0) {
                write.expected = ExpectedVersion::Any;
            }
        }
    }
    /// Does not check that a stream is new.
    IgnoresNoStream: append => {
        for write in &mut append.writes {
            if write.expected == ExpectedVersion::NoStream {
                write.expected = ExpectedVersion::Any;
            }
        }
    }
    /// Takes version zero for any.
    TakesExactZeroForAny: append => {
        for write in &mut append.writes {
            if write.expected == ExpectedVersion::Exact(Version::new(0)) {
                write.expected = ExpectedVersion::Any;
            }
        }
    }
    /// Does not check that a stream exists.
    IgnoresStreamExists: append => {
        for write in &mut append.writes {
            if write.expected == ExpectedVersion::StreamExists {
                write.expected = ExpectedVersion::Any;
            }
        }
    }
    /// Checks the version only of streams that get events.
    IgnoresWritesWithoutEvents: append => {
        for write in append.writes.iter_mut().filter(|write| write.events.is_empty()) {
            write.expected = ExpectedVersion::Any;
        }
    }
    /// Checks the version of the first stream only.
    ChecksTheFirstStreamOnly: append => {
        append.writes.iter_mut().skip(1).for_each(|write| write.expected = ExpectedVersion::Any);
    }
    /// Judges an append by its version alone.
    IgnoresWhatAnAppendRestsOn: append => { append.rests_on_previous = false; }
    /// Stores the events of an append from the last to the first.
    ReversesEvents: append => { append.writes.iter_mut().for_each(|write| write.events.reverse()); }
    /// Stores the last event of an append only.
    StoresTheLastEventOnly: append => {
        for write in &mut append.writes {
            write.events.drain(..write.events.len().saturating_sub(1));
        }
    }
}

appends! {
    /// Writes the streams of an append in another order.
    ReversesWrites: store, batch => {
        batch.iter_mut().for_each(|append| append.writes.reverse());
        let mut answers = store.append(batch).await?;
        answers.iter_mut().flatten().for_each(|answer| answer.versions.reverse());
        Ok(answers)
    }
    /// Tells versions from the last write to the first.
    TellsVersionsReversed: store, batch => {
        let mut answers = store.append(batch).await?;
        answers.iter_mut().flatten().for_each(|answer| answer.versions.reverse());
        Ok(answers)
    }
    /// Tells versions from the lowest to the highest.
    TellsVersionsSorted: store, batch => {
        let mut answers = store.append(batch).await?;
        answers.iter_mut().flatten().for_each(|answer| answer.versions.sort_unstable());
        Ok(answers)
    }
    /// Tells the position of the first event.
    TellsTheFirstPosition: store, batch => {
        let mut answers = store.append(batch).await?;
        for answer in answers.iter_mut().flatten() {
            answer.position = Position::new(answer.position.as_u64() + 1 - answer.events.max(1));
        }
        Ok(answers)
    }
    /// Counts streams in place of events.
    CountsStreamsForEvents: store, batch => {
        let mut answers = store.append(batch).await?;
        answers.iter_mut().flatten().for_each(|answer| answer.events = answer.versions.len() as u64);
        Ok(answers)
    }
    /// Has no position for an append without events.
    HasNoPositionWithoutEvents: store, batch => {
        let mut answers = store.append(batch).await?;
        for answer in answers.iter_mut().flatten().filter(|answer| answer.events == 0) {
            answer.position = Position::ZERO;
        }
        Ok(answers)
    }
    /// Tells the head from before the batch for an append without events.
    TellsTheHeadBeforeTheBatch: store, batch => {
        let head = store.head().await?;
        let mut answers = store.append(batch).await?;
        for answer in answers.iter_mut().flatten().filter(|answer| answer.events == 0) {
            answer.position = head;
        }
        Ok(answers)
    }
    /// Does not say at which version the stream is.
    HidesTheActualVersion: store, batch => {
        let mut answers = store.append(batch).await?;
        for answer in &mut answers {
            if let Err(AppendError::WrongExpectedVersion { actual, .. }) = answer {
                *actual = Version::new(0);
            }
        }
        Ok(answers)
    }
    /// Tells a conflict, and has stored the events.
    StoresRefusedAppends: store, batch => {
        let mut answers = Vec::new();
        for append in batch {
            let mut forced = append.clone();
            forced.receipt = None;
            let answer = one(store, append).await?;
            if let Err(AppendError::WrongExpectedVersion { .. }) = answer {
                forced.writes.iter_mut().for_each(|write| write.expected = ExpectedVersion::Any);
                let _ = one(store, forced).await?;
            }
            answers.push(answer);
        }
        Ok(answers)
    }
    /// Keeps the first stream of an append that is refused for another one.
    StoresHalfOfARefusedAppend: store, batch => {
        let mut answers = Vec::new();
        for append in batch {
            let half = Append { writes: append.writes.iter().take(1).cloned().collect(), receipt: None, ..append };
            let many = append.writes.len() > 1;
            let answer = one(store, append).await?;
            if many && matches!(answer, Err(AppendError::WrongExpectedVersion { .. })) {
                let _ = one(store, half).await?;
            }
            answers.push(answer);
        }
        Ok(answers)
    }
    /// Refuses what follows a refused append.
    LosesTheRestOfABatchAfterAConflict: store, batch => {
        let mut answers: Vec<Result<Appended, AppendError>> = Vec::new();
        for append in batch {
            let answer = match answers.last() {
                Some(Err(error)) => Err(error.clone()),
                _ => one(store, append).await?,
            };
            answers.push(answer);
        }
        Ok(answers)
    }
    /// Judges a whole batch by the versions before it.
    JudgesTheBatchAtItsBeginning: store, batch => {
        let mut known = std::collections::HashMap::new();
        let mut answers = Vec::new();
        for mut append in batch {
            let mut refused = None;
            for write in &mut append.writes {
                let found = version(store, &write.stream).await?;
                let actual = *known.entry(write.stream.clone()).or_insert(found);
                if !write.expected.matches(actual) {
                    let (stream, expected) = (write.stream.clone(), write.expected);
                    refused = Some(AppendError::WrongExpectedVersion { stream, expected, actual });
                }
            }
            let again = match append.receipt {
                Some(id) => store.receipts(&[id]).await?.remove(0).is_some(),
                None => false,
            };
            answers.push(match refused {
                Some(error) if !again => Err(error),
                _ => {
                    append.writes.iter_mut().for_each(|write| write.expected = ExpectedVersion::Any);
                    one(store, append).await?
                }
            });
        }
        Ok(answers)
    }
    /// Counts events of refused appends for what follows in the batch.
    CountsRefusedEvents: store, batch => {
        let mut refused: Vec<StreamWrite> = Vec::new();
        let mut answers = Vec::new();
        for append in batch {
            let hit = append.writes.iter().find_map(|write| {
                refused.iter().find(|refused| refused.stream == write.stream && write.expected != ExpectedVersion::Any)
            });
            if let Some(hit) = hit.cloned() {
                let actual = version(store, &hit.stream).await?;
                answers.push(Err(AppendError::WrongExpectedVersion {
                    stream: hit.stream, expected: hit.expected, actual,
                }));
                continue;
            }
            let writes = append.writes.clone();
            let answer = one(store, append).await?;
            if answer.is_err() {
                refused.extend(writes);
            }
            answers.push(answer);
        }
        Ok(answers)
    }
    /// Answers a batch from its end.
    AnswersInReverse: store, batch => {
        let mut answers = store.append(batch).await?;
        answers.reverse();
        Ok(answers)
    }
    /// Has no answer to a batch without appends.
    FailsAtAnEmptyBatch: store, batch => {
        if batch.is_empty() {
            return Err(StoreError::Corrupt { what: "nothing to append".into() });
        }
        store.append(batch).await
    }
    /// Commits each append of a batch alone.
    CommitsABatchInPieces: store, batch => {
        let mut answers = Vec::new();
        for append in batch {
            answers.push(one(store, append).await?);
            yield_now().await;
        }
        Ok(answers)
    }
    /// Looks at the versions first and writes later.
    JudgesBeforeItsTurn: store, batch => {
        for append in &mut batch {
            for write in &mut append.writes {
                if !write.events.is_empty() && write.expected.matches(version(store, &write.stream).await?) {
                    write.expected = ExpectedVersion::Any;
                }
            }
        }
        yield_now().await;
        store.append(batch).await
    }
    /// Writes the streams of an append one after the other.
    WritesStreamByStream: store, batch => {
        let mut answers = Vec::new();
        for append in batch {
            let checked = append.writes.iter().map(|write| StreamWrite { events: vec![], ..write.clone() });
            let check = Append { writes: checked.collect(), receipt: None, ..append };
            if append.writes.len() < 2 || append.receipt.is_some() || append.validate().is_err()
                || one(store, check).await?.is_err()
            {
                answers.push(one(store, append).await?);
                continue;
            }
            let mut whole = Appended { versions: vec![], position: Position::ZERO, events: 0, duplicate: false };
            for write in append.writes {
                let write = StreamWrite { expected: ExpectedVersion::Any, ..write };
                let part = Append { writes: vec![write], receipt: None, recorded_at: append.recorded_at, rests_on_previous: false };
                if let Ok(part) = one(store, part).await? {
                    whole.versions.extend(part.versions);
                    (whole.position, whole.events) = (part.position, whole.events + part.events);
                }
                yield_now().await;
            }
            answers.push(Ok(whole));
        }
        Ok(answers)
    }
}

/// Takes a stream for one that exists once an append named it.
#[derive(Default)]
struct EmptyWritesMakeStreams(Mutex<HashSet<StreamId>>);

#[async_trait]
impl Breach for EmptyWritesMakeStreams {
    async fn append(&self, store: &MemoryStore, batch: Vec<Append>) -> Answers {
        let mut answers = Vec::new();
        for append in batch {
            let made = |write: &&StreamWrite| {
                write.expected == ExpectedVersion::NoStream
                    && self.0.lock().unwrap().contains(&write.stream)
            };
            if let Some(StreamWrite { stream, expected, .. }) = append.writes.iter().find(made).cloned()
                && append.receipt.is_none()
            {
                let actual = version(store, &stream).await?;
                answers.push(Err(AppendError::WrongExpectedVersion { stream, expected, actual }));
                continue;
            }
            let streams: Vec<_> = append.writes.iter().map(|write| write.stream.clone()).collect();
            let answer = one(store, append).await?;
            if answer.is_ok() {
                self.0.lock().unwrap().extend(streams);
            }
            answers.push(answer);
        }
        Ok(answers)
    }
}
