//! Stores that break receipts and limits.

use async_trait::async_trait;
use tokio::task::yield_now;

use crate::breach::*;
use crate::proofs::proofs;
use crate::shapes::{appends, changes_appends};
use crate::trick::{one, version};

changes_appends! {
    /// Leaves a receipt only where there are events.
    ForgetsReceiptsWithoutEvents: append => {
        if append.writes.iter().all(|write| write.events.is_empty()) {
            append.receipt = None;
        }
    }
    /// Leaves a receipt only where a stream is written, with events or without.
    ForgetsReceiptsWithoutStreams: append => {
        if append.writes.is_empty() {
            append.receipt = None;
        }
    }
    /// Leaves no receipts.
    RepeatsReceiptedAppends: append => { append.receipt = None; }
}

appends! {
    /// Looks for receipts of earlier batches only.
    ForgetsReceiptsOfTheBatch: store, batch => {
        let mut seen = Vec::new();
        for append in &mut batch {
            if let Some(id) = append.receipt {
                let known = store.receipts(&[id]).await?.remove(0).is_some();
                if seen.contains(&id) && !known {
                    append.receipt = None;
                }
                seen.push(id);
            }
        }
        store.append(batch).await
    }
    /// Takes a command for a repeated one only when it appends as many events.
    ComparesRepeatedEvents: store, batch => {
        for append in &mut batch {
            if let Some(id) = append.receipt
                && let Some(first) = store.receipts(&[id]).await?.remove(0)
                && first.events != append.writes.iter().map(|write| write.events.len() as u64).sum::<u64>()
            {
                append.receipt = None;
            }
        }
        store.append(batch).await
    }
    /// Checks the expected version before it looks for the receipt.
    ChecksTheVersionBeforeTheReceipt: store, batch => {
        let mut answers = Vec::new();
        for append in batch {
            let mut late = None;
            for StreamWrite { stream, expected, .. } in &append.writes {
                let actual = version(store, stream).await?;
                if !expected.matches(actual) && append.validate().is_ok() {
                    let (stream, expected) = (stream.clone(), *expected);
                    late.get_or_insert(AppendError::WrongExpectedVersion { stream, expected, actual });
                }
            }
            answers.push(match late {
                Some(error) => Err(error),
                None => one(store, append).await?,
            });
        }
        Ok(answers)
    }
    /// Checks the limits before it looks for the receipt.
    ChecksTheLimitsBeforeTheReceipt: store, batch => {
        let mut answers = Vec::new();
        for append in batch {
            answers.push(match append.validate() {
                Err(invalid) => Err(invalid.into()),
                Ok(()) => one(store, append).await?,
            });
        }
        Ok(answers)
    }
    /// Leaves the receipt of a refused append.
    KeepsReceiptsOfRefusedAppends: store, batch => {
        let mut answers = Vec::new();
        for append in batch {
            let receipt = Append { writes: vec![], ..append };
            let answer = one(store, append).await?;
            if answer.is_err() && receipt.receipt.is_some() {
                one(store, receipt).await?.unwrap();
            }
            answers.push(answer);
        }
        Ok(answers)
    }
    /// Looks for the receipt first and writes later.
    LooksForTheReceiptBeforeItsTurn: store, batch => {
        let mut known = Vec::new();
        for append in &batch {
            let ids: Vec<_> = append.receipt.into_iter().collect();
            known.push(store.receipts(&ids).await?.iter().any(Option::is_some));
        }
        yield_now().await;
        let mut answers = Vec::new();
        for (mut append, known) in batch.into_iter().zip(known) {
            let ids: Vec<_> = append.receipt.into_iter().collect();
            if !known && store.receipts(&ids).await?.iter().any(Option::is_some) {
                append.receipt = None;
            }
            answers.push(one(store, append).await?);
        }
        Ok(answers)
    }
    /// Answers a repeated command with the head of now.
    AnswersDuplicatesWithTheHead: store, batch => {
        let mut answers = store.append(batch).await?;
        let head = store.head().await?;
        answers.iter_mut().flatten().filter(|answer| answer.duplicate).for_each(|answer| answer.position = head);
        Ok(answers)
    }
    /// Answers a repeated command as if it were the first time.
    HidesDuplicates: store, batch => {
        let mut answers = store.append(batch).await?;
        answers.iter_mut().flatten().for_each(|answer| answer.duplicate = false);
        Ok(answers)
    }
    /// Cuts an event that is too large.
    AcceptsOversizedEvents: store, batch => {
        let mut answers = Vec::new();
        for mut append in batch {
            if let Err(InvalidAppend::EventTooLarge { .. }) = append.validate() {
                for event in append.writes.iter_mut().flat_map(|write| &mut write.events) {
                    (event.data, event.metadata) = (Json::parse("null").unwrap(), Metadata::default());
                }
            }
            answers.push(one(store, append).await?);
        }
        Ok(answers)
    }
    /// Takes any text for an event type.
    AcceptsAnyEventType: store, batch => {
        let mut answers = Vec::new();
        for mut append in batch {
            if let Err(InvalidAppend::EventType { .. }) = append.validate() {
                for event in append.writes.iter_mut().flat_map(|write| &mut write.events) {
                    event.event_type = "Any".into();
                }
            }
            answers.push(one(store, append).await?);
        }
        Ok(answers)
    }
    /// Has a smaller limit of events than it says.
    RefusesAThousandEvents: store, batch => {
        let mut answers = Vec::new();
        for append in batch {
            let events = append.writes.iter().map(|write| write.events.len()).sum();
            answers.push(if events >= 1_000 {
                Err(InvalidAppend::TooManyEvents(events).into())
            } else {
                one(store, append).await?
            });
        }
        Ok(answers)
    }
    /// Merges the writes of an append that are for one stream.
    AcceptsAStreamTwice: store, batch => {
        let mut answers = Vec::new();
        for mut append in batch {
            if let Err(InvalidAppend::StreamTwice(_)) = append.validate() {
                append.writes.truncate(1);
            }
            answers.push(one(store, append).await?);
        }
        Ok(answers)
    }
    /// Stores what is valid of an append that is not.
    StoresTheValidEvents: store, batch => {
        let mut answers = Vec::new();
        for append in batch {
            let invalid = append.validate().is_err();
            let mut valid = append.clone();
            let answer = one(store, append).await?;
            if invalid && answer.is_err() {
                valid.receipt = None;
                for write in &mut valid.writes {
                    write.expected = ExpectedVersion::Any;
                    write.events.truncate(1);
                }
                let _ = one(store, valid).await?;
            }
            answers.push(answer);
        }
        Ok(answers)
    }
}

