//! What is served where.

use std::sync::LazyLock;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{Document, Problem};
use super::state::Service;
use super::{accounts, events, operations, page, transfers};

/// The description of the interface, before its routes are added.
#[derive(OpenApi)]
#[openapi(info(
    title = "Coins",
    description = "A crypto-currency for a talk: mine coins, send them, ask who is richest. Errors are application/problem+json, \
                   with a `code` for programs; besides those that are listed, any request may be answered 400, 403, 404, 405, 408, \
                   413, 415, 429, 500, 503 or 504 with one.",
    license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
))]
struct Description;

/// All routes.
pub(super) fn routes(service: Service) -> Router {
    served()
        .fallback(async || Problem::not_found("not_found", "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            let detail = "the header Allow has what can be done here";
            let status = StatusCode::METHOD_NOT_ALLOWED;
            Problem::new(status, "method_not_allowed", "Not with this method", detail)
        })
        .with_state(service)
}

/// The routes that are described, and the page.
fn served() -> Router<Service> {
    Router::from(described()).route("/", get(page::index)).route("/assets/{*path}", get(page::asset))
}

/// The description of the interface.
///
/// It is OpenAPI 3.1, made from the code that serves the interface.
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "operations",
    responses(
        (status = 200, description = "This document", body = Object),
        (status = "default", description = "As everywhere", body = Document<'static>, content_type = "application/problem+json"),
    )
)]
async fn description() -> Result<impl IntoResponse, Problem> {
    static DESCRIPTION: LazyLock<serde_json::Result<String>> = LazyLock::new(document);
    let document = DESCRIPTION.as_deref().map_err(|error| {
        tracing::error!(%error, "the description cannot be written");
        Problem::internal()
    })?;
    Ok(([(CONTENT_TYPE, "application/json")], document))
}

/// The description as it is served. What utoipa calls `u-int64` is `uint64` in OpenAPI's registry of formats.
fn document() -> serde_json::Result<String> {
    let document = described().into_openapi().to_json()?;
    Ok(document.replace(r#""format":"u-int"#, r#""format":"uint"#))
}

fn described() -> OpenApiRouter<Service> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(accounts::mine))
        .routes(routes!(accounts::richest))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::one))
        .routes(routes!(accounts::statement))
        .routes(routes!(accounts::leaderboard))
        .routes(routes!(transfers::send, transfers::list))
        .routes(routes!(transfers::one))
        .routes(routes!(events::stream))
        .routes(routes!(operations::status))
        .routes(routes!(operations::health))
        .routes(routes!(operations::ready))
        .routes(routes!(operations::metrics))
        .routes(routes!(description))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A router does not tell its routes, but its debug form has them, in quotes like little else.
    #[test]
    fn what_is_served_is_described_and_the_page() {
        let shown = format!("{:?}", served());
        let paths = shown.split('"').filter(|text| text.starts_with('/'));
        let served: BTreeSet<_> = paths.filter(|path| !path.contains("__private")).collect();
        let document = described().into_openapi();
        let mut described: BTreeSet<_> = document.paths.paths.keys().map(String::as_str).collect();
        described.extend(["/", "/assets/{*path}"]);
        assert_eq!(served, described);
    }
}
