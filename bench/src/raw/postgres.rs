//! The raw engine on a PostgreSQL server: one connection, one prepared statement for each commit.

use std::time::{Duration, Instant};

use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;
use crate::postgres::Server;
use crate::sample::{Quantiles, Sample, Stopwatch, histogram};
use crate::streams::{STREAMS, Streams};

/// One row is written fastest by itself, and several as columns.
const INSERT_ONE: &str = "INSERT INTO events (position, stream, version, type, id, data, recorded_at)
                          VALUES ($1, $2, $3, 1, $4, $5, $6)";
const INSERT_MANY: &str = "INSERT INTO events (position, stream, version, type, id, data, recorded_at)
                           SELECT position, stream, version, 1, id, data, recorded_at
                           FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::uuid[], $5::text[], $6::bigint[])
                                AS event (position, stream, version, id, data, recorded_at)";

/// Events as the columns of a statement.
#[derive(Default)]
struct Columns {
    positions: Vec<i64>,
    streams: Vec<i64>,
    versions: Vec<i64>,
    ids: Vec<Uuid>,
    data: Vec<String>,
    times: Vec<i64>,
}

/// Writes events in the order in which clients would write them. It knows all versions beforehand.
struct Writer {
    connection: PgConnection,
    versions: Vec<i64>,
    position: i64,
}

impl Writer {
    async fn new(server: &Server, schema: &str) -> Result<Self, Error> {
        let connection = server.raw(schema).await?;
        Ok(Self { connection, versions: vec![0; usize::try_from(STREAMS)?], position: 0 })
    }

    /// Commits so many events.
    async fn commit(&mut self, batch: usize) -> Result<(), Error> {
        let mut columns = Columns::default();
        for _ in 0..batch {
            self.position += 1;
            let meter_id = Streams::Many.of(self.position as u64);
            let version = &mut self.versions[usize::try_from(meter_id)?];
            *version += 1;
            columns.positions.push(self.position);
            columns.streams.push(meter_id as i64 + 1);
            columns.versions.push(*version);
            columns.ids.push(Uuid::now_v7());
            columns.data.push(format!(r#"{{"meter_id":{meter_id},"value":{}}}"#, self.position));
            columns.times.push(1_700_000_000_000_000 + self.position);
        }
        columns.insert(&mut self.connection).await
    }
}

impl Columns {
    async fn insert(mut self, connection: &mut PgConnection) -> Result<(), Error> {
        let query = match (self.ids.len(), self.data.pop()) {
            (1, Some(data)) => sqlx::query(INSERT_ONE)
                .bind(self.positions[0])
                .bind(self.streams[0])
                .bind(self.versions[0])
                .bind(self.ids[0])
                .bind(data)
                .bind(self.times[0]),
            (_, last) => {
                self.data.extend(last);
                sqlx::query(INSERT_MANY)
                    .bind(self.positions)
                    .bind(self.streams)
                    .bind(self.versions)
                    .bind(self.ids)
                    .bind(self.data)
                    .bind(self.times)
            }
        };
        query.execute(connection).await?;
        Ok(())
    }
}

/// Commits so many events at a time until the time is over. Latencies are those of commits.
pub(crate) async fn run(
    server: &Server,
    schema: &str,
    batch: usize,
    time: Duration,
) -> Result<Sample, Error> {
    let mut writer = Writer::new(server, schema).await?;
    let mut latencies = histogram()?;
    let watch = Stopwatch::start();
    while watch.started().elapsed() < time {
        let begun = Instant::now();
        writer.commit(batch).await?;
        latencies.record(u64::try_from(begun.elapsed().as_micros())?)?;
    }
    let took = watch.took();
    let latencies = Some(Quantiles::of(&latencies));
    Ok(Sample { events: writer.position as u64, took, latencies, appends: None })
}

/// Writes a log to be replayed.
pub(crate) async fn log(server: &Server, schema: &str, events: u64) -> Result<(), Error> {
    /// Events in a commit.
    const BATCH: u64 = 10_000;
    let mut writer = Writer::new(server, schema).await?;
    for first in (0..events).step_by(BATCH as usize) {
        writer.commit(usize::try_from(BATCH.min(events - first))?).await?;
    }
    // As the server would do some time later by itself.
    sqlx::raw_sql("VACUUM ANALYZE events, streams, event_types").execute(&mut writer.connection).await?;
    Ok(())
}
