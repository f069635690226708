//! What is answered when a command did not take effect, or when nobody knows.

use std::error::Error;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use cqrs_core::DispatchError;
use serde::Serialize;

use crate::{NotReserved, Taken};

/// Why a request was not done: a status, a code for programs, a sentence for people.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(skip)]
    status: StatusCode,
    code: &'static str,
    detail: String,
}

/// A refusal of the domain, as HTTP sees it.
pub(crate) trait Refusal: Error {
    const STATUS: StatusCode;
    const CODE: &'static str;
}

impl Refusal for Taken {
    const STATUS: StatusCode = StatusCode::CONFLICT;
    const CODE: &'static str = "taken";
}

impl Refusal for NotReserved {
    const STATUS: StatusCode = StatusCode::CONFLICT;
    const CODE: &'static str = "not_reserved";
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }

    pub(crate) fn key_reused() -> Self {
        let detail = "the Idempotency-Key was used for another request; nothing was changed";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", detail)
    }
}

impl<E: Refusal> From<DispatchError<E>> for Problem {
    fn from(error: DispatchError<E>) -> Self {
        match error {
            DispatchError::Rejected(refusal) => Self::new(E::STATUS, E::CODE, refusal.to_string()),
            DispatchError::Conflict { .. } => {
                Self::new(StatusCode::CONFLICT, "conflict", "somebody else was faster; look and try again")
            }
            DispatchError::Invalid(why) => Self::new(StatusCode::BAD_REQUEST, "invalid", why.to_string()),
            DispatchError::TimedOut { .. }
            | DispatchError::OutcomeUnknown { .. }
            | DispatchError::NotReturned { .. } => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "outcome_unknown",
                "nobody knows whether it took effect; with the same Idempotency-Key it is safe to try again",
            ),
            DispatchError::Overloaded { .. } | DispatchError::Store(_) | DispatchError::ShuttingDown => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "nothing was changed; try again")
            }
            // What else there is, is a mistake in this program, and nobody's business outside of it.
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "that is our fault"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let retry = self.status == StatusCode::SERVICE_UNAVAILABLE;
        let answer = (self.status, Json(self)).into_response();
        if retry { ([(RETRY_AFTER, "1")], answer).into_response() } else { answer }
    }
}
