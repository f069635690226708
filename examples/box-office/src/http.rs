//! The routes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, put};
use axum::{Json, Router};
use cqrs_core::{
    Command, CommandId, EventFilter, Handle, Position, RecordedEvent, StartFrom, SubscriberState,
};
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::problem::{Problem, Refusal};
use crate::{Release, Reserve, Seat, SeatEvent, Service};

/// For how long a request waits, at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// The ids that are made from the keys of clients.
const KEYS: Uuid = Uuid::from_u128(0x6d1f_4b8e_20c7_4a35_9b62_d0e4_77aa_3c19);

/// The longest key that is taken.
const MAX_KEY_BYTES: usize = 200;

/// What a command came to.
#[derive(Serialize)]
struct Done {
    /// Where the log is now.
    position: u64,
    /// Whether it was done before, under the same key.
    duplicate: bool,
}

#[derive(Deserialize)]
struct Guest {
    guest: String,
}

pub(crate) fn routes(service: Service) -> Router {
    Router::new()
        .route("/seats", get(plan))
        .route("/seats/{seat}", put(reserve).delete(release))
        .route("/events", get(events))
        .route("/health", get(health))
        .with_state(service)
}

async fn plan(State(service): State<Service>) -> Json<BTreeMap<String, String>> {
    Json(service.plan.read(|plan| plan.0.clone()).await)
}

async fn reserve(
    State(service): State<Service>,
    Path(seat): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Guest>, JsonRejection>,
) -> Result<Json<Done>, Problem> {
    let Json(Guest { guest }) =
        body.map_err(|error| Problem::new(error.status(), "malformed", error.body_text()))?;
    dispatch(&service, &headers, Reserve { seat, guest }).await
}

async fn release(
    State(service): State<Service>,
    Path(seat): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Done>, Problem> {
    dispatch(&service, &headers, Release { seat }).await
}

/// Dispatches a command, and answers when the plan has its events.
async fn dispatch<C>(service: &Service, headers: &HeaderMap, command: C) -> Result<Json<Done>, Problem>
where
    C: Command<Aggregate = Seat>,
    Seat: Handle<C, Error: Refusal>,
    SeatEvent: for<'a> From<&'a C>,
{
    let id = command_id(headers, &command)?;
    let asked = SeatEvent::from(&command);
    let dispatch = service.app.dispatch(command).timeout(PATIENCE).strong();
    let done = match id {
        Some(id) => {
            let (done, events) = dispatch.command_id(id).events().await?;
            if events.iter().any(|event| event.data != asked) {
                return Err(Problem::key_reused());
            }
            done
        }
        None => dispatch.await?,
    };
    Ok(Json(Done { position: done.position.as_u64(), duplicate: done.duplicate }))
}

/// The id of a command whose client has sent a key. Command and aggregate are part of it: a client that uses one key for
/// two seats means two requests. The body is not: with another body the key was taken for another request by mistake, which
/// [`dispatch`] finds by the event of the first one.
fn command_id<C: Command>(headers: &HeaderMap, command: &C) -> Result<Option<CommandId>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        let detail = format!("an Idempotency-Key has 1 to {MAX_KEY_BYTES} bytes");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_key", detail));
    }
    let mut name = format!("{}\n{}\n", C::NAME, command.aggregate_id()).into_bytes();
    name.extend_from_slice(key.as_bytes());
    Ok(Some(CommandId::new(Uuid::new_v5(&KEYS, &name))))
}

/// The log as it grows: after the last event that the client has had, or from now on.
async fn events(
    State(service): State<Service>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let from = match headers.get("last-event-id") {
        None => StartFrom::Now,
        Some(last) => {
            let last = last.to_str().ok().and_then(|last| last.parse().ok());
            let bad = || Problem::new(StatusCode::BAD_REQUEST, "bad_event_id", "an event id is a number");
            StartFrom::Position(Position::new(last.ok_or_else(bad)?))
        }
    };
    // The stream ends with the application, and after an error: then the client comes back with the last id.
    let log = service.app.subscribe(from, EventFilter::category("seat"));
    let events =
        log.take_while(|event| std::future::ready(event.is_ok())).filter_map(async |event| event.ok());
    Ok(Sse::new(events.map(|event| Ok(sent(&event)))).keep_alive(KeepAlive::default()))
}

fn sent(event: &RecordedEvent) -> Event {
    let id = event.position.to_string();
    Event::default().id(id).event(&*event.event_type).data(event.data.as_str())
}

/// Whether the plan follows. A load balancer asks this.
async fn health(State(service): State<Service>) -> (StatusCode, Json<BTreeMap<&'static str, u64>>) {
    let all = service.app.status();
    let well = all.iter().all(|status| status.state == SubscriberState::Running);
    let lags = all.into_iter().map(|status| (status.name, status.lag())).collect();
    (if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(lags))
}
