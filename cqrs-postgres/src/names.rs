//! The names of streams and event types, which rows of events have as numbers.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cqrs_core::{StoreError, StreamId};
use lru::LruCache;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::connection::Database;
use crate::error::corrupt;
use crate::event_row::numbers;

const NAMES: &str = include_str!("sql/names.sql");

/// How many streams' names are remembered from one page to the next: some 10 MiB of them.
const STREAMS: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Names that were looked up before. A number has one name for ever, so none of them gets old.
#[derive(Debug)]
pub(crate) struct Names(Mutex<Remembered>);

#[derive(Debug)]
struct Remembered {
    streams: LruCache<i64, StreamId>,
    types: HashMap<i32, Arc<str>>,
}

/// What has to be looked up, and the rows that it is for: their places, and their numbers.
#[derive(Default)]
struct Unknown {
    streams: Vec<i64>,
    types: Vec<i32>,
    rows: Vec<(usize, i64, i32)>,
}

impl Remembered {
    /// The names of a row; what is not remembered is put down as unknown.
    fn of(
        &mut self,
        (place, row): (usize, &PgRow),
        stream: Option<&StreamId>,
        unknown: &mut Unknown,
    ) -> RowNames {
        // What cannot be read has no name.
        let Ok((number, event_type)) = numbers(row) else { return RowNames::default() };
        let names = RowNames {
            stream: stream.or_else(|| self.streams.get(&number)).cloned(),
            event_type: self.types.get(&event_type).cloned(),
        };
        if names.stream.is_none() {
            unknown.streams.push(number);
        }
        if names.event_type.is_none() {
            unknown.types.push(event_type);
        }
        if names.stream.is_none() || names.event_type.is_none() {
            unknown.rows.push((place, number, event_type));
        }
        names
    }
}

/// The names of one row; without those that are missing in the database.
#[derive(Debug, Default)]
pub(crate) struct RowNames {
    pub(crate) stream: Option<StreamId>,
    pub(crate) event_type: Option<Arc<str>>,
}

impl Names {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Remembered { streams: LruCache::new(STREAMS), types: HashMap::new() }))
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names for the rows of a page, row by row; the rows are all of the `stream`, if one is given.
    pub(crate) async fn of(
        &self,
        database: &Database,
        rows: &[PgRow],
        stream: Option<&StreamId>,
    ) -> Result<Vec<RowNames>, StoreError> {
        let mut unknown = Unknown::default();
        let mut names: Vec<_> = {
            let mut remembered = self.remembered();
            rows.iter().enumerate().map(|row| remembered.of(row, stream, &mut unknown)).collect()
        };
        if unknown.streams.is_empty() && unknown.types.is_empty() {
            return Ok(names);
        }
        let statement = || sqlx::query(NAMES).bind(&unknown.streams).bind(&unknown.types);
        let found = database.read("read names", statement).await?;
        let mut remembered = self.remembered();
        let (mut streams, mut types) = (HashMap::new(), HashMap::new());
        for row in &found {
            let (number, name) = named(row).map_err(|error| corrupt(format!("a name: {error}")))?;
            match number {
                Number::Stream(number) => {
                    let stream: StreamId = name
                        .parse()
                        .map_err(|error| corrupt(format!("the name of stream {number}: {error}")))?;
                    remembered.streams.put(number, stream.clone());
                    streams.insert(number, stream);
                }
                Number::Type(number) => {
                    let name: Arc<str> = name.into();
                    remembered.types.insert(number, Arc::clone(&name));
                    types.insert(number, name);
                }
            }
        }
        for (place, stream, event_type) in unknown.rows {
            let names: &mut RowNames = &mut names[place];
            names.stream = names.stream.take().or_else(|| streams.get(&stream).cloned());
            names.event_type = names.event_type.take().or_else(|| types.get(&event_type).cloned());
        }
        Ok(names)
    }
}
enum Number {
    Stream(i64),
    Type(i32),
}

fn named(row: &PgRow) -> Result<(Number, String), sqlx::Error> {
    let number: i64 = row.try_get(1)?;
    let number = match row.try_get(0)? {
        0_i32 => Number::Stream(number),
        _ => Number::Type(i32::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))?),
    };
    Ok((number, row.try_get(2)?))
}
