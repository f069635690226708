//! How the service is doing.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use cqrs_core::Position;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{Status, Subscriber};
use super::problem::{Document, Problem};
use super::state::Service;

/// How long the store may take to answer a service that is ready.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// That all is well.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Well {
    /// `ok`.
    status: &'static str,
}

/// Whether the process lives.
#[utoipa::path(
    get, path = "/health", tag = "operations",
    responses(
        (status = 200, description = "It does", body = Well),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
pub(super) async fn health() -> Json<Well> {
    Json(Well { status: "ok" })
}

/// Whether the service can do its work: its store answers, and no subscriber has stopped.
#[utoipa::path(
    get, path = "/ready", tag = "operations",
    responses(
        (status = 200, description = "It can", body = Well),
        (status = 503, description = "not_ready", body = Document<'static>, content_type = "application/problem+json"),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
pub(super) async fn ready(State(service): State<Service>) -> Result<Json<Well>, Problem> {
    if *service.stopping.borrow() {
        return Err(Problem::unavailable("not_ready", "the service is ending"));
    }
    let stopped: Vec<_> = service
        .coins
        .status()
        .into_iter()
        .filter(|status| status.state.is_stopped())
        .map(|it| it.name)
        .collect();
    if !stopped.is_empty() {
        return Err(Problem::unavailable("not_ready", format!("stopped: {}", stopped.join(", "))));
    }
    head(&service).await?;
    Ok(Json(Well { status: "ok" }))
}

/// Projections and process managers, and how far they are.
#[utoipa::path(
    get, path = "/api/status", tag = "operations",
    responses(
        (status = 200, description = "How each is doing", body = Status),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
pub(super) async fn status(State(service): State<Service>) -> Result<Json<Status>, Problem> {
    let head = head(&service).await?;
    Ok(Json(Status { head, subscribers: service.coins.status().iter().map(Subscriber::from).collect() }))
}

async fn head(service: &Service) -> Result<Position, Problem> {
    let head = tokio::time::timeout(STORE_PATIENCE, service.coins.head()).await;
    Ok(head.map_err(|_| Problem::unavailable("not_ready", "the store does not answer"))??)
}

/// Metrics as Prometheus reads them.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses(
        (status = 200, description = "Metrics in the text format of Prometheus", body = String, content_type = "text/plain"),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
pub(super) async fn metrics(State(service): State<Service>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], service.metrics.render())
}
