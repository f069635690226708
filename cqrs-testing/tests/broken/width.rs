//! Stores whose numbers are too narrow.

use crate::breach::*;
use crate::proofs::proofs;
use crate::shapes::{appends, reads, reads_log};
use crate::trick::version;

/// What a column of 16 bits keeps of a number.
fn narrow(number: u64) -> u64 {
    number & u64::from(u16::MAX)
}

appends! {
    /// Tells versions of 16 bits.
    TellsNarrowVersions: store, batch => {
        let mut answers = store.append(batch).await?;
        for version in answers.iter_mut().flatten().flat_map(|appended| &mut appended.versions) {
            *version = Version::new(narrow(version.as_u64()));
        }
        Ok(answers)
    }
    /// Compares 16 bits of the expected version.
    ComparesNarrowVersions: store, batch => {
        for write in batch.iter_mut().flat_map(|append| &mut append.writes) {
            let actual = version(store, &write.stream).await?;
            if let ExpectedVersion::Exact(expected) = &mut write.expected
                && narrow(expected.as_u64()) == narrow(actual.as_u64())
            {
                *expected = actual;
            }
        }
        store.append(batch).await
    }
    /// Has no room for an event after the one with version 65,535.
    EndsAStreamAtSixteenBits: store, batch => {
        for write in batch.iter().flat_map(|append| &append.writes) {
            let after = version(store, &write.stream).await?.plus(write.events.len() as u64);
            if after.as_u64() > u64::from(u16::MAX) {
                return Err(StoreError::backend("append", "the version does not fit"));
            }
        }
        store.append(batch).await
    }
}

reads! {
    /// Reads versions of 16 bits.
    ReadsNarrowVersions: store, stream, read => {
        let mut events = store.read_stream(stream, read).await?;
        events.iter_mut().for_each(|event| event.version = Version::new(narrow(event.version.as_u64())));
        Ok(events)
    }
}

reads_log! {
    /// Reads positions of 16 bits.
    ReadsNarrowPositions: store, after, filter, limit => {
        let mut page = store.read_log(after, filter, limit).await?;
        for event in &mut page.events {
            event.position = Position::new(narrow(event.position.as_u64()));
        }
        Ok(page)
    }
}

/// Tells a head of 16 bits.
#[derive(Default)]
struct TellsANarrowHead;

#[async_trait::async_trait]
impl Breach for TellsANarrowHead {
    async fn head(&self, store: &MemoryStore) -> Result<Position, StoreError> {
        Ok(Position::new(narrow(store.head().await?.as_u64())))
    }
}

proofs! {
    TellsNarrowVersions: width::versions_and_positions_outgrow_sixteen_bits;
    ComparesNarrowVersions: width::versions_and_positions_outgrow_sixteen_bits;
    EndsAStreamAtSixteenBits: width::versions_and_positions_outgrow_sixteen_bits;
    ReadsNarrowVersions: width::versions_and_positions_outgrow_sixteen_bits;
    ReadsNarrowPositions: width::versions_and_positions_outgrow_sixteen_bits;
    TellsANarrowHead: width::versions_and_positions_outgrow_sixteen_bits;
}
