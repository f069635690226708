//! The names of streams and event types, which rows of events have as numbers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cqrs_core::{StoreError, StreamId};
use foldhash::HashMapExt;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::connection::Database;
use crate::error::corrupt;
use crate::event_row::numbers;

const NAMES: &str = include_str!("sql/names.sql");

/// How many streams' names are remembered from one page to the next: some 10 MiB of them. Beyond that all are
/// forgotten, and asked for again: to keep account of who was asked for last costs something with every event.
const STREAMS: usize = 65_536;

/// Names that were looked up before. A number has one name for ever, so none of them gets old.
#[derive(Debug)]
pub(crate) struct Names(Mutex<Remembered>);

#[derive(Debug)]
struct Remembered {
    streams: foldhash::HashMap<i64, StreamId>,
    types: BTreeMap<i32, Arc<str>>,
}

/// What has to be looked up, and the rows that it is for: their places, and their numbers.
#[derive(Default)]
struct Unknown {
    streams: Vec<i64>,
    types: Vec<i32>,
    rows: Vec<(usize, i64, i32)>,
}

impl Remembered {
    fn look(&self, number: i64, event_type: i32, stream: Option<&StreamId>) -> RowNames {
        RowNames {
            stream: stream.or_else(|| self.streams.get(&number)).cloned(),
            event_type: self.types.get(&event_type).cloned(),
        }
    }

    fn keep(&mut self, number: i64, stream: StreamId) {
        if self.streams.len() >= STREAMS {
            self.streams.clear();
        }
        self.streams.insert(number, stream);
    }

    /// The names of a row; what is not remembered is put down as unknown.
    fn of(
        &mut self,
        (place, row): (usize, &PgRow),
        stream: Option<&StreamId>,
        unknown: &mut Unknown,
    ) -> RowNames {
        // What cannot be read has no name.
        let Ok((number, event_type)) = numbers(row) else { return RowNames::default() };
        let names = self.look(number, event_type, stream);
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
        Self(Mutex::new(Remembered { streams: foldhash::HashMap::new(), types: BTreeMap::new() }))
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names for a row, if both are remembered.
    pub(crate) fn remembered_of(&self, row: &PgRow, stream: Option<&StreamId>) -> Option<RowNames> {
        let (number, event_type) = numbers(row).ok()?;
        let names = self.remembered().look(number, event_type, stream);
        (names.stream.is_some() && names.event_type.is_some()).then_some(names)
    }

    /// The names for rows, row by row; the rows are all of the `stream`, if one is given.
    pub(crate) async fn of(
        &self,
        database: &Database,
        rows: &[&PgRow],
        stream: Option<&StreamId>,
    ) -> Result<Vec<RowNames>, StoreError> {
        let mut unknown = Unknown::default();
        let mut names: Vec<_> = {
            let mut remembered = self.remembered();
            rows.iter().copied().enumerate().map(|row| remembered.of(row, stream, &mut unknown)).collect()
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
                    remembered.keep(number, stream.clone());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_number_of_streams_take_bounded_room() {
        let mut remembered = Remembered { streams: foldhash::HashMap::new(), types: BTreeMap::new() };
        let last = 2 * STREAMS as i64 + 1;
        for number in 1..=last {
            remembered.keep(number, StreamId::new("log", number).unwrap());
            assert!(remembered.streams.len() <= STREAMS);
        }
        let names = |number| remembered.look(number, 1, None).stream;
        assert_eq!(names(last), Some(StreamId::new("log", last).unwrap()));
        assert_eq!(names(1), None);
    }
}
