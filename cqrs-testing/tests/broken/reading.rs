//! Stores that break the reading of streams and of the log.

use crate::breach::*;
use crate::proofs::proofs;
use crate::shapes::{reads, reads_log};

fn moved(number: u64, by: i64) -> u64 {
    number.saturating_add_signed(by)
}

reads! {
    /// Reads backward from old to new.
    ReadsBackwardAsForward: store, stream, read => {
        let mut events = store.read_stream(stream, read).await?;
        events.sort_by_key(|event| event.version);
        Ok(events)
    }
    /// Begins a page after the version that was asked for.
    BeginsAStreamLate: store, stream, read => {
        let from = match read.direction {
            Direction::Forward => moved(read.from.as_u64(), 1),
            Direction::Backward => moved(read.from.as_u64(), -1),
        };
        store.read_stream(stream, StreamRead { from: Version::new(from), ..read }).await
    }
    /// Reads a stream to its end.
    IgnoresTheLimit: store, stream, read => {
        store.read_stream(stream, StreamRead { limit: usize::MAX, ..read }).await
    }
    /// Takes a limit of zero for none.
    TakesZeroForAllOfAStream: store, stream, read => {
        let limit = if read.limit == 0 { usize::MAX } else { read.limit };
        store.read_stream(stream, StreamRead { limit, ..read }).await
    }
    /// Finds nothing backward from beyond the end.
    ReadsNothingFromBeyondTheEnd: store, stream, read => {
        let all = store.read_stream(stream, StreamRead::forward(Version::new(0), usize::MAX)).await?;
        if read.direction == Direction::Backward && all.len() < read.from.as_u64() as usize {
            return Ok(vec![]);
        }
        store.read_stream(stream, read).await
    }
    /// Reads backward from zero as if from the end.
    TakesZeroForTheEnd: store, stream, read => {
        let zero = read.from == Version::new(0) && read.direction == Direction::Backward;
        let from = if zero { Version::new(u64::MAX) } else { read.from };
        store.read_stream(stream, StreamRead { from, ..read }).await
    }
    /// Fails at a stream that nobody has written.
    FailsAtMissingStreams: store, stream, read => {
        if store.read_stream(stream, StreamRead::forward(Version::new(0), 1)).await?.is_empty() {
            return Err(StoreError::Corrupt { what: format!("no stream {stream}") });
        }
        store.read_stream(stream, read).await
    }
    /// Reads streams whose names begin with that of the stream too.
    MixesStreamsByPrefix: store, stream, read => {
        let all = store.read_log(Position::ZERO, &EventFilter::all(), usize::MAX).await?.events;
        let mut events = store.read_stream(stream, read).await?;
        let like = |event: &RecordedEvent| {
            event.stream != *stream && event.stream.to_string().starts_with(&stream.to_string())
        };
        events.extend(all.into_iter().filter(like));
        Ok(events)
    }
    /// Tells a stream's versions for the positions of its events.
    TakesVersionsForPositions: store, stream, read => {
        let mut events = store.read_stream(stream, read).await?;
        events.iter_mut().for_each(|event| event.position = Position::new(event.version.as_u64()));
        Ok(events)
    }
}

/// A filter with some of another one's parts.
fn parts(of: &EventFilter, categories: bool, types: bool, streams: bool) -> EventFilter {
    let mut filter = EventFilter::all();
    if let (true, Some(wanted)) = (categories, of.wanted_categories()) {
        filter = EventFilter::categories_of(wanted.iter().map(String::as_str));
    }
    if let (true, Some(wanted)) = (types, of.wanted_event_types()) {
        filter = filter.and_event_types(wanted.iter().map(String::as_str));
    }
    if let (true, Some(wanted)) = (streams, of.wanted_streams()) {
        filter = filter.and_streams(wanted.iter().cloned());
    }
    filter
}

