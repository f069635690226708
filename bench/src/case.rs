//! The cases: what is run, what it is set beside, and what it is meant to reach.

use std::path::Path;

use cqrs_memory::MemoryStore;
use cqrs_sqlite::SqliteStore;
use serde::{Deserialize, Serialize};

use crate::goal::Goal;
use crate::number::thousands;
use crate::replay::Replay;
use crate::sample::Sample;
use crate::stage::Stage;
use crate::streams::Streams;
use crate::transfers::Until;
use crate::{Error, dispatch, raw, transfers};

/// Something to run again and again.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) work: Work,
    /// The case that it is set beside.
    pub(crate) beside: Option<String>,
    pub(crate) goals: Vec<Goal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// The raw engine with so many events in a transaction.
    Raw {
        batch: usize,
    },
    Sqlite {
        clients: u64,
        streams: Streams,
    },
    Memory {
        clients: u64,
        streams: Streams,
    },
    /// On SQLite.
    Transfers {
        clients: u64,
        until: Until,
    },
    Replay(Replay),
    /// The raw engine on PostgreSQL with so many events in a commit.
    RawPostgres {
        batch: usize,
    },
    Postgres {
        clients: u64,
        streams: Streams,
    },
}

/// What is counted in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// An event that was written.
    Written,
    /// A transfer that has arrived.
    Transfer,
    /// An event that was read and worked on.
    Replayed,
}

impl Work {
    /// What it does in a second.
    pub(crate) fn unit(self) -> Unit {
        match self {
            Self::Raw { .. }
            | Self::Sqlite { .. }
            | Self::Memory { .. }
            | Self::RawPostgres { .. }
            | Self::Postgres { .. } => Unit::Written,
            Self::Transfers { .. } => Unit::Transfer,
            Self::Replay(_) => Unit::Replayed,
        }
    }

    /// Whether it needs a PostgreSQL server.
    pub(crate) fn needs_postgres(self) -> bool {
        match self {
            Self::RawPostgres { .. } | Self::Postgres { .. } => true,
            Self::Replay(replay) => replay.needs_postgres(),
            _ => false,
        }
    }

    fn name(self) -> String {
        let clients = |clients| {
            if clients == 1 { "1 client".to_owned() } else { format!("{} clients", thousands(clients)) }
        };
        let ours = |store, streams, number| {
            let streams = match streams {
                Streams::Many => "",
                Streams::Hot => "one hot stream, ",
                Streams::Young => "young hot streams, ",
                Streams::Long => "a hot stream of 10,000 events, ",
            };
            format!("{store}, {streams}{}", clients(number))
        };
        match self {
            Self::Raw { batch: 1 } => "raw engine, 1 event a transaction".to_owned(),
            Self::Raw { batch } => format!("raw engine, {batch} events a transaction"),
            Self::Sqlite { clients, streams } => ours("SQLite", streams, clients),
            Self::Memory { clients, streams } => ours("memory", streams, clients),
            Self::Transfers { clients: number, until: Until::Received } => {
                format!("SQLite, transfers, {}", clients(number))
            }
            Self::Transfers { clients: number, until: Until::Settled } => {
                format!("SQLite, settled transfers, {}", clients(number))
            }
            Self::Replay(replay) => replay.name().to_owned(),
            Self::RawPostgres { batch: 1 } => "raw PostgreSQL, 1 event a commit".to_owned(),
            Self::RawPostgres { batch } => format!("raw PostgreSQL, {batch} events a commit"),
            Self::Postgres { clients, streams } => ours("PostgreSQL", streams, clients),
        }
    }

    /// Runs it once. The file is its own, and is left behind.
    pub(crate) fn run(self, stage: &Stage, path: &Path) -> Result<Sample, Error> {
        let (runtime, time) = (&stage.runtime, stage.time);
        match self {
            Self::Raw { batch } => raw::run(runtime, path, batch, time),
            Self::Sqlite { clients, streams } => runtime.block_on(async {
                dispatch::run(SqliteStore::open(path).await?, clients, streams, time).await
            }),
            Self::Memory { clients, streams } => {
                runtime.block_on(dispatch::run(MemoryStore::new(), clients, streams, time))
            }
            Self::Transfers { clients, until } => runtime.block_on(async {
                transfers::run(SqliteStore::open(path).await?, clients, until, time).await
            }),
            Self::Replay(replay) => replay.run(stage),
            Self::RawPostgres { batch } => stage.on_postgres(&stage.alone, async |server, schema| {
                raw::postgres::run(server, schema, batch, time).await
            }),
            Self::Postgres { clients, streams } => {
                stage.on_postgres(&stage.runtime, async |server, schema| {
                    dispatch::run(server.store(schema).await?, clients, streams, time).await
                })
            }
        }
    }
}

impl Case {
    fn of(work: Work, beside: Option<Work>) -> Self {
        Self { name: work.name(), work, beside: beside.map(Work::name), goals: Vec::new() }
    }

    fn raw(batch: usize) -> Self {
        Self::of(Work::Raw { batch }, None)
    }

    fn sqlite(clients: u64, streams: Streams, beside: Option<Work>) -> Self {
        Self::of(Work::Sqlite { clients, streams }, beside)
    }

    fn memory(clients: u64) -> Self {
        Self::of(Work::Memory { clients, streams: Streams::Many }, None)
    }

