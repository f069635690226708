//! Leases: one row for each that somebody has, or had when he died.

use async_trait::async_trait;
use cqrs_core::{Lease, LeaseStore, StoreError, Timestamp};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::PostgresStore;
use crate::error::corrupt;

const HELD: &str = include_str!("sql/leases.sql");
const LEASE: &str = include_str!("sql/lease.sql");
const ACQUIRE: &str = include_str!("sql/lease_acquire.sql");
const RELEASE: &str = include_str!("sql/lease_release.sql");

#[async_trait]
impl LeaseStore for PostgresStore {
    async fn acquire_lease(
        &self,
        lease: &str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        let statement =
            sqlx::query(ACQUIRE).bind(lease).bind(holder).bind(now.as_micros()).bind(until.as_micros());
        let (_, taken) = self.database().write("acquire a lease", statement).await?;
        if taken > 0 {
            return Ok(Lease::Held);
        }
        let rows = self.database().read("read a lease", || sqlx::query(LEASE).bind(lease)).await?;
        let held = rows.first().map(held).transpose();
        let held = held.map_err(|error| corrupt(format!("the lease {lease}: {error}")))?;
        // One who has given it back already need not be named.
        Ok(held.unwrap_or(Lease::HeldBy { holder: Uuid::nil(), until: now }))
    }

    async fn lease_holders(
        &self,
        leases: &[String],
        now: Timestamp,
    ) -> Result<Vec<Option<Uuid>>, StoreError> {
        let statement = || sqlx::query(HELD).bind(leases).bind(now.as_micros());
        let mut holders = vec![None; leases.len()];
        for row in self.database().read("read leases", statement).await? {
            let read = || Ok((row.try_get::<i64, _>(0)?, row.try_get(1)?));
            let (place, holder) =
                read().map_err(|error: sqlx::Error| corrupt(format!("a lease: {error}")))?;
            let place = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
            if let Some(found) = place.and_then(|place| holders.get_mut(place)) {
                *found = Some(holder);
            }
        }
        Ok(holders)
    }

    async fn release_lease(&self, lease: &str, holder: Uuid) -> Result<(), StoreError> {
        let statement = sqlx::query(RELEASE).bind(lease).bind(holder);
        self.database().write("release a lease", statement).await.map(drop)
    }
}

fn held(row: &PgRow) -> Result<Lease, sqlx::Error> {
    Ok(Lease::HeldBy { holder: row.try_get(0)?, until: Timestamp::from_micros(row.try_get(1)?) })
}
