//! Cold loads: the first command on an aggregate whose state is not in memory.
//!
//! The file is opened anew for each, so the pages that SQLite keeps are gone as well; those that the operating
//! system keeps are not. A command on another aggregate comes first, so opening connections is not measured.

mod file;
mod plain;

use std::path::Path;
use std::time::Instant;

use cqrs_core::App;
use cqrs_sqlite::SqliteStore;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::Error;
use crate::domain::Read;
use crate::runner::order;
use crate::statistics::{Spread, quantile};

/// How many aggregates are loaded in each round, each once in every way.
const LOADS: u64 = 20;

/// After so many events a snapshot is made, where there are any.
pub(crate) const SNAPSHOT_AFTER: u64 = 100;

/// How the state is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// By a plain `SELECT` on the raw engine.
    Raw,
    /// By our dispatch, of all events.
    Events,
    /// By our dispatch, of a snapshot and the events after it.
    Snapshot,
}

#[derive(Clone, Copy, Debug)]
struct ColdCase {
    name: &'static str,
    way: Way,
    /// The key of the first of the streams that are loaded.
    first_stream: u64,
    /// The case that it is set beside.
    beside: Option<&'static str>,
}

const LONG_RAW: &str = "raw engine, 10,000 events";
const SHORT_RAW: &str = "raw engine, 10 events";

const CASES: [ColdCase; 5] = {
    const fn case(
        name: &'static str,
        way: Way,
        first_stream: u64,
        beside: Option<&'static str>,
    ) -> ColdCase {
        ColdCase { name, way, first_stream, beside }
    }
    [
        case(LONG_RAW, Way::Raw, file::LONG, None),
        case("SQLite, 10,000 events", Way::Events, file::LONG, Some(LONG_RAW)),
        case("SQLite, 10,000 events, snapshots", Way::Snapshot, file::LONG, Some(LONG_RAW)),
        case(SHORT_RAW, Way::Raw, file::SHORT, None),
        case("SQLite, 10 events", Way::Events, file::SHORT, Some(SHORT_RAW)),
    ]
};

/// Two commands on one aggregate, in microseconds: the first one finds no state in memory.
#[derive(Clone, Copy, Debug)]
struct Load {
    first: f64,
    next: f64,
}

/// What the loads of a case came to, in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ColdResult {
    pub(crate) case: String,
    pub(crate) loads: usize,
    /// The first command, from the call to the durable commit.
    pub(crate) first_p50: f64,
    pub(crate) first_p99: f64,
    /// The command after it, which finds the state in memory.
    pub(crate) next_p50: f64,
    /// The median of what the first one took longer: the load itself.
    pub(crate) load_p50: f64,
    pub(crate) beside: Option<String>,
    /// The median load as a multiple of that of the case beside it.
    pub(crate) times: Option<f64>,
}

/// Runs the cases with a text in their names, or all of them if the text is in the word `cold`.
pub(crate) fn run(
    runtime: &Runtime,
    only: &str,
    rounds: u32,
    directory: &Path,
) -> Result<Vec<ColdResult>, Error> {
    let wanted = |case: &&ColdCase| "cold".contains(only) || case.name.contains(only);
    let cases: Vec<_> = CASES.iter().filter(wanted).collect();
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    let path = directory.join("cold.db");
    file::prepare(runtime, &path)?;
    let mut loads = vec![Vec::new(); cases.len()];
    for round in 0..rounds {
        eprintln!("cold loads, round {} of {rounds}", round + 1);
        for stream in 0..LOADS {
            for index in order(cases.len(), round) {
                let ColdCase { way, first_stream, .. } = *cases[index];
                loads[index].push(load(runtime, way, &path, first_stream + stream)?);
            }
        }
    }
    crate::runner::discard(&path)?;
    let mut results: Vec<_> =
        cases.iter().zip(&loads).filter_map(|(case, loads)| result(case, loads)).collect();
    set_beside(&mut results);
    Ok(results)
}

fn load(runtime: &Runtime, way: Way, path: &Path, meter_id: u64) -> Result<Load, Error> {
    match way {
        Way::Raw => plain::load(path, meter_id),
        Way::Events => runtime.block_on(dispatch::<0>(path, meter_id)),
        Way::Snapshot => runtime.block_on(dispatch::<SNAPSHOT_AFTER>(path, meter_id)),
    }
}

async fn dispatch<const SNAPSHOT_AFTER: u64>(path: &Path, meter_id: u64) -> Result<Load, Error> {
    let app = App::builder(SqliteStore::open(path).await?).start().await?;
    let command = |meter_id| Read::<SNAPSHOT_AFTER> { meter_id, value: 1 };
    app.dispatch(command(file::OTHER)).await?;
    let begun = Instant::now();
    app.dispatch(command(meter_id)).await?;
    let first = micros(begun);
    let begun = Instant::now();
    app.dispatch(command(meter_id)).await?;
    let next = micros(begun);
    app.shutdown().await;
    Ok(Load { first, next })
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000_000.0
}

fn result(case: &ColdCase, loads: &[Load]) -> Option<ColdResult> {
    let milliseconds =
        |of: fn(&Load) -> f64, at: f64| quantile(loads.iter().map(of), at).map(|micros| micros / 1_000.0);
    Some(ColdResult {
        case: case.name.to_owned(),
        loads: loads.len(),
        first_p50: milliseconds(|load| load.first, 0.5)?,
        first_p99: milliseconds(|load| load.first, 0.99)?,
        next_p50: milliseconds(|load| load.next, 0.5)?,
        load_p50: Spread::of(loads.iter().map(|load| load.first - load.next))?.median / 1_000.0,
        beside: case.beside.map(str::to_owned),
        times: None,
    })
}

fn set_beside(results: &mut [ColdResult]) {
    let loads: Vec<_> = results.iter().map(|result| (result.case.clone(), result.load_p50)).collect();
    for result in results {
        let beside = loads.iter().find(|(case, _)| Some(case) == result.beside.as_ref());
        result.times = beside.map(|(_, load)| result.load_p50 / load);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_what_the_first_command_took_longer_than_the_next() {
        let loads = [(9_000.0, 1_000.0), (6_000.0, 2_000.0), (8_000.0, 1_000.0)];
        let loads = loads.map(|(first, next)| Load { first, next });
        let result = result(&CASES[0], &loads).unwrap();
        assert_eq!((result.first_p50, result.first_p99, result.next_p50), (8.0, 9.0, 1.0));
        assert_eq!(result.load_p50, 7.0);
    }

    #[test]
    fn a_load_is_a_multiple_of_the_one_beside_it() {
        let load = |first| [Load { first, next: 0.0 }];
        let of = |index: usize, first| result(&CASES[index], &load(first)).unwrap();
        let mut results = [of(0, 10.0), of(1, 25.0), of(4, 5.0)];
        set_beside(&mut results);
        assert_eq!(results.map(|result| result.times), [None, Some(2.5), None]);
    }

    #[test]
    fn every_way_loads_the_same_stream_and_goes_on_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cold.db");
        let runtime = Runtime::new().unwrap();
        file::prepare_with(&runtime, &path, 60).unwrap();
        for (loads, way) in [Way::Raw, Way::Events, Way::Snapshot, Way::Raw].into_iter().enumerate() {
            load(&runtime, way, &path, file::LONG).unwrap();
            let version = plain::version(&path, file::LONG).unwrap();
            assert_eq!(version, 60 + 2 * (loads as i64 + 1), "{way:?}");
        }
    }
}
