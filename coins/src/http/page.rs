//! The page and what belongs to it, within the program. A debug build reads them from the source tree at every request, so
//! that who works on the page need not build.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};

use super::problem::Problem;

#[derive(Embed)]
#[folder = "page/"]
struct Files;

/// `GET /`
pub(super) async fn index(headers: HeaderMap) -> Response {
    file("index.html", &headers)
}

/// `GET /assets/{*path}`
pub(super) async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    file(&format!("assets/{path}"), &headers)
}

fn file(path: &str, headers: &HeaderMap) -> Response {
    let Some(EmbeddedFile { data, metadata }) = Files::get(path) else {
        return Problem::not_found("not_found", "there is nothing at this path").into_response();
    };
    let tag: String = metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    // A browser asks each time, and need not be sent what it has.
    let kept = [(CACHE_CONTROL, "no-cache".to_owned()), (ETAG, tag.clone())];
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|tags| {
        tags.to_str()
            .is_ok_and(|tags| tags.split(',').any(|known| known.trim().trim_start_matches("W/") == tag))
    });
    if known {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    let mut mimetype = metadata.mimetype().to_owned();
    if mimetype.starts_with("text/") {
        mimetype.push_str("; charset=utf-8");
    }
    (kept, [(CONTENT_TYPE, mimetype)], data).into_response()
}
