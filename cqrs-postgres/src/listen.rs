//! Telling other nodes that the log has grown, and being told.
//!
//! A notification is a hint: it says that there is something to look at. Whoever misses one looks all the same,
//! [a moment](crate::PostgresOptions::poll_interval) later.

use std::sync::Arc;
use std::time::Duration;

use cqrs_core::Position;
use sqlx::Executor;
use sqlx::postgres::{PgListener, PgNotification, PgPoolOptions};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::connection::Database;
use crate::head::Head;

const NOTIFY: &str = include_str!("sql/notify.sql");

/// How long other nodes are told nothing after they were told something: what comes meanwhile is told at once.
const REST: Duration = Duration::from_millis(5);

/// How long the connection may be silent before it is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// The pauses between attempts to listen again: from this on, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A store's voice and ears.
#[derive(Debug)]
pub(crate) struct Bell {
    /// Tells our own notifications from those of others.
    me: Uuid,
    rung: Notify,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self { me: Uuid::new_v4(), rung: Notify::new() }
    }

    /// Says that the log has grown.
    pub(crate) fn ring(&self) {
        self.rung.notify_one();
    }

    /// Tells other nodes, for as long as it is polled.
    pub(crate) async fn tell(self: Arc<Self>, database: Arc<Database>, head: Arc<Head>) {
        loop {
            self.rung.notified().await;
            let news = format!("{} {}", self.me, head.known());
            let statement = sqlx::query(NOTIFY).bind(database.options().schema.clone()).bind(news);
            if let Err(error) = database.write("notify other nodes", statement).await {
                tracing::debug!(%error, "other nodes were not notified; they look by themselves");
            }
            sleep(REST).await;
        }
    }

    /// Listens to other nodes, for as long as it is polled.
    pub(crate) async fn listen(self: Arc<Self>, database: Arc<Database>, head: Arc<Head>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(error) = self.listen_once(&database, &head, &mut pause).await;
            tracing::warn!(%error, ?pause, "the connection that listens was lost; others are looked at meanwhile");
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Listens until the connection is lost.
    async fn listen_once(
        &self,
        database: &Database,
        head: &Head,
        pause: &mut Duration,
    ) -> Result<std::convert::Infallible, sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let pool = pool.connect_lazy_with(database.profile().server().clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(&database.options().schema).await?;
        *pause = FIRST_PAUSE;
        // What was told while nobody listened.
        head.look_now(database).await;
        loop {
            match timeout(SILENCE, listener.try_recv()).await {
                Ok(Ok(Some(news))) if self.is_news(&news, head.known()) => head.look_now(database).await,
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None)) => return Err(lost()),
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    let asked = timeout(database.options().answer_timeout, listener.execute("SELECT"));
                    asked.await.map_err(|_| lost())??;
                }
            }
        }
    }

    /// Whether a notification tells of more than is known.
    fn is_news(&self, news: &PgNotification, known: Position) -> bool {
        match news.payload().split_once(' ') {
            Some((who, _)) if who == self.me.to_string() => false,
            Some((_, head)) => head.parse::<Position>().is_ok_and(|head| head > known),
            None => false,
        }
    }
}

fn lost() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::ConnectionAborted.into())
}
