//! Snapshots: one row for each stream that has one.

use async_trait::async_trait;
use cqrs_core::{Json, Snapshot, SnapshotStore, StoreError, StreamId, Version};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::PostgresStore;
use crate::error::corrupt;
use crate::read::{clamp, natural};

const SNAPSHOT: &str = include_str!("sql/snapshot.sql");
const SAVE: &str = include_str!("sql/save_snapshot.sql");

#[async_trait]
impl SnapshotStore for PostgresStore {
    async fn snapshot(&self, stream: &StreamId) -> Result<Option<Snapshot>, StoreError> {
        let statement = || sqlx::query(SNAPSHOT).bind(stream.as_str());
        let rows = self.database().read("read a snapshot", statement).await?;
        let read = rows.first().map(|row| snapshot(stream, row));
        read.transpose().map_err(|error| corrupt(format!("the snapshot of stream {stream}: {error}")))
    }

    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<bool, StoreError> {
        let Snapshot { stream, version, schema_version, state } = snapshot;
        let statement = sqlx::query(SAVE)
            .bind(stream.as_str())
            .bind(clamp(version.as_u64()))
            .bind(i64::from(schema_version))
            .bind(state.as_str());
        let (_, kept) = self.database().write("save a snapshot", statement).await?;
        Ok(kept > 0)
    }
}

fn snapshot(stream: &StreamId, row: &PgRow) -> Result<Snapshot, sqlx::Error> {
    let decoding = |error: serde_json::Error| sqlx::Error::Decode(error.into());
    let schema_version = u32::try_from(natural(row, 1)?);
    Ok(Snapshot {
        stream: stream.clone(),
        version: Version::new(natural(row, 0)?),
        schema_version: schema_version.map_err(|error| sqlx::Error::Decode(error.into()))?,
        state: Json::parse(row.try_get::<String, _>(2)?).map_err(decoding)?,
    })
}
