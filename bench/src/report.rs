//! Tables.

use comfy_table::{CellAlignment, Table, presets};

use crate::case::thousands;
use crate::cold::ColdResult;
use crate::disk::DiskResult;
use crate::goal::{Bound, Judged};
use crate::results::{CaseResult, Results};

/// A table under a heading.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// How many columns are words; those after them are numbers.
    words: usize,
}

impl Section {
    /// For a terminal.
    pub(crate) fn for_terminal(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(self.header.iter().copied());
        for column in table.column_iter_mut().skip(self.words) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.add_rows(self.rows.iter().cloned());
        table.to_string()
    }
}

/// All that there is to show.
pub(crate) fn sections(results: &Results) -> Vec<Section> {
    let sections = [
        throughput(&results.cases),
        latency(&results.cases),
        cold(&results.cold),
        disk(&results.disk),
        goals(&results.goals),
    ];
    sections.into_iter().filter(|section| !section.rows.is_empty()).collect()
}

fn throughput(cases: &[CaseResult]) -> Section {
    let rows = cases.iter().map(|case| {
        let rate = case.per_second;
        vec![
            case.case.clone(),
            whole(rate.median),
            format!("{} … {}", whole(rate.lowest), whole(rate.highest)),
            optional(case.ratio, |ratio| format!("{:.2}", ratio.median)),
            optional(case.ratio, |ratio| format!("{:.2} … {:.2}", ratio.lowest, ratio.highest)),
            case.beside.as_deref().map(short).unwrap_or_default(),
            optional(case.events_per_commit, |events| format!("{events:.1}")),
            format!("{:.1}", case.cpu_per_thousand),
        ]
    });
    Section {
        title: "Throughput",
        header: vec![
            "case",
            "events/s",
            "lowest … highest",
            "ratio",
            "lowest … highest",
            "beside",
            "events a commit",
            "CPU ms per 1,000",
        ],
        rows: rows.collect(),
        words: 1,
    }
}

fn latency(cases: &[CaseResult]) -> Section {
    let rows = cases.iter().filter_map(|case| {
        let latency = case.latency_micros?;
        let times = [latency.p50, latency.p99, latency.p999];
        Some(std::iter::once(case.case.clone()).chain(times.map(milliseconds)).collect())
    });
    Section {
        title: "Latency",
        header: vec!["case", "p50 ms", "p99 ms", "p99.9 ms"],
        rows: rows.collect(),
        words: 1,
    }
}

fn cold(cases: &[ColdResult]) -> Section {
    let rows = cases.iter().map(|case| {
        let times = [case.first_p50, case.first_p99, case.next_p50, case.load_p50];
        let mut row = vec![case.case.clone(), thousands(case.loads as u64)];
        row.extend(times.map(|milliseconds| format!("{milliseconds:.2}")));
        row.push(optional(case.times, |times| format!("{times:.2}")));
        row
    });
    Section {
        title: "Cold loads",
        header: vec![
            "case",
            "loads",
            "first p50 ms",
            "first p99 ms",
            "next p50 ms",
            "load p50 ms",
            "load, of raw",
        ],
        rows: rows.collect(),
        words: 1,
    }
}

fn disk(files: &[DiskResult]) -> Section {
    let rows = files.iter().map(|file| {
        vec![
            file.case.clone(),
            thousands(file.events),
            mebibytes(file.file_bytes),
            mebibytes(file.data_bytes),
            format!("{:.0}", file.bytes_per_event),
        ]
    });
    Section {
        title: "Disk",
        header: vec!["case", "events", "file MiB", "of it JSON MiB", "bytes an event besides its JSON"],
        rows: rows.collect(),
        words: 1,
    }
}

fn goals(goals: &[Judged]) -> Section {
    let rows = goals.iter().map(|goal| {
        let bound = match goal.bound {
            Bound::AtLeast(bound) => format!("≥ {}", figure(bound)),
            Bound::AtMost(bound) => format!("≤ {}", figure(bound)),
        };
        let met = if goal.met { "yes" } else { "no" };
        vec![goal.case.clone(), goal.what.clone(), bound, figure(goal.found), met.to_owned()]
    });
    Section {
        title: "Goals",
        header: vec!["case", "figure", "goal", "found", "met"],
        rows: rows.collect(),
        words: 2,
    }
}

/// What a case is called in a narrow column.
fn short(case: &str) -> String {
    case.replace(" a transaction", "").replace("raw engine", "raw").replace("SQLite, ", "")
}

fn optional<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(String::new, show)
}

/// A number as exact as its size deserves.
pub(crate) fn figure(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => whole(number),
        size if size.fract() == 0.0 => format!("{number}"),
        _ => format!("{number:.2}"),
    }
}

pub(crate) fn whole(number: f64) -> String {
    thousands(number.round() as u64)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

fn milliseconds(micros: f64) -> String {
    format!("{:.2}", micros / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_as_exact_as_its_size_deserves() {
        let texts = [0.0, 0.854, 1.0, 10.0, 99.5, 130.7, 45_000.4].map(figure);
        assert_eq!(texts, ["0", "0.85", "1", "10", "99.50", "131", "45,000"]);
    }

    #[test]
    fn a_goal_says_whether_it_is_met() {
        let judged = Judged::new("a case", "a figure".to_owned(), Bound::AtLeast(2.0), 1.0);
        let table = goals(&[judged]).for_terminal();
        let row = table.lines().last().unwrap();
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert_eq!(cells, ["", "a case", "a figure", "≥ 2", "1", "no", ""]);
    }
}