    fn transfers(clients: u64, until: Until, beside: Work) -> Self {
        Self::of(Work::Transfers { clients, until }, Some(beside))
    }

    fn raw_postgres(batch: usize) -> Self {
        Self::of(Work::RawPostgres { batch }, None)
    }

    fn postgres(clients: u64, streams: Streams, beside: usize) -> Self {
        Self::of(Work::Postgres { clients, streams }, Some(Work::RawPostgres { batch: beside }))
    }

    fn replay(replay: Replay, beside: Option<Replay>) -> Self {
        Self::of(Work::Replay(replay), beside.map(Work::Replay))
    }

    fn goal(mut self, goal: Goal) -> Self {
        self.goals.push(goal);
        self
    }

    /// A goal for the ratio to the case that it is set beside.
    fn ratio(mut self, at_least: f64) -> Self {
        self.goals.extend(self.beside.as_deref().map(|beside| Goal::ratio(beside, at_least)));
        self
    }
}

/// All cases, in the order of the report. What is set beside each other is close to each other, so that the
/// disk is the same for both.
pub(crate) fn all() -> Vec<Case> {
    use Streams::{Hot, Long, Many, Young};
    let raw = |batch| Work::Raw { batch };
    let beside = |batch| Some(raw(batch));
    let young = |clients| Some(Work::Sqlite { clients, streams: Young });
    vec![
        Case::raw(1),
        Case::sqlite(1, Many, beside(1)).ratio(0.85),
        Case::sqlite(8, Many, beside(1)),
        Case::raw(64),
        Case::sqlite(64, Many, beside(64))
            .ratio(0.75)
            .goal(Goal::ratio(&raw(1).name(), 10.0))
            .goal(Goal::p99(10.0)),
        Case::sqlite(256, Many, beside(64)),
        // 35,000 and 80,000 commands a second where the raw engine's figure is 45,000.
        Case::sqlite(64, Hot, beside(64)).ratio(0.78).goal(Goal::no_conflicts()),
        Case::sqlite(256, Hot, beside(64)).ratio(1.78).goal(Goal::no_conflicts()),
        Case::transfers(1, Until::Received, raw(1)),
        Case::transfers(64, Until::Received, raw(64)),
        // 5,000 transfers a second where the raw engine's figure is 45,000.
        Case::transfers(256, Until::Received, raw(64)).ratio(0.11).goal(Goal::rate(5_000.0)),
        Case::transfers(256, Until::Settled, raw(64)).ratio(0.11),
        Case::raw(512),
        Case::sqlite(1_024, Many, beside(512)).ratio(0.70),
        Case::sqlite(1, Young, None),
        Case::sqlite(1, Long, young(1)).ratio(0.95),
        Case::sqlite(64, Young, None),
        Case::sqlite(64, Long, young(64)).ratio(0.95),
        Case::memory(64).goal(Goal::rate(500_000.0)),
        Case::replay(Replay::RawScan, None),
        Case::replay(Replay::Value, Some(Replay::RawScan)).ratio(0.6).goal(Goal::rate(400_000.0)),
        Case::replay(Replay::RawTable, None),
        Case::replay(Replay::Table, Some(Replay::RawTable)).goal(Goal::rate(150_000.0)),
        Case::raw_postgres(1),
        Case::postgres(1, Many, 1).ratio(0.8),
        Case::raw_postgres(64),
        Case::postgres(64, Many, 64)
            .ratio(0.7)
            .goal(Goal::ratio(&Work::RawPostgres { batch: 1 }.name(), 10.0)),
        Case::postgres(256, Many, 64),
        Case::postgres(64, Hot, 64).goal(Goal::no_conflicts()),
        Case::replay(Replay::PostgresScan, None),
        Case::replay(Replay::PostgresValue, Some(Replay::PostgresScan)).ratio(0.6),
    ]
}

/// The cases with a text in their names, and those that they or their goals are set beside.
pub(crate) fn with(text: &str) -> Vec<Case> {
    use crate::goal::Measure;
    let cases = all();
    let wanted: Vec<_> = cases.iter().filter(|case| case.name.contains(text)).collect();
    let needed = |name: &String| {
        wanted.iter().any(|case| {
            let goals = case.goals.iter().map(|goal| &goal.measure);
            case.name == *name
                || case.beside.as_ref() == Some(name)
                || goals.into_iter().any(|measure| matches!(measure, Measure::RatioTo(to) if to == name))
        })
    };
    cases.iter().filter(|case| needed(&case.name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_has_a_name_of_its_own_and_stands_beside_one_that_is_run() {
        let cases = all();
        for (index, case) in cases.iter().enumerate() {
            assert!(cases[..index].iter().all(|earlier| earlier.name != case.name), "{}", case.name);
            let beside = |name: &String| cases[..index].iter().any(|earlier| earlier.name == *name);
            assert!(case.beside.as_ref().is_none_or(beside), "{}", case.name);
        }
    }

    #[test]
    fn a_choice_of_cases_comes_with_what_they_are_set_beside() {
        let names: Vec<_> = with("SQLite, 64").into_iter().map(|case| case.name).collect();
        let raw = |events| format!("raw engine, {events} a transaction");
        assert_eq!(names, [raw("1 event"), raw("64 events"), "SQLite, 64 clients".to_owned()]);
        assert!(with("no such case").is_empty());
    }
}
