//! Medians, ratios, and how they are shown.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::Error;

/// One run of one case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Events that were committed.
    pub(crate) per_second: f64,
    /// Half of the commands took no longer, in microseconds.
    pub(crate) p50: Option<u64>,
    /// All but one in a hundred took no longer, in microseconds.
    pub(crate) p99: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    cases: Vec<Case>,
}

#[derive(Debug)]
struct Case {
    name: String,
    beside: Option<String>,
    samples: Vec<Sample>,
}

/// A case as it is shown.
#[derive(Debug, Serialize)]
struct Row<'a> {
    case: &'a str,
    /// Median over the rounds.
    per_second: f64,
    /// The lowest and the highest round.
    lowest: f64,
    highest: f64,
    /// The raw case that it is set beside, and the ratio of the medians.
    beside: Option<&'a str>,
    ratio: Option<f64>,
    p50_micros: Option<u64>,
    p99_micros: Option<u64>,
}

impl Report {
    pub(crate) fn add(&mut self, name: &str, beside: Option<String>, sample: Sample) {
        match self.cases.iter_mut().find(|case| case.name == name) {
            Some(case) => case.samples.push(sample),
            None => self.cases.push(Case { name: name.to_owned(), beside, samples: vec![sample] }),
        }
    }

    fn rows(&self) -> Vec<Row<'_>> {
        self.cases.iter().map(|case| self.row(case)).collect()
    }

    fn row<'a>(&'a self, case: &'a Case) -> Row<'a> {
        let rates = || case.samples.iter().map(|sample| sample.per_second);
        let per_second = median(rates());
        let raw = self.cases.iter().find(|other| Some(&other.name) == case.beside.as_ref());
        let times = |time: fn(&Sample) -> Option<u64>| {
            let times: Vec<_> = case.samples.iter().filter_map(time).collect();
            (!times.is_empty()).then(|| median(times.iter().map(|time| *time as f64)) as u64)
        };
        Row {
            case: &case.name,
            per_second,
            lowest: rates().fold(f64::INFINITY, f64::min),
            highest: rates().fold(0.0, f64::max),
            beside: case.beside.as_deref(),
            ratio: raw.map(|raw| per_second / median(raw.samples.iter().map(|sample| sample.per_second))),
            p50_micros: times(|sample| sample.p50),
            p99_micros: times(|sample| sample.p99),
        }
    }

    pub(crate) fn print_json(&self) -> Result<(), Error> {
        println!("{}", serde_json::to_string_pretty(&self.rows())?);
        Ok(())
    }

    pub(crate) fn print_table(&self) {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["case", "events/s", "lowest … highest", "ratio to raw", "p50 ms", "p99 ms"]);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for row in self.rows() {
            let milliseconds = |micros: Option<u64>| {
                micros.map_or(String::new(), |micros| format!("{:.2}", micros as f64 / 1_000.0))
            };
            let batch = row.beside.and_then(|beside| beside.split_whitespace().nth(2)).unwrap_or("");
            table.add_row([
                row.case.to_owned(),
                format!("{:.0}", row.per_second),
                format!("{:.0} … {:.0}", row.lowest, row.highest),
                row.ratio.map_or(String::new(), |ratio| format!("{ratio:.2} of {batch} a transaction")),
                milliseconds(row.p50_micros),
                milliseconds(row.p99_micros),
            ]);
        }
        println!("{table}");
    }
}

/// The middle one; of an even number the mean of the two in the middle.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => f64::midpoint(values[len / 2 - 1], values[len / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_of_medians() {
        let mut report = Report::default();
        let sample = |per_second| Sample { per_second, p50: Some(1), p99: None };
        for rate in [10.0, 1_000.0, 20.0] {
            report.add("raw", None, sample(rate));
            report.add("ours", Some("raw".to_owned()), sample(rate / 2.0));
        }
        let rows = report.rows();
        assert_eq!((rows[1].per_second, rows[1].ratio), (10.0, Some(0.5)));
        assert_eq!((rows[1].lowest, rows[1].highest), (5.0, 500.0));
    }
}
