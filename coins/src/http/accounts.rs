//! Mining, and questions about accounts.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cqrs_core::{Consistency, Position, Version, describe};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::body::{Account, AccountWithStatement, Accounts, Leaderboard, Line, LogEvent, Mined, Statement};
use super::extract::{Body, Params, page_size};
use super::idempotency::Key;
use super::problem::{Document, Problem};
use super::state::Service;
use crate::{AccountCursor, AccountId, Coins};

/// A proof of work.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MineBody {
    /// Who mines.
    #[schema(min_length = 1, max_length = 64)]
    account: String,
    /// Greater than any that the account has used.
    nonce: u64,
}

/// Which accounts are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AccountsParams {
    /// How many accounts, 1 to 1,000; 20 when it is not said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// Only those behind this place: what `next` was in the page before.
    after: Option<String>,
}

/// Which leaderboard is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LeaderboardParams {
    /// Where the log ended; now when it is not said.
    at: Option<u64>,
    /// How many accounts, 1 to 1,000; 20 when it is not said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
}

/// Which account is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AccountParams {
    /// Which account.
    #[param(min_length = 1, max_length = 64)]
    account: String,
}

/// Which part of a history is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StatementParams {
    /// Whose history.
    #[param(min_length = 1, max_length = 64)]
    account: String,
    /// How many lines, 1 to 1,000; 20 when it is not said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// Only lines before this version of the account.
    before: Option<u64>,
}

/// Mine a coin.
///
/// The answer comes when the coin is on the disk and queries know of it; when they take long, `visible` is false.
#[utoipa::path(
    post, path = "/api/coins", tag = "commands",
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the request: with the same key it is done once")),
    request_body = MineBody,
    responses(
        (status = 201, description = "The coin is granted", body = Mined),
        (status = 409, description = "used_nonce", body = Document<'static>, content_type = "application/problem+json"),
        (status = 422, description = "invalid_nonce, invalid_account, invalid_body, idempotency_key_reused", body = Document<'static>, content_type = "application/problem+json"),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
pub(super) async fn mine(
    State(service): State<Service>,
    key: Key,
    Body(MineBody { account, nonce }): Body<MineBody>,
) -> Result<Response, Problem> {
    let account_id = account.parse()?;
    let dispatch = service.coins.mine_coin(&account_id, nonce);
    let mined = match key.of_mining() {
        Some(id) => dispatch.command_id(id).await,
        None => dispatch.await,
    };
    let mined = mined.map_err(Problem::dispatch)?;
    let visible = mined.consistency == Consistency::Reached;
    let (version, position, duplicate) = (mined.version, mined.position, mined.duplicate);
    let answer = Mined { account_id, nonce, version, position, visible, duplicate };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Who has most coins.
///
/// Among equals it is the smallest account id.
#[utoipa::path(
    get, path = "/api/richest", tag = "queries",
    responses(
        (status = 200, description = "The richest account", body = Account),
        (status = 404, description = "no_accounts", body = Document<'static>, content_type = "application/problem+json"),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
pub(super) async fn richest(State(service): State<Service>) -> Result<Json<Account>, Problem> {
    let richest = service.coins.richest().await?;
    let account = richest.ok_or_else(|| Problem::not_found("no_accounts", "nobody has an account yet"))?;
    Ok(Json(account.into()))
}

/// Accounts, the richest first.
#[utoipa::path(
    get, path = "/api/accounts", tag = "queries", params(AccountsParams),
    responses(
        (status = 200, description = "A page of accounts", body = Accounts),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(service): State<Service>,
    Params(AccountsParams { limit, after }): Params<AccountsParams>,
) -> Result<Json<Accounts>, Problem> {
    let limit = page_size(limit)?;
    let after = after.map(|after| after.parse::<AccountCursor>()).transpose();
    let after = after.map_err(|error| Problem::bad_request("invalid_query", error.to_string()))?;
    Ok(Json(service.coins.accounts_page(after.as_ref(), limit).await?.into()))
}

/// Who was richest when the log ended at a position, or who is.
#[utoipa::path(
    get, path = "/api/leaderboard", tag = "queries", params(LeaderboardParams),
    responses(
        (status = 200, description = "The leaderboard", body = Leaderboard<'static>),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
pub(super) async fn leaderboard(
    State(service): State<Service>,
    Params(LeaderboardParams { at, limit }): Params<LeaderboardParams>,
) -> Result<Response, Problem> {
    let limit = page_size(limit)?;
    let leaderboard = service.coins.leaderboard(at.map(Position::new), limit).await?;
    let last = match leaderboard.position.as_u64().checked_sub(1) {
        Some(before) => service.coins.all_events(Position::new(before), 1).await?.events,
        None => Vec::new(),
    };
    let event = last.first().map(LogEvent::of).transpose().map_err(|error| {
        tracing::error!(error = %describe(&error), "an event cannot be written");
        Problem::internal()
    })?;
    Ok(Json(Leaderboard::of(leaderboard, event)).into_response())
}

/// An account with the newest part of its history.
#[utoipa::path(
    get, path = "/api/account", tag = "queries", params(AccountParams),
    responses(
        (status = 200, description = "The account", body = AccountWithStatement),
        (status = 404, description = "no_such_account", body = Document<'static>, content_type = "application/problem+json"),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    State(service): State<Service>,
    Params(AccountParams { account }): Params<AccountParams>,
) -> Result<Json<AccountWithStatement>, Problem> {
    let id = account.parse()?;
    let account = service.coins.account(&id).await?.ok_or_else(|| no_such_account(&id))?;
    let statement = page_of_statement(&service.coins, &id, None, page_size(None)?).await?;
    Ok(Json(AccountWithStatement { account: account.into(), statement }))
}

/// An account's history with its balance at every step, the newest line first.
#[utoipa::path(
    get, path = "/api/statement", tag = "queries", params(StatementParams),
    responses(
        (status = 200, description = "A page of the history", body = Statement),
        (status = 404, description = "no_such_account", body = Document<'static>, content_type = "application/problem+json"),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
pub(super) async fn statement(
    State(service): State<Service>,
    Params(StatementParams { account, limit, before }): Params<StatementParams>,
) -> Result<Json<Statement>, Problem> {
    let id = account.parse()?;
    let limit = page_size(limit)?;
    let page = page_of_statement(&service.coins, &id, before.map(Version::new), limit).await?;
    if page.lines.is_empty() && service.coins.account(&id).await?.is_none() {
        return Err(no_such_account(&id));
    }
    Ok(Json(page))
}

async fn page_of_statement(
    coins: &Coins,
    account: &AccountId,
    before: Option<Version>,
    limit: u64,
) -> Result<Statement, Problem> {
    // One more than wanted tells whether there is another page.
    let mut lines = coins.statement(account, before, limit + 1).await?;
    let more = lines.len() as u64 > limit;
    lines.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = lines.last().filter(|_| more).map(|line| line.version);
    Ok(Statement { lines: lines.into_iter().map(Line::from).collect(), next })
}

fn no_such_account(id: &AccountId) -> Problem {
    Problem::not_found("no_such_account", format!("nothing has happened to {:?} yet", id.as_str()))
}
