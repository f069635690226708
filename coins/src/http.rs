//! The currency as an HTTP service: JSON, server-sent events, and a page.
//!
//! [`Server`] binds an address and serves [`Coins`](crate::Coins) there until it is told to stop. `docs/coins-service.md`
//! is the guide, and the service describes itself at `/api/openapi.json`.

mod accounts;
mod body;
mod connections;
mod events;
mod extract;
mod guard;
mod idempotency;
mod layers;
mod limits;
mod measure;
mod operations;
mod options;
mod page;
mod problem;
mod routes;
mod server;
mod state;
mod transfers;

pub use options::ServeOptions;
pub use server::{ServeError, Server};
