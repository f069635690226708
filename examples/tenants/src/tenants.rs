//! The tenants of a process: who is open, and who has to go.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cqrs_core::{App, DispatchError, Dispatched, StartError};
use cqrs_sqlite::{OpenError, SqliteReadModel, SqliteStore};

use crate::{Notes, TenantId, WriteNote};

/// The tenants of a process, in a folder: one file for each.
pub struct Tenants {
    folder: PathBuf,
    most: usize,
    open: Mutex<HashMap<TenantId, Open>>,
    /// Held by whoever opens or closes one. So no file is opened twice, nor opened while it is being closed; those that
    /// are open are found meanwhile.
    door: tokio::sync::Mutex<()>,
}

/// A tenant that is open. It stays so for as long as somebody has it.
pub struct Tenant {
    app: App,
    tables: SqliteReadModel,
}

struct Open {
    tenant: Arc<Tenant>,
    /// When somebody asked for it last.
    asked: Instant,
}

/// Why a tenant is not to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TenantError {
    /// As many as may be are open, and somebody uses each of them. It is worth trying again.
    #[error("{most} tenants are open and in use")]
    AllInUse {
        /// How many may be open.
        most: usize,
    },
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The application does not start.
    #[error("the application of tenant {tenant} does not start")]
    Start {
        /// Whose.
        tenant: TenantId,
        /// Why.
        source: StartError,
    },
}

impl Tenants {
    /// The tenants whose files are in a folder, which must exist. At most so many are open at once.
    pub fn new(folder: impl Into<PathBuf>, most: usize) -> Self {
        Self { folder: folder.into(), most, open: Mutex::default(), door: tokio::sync::Mutex::default() }
    }

    /// A tenant, opened if it is not. Keep it for a request, and not for longer: while somebody has it, it is not closed.
    ///
    /// Where too many are open, the one that nobody has asked for the longest is closed.
    ///
    /// # Errors
    ///
    /// [`TenantError`].
    pub async fn get(&self, id: &TenantId) -> Result<Arc<Tenant>, TenantError> {
        if let Some(tenant) = self.find(id) {
            return Ok(tenant);
        }
        let _door = self.door.lock().await;
        // Somebody may have opened it, who was at the door before.
        if let Some(tenant) = self.find(id) {
            return Ok(tenant);
        }
        if self.open().len() >= self.most {
            let Some(longest) = self.take_unused(|_| true) else {
                return Err(TenantError::AllInUse { most: self.most });
            };
            longest.app.shutdown().await;
        }
        let tenant = Arc::new(self.start(id).await?);
        self.open().insert(id.clone(), Open { tenant: Arc::clone(&tenant), asked: Instant::now() });
        Ok(tenant)
    }

    /// Closes those that nobody has asked for that long, and that nobody uses. Call it now and then.
    pub async fn close_idle(&self, idle: Duration) {
        let _door = self.door.lock().await;
        while let Some(tenant) = self.take_unused(|open| open.asked.elapsed() >= idle) {
            tenant.app.shutdown().await;
        }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.open().len()
    }

    fn find(&self, id: &TenantId) -> Option<Arc<Tenant>> {
        let mut all = self.open();
        let open = all.get_mut(id)?;
        open.asked = Instant::now();
        Some(Arc::clone(&open.tenant))
    }

    /// Takes the one out that nobody has asked for the longest, among those that are wanted and that nobody uses. Only
    /// through the map could somebody get at it, so from here on nobody does.
    fn take_unused(&self, wanted: impl Fn(&Open) -> bool) -> Option<Arc<Tenant>> {
        let mut all = self.open();
        let unused = all.iter().filter(|(_, open)| Arc::strong_count(&open.tenant) == 1 && wanted(open));
        let id = unused.min_by_key(|(_, open)| open.asked).map(|(id, _)| id.clone())?;
        all.remove(&id).map(|open| open.tenant)
    }

    async fn start(&self, id: &TenantId) -> Result<Tenant, TenantError> {
        let store = SqliteStore::open(self.folder.join(format!("{id}.db"))).await?;
        let tables = store.read_model();
        let app = App::builder(store).projection(Notes, tables.clone()).start().await;
        let app = app.map_err(|source| TenantError::Start { tenant: id.clone(), source })?;
        Ok(Tenant { app, tables })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<TenantId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tenant {
    /// Writes a note, and waits until it is in the table.
    ///
    /// # Errors
    ///
    /// When it cannot be stored.
    pub async fn write(
        &self,
        command: WriteNote,
    ) -> Result<Dispatched, DispatchError<std::convert::Infallible>> {
        self.app.dispatch(command).strong().await
    }

    /// All notes of this tenant, by name.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub async fn notes(&self) -> Result<Vec<(String, String)>, sqlx::Error> {
        sqlx::query_as("SELECT note, text FROM notes ORDER BY note").fetch_all(self.tables.reader()).await
    }
}

impl fmt::Debug for Tenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenants").field("folder", &self.folder).field("open", &self.count()).finish()
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").field("file", &self.tables.path()).finish_non_exhaustive()
    }
}
