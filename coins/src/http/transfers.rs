//! Sending, and questions about transfers.

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use cqrs_core::Position;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::body::{Sent, Transfer, Transfers};
use super::extract::{Body, Params, TransferOfPath, page_size};
use super::idempotency::Key;
use super::problem::{Document, Problem};
use super::state::Service;
use crate::{AccountId, Amount, TransferId, TransferQuery};

/// Coins to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SendBody {
    /// Who sends.
    #[schema(min_length = 1, max_length = 64)]
    from: String,
    /// Who is to receive; may be the sender.
    #[schema(min_length = 1, max_length = 64)]
    to: String,
    /// How many coins: 1 to 9223372036854775807.
    // As it was written: a number that no machine's integer can hold is refused by name and not as a bad document.
    #[schema(value_type = u64, minimum = 1, maximum = 9223372036854775807_u64)]
    amount: Box<RawValue>,
}

/// Which transfers are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TransfersParams {
    /// Only those from or to this account.
    #[param(min_length = 1, max_length = 64)]
    account: Option<String>,
    /// Only those that have not arrived.
    #[serde(default)]
    under_way: bool,
    /// How many, 1 to 1,000; 20 when it is not said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// Only those that were sent before this position of the log.
    before: Option<u64>,
}

/// Send coins.
///
/// The answer comes when the coins have arrived; with `Prefer: respond-async`, or when they take long, when they have
/// been sent. Who repeats a request is told whether they have arrived meanwhile.
#[utoipa::path(
    post, path = "/api/transfers", tag = "commands",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Names the request: with the same key it is done once"),
        ("Prefer" = Option<String>, Header, description = "`respond-async` does not wait for the coins to arrive"),
    ),
    request_body = SendBody,
    responses(
        (status = 201, description = "The coins are known to have arrived", body = Sent),
        (status = 202, description = "The coins were sent, and are not known to have arrived yet", body = Sent),
        (status = 409, description = "not_enough_coins", body = Document<'static>, content_type = "application/problem+json"),
        (status = 422, description = "invalid_amount, invalid_account, invalid_body, idempotency_key_reused", body = Document<'static>, content_type = "application/problem+json"),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
pub(super) async fn send(
    State(service): State<Service>,
    key: Key,
    headers: HeaderMap,
    Body(body): Body<SendBody>,
) -> Result<Response, Problem> {
    let (from, to) = (body.from.parse()?, body.to.parse()?);
    let amount: Amount = body.amount.get().parse()?;
    let mut dispatch = service.coins.send_coins(&from, &to, amount);
    if let Some(id) = key.of_sending() {
        dispatch = dispatch.command_id(id);
    }
    if wants_no_wait(&headers) {
        dispatch = dispatch.without_waiting();
    }
    let transfer = dispatch.await.map_err(Problem::dispatch)?;

    let crate::Transfer { transfer_id, sent } = transfer;
    let (version, position, duplicate) = (sent.version, sent.position, sent.duplicate);
    let arrived = transfer.arrived() || duplicate && has_arrived(&service, transfer_id, &from).await?;
    let status = if arrived { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    let answer = Sent { transfer_id, from, to, amount, version, position, arrived, duplicate };
    Ok((status, [(LOCATION, format!("/api/transfers/{transfer_id}"))], Json(answer)).into_response())
}

/// Whether queries know that coins have arrived, which may be long ago when somebody asks again.
async fn has_arrived(service: &Service, id: TransferId, from: &AccountId) -> Result<bool, Problem> {
    let found = service.coins.transfer(id).await?;
    Ok(found.iter().any(|transfer| transfer.from == *from && transfer.arrived_at.is_some()))
}

/// Whether `Prefer: respond-async` (RFC 7240) is among what the client would like.
fn wants_no_wait(headers: &HeaderMap) -> bool {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    preferences
        .flat_map(|value| value.split(','))
        .any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"))
}

/// Transfers, the newest first.
#[utoipa::path(
    get, path = "/api/transfers", tag = "queries", params(TransfersParams),
    responses(
        (status = 200, description = "A page of transfers", body = Transfers),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(service): State<Service>,
    Params(params): Params<TransfersParams>,
) -> Result<Json<Transfers>, Problem> {
    let limit = page_size(params.limit)?;
    let query = TransferQuery {
        account: params.account.map(|account| account.parse()).transpose()?,
        under_way: params.under_way,
        before: params.before.map(Position::new),
    };
    // One more than wanted tells whether there is another page.
    let mut transfers = service.coins.transfers(&query, limit + 1).await?;
    let more = transfers.len() as u64 > limit;
    transfers.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = transfers.last().filter(|_| more).map(|transfer| transfer.position);
    Ok(Json(Transfers { transfers: transfers.into_iter().map(Transfer::from).collect(), next }))
}

/// A transfer.
#[utoipa::path(
    get, path = "/api/transfers/{transfer_id}", tag = "queries",
    params(("transfer_id" = String, Path, description = "Which transfer")),
    responses(
        (status = 200, description = "The transfer", body = Transfer),
        (status = 404, description = "no_such_transfer", body = Document<'static>, content_type = "application/problem+json"),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    State(service): State<Service>,
    TransferOfPath(id): TransferOfPath,
) -> Result<Json<Transfer>, Problem> {
    // Another sender may have used the same id on the command line; the newest is shown.
    let transfer = service.coins.transfer(id).await?.into_iter().next();
    let transfer = transfer
        .ok_or_else(|| Problem::not_found("no_such_transfer", format!("there is no transfer {id}")))?;
    Ok(Json(transfer.into()))
}
