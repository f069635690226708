//! The document: a text with places for what a run came to.

use std::path::{Path, PathBuf};

use crate::Error;
use crate::chart::{self, Chart};
use crate::machine::{Machine, Moment};
use crate::number::mebibytes;
use crate::report;
use crate::results::Results;
use crate::table::Section;

const TEMPLATE: &str = include_str!("document/benchmarks.md");

/// What stands in the place of a table or a chart that there are no figures for.
const NOT_RUN: &str = "*Not run.*";

/// Where a document's charts are: in the folder of its name beside it.
pub(crate) fn charts_of(document: &Path) -> PathBuf {
    document.with_extension("")
}

/// Writes the document of a run, and its charts.
pub(crate) fn write(results: &Results, file: &Path) -> Result<(), Error> {
    let charts = chart::all(results);
    let folder = charts_of(file);
    chart::write(&charts, &folder)?;
    let folder = folder.file_name().ok_or("the document needs a name")?.to_string_lossy();
    Ok(std::fs::write(file, fill(TEMPLATE, |place| fit(results, &charts, &folder, place))?)?)
}

/// Puts something in each place `{{…}}`.
fn fill(template: &str, fit: impl Fn(&str) -> Option<String>) -> Result<String, Error> {
    let mut text = String::with_capacity(2 * template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (place, after) = after.split_once("}}").ok_or("a place in the document has no end")?;
        text += before;
        text += &fit(place).ok_or_else(|| format!("nothing fits into {{{{{place}}}}}"))?;
        rest = after;
    }
    Ok(text + rest)
}

/// What fits into a place.
fn fit(results: &Results, charts: &[Chart], folder: &str, place: &str) -> Option<String> {
    if let Some(title) = place.strip_prefix("table ") {
        let sections = report::sections(results);
        let table = sections.iter().find(|section| section.title == title).map(Section::for_markdown);
        return Some(table.map_or_else(|| NOT_RUN.to_owned(), |table| table.trim_end().to_owned()));
    }
    if let Some(name) = place.strip_prefix("chart ") {
        let chart = charts.iter().find(|chart| chart.name == name);
        let image = chart.map(|chart| format!("![{}]({folder}/{name}.svg)", chart.title));
        return Some(image.unwrap_or_else(|| NOT_RUN.to_owned()));
    }
    match place {
        "command" => Some(results.command.clone()),
        "date" => Some(results.date.clone()),
        "rounds" => Some(results.rounds.to_string()),
        "seconds" => Some(results.seconds.to_string()),
        "machine" => Some(machine(&results.machine)),
        _ => None,
    }
}

fn machine(machine: &Machine) -> String {
    let moment = |name: &str, Moment { load, sync_p50, sync_p99 }: Moment| {
        format!(
            "| {name} | load {load:.2}; an appended page of 4 KiB is on the disk after {sync_p50:.0} µs (p50), \
             {sync_p99:.0} µs (p99) |\n"
        )
    };
    format!("| | |\n| --- | --- |\n| processor | {} |\n", machine.processor)
        + &format!("| cores | {} |\n", machine.cores)
        + &format!("| memory | {} MiB |\n", mebibytes(machine.memory_bytes))
        + &format!("| kernel | {} |\n", machine.kernel)
        + &moment("before the run", machine.before)
        + moment("after the run", machine.after).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_the_places_stays() {
        let fit = |place: &str| (place == "a").then(|| "1".to_owned());
        assert_eq!(fill("x {{a}} y {{a}}\n", fit).unwrap(), "x 1 y 1\n");
        assert_eq!(fill("{{b}}", fit).unwrap_err().to_string(), "nothing fits into {{b}}");
        assert!(fill("{{a", fit).is_err());
    }

    #[test]
    fn the_document_has_no_place_for_what_there_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("figures.md");
        write(&Results::default(), &file).unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains(NOT_RUN) && !text.contains("{{"));
    }

    #[test]
    fn every_table_and_chart_has_its_place() {
        for title in [
            "Goals",
            "Throughput",
            "Transfers",
            "Replay",
            "Latency",
            "Cost",
            "Cold loads",
            "Disk",
            "Memory under load",
            "Memory of idle aggregates",
            "Memory of a replay",
            "Lag",
            "Rebuild",
        ] {
            assert!(TEMPLATE.contains(&format!("{{{{table {title}}}}}")), "{title}");
        }
        for name in ["throughput", "ratios", "latency"] {
            assert!(TEMPLATE.contains(&format!("{{{{chart {name}}}}}")), "{name}");
        }
    }

    #[test]
    fn charts_lie_in_the_folder_of_the_documents_name() {
        assert_eq!(charts_of(Path::new("docs/benchmarks.md")), Path::new("docs/benchmarks"));
    }
}
