//! Tests for those who build on `cqrs-core`: scenarios of a domain, the frozen shapes of what it stores, and the
//! contract that every store must keep.
//!
//! A domain is tested with [`Scenario`]: given these events, when this command, then those events or that refusal.
//! [`PersistedShapes`] freezes what is stored, so that a change which could not read it any more fails.
//!
//! A backend's author writes a [`StoreFactory`] and one line, [`store_contract!`], and gets one named test for
//! each rule of the contract.

pub mod contract;
mod difference;
mod json;
mod scenario;
mod shapes;

pub use contract::{StoreFactory, Verdict, Violation};
pub use scenario::{Asked, Decided, ProcessScenario, ProjectionScenario, ReadModelScenario, Scenario};
pub use shapes::PersistedShapes;
