//! Tests for those who build on `cqrs-core`, and the contract that every store must keep.
//!
//! A domain is tested with scenarios: given these events, when this, then that. [`Scenario`] is for an aggregate,
//! [`ProcessScenario`] for a process manager, [`ProjectionScenario`] for a projection. [`TestApp`] is a whole
//! application whose time the test moves. [`PersistedShapes`] freezes what is stored, so that a change which could
//! not read it any more fails.
//!
//! A backend's author writes a [`StoreFactory`] and one line, [`store_contract!`], and gets one named test for
//! each rule of the contract.

mod app;
pub mod contract;
mod difference;
mod json;
mod scenario;
mod shapes;

pub use app::{ManualClock, SeededIds, Stored, TestApp};
pub use contract::{StoreFactory, Verdict, Violation};
pub use scenario::{Asked, Decided, ProcessScenario, ProjectionScenario, ReadModelScenario, Scenario};
pub use shapes::PersistedShapes;
