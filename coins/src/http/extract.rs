//! What is taken from a request, with a problem when it cannot be.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::TransferId;

/// The most items of a page.
const MAX_PAGE: u64 = 1_000;

/// How many items a page has when the request does not say.
const PAGE: u64 = 20;

/// The JSON document of a request's body.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = axum::Json::<T>::from_request(request, state).await;
        body.map(|axum::Json(body)| Self(body)).map_err(|rejection| match rejection {
            JsonRejection::MissingJsonContentType(_) => Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The body is not JSON",
                "wanted is a body with Content-Type: application/json",
            ),
            JsonRejection::JsonSyntaxError(error) => Problem::bad_request("malformed", error.body_text()),
            JsonRejection::JsonDataError(error) => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_body",
                "The body is not what is wanted here",
                error.body_text(),
            ),
            error if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "The body is too large",
                "a body of at most 16 KiB is taken",
            ),
            error => Problem::bad_request("malformed", error.body_text()),
        })
    }
}

/// The parameters behind the path's question mark.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if !parts.uri.query().is_none_or(is_utf8) {
            return Err(Problem::bad_request("invalid_query", "what is percent-encoded is no UTF-8"));
        }
        let query: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        query
            .map(|Query(params)| Self(params))
            .map_err(|error| Problem::bad_request("invalid_query", error.body_text()))
    }
}

/// Whether what is percent-encoded in a query is a text. What is none would be read as another one.
fn is_utf8(query: &str) -> bool {
    let mut parts = query.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match digits {
            Some(byte) => bytes.extend(std::iter::once(byte).chain(part.bytes().skip(2))),
            None => bytes.extend(part.bytes()),
        }
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// The transfer that the path names.
pub(super) struct TransferOfPath(pub(super) TransferId);

impl<S: Send + Sync> FromRequestParts<S> for TransferOfPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|error| Problem::bad_request("invalid_path", error.body_text()))?;
        let id = text.parse().map_err(|_| {
            Problem::not_found("no_such_transfer", format!("a transfer has a UUID, found {text:?}"))
        })?;
        Ok(Self(id))
    }
}

/// How many items a page is to have.
pub(super) fn page_size(limit: Option<u64>) -> Result<u64, Problem> {
    match limit {
        None => Ok(PAGE),
        Some(limit @ 1..=MAX_PAGE) => Ok(limit),
        Some(limit) => Err(Problem::bad_request(
            "invalid_query",
            format!("limit is from 1 to {MAX_PAGE}, found {limit}"),
        )),
    }
}
