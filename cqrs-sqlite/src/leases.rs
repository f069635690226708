//! Leases: one row for each that somebody has, or had when he died.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use cqrs_core::{Lease, LeaseStore, StoreError, Timestamp};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::SqliteStore;
use crate::connection::Database;
use crate::error::{corrupt, failed};
use crate::lock::FileLock;
use crate::read::{json, natural};

const HELD: &str = include_str!("sql/leases.sql");
const LEASE: &str = include_str!("sql/lease.sql");
const ACQUIRE: &str = include_str!("sql/lease_acquire.sql");
const RELEASE: &str = include_str!("sql/lease_release.sql");

/// What others see of a handle that has leases: a file beside the database, locked for as long as it is open. So the
/// leases of a process that was killed are free at once.
#[derive(Debug)]
pub(crate) struct Presence {
    id: Uuid,
    lock: Mutex<Option<FileLock>>,
}

/// A row.
struct Claim {
    holder: Uuid,
    until: Timestamp,
    opened: Uuid,
}

impl Presence {
    pub(crate) fn new() -> Self {
        Self { id: Uuid::new_v4(), lock: Mutex::default() }
    }

    fn place(database: &Database, id: Uuid) -> PathBuf {
        database.beside(&format!("-open-{}", id.simple()))
    }

    /// Lets others see it.
    fn show(&self, database: &Database) -> Result<(), StoreError> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_none() {
            let path = Self::place(database, self.id);
            let taken = FileLock::take(&path);
            *lock = taken.map_err(|error| failed("show that a lease is held", &path, error))?;
        }
        Ok(())
    }

    /// Whether a handle is open, also in another process.
    fn is_open(&self, database: &Database, id: Uuid) -> Result<bool, StoreError> {
        let path = Self::place(database, id);
        let held = FileLock::is_held(&path);
        Ok(id == self.id || held.map_err(|error| failed("look who holds a lease", &path, error))?)
    }

    /// Lets its leases go.
    pub(crate) fn end(&self) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl SqliteStore {
    async fn claim(&self, lease: &str) -> Result<Option<Claim>, StoreError> {
        let statement = sqlx::query(LEASE).bind(lease.to_owned());
        let rows = self.database().read("read a lease", statement).await?;
        let claim = rows.first().map(|row| claim(row, 0)).transpose();
        claim.map_err(|error| corrupt(format!("the lease {lease}: {error}")))
    }
}

#[async_trait]
impl LeaseStore for SqliteStore {
    async fn acquire_lease(
        &self,
        lease: &str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        let theirs = |claim: &Claim| claim.holder != holder && claim.until > now;
        let answer = |claim: Claim| Lease::HeldBy { holder: claim.holder, until: claim.until };
        let mut dead = Uuid::nil();
        if let Some(claim) = self.claim(lease).await?.filter(|claim| claim.holder != holder) {
            // Of one who has died nothing is left behind, also when his lease has ended since.
            match self.presence().is_open(self.database(), claim.opened)? {
                true if claim.until > now => return Ok(answer(claim)),
                true => {}
                false => dead = claim.opened,
            }
        }
        self.presence().show(self.database())?;
        let statement = sqlx::query(ACQUIRE)
            .bind(lease.to_owned())
            .bind(holder.as_bytes().to_vec())
            .bind(now.as_micros())
            .bind(until.as_micros())
            .bind(self.presence().id.as_bytes().to_vec())
            .bind(dead.as_bytes().to_vec());
        if self.write("acquire a lease", statement, 1).await? > 0 {
            return Ok(Lease::Held);
        }
        // Somebody was faster; one who has given it back already need not be named.
        let claim = self.claim(lease).await?.filter(theirs);
        Ok(claim.map_or(Lease::HeldBy { holder: Uuid::nil(), until: now }, answer))
    }

    async fn lease_holders(
        &self,
        leases: &[String],
        now: Timestamp,
    ) -> Result<Vec<Option<Uuid>>, StoreError> {
        let statement = sqlx::query(HELD).bind(json(leases)?).bind(now.as_micros());
        let rows = self.database().read("read leases", statement).await?;
        let mut holders = vec![None; leases.len()];
        for row in &rows {
            let read = || Ok((natural(row, 0)? as usize, claim(row, 1)?));
            let (place, claim) =
                read().map_err(|error: sqlx::Error| corrupt(format!("a lease: {error}")))?;
            let is_open = self.presence().is_open(self.database(), claim.opened)?;
            if let Some(holder) = holders.get_mut(place).filter(|_| is_open) {
                *holder = Some(claim.holder);
            }
        }
        Ok(holders)
    }

    async fn release_lease(&self, lease: &str, holder: Uuid) -> Result<(), StoreError> {
        let statement = sqlx::query(RELEASE).bind(lease.to_owned()).bind(holder.as_bytes().to_vec());
        self.write("release a lease", statement, 1).await.map(drop)
    }
}

/// Reads a claim from three columns of a row.
fn claim(row: &SqliteRow, first: usize) -> Result<Claim, sqlx::Error> {
    let id =
        |index| Uuid::from_slice(row.try_get(index)?).map_err(|error| sqlx::Error::Decode(error.into()));
    Ok(Claim {
        holder: id(first)?,
        until: Timestamp::from_micros(row.try_get(first + 1)?),
        opened: id(first + 2)?,
    })
}
