//! The charts of a run, as SVG.

mod bars;
mod canvas;
mod lines;
mod scale;

use std::path::Path;

use bars::{Bar, Bars};
use canvas::{BLUE, GREEN, ORANGE};
use lines::{Lines, Point, Reference, Series};

use crate::Error;
use crate::case::Work;
use crate::goal::Bound;
use crate::results::{CaseResult, Results};
use crate::sample::Quantiles;
use crate::streams::Streams;

/// A chart that can be drawn from a run.
pub(crate) struct Chart {
    /// Of its file, without the extension.
    pub(crate) name: &'static str,
    /// What is to be seen, for who does not see it.
    pub(crate) title: &'static str,
    svg: svg::Document,
}

/// Writes all charts into a directory, which is made if there is none.
pub(crate) fn write(charts: &[Chart], directory: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(directory)?;
    for chart in charts {
        let text = format!("{}\n", chart.svg);
        std::fs::write(directory.join(chart.name).with_extension("svg"), text.trim_start())?;
    }
    Ok(())
}

/// All charts for which there are figures.
pub(crate) fn all(results: &Results) -> Vec<Chart> {
    let mut charts = Vec::new();
    let mut add = |name, title, svg: Option<svg::Document>| {
        charts.extend(svg.map(|svg| Chart { name, title, svg }));
    };
    add(
        "throughput",
        "Commands a second by clients, beside the raw engine",
        throughput("Commands a second by clients, beside the raw engine", &results.cases),
    );
    add(
        "ratios",
        "Ratios to the case beside, with their goals",
        ratios("Ratios to the case beside, with their goals", results),
    );
    add(
        "latency",
        "Latency of a command by clients",
        latency("Latency of a command by clients", &results.cases),
    );
    charts
}

/// The cases on SQLite with this sort of streams, by the number of clients.
fn by_clients(cases: &[CaseResult], wanted: Streams) -> Vec<(f64, &CaseResult)> {
    let clients = |case: &CaseResult| match case.work {
        Work::Sqlite { clients, streams } if streams == wanted => Some(clients as f64),
        _ => None,
    };
    cases.iter().filter_map(|case| Some((clients(case)?, case))).collect()
}

fn throughput(title: &str, cases: &[CaseResult]) -> Option<svg::Document> {
    let series = |name, colour, streams| Series {
        name,
        colour,
        points: by_clients(cases, streams)
            .into_iter()
            .map(|(clients, case)| {
                let rate = case.per_second;
                Point { x: clients, y: rate.median, range: Some((rate.lowest, rate.highest)) }
            })
            .collect(),
    };
    let raw = cases.iter().filter_map(|case| match case.work {
        Work::Raw { batch: 1 } => Some(("raw, 1 a transaction".to_owned(), case)),
        Work::Raw { batch } => Some((format!("raw, {batch} a transaction"), case)),
        _ => None,
    });
    Lines {
        title,
        x: "clients",
        y: "events a second",
        series: vec![
            series("10,000 streams", BLUE, Streams::Many),
            series("one hot stream", ORANGE, Streams::Hot),
        ],
        references: raw.map(|(name, case)| Reference { name, y: case.per_second.median }).collect(),
    }
    .draw()
}

fn latency(title: &str, cases: &[CaseResult]) -> Option<svg::Document> {
    let series = |name, colour, of: fn(&Quantiles) -> f64| Series {
        name,
        colour,
        points: by_clients(cases, Streams::Many)
            .into_iter()
            .filter_map(|(clients, case)| {
                let latency = case.latency_micros.as_ref()?;
                Some(Point { x: clients, y: of(latency) / 1_000.0, range: None })
            })
            .collect(),
    };
    Lines {
        title,
        x: "clients",
        y: "milliseconds",
        series: vec![
            series("p50", GREEN, |latency| latency.p50),
            series("p99", BLUE, |latency| latency.p99),
            series("p99.9", ORANGE, |latency| latency.p999),
        ],
        references: Vec::new(),
    }
    .draw()
}

fn ratios(title: &str, results: &Results) -> Option<svg::Document> {
    let bars = results.cases.iter().filter_map(|case| {
        let what = format!("ratio to {}", case.beside.as_ref()?);
        let goal = results.goals.iter().find(|goal| goal.case == case.case && goal.what == what)?;
        let Bound::AtLeast(wanted) = goal.bound else { return None };
        Some(Bar {
            name: &case.case,
            beside: case.beside.as_deref()?,
            value: case.ratio?,
            goal: wanted,
            met: goal.met,
        })
    });
    Bars { title, x: "ratio; the line is the goal", bars: bars.collect() }.draw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goal::Judged;
    use crate::statistics::Spread;

    fn case(work: Work, per_second: f64, beside: Option<&str>) -> CaseResult {
        let spread = |median| Spread { median, lowest: median / 2.0, highest: median * 2.0 };
        CaseResult {
            case: format!("{work:?}"),
            work,
            per_second: spread(per_second),
            beside: beside.map(str::to_owned),
            ratio: beside.map(|_| spread(0.9)),
            latency_micros: Some(Quantiles { p50: 500.0, p99: 900.0, p999: 2_000.0 }),
            cpu_per_thousand: 1.0,
            events_per_commit: None,
            conflicts: None,
        }
    }

    fn results() -> Results {
        let many = |clients| Work::Sqlite { clients, streams: Streams::Many };
        let ours = case(many(64), 40_000.0, Some("raw & co"));
        let judged = Judged::new(&ours.case, "ratio to raw & co".to_owned(), Bound::AtLeast(0.75), 0.9);
        let cases = vec![case(Work::Raw { batch: 64 }, 45_000.0, None), case(many(1), 2_000.0, None), ours];
        Results { cases, goals: vec![judged], ..Results::default() }
    }

    #[test]
    fn a_chart_names_what_it_shows_and_its_units() {
        let directory = tempfile::tempdir().unwrap();
        let charts = all(&results());
        write(&charts, &directory.path().join("new")).unwrap();
        let text = |name: &str| std::fs::read_to_string(directory.path().join("new").join(name)).unwrap();
        for words in ["clients", "events a second", "raw, 64 a transaction", "10,000 streams"] {
            assert!(text("throughput.svg").contains(words), "{words}");
        }
        assert!(text("latency.svg").contains("milliseconds"));
        assert!(text("ratios.svg").contains("beside raw &amp; co"));
    }

    #[test]
    fn without_figures_there_are_no_charts() {
        assert!(all(&Results::default()).is_empty());
    }
}