reads_log! {
    /// Begins a page of the log at the position that was asked for.
    BeginsTheLogAtThePosition: store, after, filter, limit => {
        let page = store.read_log(Position::new(moved(after.as_u64(), -1)), filter, limit).await?;
        Ok(LogPage { scanned_to: page.scanned_to.max(after), ..page })
    }
    /// Passes over the event after the position.
    BeginsTheLogLate: store, after, filter, limit => {
        let page = store.read_log(Position::new(moved(after.as_u64(), 1)), filter, limit).await?;
        Ok(page)
    }
    /// Reads the log to its end.
    IgnoresTheLimitOfTheLog: store, after, filter, limit => {
        store.read_log(after, filter, limit.max(1_000_000)).await
    }
    /// Takes a limit of zero for none.
    TakesZeroForAllOfTheLog: store, after, filter, limit => {
        store.read_log(after, filter, if limit == 0 { 1_000_000 } else { limit }).await
    }
    /// Cuts a page at 1000 events, and says that it scanned them all.
    CutsPagesAt1000: store, after, filter, limit => {
        let mut page = store.read_log(after, filter, limit).await?;
        page.events.truncate(1_000);
        Ok(page)
    }
    /// Says that it has come nowhere when nothing matched.
    FilterStopsWithoutProgress: store, after, filter, limit => {
        let mut page = store.read_log(after, filter, limit).await?;
        if page.events.is_empty() {
            page.scanned_to = after;
        }
        Ok(page)
    }
    /// Says that it has come further than the head.
    ScansBeyondTheHead: store, after, filter, limit => {
        let mut page = store.read_log(after, filter, limit).await?;
        if page.events.is_empty() && limit > 0 {
            page.scanned_to = Position::new(moved(page.scanned_to.as_u64(), 1));
        }
        Ok(page)
    }
    /// Leads back to the head from beyond it.
    LeadsBackToTheHead: store, after, filter, limit => {
        let page = store.read_log(after, filter, limit).await?;
        Ok(LogPage { scanned_to: page.scanned_to.min(store.head().await?), ..page })
    }
    /// Reads all categories.
    IgnoresCategories: store, after, filter, limit => {
        store.read_log(after, &parts(filter, false, true, true), limit).await
    }
    /// Reads all event types.
    IgnoresEventTypes: store, after, filter, limit => {
        store.read_log(after, &parts(filter, true, false, true), limit).await
    }
    /// Reads all streams.
    IgnoresStreams: store, after, filter, limit => {
        store.read_log(after, &parts(filter, true, true, false), limit).await
    }
    /// Takes an empty list for no list.
    TakesEmptyListsForAll: store, after, filter, limit => {
        let categories = filter.wanted_categories().is_none_or(|list| !list.is_empty());
        let types = filter.wanted_event_types().is_none_or(|list| !list.is_empty());
        let streams = filter.wanted_streams().is_none_or(|list| !list.is_empty());
        store.read_log(after, &parts(filter, categories, types, streams), limit).await
    }
    /// Does not know the event at the head yet.
    LagsBehindTheHead: store, after, filter, limit => {
        let mut page = store.read_log(after, filter, limit).await?;
        let head = store.head().await?;
        if page.scanned_to == head && head > after {
            page.events.retain(|event| event.position < head);
            page.scanned_to = Position::new(moved(head.as_u64(), -1));
        }
        Ok(page)
    }
}

/// Shows the newest event only to those who come back: positions are assigned before the commit.
#[derive(Default)]
struct ShowsPositionsOutOfOrder(std::sync::Mutex<std::collections::HashSet<Position>>);

#[async_trait::async_trait]
impl Breach for ShowsPositionsOutOfOrder {
    async fn read_log(
        &self,
        store: &MemoryStore,
        after: Position,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        let mut page = store.read_log(after, filter, limit).await?;
        let newest = moved(store.head().await?.as_u64(), -1);
        let mut seen = self.0.lock().unwrap();
        page.events.retain(|event| event.position.as_u64() != newest || !seen.insert(event.position));
        Ok(page)
    }
}

/// Says that the head lies one position further.
#[derive(Default)]
struct HeadRunsAhead;

#[async_trait::async_trait]
impl Breach for HeadRunsAhead {
    async fn head(&self, store: &MemoryStore) -> Result<Position, StoreError> {
        Ok(Position::new(moved(store.head().await?.as_u64(), 1)))
    }
}

