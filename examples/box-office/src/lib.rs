//! A box office: seats are reserved over HTTP, and whoever looks at the plan sees it change.
//!
//! The domain, [`Seat`] and [`Plan`], knows nothing of HTTP. Around it there are four things that every service needs:
//!
//! - *Each answer has a status.* A refusal of the domain says which one, by a trait; all other errors of a dispatch are
//!   mapped in one place, `problem.rs`, and tell no one what is inside.
//! - *A request may come twice.* With the header `Idempotency-Key` the command has an id that repeats, and the second
//!   answer is the first one. A key that comes again with another body is refused.
//! - *A client reads its own writes.* The answer comes when the plan has the command's events.
//! - *Events are a live feed*, as Server-Sent Events. A client that was away sends the last id that it had, as browsers
//!   do by themselves, and misses nothing.

mod http;
mod plan;
mod problem;
mod seat;
mod service;

pub use plan::{Plan, PlanProjection};
pub use seat::{NotReserved, Release, Reserve, Seat, SeatEvent, Taken};
pub use service::Service;
