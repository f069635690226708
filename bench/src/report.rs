//! The tables of a run.

use crate::case::Unit;
use crate::cold::ColdResult;
use crate::disk::DiskResult;
use crate::goal::{Bound, Judged};
use crate::lag::LagResult;
use crate::memory::{IdleResult, PeakResult};
use crate::number::{figure, mebibytes, milliseconds, thousands, whole};
use crate::results::{CaseResult, Results};
use crate::sample::Quantiles;
use crate::swap::SwapResult;
use crate::table::Section;

/// All tables that have rows.
pub(crate) fn sections(results: &Results) -> Vec<Section> {
    let (peaks, idle, replays) = match &results.memory {
        Some(memory) => (&memory.peaks[..], Some(&memory.idle), &memory.replays[..]),
        None => (&[][..], None, &[][..]),
    };
    let sections = [
        goals(&results.goals),
        rates("Throughput", "events/s", Unit::Written, &results.cases),
        rates("Transfers", "transfers/s", Unit::Transfer, &results.cases),
        rates("Replay", "events/s", Unit::Replayed, &results.cases),
        latency(&results.cases),
        cost(&results.cases),
        cold(&results.cold),
        disk(&results.disk),
        lag(results.lag.as_ref()),
        swap(results.swap.as_ref()),
        peak("Memory under load", peaks),
        waiting(idle),
        peak("Memory of a replay", replays),
    ];
    sections.into_iter().filter(|section| !section.is_empty()).collect()
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
    Section::new("Goals", 2, ["case", "figure", "goal", "found", "met"], rows)
}

/// The cases that count such a unit.
fn rates(title: &'static str, name: &'static str, unit: Unit, cases: &[CaseResult]) -> Section {
    let header = ["case", "beside", name, "lowest … highest", "ratio", "lowest … highest"];
    let rows = cases.iter().filter(|case| case.work.unit() == unit).map(|case| {
        let rate = case.per_second;
        vec![
            case.case.clone(),
            case.beside.clone().unwrap_or_default(),
            whole(rate.median),
            format!("{} … {}", whole(rate.lowest), whole(rate.highest)),
            optional(case.ratio, |ratio| format!("{:.2}", ratio.median)),
            optional(case.ratio, |ratio| format!("{:.2} … {:.2}", ratio.lowest, ratio.highest)),
        ]
    });
    Section::new(title, 2, header, rows)
}

fn latency(cases: &[CaseResult]) -> Section {
    let rows = cases.iter().filter_map(|case| {
        let latency = case.latency_micros?;
        let times = [latency.p50, latency.p99, latency.p999];
        Some(std::iter::once(case.case.clone()).chain(times.map(milliseconds)).collect())
    });
    Section::new("Latency", 1, ["case", "p50 ms", "p99 ms", "p99.9 ms"], rows)
}

fn cost(cases: &[CaseResult]) -> Section {
    let header = ["case", "CPU ms per 1,000", "events a commit", "decided again"];
    let rows = cases.iter().map(|case| {
        vec![
            case.case.clone(),
            format!("{:.1}", case.cpu_per_thousand),
            optional(case.events_per_commit, |events| format!("{events:.1}")),
            optional(case.conflicts, thousands),
        ]
    });
    Section::new("Cost", 1, header, rows)
}

fn cold(cases: &[ColdResult]) -> Section {
    let header =
        ["case", "loads", "first p50 ms", "first p99 ms", "next p50 ms", "load p50 ms", "load, of raw"];
    let rows = cases.iter().map(|case| {
        let times = [case.first_p50, case.first_p99, case.next_p50, case.load_p50];
        let mut row = vec![case.case.clone(), thousands(case.loads as u64)];
        row.extend(times.map(|milliseconds| format!("{milliseconds:.2}")));
        row.push(optional(case.times, |times| format!("{times:.2}")));
        row
    });
    Section::new("Cold loads", 1, header, rows)
}

fn disk(files: &[DiskResult]) -> Section {
    let header = ["case", "events", "file MiB", "of it JSON MiB", "bytes an event besides its JSON"];
    let rows = files.iter().map(|file| {
        vec![
            file.case.clone(),
            thousands(file.events),
            mebibytes(file.file_bytes),
            mebibytes(file.data_bytes),
            whole(file.bytes_per_event),
        ]
    });
    Section::new("Disk", 1, header, rows)
}

fn lag(result: Option<&LagResult>) -> Section {
    let header =
        ["case", "commands", "answered a second", "lag p50 ms", "p99 ms", "p99.9 ms", "longest ms"];
    let rows = result.map(|lag| {
        let Quantiles { p50, p99, p999 } = lag.lag_micros;
        let mut row = vec![lag.case.clone(), thousands(lag.commands), whole(lag.per_second)];
        row.extend([p50, p99, p999, lag.longest_micros].map(milliseconds));
        row
    });
    Section::new("Lag", 1, header, rows)
}

fn swap(result: Option<&SwapResult>) -> Section {
    let header = [
        "rows",
        "rebuild s",
        "before p50 ms",
        "before p99 ms",
        "during p50 ms",
        "during p99 ms",
        "longest ms",
    ];
    let rows = result.map(|swap| {
        let (before, during) = (swap.before_micros, swap.during_micros);
        let mut row = vec![thousands(swap.rows), format!("{:.2}", swap.rebuild_seconds)];
        row.extend([before.p50, before.p99, during.p50, during.p99, swap.longest_micros].map(milliseconds));
        row
    });
    Section::new("Rebuild", 0, header, rows)
}

fn peak(title: &'static str, peaks: &[PeakResult]) -> Section {
    let rows = peaks
        .iter()
        .map(|peak| vec![peak.case.clone(), thousands(peak.events), mebibytes(peak.peak_bytes)]);
    Section::new(title, 1, ["case", "events", "peak MiB"], rows)
}

fn waiting(idle: Option<&IdleResult>) -> Section {
    let header = ["aggregates", "all kept MiB", "one kept MiB", "bytes an aggregate", "of it its state"];
    let rows = idle.map(|idle| {
        vec![
            thousands(idle.aggregates),
            mebibytes(idle.all_kept_bytes),
            mebibytes(idle.one_kept_bytes),
            whole(idle.bytes_per_aggregate),
            thousands(idle.state_bytes as u64),
        ]
    });
    Section::new("Memory of idle aggregates", 0, header, rows)
}

fn optional<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(String::new, show)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_says_whether_it_is_met() {
        let judged = Judged::new("a case", "a figure".to_owned(), Bound::AtLeast(2.0), 1.0);
        let table = goals(&[judged]).for_markdown();
        assert_eq!(table.lines().last(), Some("| a case | a figure | ≥ 2 | 1 | no |"));
    }

    #[test]
    fn what_was_not_run_has_no_table() {
        let results = Results::default();
        assert!(sections(&results).is_empty());
    }
}
