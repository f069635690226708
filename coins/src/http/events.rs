//! The log as a stream of server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use cqrs_core::{Position, describe};
use futures::stream::{self, Stream, StreamExt};
use serde::Deserialize;
use utoipa::IntoParams;

use super::body::LogEvent;
use super::extract::Params;
use super::measure::Counted;
use super::problem::{Document, Problem};
use super::state::Service;
use crate::RecordedAccountEvent;

/// After how long a client whose stream has ended is to come back.
const COME_BACK_AFTER: Duration = Duration::from_secs(1);

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsParams {
    /// Only events after this position of the log; from its beginning when it is not said.
    after: Option<u64>,
    /// Only this account's events.
    #[param(min_length = 1, max_length = 64)]
    account: Option<String>,
}

/// What happens, as it happens.
///
/// What is in the log already comes first, then what comes, without gap or duplicate. A client that was cut off goes on
/// with `Last-Event-ID`. While nothing happens there is an event of type `ping` every 15 seconds, without an `id` and with
/// nothing in its `data`: a client that misses some has lost its connection.
#[utoipa::path(
    get, path = "/api/events", tag = "queries",
    params(EventsParams, ("Last-Event-ID" = Option<u64>, Header, description = "The position after which to go on; it counts more than `after`")),
    responses(
        (status = 200, description = "Events, each with its position as `id`, its type as `event`, and a LogEvent as `data`; and those of type `ping`, which have no `id` and `{}` as `data`", body = LogEvent<'static>, content_type = "text/event-stream"),
        (status = 503, description = "too_many_streams", body = Document<'static>, content_type = "application/problem+json"),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
pub(super) async fn stream(
    State(service): State<Service>,
    headers: HeaderMap,
    Params(EventsParams { after, account }): Params<EventsParams>,
) -> Result<impl IntoResponse, Problem> {
    let after = last_event_id(&headers)?.or(after).map_or(Position::ZERO, Position::new);
    let account = account.map(|account| account.parse()).transpose()?;
    let permit = service.streams.clone().try_acquire_owned().map_err(|_| {
        Problem::unavailable("too_many_streams", "as many streams of events are open as may be")
    })?;
    let events = service.coins.follow(account.as_ref(), after);
    let counted = Counted::stream();
    let events = until_stopped(events, service.stopping).map(move |event| {
        // They are let go of when the client is gone.
        let _held = (&permit, &counted);
        Ok::<_, Infallible>(event)
    });
    let hello = stream::iter([Ok(Event::default().retry(COME_BACK_AFTER))]);
    // A comment would hold the connection as well, but a page's scripts never hear of comments, nor of events without data.
    let ping =
        KeepAlive::new().interval(service.heartbeat).event(Event::default().event("ping").data("{}"));
    Ok(Sse::new(hello.chain(events)).keep_alive(ping))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    // What a browser sends when it has seen no event yet.
    if id.is_empty() {
        return Ok(None);
    }
    let id = id.to_str().ok().and_then(|id| id.parse().ok());
    id.map(Some)
        .ok_or_else(|| Problem::bad_request("invalid_query", "Last-Event-ID is a position of the log"))
}

/// Events as they are sent, until the first error or the end of the server.
fn until_stopped(
    events: impl Stream<Item = Result<RecordedAccountEvent, cqrs_core::StoreError>> + Send + 'static,
    mut stopping: tokio::sync::watch::Receiver<bool>,
) -> impl Stream<Item = Event> + Send + 'static {
    let stop = async move {
        // Whoever could tell has gone, which is an end as well.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let sent = events.map(|event| {
        let event = event.map_err(|error| describe(&error))?;
        let line = LogEvent::of(&event).map_err(|error| describe(&error))?;
        let sent = Event::default().id(event.position.to_string()).event(line.event_type());
        sent.json_data(&line).map_err(|error| error.to_string())
    });
    let shown = sent.map(|event: Result<Event, String>| {
        event.inspect_err(|error| tracing::error!(%error, "a stream of events ends")).ok()
    });
    shown
        .take_while(|event| std::future::ready(event.is_some()))
        .filter_map(std::future::ready)
        .take_until(stop)
}
