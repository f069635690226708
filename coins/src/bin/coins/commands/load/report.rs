//! What there is to say afterwards.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use indicatif::HumanCount;
use serde::Serialize;

use super::Wanted;
use super::conservation::Conservation;
use super::mix::{Kind, Mix};
use super::tally::{Counts, Tally};
use crate::show;

/// A run, as `--json` has it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    url: String,
    clients: u64,
    mix: Mix,
    seconds: f64,
    requests: u64,
    requests_per_second: f64,
    kinds: Vec<OfKind>,
    pub(super) conservation: Conservation,
}

/// The requests of one kind. Latencies are those of answers, refusals among them, in milliseconds.
#[derive(Debug, Serialize)]
struct OfKind {
    kind: &'static str,
    requests: u64,
    requests_per_second: f64,
    done: u64,
    refused: BTreeMap<String, u64>,
    failed: BTreeMap<String, u64>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    max_ms: Option<f64>,
    #[serde(skip)]
    latencies: [Option<Duration>; 3],
}

impl OfKind {
    fn of(kind: Kind, counts: Counts, seconds: f64) -> Self {
        let latencies = [0.5, 0.99, 1.0].map(|quantile| counts.quantile(quantile));
        let [p50_ms, p99_ms, max_ms] =
            latencies.map(|latency| latency.map(|latency| latency.as_micros() as f64 / 1_000.0));
        let requests = counts.all();
        let Counts { done, refused, failed, .. } = counts;
        let requests_per_second = rate(requests, seconds);
        Self {
            kind: kind.name(),
            requests,
            requests_per_second,
            done,
            refused,
            failed,
            p50_ms,
            p99_ms,
            max_ms,
            latencies,
        }
    }
}

impl Report {
    pub(super) fn of(wanted: &Wanted, tally: &Tally, took: Duration, conservation: Conservation) -> Self {
        let seconds = took.as_secs_f64();
        let kinds: Vec<_> =
            Kind::ALL.into_iter().map(|kind| OfKind::of(kind, tally.of(kind), seconds)).collect();
        let requests = kinds.iter().map(|kind| kind.requests).sum();
        Self {
            url: wanted.url.clone(),
            clients: wanted.clients,
            mix: wanted.mix,
            seconds,
            requests,
            requests_per_second: rate(requests, seconds),
            kinds,
            conservation,
        }
    }

    pub(super) fn words(&self) -> String {
        let Self { clients, url, mix, seconds, requests, requests_per_second, kinds, conservation } = self;
        let mut text = format!(
            "{clients} clients on {url}, mine:send:read {mix}\n{} requests in {seconds:.1} s, {requests_per_second:.0} a second\n",
            HumanCount(*requests)
        );
        // What fits where 80 characters do.
        let mut table = show::table(["kind", "a second", "p50", "p99", "max", "done", "refused", "failed"]);
        for kind in kinds {
            let sum = |counts: &BTreeMap<String, u64>| HumanCount(counts.values().sum()).to_string();
            let [p50, p99, max] = kind.latencies.map(latency);
            let rate = format!("{:.0}", kind.requests_per_second);
            let ends = [HumanCount(kind.done).to_string(), sum(&kind.refused), sum(&kind.failed)];
            table.add_row([kind.kind.to_owned(), rate, p50, p99, max].into_iter().chain(ends));
        }
        show::right(&mut table, &[1, 2, 3, 4, 5, 6, 7]);
        let _ = writeln!(text, "{table}");
        for kind in kinds {
            for (what, counts) in [("refused", &kind.refused), ("failed", &kind.failed)] {
                for (code, count) in counts {
                    let _ = writeln!(text, "{} {what}: {} {code}", kind.kind, HumanCount(*count));
                }
            }
        }
        for (code, hint) in HINTS {
            if kinds.iter().any(|kind| kind.failed.contains_key(code)) {
                let _ = writeln!(text, "{hint}");
            }
        }
        let _ = write!(text, "{conservation}");
        text
    }
}

/// What may be behind a failure.
const HINTS: [(&str, &str); 2] = [
    (
        "too_many_requests",
        "the service lets a client make so many requests and no more; `coins serve --rate 0` has no such limit",
    ),
    (
        "no_connection",
        "the service may let a client have fewer connections; `coins serve --connections 0` has no such limit",
    ),
];

/// A latency in words; a dash where there is none.
pub(super) fn latency(latency: Option<Duration>) -> String {
    latency.map_or_else(|| "-".to_owned(), |latency| format!("{latency:.1?}"))
}

fn rate(requests: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { requests as f64 / seconds } else { 0.0 }
}
