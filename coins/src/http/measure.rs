//! What is counted, for Prometheus.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use metrics::{
    Gauge, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::Instant;

/// Bounds of the buckets of durations, in seconds: from what a query takes to what a client waits for.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Bounds of the buckets of batches, in events.
const EVENTS: [f64; 5] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0];

/// What the whole process has counted.
#[derive(Clone)]
pub(super) struct Metrics(Arc<PrometheusHandle>);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// The recorder of this process; the first call installs it.
    pub(super) fn of_process() -> Result<Self, BuildError> {
        static INSTALLED: Mutex<Option<Metrics>> = Mutex::new(None);
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(metrics) = &*installed {
            return Ok(metrics.clone());
        }
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_events".to_owned()), &EVENTS)?
            .install_recorder()?;
        describe_counter!("http_requests_total", "Requests by method, route and status");
        describe_histogram!(
            "http_request_duration_seconds",
            Unit::Seconds,
            "Time to the head of the answer"
        );
        describe_gauge!("http_requests_in_flight", "Requests that are not answered yet");
        describe_gauge!("http_connections", "Connections that are open");
        describe_counter!(
            "http_connections_refused_total",
            "Connections that were one too many of a client's"
        );
        describe_gauge!("http_event_streams", "Streams of events that are open");
        Ok(installed.insert(Self(Arc::new(handle))).clone())
    }

    /// All of it, in the text format.
    pub(super) fn render(&self) -> String {
        self.0.render()
    }

    /// Puts what was measured into its buckets. Until then each value is kept, so this has to be done now and then
    /// also when nobody reads.
    pub(super) fn tidy(&self) {
        self.0.run_upkeep();
    }
}

/// Counts one of something until it is dropped.
#[derive(Debug)]
pub(super) struct Counted(Gauge);

impl Counted {
    fn one(gauge: Gauge) -> Self {
        gauge.increment(1);
        Self(gauge)
    }

    pub(super) fn connection() -> Self {
        Self::one(gauge!("http_connections"))
    }

    pub(super) fn stream() -> Self {
        Self::one(gauge!("http_event_streams"))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// Counts a connection that was closed because its client had too many.
pub(super) fn refused_connection() {
    counter!("http_connections_refused_total").increment(1);
}

/// Counts a request and takes its time.
pub(super) async fn request(request: Request, next: Next) -> Response {
    let method = known(request.method());
    // The route and not the path, of which there is no end.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let _under_way = Counted::one(gauge!("http_requests_in_flight"));
    let begun = Instant::now();
    let response = next.run(request).await;
    let labels = [("method", method.to_owned()), ("route", route)];
    histogram!("http_request_duration_seconds", &labels).record(begun.elapsed());
    let [method, route] = labels;
    let status = ("status", response.status().as_u16().to_string());
    counter!("http_requests_total", &[method, route, status]).increment(1);
    response
}

/// A client may make up methods, and none of them is worth a series of its own.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