proofs! {
    ReadsBackwardAsForward:
        reading::a_stream_is_read_backward,
        reading::a_stream_is_read_in_pages,
        reading::beyond_its_end_a_stream_is_whole_backward_only,
        round_trip::additions_to_metadata_come_back,
        round_trip::causes_and_chains_come_back,
        round_trip::data_comes_back_to_the_byte,
        round_trip::event_ids_come_back,
        round_trip::event_types_come_back,
        round_trip::events_of_a_command_come_back,
        round_trip::long_data_comes_back_whole;
    BeginsAStreamLate:
        append::a_write_without_events_guards_the_others,
        append::an_append_is_read_back_in_order,
        append::an_append_to_several_streams_is_stored_whole,
        append::racing_appends_to_the_same_streams_do_not_mix,
        append::versions_count_from_one_over_appends,
        batch::a_refused_append_leaves_the_others,
        batch::an_append_falls_with_the_one_that_it_rests_on,
        batch::appends_of_a_batch_can_be_chained,
        expected::a_stale_writer_is_refused,
        expected::one_of_racing_writers_wins,
        limits::an_invalid_append_leaves_its_stream,
        others::another_handle_reads_what_was_acknowledged,
        others::closing_keeps_what_was_acknowledged,
        positions::a_stream_and_the_log_agree,
        reading::a_stream_is_read_backward,
        reading::a_stream_is_read_forward,
        reading::a_stream_is_read_in_pages,
        reading::streams_with_like_names_never_mix,
        restart::events_survive_a_restart,
        round_trip::additions_to_metadata_come_back,
        round_trip::causes_and_chains_come_back,
        round_trip::data_comes_back_to_the_byte,
        round_trip::event_ids_come_back,
        round_trip::event_types_come_back,
        round_trip::events_of_a_command_come_back,
        round_trip::long_data_comes_back_whole,
        round_trip::times_come_back_to_the_microsecond;
    IgnoresTheLimit:
        reading::a_page_of_no_events_is_empty,
        reading::a_stream_is_read_in_pages,
        reading::beyond_its_end_a_stream_is_whole_backward_only,
        reading::from_zero_a_stream_is_whole_forward_only;
    TakesZeroForAllOfAStream: reading::a_page_of_no_events_is_empty;
    ReadsNothingFromBeyondTheEnd:
        reading::beyond_its_end_a_stream_is_whole_backward_only,
        round_trip::additions_to_metadata_come_back,
        round_trip::causes_and_chains_come_back,
        round_trip::data_comes_back_to_the_byte,
        round_trip::event_ids_come_back,
        round_trip::event_types_come_back,
        round_trip::events_of_a_command_come_back,
        round_trip::long_data_comes_back_whole;
    TakesZeroForTheEnd: reading::from_zero_a_stream_is_whole_forward_only;
    FailsAtMissingStreams:
        append::a_write_without_events_guards_the_others,
        append::an_append_to_several_streams_is_refused_whole,
        batch::a_refused_append_leaves_the_others,
        reading::a_missing_stream_reads_as_empty;
    MixesStreamsByPrefix:
        others::closing_keeps_what_was_acknowledged,
        reading::streams_with_like_names_never_mix;
    TakesVersionsForPositions: positions::a_stream_and_the_log_agree, restart::events_survive_a_restart;
    BeginsTheLogAtThePosition:
        append::an_append_lies_in_the_log_in_the_order_of_its_writes,
        append::an_append_to_several_streams_is_refused_whole,
        append::an_append_without_events_tells_version_and_head,
        append::racing_appends_to_the_same_streams_do_not_mix,
        batch::a_batch_is_seen_whole_or_not_at_all,
        batch::a_refused_append_leaves_the_others,
        expected::expectations_are_checked_without_events,
        expected::expectations_of_a_missing_stream,
        expected::expectations_of_a_stream_with_events,
        limits::an_append_has_a_most_of_events,
        limits::an_append_writes_a_stream_once,
        limits::an_event_has_a_largest_size,
        limits::an_event_type_has_its_limits,
        live::readers_go_from_the_past_to_the_present,
        log::a_long_log_is_read_in_pages,
        log::a_page_at_the_head_does_not_move,
        log::a_page_begins_after_a_position,
        log::all_parts_of_a_filter_must_hold,
        log::an_empty_list_matches_nothing,
        log::rare_events_in_a_long_log_are_found,
        log::the_log_is_filtered_by_category,
        log::the_log_is_filtered_by_event_type,
        log::the_log_is_filtered_by_stream,
        others::another_handle_reads_what_was_acknowledged,
        others::closing_leaves_other_handles_open,
        others::positions_are_dense_while_two_handles_write,
        others::receipts_hold_between_handles,
        positions::a_refused_append_leaves_no_gap,
        positions::a_stream_and_the_log_agree,
        positions::nothing_appears_behind_a_reader,
        positions::positions_are_dense_over_streams,
        receipts::a_command_without_events_is_remembered,
        receipts::a_repeated_command_changes_nothing,
        receipts::a_repetition_in_the_same_batch_changes_nothing,
        receipts::one_of_racing_repetitions_takes_effect,
        receipts::the_id_alone_makes_a_repetition,
        restart::receipts_survive_a_restart,
        restart::restarts_neither_lose_nor_add,
        round_trip::additions_to_metadata_come_back,
        round_trip::causes_and_chains_come_back,
        round_trip::data_comes_back_to_the_byte,
        round_trip::event_ids_come_back,
        round_trip::event_types_come_back,
        round_trip::events_of_a_command_come_back,
        round_trip::long_data_comes_back_whole,
        round_trip::stream_names_come_back,
        waiting::a_dropped_wait_disturbs_nobody;
    BeginsTheLogLate:
        append::an_append_lies_in_the_log_in_the_order_of_its_writes,
        append::an_append_to_several_streams_is_refused_whole,
        append::an_append_without_events_tells_version_and_head,
        append::racing_appends_to_the_same_streams_do_not_mix,
        batch::a_batch_is_seen_whole_or_not_at_all,
        batch::a_refused_append_leaves_the_others,
        expected::expectations_are_checked_without_events,
        expected::expectations_of_a_missing_stream,
        expected::expectations_of_a_stream_with_events,
        limits::an_append_has_a_most_of_events,
        limits::an_append_writes_a_stream_once,
        limits::an_event_has_a_largest_size,
        limits::an_event_type_has_its_limits,
        live::readers_go_from_the_past_to_the_present,
        log::a_long_log_is_read_in_pages,
        log::a_page_at_the_head_does_not_move,
        log::a_page_begins_after_a_position,
        log::a_page_keeps_its_limit,
        log::a_page_of_no_events_passes_over_none,
        log::all_parts_of_a_filter_must_hold,
        log::an_empty_list_matches_nothing,
        log::rare_events_in_a_long_log_are_found,
        log::the_log_is_filtered_by_category,
        log::the_log_is_filtered_by_event_type,
        log::the_log_is_filtered_by_stream,
        others::another_handle_reads_what_was_acknowledged,
        others::closing_leaves_other_handles_open,
        others::positions_are_dense_while_two_handles_write,
        others::receipts_hold_between_handles,
        positions::a_refused_append_leaves_no_gap,
        positions::a_stream_and_the_log_agree,
        positions::an_empty_store_has_its_head_at_zero,
        positions::nothing_appears_behind_a_reader,
        positions::positions_are_dense_over_streams,
        receipts::a_command_without_events_is_remembered,
        receipts::a_repeated_command_changes_nothing,
        receipts::a_repetition_in_the_same_batch_changes_nothing,
        receipts::one_of_racing_repetitions_takes_effect,
        receipts::the_id_alone_makes_a_repetition,
        restart::events_survive_a_restart,
        restart::receipts_survive_a_restart,
        restart::restarts_neither_lose_nor_add,
        round_trip::additions_to_metadata_come_back,
        round_trip::causes_and_chains_come_back,
        round_trip::data_comes_back_to_the_byte,
        round_trip::event_ids_come_back,
        round_trip::event_types_come_back,
        round_trip::events_of_a_command_come_back,
        round_trip::long_data_comes_back_whole,
        round_trip::stream_names_come_back,
        waiting::a_dropped_wait_disturbs_nobody;
    IgnoresTheLimitOfTheLog:
        batch::a_batch_is_seen_whole_or_not_at_all,
        limits::an_append_has_a_most_of_events,
        live::readers_go_from_the_past_to_the_present,
        log::a_long_log_is_read_in_pages,
        log::a_page_keeps_its_limit,
        log::a_page_of_no_events_passes_over_none,
        log::all_parts_of_a_filter_must_hold,
        log::rare_events_in_a_long_log_are_found,
        log::the_log_is_filtered_by_category,
        log::the_log_is_filtered_by_event_type,
        log::the_log_is_filtered_by_stream,
        others::positions_are_dense_while_two_handles_write,
        positions::nothing_appears_behind_a_reader,
        restart::restarts_neither_lose_nor_add;
    TakesZeroForAllOfTheLog: log::a_page_of_no_events_passes_over_none;
    CutsPagesAt1000: log::a_long_log_is_read_in_pages;
    FilterStopsWithoutProgress:
        live::readers_go_from_the_past_to_the_present,
        log::a_filter_that_matches_nothing_reaches_the_head;
    ScansBeyondTheHead:
        append::an_append_lies_in_the_log_in_the_order_of_its_writes,
        append::an_append_to_several_streams_is_refused_whole,
        append::an_append_without_events_tells_version_and_head,
        append::racing_appends_to_the_same_streams_do_not_mix,
        batch::a_batch_is_seen_whole_or_not_at_all,
        batch::a_refused_append_leaves_the_others,
        expected::expectations_are_checked_without_events,
        expected::expectations_of_a_missing_stream,
        expected::expectations_of_a_stream_with_events,
        limits::an_append_has_a_most_of_events,
        limits::an_append_writes_a_stream_once,
        limits::an_event_has_a_largest_size,
        limits::an_event_type_has_its_limits,
        live::readers_go_from_the_past_to_the_present,
        log::a_filter_that_matches_nothing_reaches_the_head,
        log::a_long_log_is_read_in_pages,
        log::a_page_at_the_head_does_not_move,
        log::all_parts_of_a_filter_must_hold,
        log::an_empty_list_matches_nothing,
        log::rare_events_in_a_long_log_are_found,
        log::the_log_is_filtered_by_category,
        log::the_log_is_filtered_by_event_type,
        log::the_log_is_filtered_by_stream,
        others::another_handle_reads_what_was_acknowledged,
        others::closing_leaves_other_handles_open,
        others::positions_are_dense_while_two_handles_write,
        others::receipts_hold_between_handles,
        positions::a_refused_append_leaves_no_gap,
        positions::a_stream_and_the_log_agree,
        positions::an_empty_store_has_its_head_at_zero,
        positions::nothing_appears_behind_a_reader,
        positions::positions_are_dense_over_streams,
        receipts::a_command_without_events_is_remembered,
        receipts::a_repeated_command_changes_nothing,
        receipts::a_repetition_in_the_same_batch_changes_nothing,
        receipts::one_of_racing_repetitions_takes_effect,
        receipts::the_id_alone_makes_a_repetition,
        restart::receipts_survive_a_restart,
        restart::restarts_neither_lose_nor_add,
        round_trip::additions_to_metadata_come_back,
        round_trip::causes_and_chains_come_back,
        round_trip::data_comes_back_to_the_byte,
        round_trip::event_ids_come_back,
        round_trip::event_types_come_back,
        round_trip::events_of_a_command_come_back,
        round_trip::long_data_comes_back_whole,
        round_trip::stream_names_come_back,
        waiting::a_dropped_wait_disturbs_nobody;
    LeadsBackToTheHead: log::a_page_at_the_head_does_not_move;
    IgnoresCategories:
        live::readers_go_from_the_past_to_the_present,
        log::a_filter_that_matches_nothing_reaches_the_head,
        log::all_parts_of_a_filter_must_hold,
        log::an_empty_list_matches_nothing,
        log::rare_events_in_a_long_log_are_found,
        log::the_log_is_filtered_by_category,
        restart::restarts_neither_lose_nor_add;
    IgnoresEventTypes:
        log::a_filter_that_matches_nothing_reaches_the_head,
        log::all_parts_of_a_filter_must_hold,
        log::an_empty_list_matches_nothing,
        log::rare_events_in_a_long_log_are_found,
        log::the_log_is_filtered_by_event_type,
        restart::restarts_neither_lose_nor_add;
    IgnoresStreams:
        log::a_filter_that_matches_nothing_reaches_the_head,
        log::all_parts_of_a_filter_must_hold,
        log::an_empty_list_matches_nothing,
        log::the_log_is_filtered_by_stream;
    TakesEmptyListsForAll: log::an_empty_list_matches_nothing;
    ShowsPositionsOutOfOrder:
        append::an_append_lies_in_the_log_in_the_order_of_its_writes,
        append::an_append_to_several_streams_is_refused_whole,
        append::an_append_without_events_tells_version_and_head,
        append::racing_appends_to_the_same_streams_do_not_mix,
        batch::a_batch_is_seen_whole_or_not_at_all,
        batch::a_refused_append_leaves_the_others,
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
        log::a_page_keeps_its_limit,
        log::rare_events_in_a_long_log_are_found,
        log::the_log_is_filtered_by_category,
        log::the_log_is_filtered_by_event_type,
        others::another_handle_reads_what_was_acknowledged,
        others::closing_leaves_other_handles_open,
        others::positions_are_dense_while_two_handles_write,
        others::receipts_hold_between_handles,
        positions::a_refused_append_leaves_no_gap,
        positions::a_stream_and_the_log_agree,
        positions::nothing_appears_behind_a_reader,
        positions::positions_are_dense_over_streams,
        receipts::a_command_without_events_is_remembered,
        receipts::a_repeated_command_changes_nothing,
        receipts::a_repetition_in_the_same_batch_changes_nothing,
        receipts::one_of_racing_repetitions_takes_effect,
        receipts::the_id_alone_makes_a_repetition,
        restart::events_survive_a_restart,
        restart::receipts_survive_a_restart,
        restart::restarts_neither_lose_nor_add,
        round_trip::additions_to_metadata_come_back,
        round_trip::causes_and_chains_come_back,
        round_trip::data_comes_back_to_the_byte,
        round_trip::event_ids_come_back,
        round_trip::event_types_come_back,
        round_trip::events_of_a_command_come_back,
        round_trip::long_data_comes_back_whole,
        round_trip::stream_names_come_back;
    LagsBehindTheHead:
        append::an_append_lies_in_the_log_in_the_order_of_its_writes,
        append::an_append_to_several_streams_is_refused_whole,
        append::an_append_without_events_tells_version_and_head,
        append::racing_appends_to_the_same_streams_do_not_mix,
        batch::a_batch_is_seen_whole_or_not_at_all,
        batch::a_refused_append_leaves_the_others,
        expected::expectations_are_checked_without_events,
        expected::expectations_of_a_missing_stream,
        expected::expectations_of_a_stream_with_events,
        limits::an_append_has_a_most_of_events,
        limits::an_append_writes_a_stream_once,
        limits::an_event_has_a_largest_size,
        limits::an_event_type_has_its_limits,
        live::readers_go_from_the_past_to_the_present,
        log::a_filter_that_matches_nothing_reaches_the_head,
        log::a_long_log_is_read_in_pages,
        log::a_page_begins_after_a_position,
        log::rare_events_in_a_long_log_are_found,
        others::closing_leaves_other_handles_open,
        others::positions_are_dense_while_two_handles_write,
        others::receipts_hold_between_handles,
        positions::a_refused_append_leaves_no_gap,
        positions::a_stream_and_the_log_agree,
        positions::everything_below_the_head_can_be_read,
        positions::nothing_appears_behind_a_reader,
        positions::positions_are_dense_over_streams,
        receipts::a_command_without_events_is_remembered,
        receipts::a_repeated_command_changes_nothing,
        receipts::a_repetition_in_the_same_batch_changes_nothing,
        receipts::one_of_racing_repetitions_takes_effect,
        receipts::the_id_alone_makes_a_repetition,
        restart::events_survive_a_restart,
        restart::receipts_survive_a_restart,
        restart::restarts_neither_lose_nor_add,
        round_trip::additions_to_metadata_come_back,
        round_trip::causes_and_chains_come_back,
        round_trip::data_comes_back_to_the_byte,
        round_trip::event_ids_come_back,
        round_trip::event_types_come_back,
        round_trip::events_of_a_command_come_back,
        round_trip::long_data_comes_back_whole,
        round_trip::stream_names_come_back,
        waiting::a_dropped_wait_disturbs_nobody;
    HeadRunsAhead:
        append::an_append_without_streams_tells_the_head,
        batch::a_batch_is_seen_whole_or_not_at_all,
        batch::an_empty_batch_has_no_answers,
        live::readers_go_from_the_past_to_the_present,
        log::a_filter_that_matches_nothing_reaches_the_head,
        log::a_long_log_is_read_in_pages,
        others::another_handle_reads_what_was_acknowledged,
        others::positions_are_dense_while_two_handles_write,
        positions::an_empty_store_has_its_head_at_zero,
        positions::everything_below_the_head_can_be_read,
        positions::nothing_appears_behind_a_reader,
        positions::positions_are_dense_over_streams,
        restart::events_survive_a_restart;
}
