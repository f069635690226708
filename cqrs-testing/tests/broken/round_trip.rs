//! Stores that do not give back what was written.

use crate::breach::*;
use crate::proofs::proofs;
use crate::shapes::{changes_appends, changes_events};

changes_events! {
    /// Loses the character U+0000.
    DropsNuls: event => { event.data = changed(&event.data, |text| text.replace("\\u0000", "")); }
    /// Loses what is not ASCII.
    DropsUnicode: event => {
        event.data = changed(&event.data, |text| text.chars().filter(char::is_ascii).collect());
    }
    /// Keeps JSON by its meaning, not by its text.
    RewritesData: event => {
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(event.data.as_str()) {
            event.data = Json::of(&value).unwrap();
        }
    }
    /// Has a column of 65536 bytes for data.
    LosesLongData: event => {
        if (65_536..1_000_000).contains(&event.data.as_str().len()) {
            event.data = Json::parse("null").unwrap();
        }
    }
    /// Keeps event types in small letters.
    FoldsTheCaseOfTypes: event => { event.event_type = event.event_type.to_lowercase().into(); }
    /// Gives events ids of its own when theirs look like none.
    ReplacesTheNilId: event => {
        if event.id.as_uuid().is_nil() {
            event.id = EventId::new(uuid::Uuid::max());
        }
    }
    /// Keeps causation and correlation and nothing else of metadata.
    LosesMetadata: event => { event.metadata.extra.clear(); }
    /// Takes the event's command for its cause when none was given.
    InventsCauses: event => { event.metadata.causation_id.get_or_insert(event.id.command(0).into()); }
    /// Takes the cause for the chain.
    LosesChains: event => { event.metadata.correlation_id = None; }
}

changes_appends! {
    /// Keeps times to the millisecond.
    RoundsTimesToMilliseconds: append => {
        append.recorded_at = Timestamp::from_micros(append.recorded_at.as_micros() / 1_000 * 1_000);
    }
    /// Has a column of 100 characters for names of streams.
    CutsStreamNames: append => {
        for write in &mut append.writes {
            let key: String = write.stream.key().chars().take(100).collect();
            write.stream = StreamId::new(write.stream.category(), &key).unwrap();
        }
    }
}

fn changed(data: &Json, change: fn(&str) -> String) -> Json {
    Json::parse(change(data.as_str())).unwrap_or_else(|_| data.clone())
}

proofs! {
    DropsNuls: round_trip::data_comes_back_to_the_byte, round_trip::long_data_comes_back_whole;
    DropsUnicode: round_trip::data_comes_back_to_the_byte, round_trip::long_data_comes_back_whole;
    RewritesData: round_trip::data_comes_back_to_the_byte;
    LosesLongData: limits::an_event_has_a_largest_size, round_trip::long_data_comes_back_whole;
    FoldsTheCaseOfTypes:
        limits::an_append_has_a_most_of_events,
        limits::an_event_has_a_largest_size,
        log::rare_events_in_a_long_log_are_found,
        round_trip::additions_to_metadata_come_back,
        round_trip::causes_and_chains_come_back,
        round_trip::data_comes_back_to_the_byte,
        round_trip::event_ids_come_back,
        round_trip::event_types_come_back,
        round_trip::events_of_a_command_come_back,
        round_trip::long_data_comes_back_whole;
    ReplacesTheNilId: round_trip::event_ids_come_back;
    LosesMetadata: limits::an_event_has_a_largest_size, round_trip::additions_to_metadata_come_back;
    InventsCauses:
        limits::an_append_has_a_most_of_events,
        limits::an_event_has_a_largest_size,
        limits::an_event_type_has_its_limits,
        round_trip::additions_to_metadata_come_back,
        round_trip::causes_and_chains_come_back,
        round_trip::data_comes_back_to_the_byte,
        round_trip::event_ids_come_back,
        round_trip::event_types_come_back,
        round_trip::long_data_comes_back_whole;
    LosesChains:
        round_trip::additions_to_metadata_come_back,
        round_trip::causes_and_chains_come_back,
        round_trip::events_of_a_command_come_back;
    RoundsTimesToMilliseconds:
        round_trip::additions_to_metadata_come_back,
        round_trip::causes_and_chains_come_back,
        round_trip::data_comes_back_to_the_byte,
        round_trip::event_ids_come_back,
        round_trip::event_types_come_back,
        round_trip::events_of_a_command_come_back,
        round_trip::long_data_comes_back_whole,
        round_trip::times_come_back_to_the_microsecond;
    CutsStreamNames: round_trip::stream_names_come_back;
}