/// Answers for receipts in the order of its index.
#[derive(Default)]
struct AnswersReceiptsSorted;

#[async_trait]
impl Breach for AnswersReceiptsSorted {
    async fn receipts(
        &self,
        store: &MemoryStore,
        commands: &[CommandId],
    ) -> Result<Vec<Option<Appended>>, StoreError> {
        let mut commands = commands.to_vec();
        commands.sort();
        store.receipts(&commands).await
    }
}

proofs! {
    ForgetsReceiptsWithoutEvents:
        receipts::a_command_without_events_is_remembered,
        receipts::a_repetition_in_the_same_batch_changes_nothing,
        restart::receipts_survive_a_restart;
    ForgetsReceiptsWithoutStreams: receipts::a_command_without_events_is_remembered;
    RepeatsReceiptedAppends:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        others::one_of_repetitions_racing_by_two_handles_takes_effect,
        others::receipts_hold_between_handles,
        receipts::a_command_without_events_is_remembered,
        receipts::a_receipt_comes_before_the_expected_version,
        receipts::a_receipt_comes_before_the_limits,
        receipts::a_repeated_command_changes_nothing,
        receipts::a_repetition_in_the_same_batch_changes_nothing,
        receipts::one_of_racing_repetitions_takes_effect,
        receipts::receipts_come_in_the_order_of_the_ids,
        receipts::the_id_alone_makes_a_repetition,
        restart::receipts_survive_a_restart,
        waiting::nothing_new_wakes_nobody;
    ForgetsReceiptsOfTheBatch: receipts::a_repetition_in_the_same_batch_changes_nothing;
    ComparesRepeatedEvents:
        receipts::a_command_without_events_is_remembered,
        receipts::the_id_alone_makes_a_repetition,
        restart::receipts_survive_a_restart;
    ChecksTheVersionBeforeTheReceipt:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        others::receipts_hold_between_handles,
        receipts::a_command_without_events_is_remembered,
        receipts::a_receipt_comes_before_the_expected_version,
        receipts::a_repetition_in_the_same_batch_changes_nothing,
        restart::receipts_survive_a_restart;
    ChecksTheLimitsBeforeTheReceipt:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        receipts::a_receipt_comes_before_the_limits;
    KeepsReceiptsOfRefusedAppends:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        receipts::a_refused_append_leaves_no_receipt,
        restart::receipts_survive_a_restart;
    LooksForTheReceiptBeforeItsTurn:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        others::one_of_repetitions_racing_by_two_handles_takes_effect,
        receipts::a_repetition_in_the_same_batch_changes_nothing,
        receipts::one_of_racing_repetitions_takes_effect;
    AnswersDuplicatesWithTheHead:
        receipts::a_command_without_events_is_remembered,
        receipts::a_repeated_command_changes_nothing,
        receipts::a_repetition_in_the_same_batch_changes_nothing;
    HidesDuplicates:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        others::one_of_repetitions_racing_by_two_handles_takes_effect,
        others::receipts_hold_between_handles,
        receipts::a_command_without_events_is_remembered,
        receipts::a_receipt_comes_before_the_expected_version,
        receipts::a_receipt_comes_before_the_limits,
        receipts::a_repeated_command_changes_nothing,
        receipts::a_repetition_in_the_same_batch_changes_nothing,
        receipts::one_of_racing_repetitions_takes_effect,
        receipts::the_id_alone_makes_a_repetition,
        restart::receipts_survive_a_restart;
    AcceptsOversizedEvents:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        limits::an_event_has_a_largest_size;
    AcceptsAnyEventType:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        limits::an_event_type_has_its_limits,
        limits::an_invalid_append_leaves_its_stream,
        positions::a_refused_append_leaves_no_gap,
        receipts::a_refused_append_leaves_no_receipt;
    RefusesAThousandEvents:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        limits::an_append_has_a_most_of_events;
    AcceptsAStreamTwice:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        limits::an_append_writes_a_stream_once;
    StoresTheValidEvents:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        limits::an_append_has_a_most_of_events,
        limits::an_event_has_a_largest_size,
        limits::an_event_type_has_its_limits,
        limits::an_invalid_append_leaves_its_stream,
        positions::a_refused_append_leaves_no_gap;
    AnswersReceiptsSorted: receipts::receipts_come_in_the_order_of_the_ids;
}
