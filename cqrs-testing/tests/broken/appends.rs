//! Stores that break appends, batches and expected versions.

use std::collections::HashSet;
use std::sync::Mutex;

use async_trait::async_trait;
use tokio::task::yield_now;

use crate::breach::*;
use crate::proofs::proofs;
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

proofs! {
    IgnoresWhatAnAppendRestsOn:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on;
    AcceptsStaleAppends:
        append::a_write_without_events_guards_the_others,
        append::an_append_to_several_streams_is_refused_whole,
        batch::answers_are_in_the_order_of_the_batch,
        batch::earlier_events_of_the_batch_count,
        batch::refused_events_do_not_count,
        expected::a_stale_writer_is_refused,
        expected::expectations_are_checked_without_events,
        expected::expectations_of_a_missing_stream,
        expected::expectations_of_a_stream_with_events,
        expected::one_of_racing_writers_wins,
        others::a_stale_handle_is_refused,
        others::one_of_racing_handles_wins,
        positions::a_refused_append_leaves_no_gap,
        receipts::a_refused_append_leaves_no_receipt,
        restart::expected_versions_hold_over_a_restart,
        restart::receipts_survive_a_restart,
        waiting::nothing_new_wakes_nobody,
        width::versions_and_positions_outgrow_sixteen_bits;
    IgnoresNoStream:
        batch::earlier_events_of_the_batch_count,
        expected::expectations_are_checked_without_events,
        expected::expectations_of_a_stream_with_events,
        others::a_stale_handle_is_refused,
        restart::expected_versions_hold_over_a_restart;
    TakesExactZeroForAny:
        batch::an_append_falls_with_the_one_that_it_rests_on,
        batch::earlier_events_of_the_batch_count,
        expected::expectations_are_checked_without_events,
        expected::expectations_of_a_stream_with_events,
        expected::one_of_racing_writers_wins,
        others::one_of_racing_handles_wins,
        restart::expected_versions_hold_over_a_restart,
        restart::restarts_neither_lose_nor_add;
    IgnoresStreamExists:
        batch::a_refused_append_leaves_the_others,
        batch::refused_events_do_not_count,
        expected::a_write_without_events_makes_no_stream,
        expected::expectations_are_checked_without_events,
        expected::expectations_of_a_missing_stream,
        positions::a_refused_append_leaves_no_gap;
    IgnoresWritesWithoutEvents:
        append::a_write_without_events_guards_the_others,
        expected::a_write_without_events_makes_no_stream,
        expected::expectations_are_checked_without_events;
    ChecksTheFirstStreamOnly:
        append::a_write_without_events_guards_the_others,
        append::an_append_to_several_streams_is_refused_whole,
        positions::a_refused_append_leaves_no_gap;
    ReversesEvents:
        append::an_append_is_read_back_in_order,
        append::an_append_lies_in_the_log_in_the_order_of_its_writes,
        limits::an_append_has_a_most_of_events,
        limits::an_event_type_has_its_limits,
        log::rare_events_in_a_long_log_are_found,
        round_trip::additions_to_metadata_come_back,
        round_trip::causes_and_chains_come_back,
        round_trip::data_comes_back_to_the_byte,
        round_trip::event_ids_come_back,
        round_trip::event_types_come_back,
        round_trip::events_of_a_command_come_back,
        round_trip::long_data_comes_back_whole;
    StoresTheLastEventOnly:
        append::a_write_without_events_guards_the_others,
        append::an_answer_tells_version_position_and_count,
        append::an_append_is_read_back_in_order,
        append::an_append_lies_in_the_log_in_the_order_of_its_writes,
        append::an_append_to_several_streams_is_refused_whole,
        append::an_append_to_several_streams_is_stored_whole,
        append::an_append_without_events_tells_version_and_head,
        append::an_append_without_streams_tells_the_head,
        append::racing_appends_to_the_same_streams_do_not_mix,
        append::versions_count_from_one_over_appends,
        batch::a_batch_is_seen_whole_or_not_at_all,
        batch::a_refused_append_leaves_the_others,
        batch::an_append_without_events_sees_the_batch_before_it,
        batch::answers_are_in_the_order_of_the_batch,
        batch::appends_of_a_batch_can_be_chained,
        batch::earlier_events_of_the_batch_count,
        expected::expectations_are_checked_without_events,
        expected::expectations_of_a_missing_stream,
        expected::expectations_of_a_stream_with_events,
        limits::an_append_has_a_most_of_events,
        limits::an_append_writes_a_stream_once,
        limits::an_event_has_a_largest_size,
        limits::an_event_type_has_its_limits,
        live::readers_go_from_the_past_to_the_present,
        log::a_long_log_is_read_in_pages,
        log::a_page_begins_after_a_position,
        log::rare_events_in_a_long_log_are_found,
        others::a_stale_handle_is_refused,
        others::closing_keeps_what_was_acknowledged,
        others::positions_are_dense_while_two_handles_write,
        others::receipts_hold_between_handles,
        positions::everything_below_the_head_can_be_read,
        positions::nothing_appears_behind_a_reader,
        positions::positions_are_dense_over_streams,
        reading::a_stream_is_read_backward,
        reading::a_stream_is_read_forward,
        reading::a_stream_is_read_in_pages,
        reading::beyond_its_end_a_stream_is_whole_backward_only,
        reading::from_zero_a_stream_is_whole_forward_only,
        reading::streams_with_like_names_never_mix,
        receipts::a_command_without_events_is_remembered,
        receipts::a_repeated_command_changes_nothing,
        receipts::a_repetition_in_the_same_batch_changes_nothing,
        receipts::one_of_racing_repetitions_takes_effect,
        receipts::the_id_alone_makes_a_repetition,
        restart::events_survive_a_restart,
        restart::expected_versions_hold_over_a_restart,
        restart::receipts_survive_a_restart,
        restart::restarts_neither_lose_nor_add,
        restart::waits_work_after_a_restart,
        round_trip::additions_to_metadata_come_back,
        round_trip::causes_and_chains_come_back,
        round_trip::data_comes_back_to_the_byte,
        round_trip::event_ids_come_back,
        round_trip::event_types_come_back,
        round_trip::events_of_a_command_come_back,
        round_trip::long_data_comes_back_whole,
        round_trip::times_come_back_to_the_microsecond,
        waiting::a_wait_for_the_past_ends_at_once,
        width::versions_and_positions_outgrow_sixteen_bits;
    ReversesWrites:
        append::an_append_lies_in_the_log_in_the_order_of_its_writes,
        limits::an_append_has_a_most_of_events;
    TellsVersionsReversed:
        append::a_write_without_events_guards_the_others,
        append::an_append_to_several_streams_is_stored_whole;
    TellsTheFirstPosition:
        append::an_answer_tells_version_position_and_count,
        append::an_append_to_several_streams_is_stored_whole,
        batch::an_append_without_events_sees_the_batch_before_it,
        batch::answers_are_in_the_order_of_the_batch,
        limits::an_append_has_a_most_of_events,
        limits::an_append_writes_a_stream_once,
        limits::an_event_has_a_largest_size,
        limits::an_event_type_has_its_limits,
        others::receipts_hold_between_handles,
        positions::positions_are_dense_over_streams,
        receipts::a_repetition_in_the_same_batch_changes_nothing,
        receipts::receipts_come_in_the_order_of_the_ids,
        restart::receipts_survive_a_restart;
    CountsStreamsForEvents:
        append::an_answer_tells_version_position_and_count,
        append::an_append_to_several_streams_is_stored_whole,
        append::an_append_without_events_tells_version_and_head,
        batch::answers_are_in_the_order_of_the_batch,
        limits::an_append_has_a_most_of_events,
        limits::an_event_type_has_its_limits,
        others::receipts_hold_between_handles,
        receipts::a_command_without_events_is_remembered,
        receipts::a_repetition_in_the_same_batch_changes_nothing,
        receipts::receipts_come_in_the_order_of_the_ids,
        restart::receipts_survive_a_restart;
    HasNoPositionWithoutEvents:
        append::an_append_without_events_tells_version_and_head,
        append::an_append_without_streams_tells_the_head,
        batch::an_append_without_events_sees_the_batch_before_it,
        receipts::a_command_without_events_is_remembered,
        restart::receipts_survive_a_restart;
    TellsTheHeadBeforeTheBatch:
        batch::an_append_without_events_sees_the_batch_before_it,
        receipts::a_command_without_events_is_remembered;
    HidesTheActualVersion:
        append::a_write_without_events_guards_the_others,
        append::an_append_to_several_streams_is_refused_whole,
        batch::earlier_events_of_the_batch_count,
        expected::a_stale_writer_is_refused,
        expected::expectations_are_checked_without_events,
        expected::expectations_of_a_stream_with_events,
        expected::one_of_racing_writers_wins,
        others::a_stale_handle_is_refused,
        others::one_of_racing_handles_wins,
        restart::expected_versions_hold_over_a_restart;
    StoresRefusedAppends:
        append::a_write_without_events_guards_the_others,
        append::an_append_to_several_streams_is_refused_whole,
        batch::a_refused_append_leaves_the_others,
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        batch::answers_are_in_the_order_of_the_batch,
        batch::earlier_events_of_the_batch_count,
        batch::refused_events_do_not_count,
        expected::a_stale_writer_is_refused,
        expected::expectations_of_a_missing_stream,
        expected::expectations_of_a_stream_with_events,
        expected::one_of_racing_writers_wins,
        others::a_stale_handle_is_refused,
        others::one_of_racing_handles_wins,
        positions::a_refused_append_leaves_no_gap,
        receipts::a_refused_append_leaves_no_receipt,
        restart::expected_versions_hold_over_a_restart,
        restart::receipts_survive_a_restart,
        restart::restarts_neither_lose_nor_add,
        waiting::nothing_new_wakes_nobody;
    StoresHalfOfARefusedAppend:
        append::a_write_without_events_guards_the_others,
        append::an_append_to_several_streams_is_refused_whole,
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        positions::a_refused_append_leaves_no_gap;
    LosesTheRestOfABatchAfterAConflict:
        batch::a_refused_append_leaves_the_others,
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        batch::answers_are_in_the_order_of_the_batch,
        batch::earlier_events_of_the_batch_count,
        batch::refused_events_do_not_count,
        limits::an_append_has_a_most_of_events,
        limits::an_append_writes_a_stream_once,
        limits::an_event_has_a_largest_size,
        limits::an_event_type_has_its_limits,
        limits::an_invalid_append_leaves_its_stream,
        receipts::a_refused_append_leaves_no_receipt;
    JudgesTheBatchAtItsBeginning:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        batch::an_append_without_events_sees_the_batch_before_it,
        batch::appends_of_a_batch_can_be_chained,
        batch::earlier_events_of_the_batch_count,
        receipts::a_repetition_in_the_same_batch_changes_nothing;
    CountsRefusedEvents:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        batch::earlier_events_of_the_batch_count,
        batch::refused_events_do_not_count,
        limits::an_invalid_append_leaves_its_stream,
        receipts::a_refused_append_leaves_no_receipt;
    AnswersInReverse:
        batch::a_refused_append_leaves_the_others,
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        batch::an_append_without_events_sees_the_batch_before_it,
        batch::answers_are_in_the_order_of_the_batch,
        batch::appends_of_a_batch_can_be_chained,
        batch::earlier_events_of_the_batch_count,
        batch::refused_events_do_not_count,
        limits::an_append_has_a_most_of_events,
        limits::an_append_writes_a_stream_once,
        limits::an_event_has_a_largest_size,
        limits::an_event_type_has_its_limits,
        limits::an_invalid_append_leaves_its_stream,
        receipts::a_refused_append_leaves_no_receipt,
        receipts::a_repetition_in_the_same_batch_changes_nothing;
    FailsAtAnEmptyBatch: batch::an_empty_batch_has_no_answers;
    CommitsABatchInPieces:
        batch::a_batch_is_seen_whole_or_not_at_all,
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on;
    JudgesBeforeItsTurn:
        batch::earlier_events_of_the_batch_count,
        expected::one_of_racing_writers_wins,
        others::one_of_racing_handles_wins;
    WritesStreamByStream:
        append::racing_appends_to_the_same_streams_do_not_mix,
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on;
    EmptyWritesMakeStreams:
        batch::an_append_falls_with_the_duplicate_that_it_rests_on,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        expected::a_write_without_events_makes_no_stream,
        expected::expectations_are_checked_without_events,
        expected::expectations_of_a_missing_stream;
}
