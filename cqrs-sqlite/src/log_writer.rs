//! The thread that appends: one connection, and whatever an append does runs on it from begin to commit.
//!
//! An awaited call to a connection costs more than the statements of a small batch. So an append is one hop to
//! this thread, where it looks, judges, writes and commits without awaiting anything. That takes the plain
//! driver, `rusqlite`, on the same SQLite library that `sqlx` uses for everything else.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use cqrs_core::{BoxError, StoreError};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use crate::append::Appender;
use crate::options::SqliteOptions;

type Job = Box<dyn FnOnce(&mut Appender) + Send>;

/// The way to the thread. The thread ends, and closes its connection, when this is closed or dropped.
pub(crate) struct LogWriter(Mutex<Option<Running>>);

struct Running {
    jobs: mpsc::Sender<Job>,
    thread: thread::JoinHandle<()>,
}

impl LogWriter {
    /// Opens the connection and starts the thread.
    pub(crate) async fn start(path: &Path, options: &SqliteOptions) -> Result<Self, BoxError> {
        let (ready, opened) = oneshot::channel();
        let (jobs, waiting) = mpsc::channel::<Job>();
        let (path, options) = (path.to_owned(), options.clone());
        let run = move || match Appender::open(&path, options) {
            Ok(mut appender) => {
                // Whoever opened it may have gone away; then there are no jobs either.
                let _ = ready.send(Ok(()));
                while let Some(job) = next(&waiting) {
                    // Whoever waits for the job's answer learns of a panic by not getting one.
                    if catch_unwind(AssertUnwindSafe(|| job(&mut appender))).is_err() {
                        appender.begin_anew();
                    }
                }
            }
            Err(error) => drop(ready.send(Err(error))),
        };
        let thread = thread::Builder::new().name("cqrs-sqlite-log".to_owned()).spawn(run)?;
        opened.await.map_err(|_| "the thread that appends has died")??;
        Ok(Self(Mutex::new(Some(Running { jobs, thread }))))
    }

    /// Runs a job on the thread, after those that came before, also when nobody waits for its result any more.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Appender) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, result) = oneshot::channel();
        let job: Job = Box::new(move |appender| drop(reply.send(job(appender))));
        {
            let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let sent = running.as_ref().map(|running| running.jobs.send(job));
            if !matches!(sent, Some(Ok(()))) {
                return Err(StoreError::Closed);
            }
        }
        result
            .await
            .map_err(|_| StoreError::OutcomeUnknown { source: "the thread that appends panicked".into() })
    }

    /// Finishes what was accepted, and closes the connection.
    pub(crate) async fn close(&self) {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { jobs, thread }) = running else { return };
        drop(jobs);
        // A thread that panicked has ended too.
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

/// The next job; `None` when there will be none.
///
/// Whoever was answered often has the next job at hand, sooner than a thread that sleeps can be woken. So for a moment
/// the thread does not sleep, and lets others have its core when they want it.
fn next(waiting: &mpsc::Receiver<Job>) -> Option<Job> {
    /// About what it takes to put a thread to sleep and to wake it.
    const AWAKE: Duration = Duration::from_micros(100);
    let since = Instant::now();
    while since.elapsed() < AWAKE {
        match waiting.try_recv() {
            Ok(job) => return Some(job),
            Err(mpsc::TryRecvError::Empty) => thread::yield_now(),
            Err(mpsc::TryRecvError::Disconnected) => return None,
        }
    }
    waiting.recv().ok()
}

impl fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogWriter").finish_non_exhaustive()
    }
}

/// Opens a connection that appends. The file exists and has our schema.
pub(crate) fn connect(path: &Path, options: &SqliteOptions) -> rusqlite::Result<Connection> {
    /// A statement for each thing that an append looks up or writes.
    const STATEMENTS: usize = 32;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.busy_timeout)?;
    for (pragma, value) in options.writer_pragmas(options.synchronous) {
        connection.pragma_update(None, pragma, value)?;
    }
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}
