//! The service over real HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod api;
mod described;
mod ends;
mod guard;
mod guide;
mod idempotency;
mod limits;
mod load;
mod openapi;
mod page;
mod program;
mod site;
mod stream;
