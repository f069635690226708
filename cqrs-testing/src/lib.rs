//! Tests for those who build on `cqrs-core`: scenarios of a domain, the frozen shapes of what it stores, a store that
//! goes wrong, and the contract that every store must keep.
//!
//! A domain is tested with [`Scenario`]: given these events, when this command, then those events or that refusal.
//! [`PersistedShapes`] freezes what is stored, so that a change which could not read it any more fails.
//! A whole application is tested on a [`FaultyStore`]: calls fail and processes die, and nothing is lost or doubled.
//!
//! A backend's author writes a [`StoreFactory`] and one line, [`store_contract!`], and gets one named test for
//! each rule of the contract.

pub mod contract;
mod difference;
mod faulty;
mod json;
pub mod model;
mod scenario;
mod seeds;
mod shapes;

pub use contract::{StoreFactory, Verdict, Violation};
pub use faulty::{Fault, FaultRates, Faults, FaultyReadModel, FaultyStore, Injected, Operation};
pub use model::Model;
pub use scenario::{Asked, Decided, ProcessScenario, ProjectionScenario, ReadModelScenario, Scenario};
pub use seeds::for_seeds;
pub use shapes::PersistedShapes;
