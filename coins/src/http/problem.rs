//! What is answered instead of what was asked for.

use std::borrow::Cow;

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cqrs_core::{DispatchError, StoreError, describe};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{InvalidAccountId, InvalidAmount, MineCoinError, SendCoinsError};

/// What a problem's `type` begins with; its code follows.
const TYPE: &str = "urn:coins:problem:";

/// Why a request was not done.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: Cow<'static, str>,
    /// Whether a rule of the currency refused.
    is_rule: bool,
    context: Map<String, Value>,
    retry_after: Option<u64>,
}

/// A problem as it is written: `application/problem+json` of RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Document<'a> {
    /// Names the kind of problem: `urn:coins:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of problem, for people.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// The kind of problem, for programs.
    code: &'a str,
    /// What was wanted and what was found.
    detail: &'a str,
    /// The rule of the currency that refused, which is the code again; missing when it was no rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rule: Option<&'a str>,
    /// What the rule looked at, such as `balance` and `amount`.
    #[serde(flatten)]
    context: &'a Map<String, Value>,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (detail, context) = (detail.into(), Map::new());
        Self { status, code, title, detail, is_rule: false, context, retry_after: None }
    }

    /// A rule of the currency has spoken.
    fn rule(status: StatusCode, rule: &'static str, title: &'static str, detail: String) -> Self {
        Self { is_rule: true, ..Self::new(status, rule, title, detail) }
    }

    /// Adds what a program may want to know.
    pub(super) fn with(mut self, context: Value) -> Self {
        if let Value::Object(context) = context {
            self.context.extend(context);
        }
        self
    }

    /// Says after how many seconds another attempt makes sense.
    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(super) fn bad_request(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "The request cannot be understood", detail)
    }

    pub(super) fn not_found(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, "There is no such thing", detail)
    }

    pub(super) fn unavailable(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "The service cannot do this now", detail)
            .retry_after(1)
    }

    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The service has a defect",
            "the log of the service says more, under the request's id",
        )
    }

    /// The command's id is made of the request's key, and was another command's.
    fn key_reused() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "The Idempotency-Key was used for another request",
            "a key is used again only for the same request; nothing was changed",
        )
    }

    /// What became of a command that did not take effect, or of which nobody knows whether it did.
    pub(super) fn dispatch<E>(error: DispatchError<E>) -> Self
    where
        E: Into<Self> + std::error::Error + 'static,
    {
        match error {
            DispatchError::Rejected(rejection) => rejection.into(),
            DispatchError::Conflict { .. } => {
                Self::unavailable("conflict", "others kept on writing to the account; nothing was changed")
            }
            DispatchError::Overloaded { .. } => {
                Self::unavailable("overloaded", "too many commands are under way; nothing was changed")
            }
            DispatchError::ShuttingDown => {
                Self::unavailable("shutting_down", "the service is ending; nothing was changed")
            }
            DispatchError::TimedOut { .. } | DispatchError::OutcomeUnknown { .. } => {
                tracing::warn!(error = %describe(&error), "the outcome of a command is not known");
                Self::new(
                    StatusCode::GATEWAY_TIMEOUT,
                    "outcome_unknown",
                    "Nobody knows yet whether this was done",
                    "the command may take effect yet; the same request with the same Idempotency-Key is safe, and tells",
                )
            }
            DispatchError::Store(_) => Self::store(&error),
            _ => {
                tracing::error!(error = %describe(&error), "a command failed");
                Self::internal()
            }
        }
    }

    /// The database failed. What it says is for the log: it may name files.
    fn store(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %describe(error), "the store failed");
        Self::unavailable("store", "the database failed; nothing was changed, and the log says more")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => Self::unavailable("shutting_down", "the service is ending"),
            error => Self::store(&error),
        }
    }
}

impl From<InvalidAccountId> for Problem {
    fn from(error: InvalidAccountId) -> Self {
        let title = "This names no account";
        Self::rule(StatusCode::UNPROCESSABLE_ENTITY, error.code(), title, error.to_string())
    }
}

impl From<InvalidAmount> for Problem {
    fn from(error: InvalidAmount) -> Self {
        let title = "This is no amount of coins";
        Self::rule(StatusCode::UNPROCESSABLE_ENTITY, error.code(), title, error.to_string())
    }
}

impl From<MineCoinError> for Problem {
    fn from(error: MineCoinError) -> Self {
        let (status, title, context) = match &error {
            MineCoinError::UsedCommandId { .. } => return Self::key_reused(),
            MineCoinError::UsedNonce { account_id, nonce, last } => (
                StatusCode::CONFLICT,
                "The nonce was used",
                json!({ "account_id": account_id, "nonce": nonce, "last_nonce": last }),
            ),
            MineCoinError::InvalidNonce { account_id, nonce, found } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "The nonce proves no work",
                json!({ "account_id": account_id, "nonce": nonce, "first_byte": found }),
            ),
        };
        Self::rule(status, error.code(), title, error.to_string()).with(context)
    }
}

impl From<SendCoinsError> for Problem {
    fn from(error: SendCoinsError) -> Self {
        let (title, context) = match &error {
            SendCoinsError::UsedCommandId { .. } => return Self::key_reused(),
            SendCoinsError::NotEnoughCoins { account_id, balance, amount } => (
                "The account has not enough coins",
                // More than JSON's readers take for an integer is not what an account has.
                json!({ "account_id": account_id, "balance": i64::try_from(*balance).ok(), "amount": amount }),
            ),
            SendCoinsError::UsedTransfer { account_id, transfer_id } => (
                "The transfer was sent before",
                json!({ "account_id": account_id, "transfer_id": transfer_id }),
            ),
        };
        Self::rule(StatusCode::CONFLICT, error.code(), title, error.to_string()).with(context)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, code, title, detail, is_rule, context, retry_after } = &self;
        let document = Document {
            kind: format!("{TYPE}{code}"),
            title,
            status: status.as_u16(),
            code,
            detail,
            rule: is_rule.then_some(code),
            context,
        };
        let mut response = (*status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
        }
        response
    }
}
