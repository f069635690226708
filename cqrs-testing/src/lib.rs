//! Tests for those who build on `cqrs-core`, and the contract that every store must keep.
//!
//! A domain is tested with scenarios: given these events, when this, then that. [`Scenario`] is for an aggregate,
//! [`ProcessScenario`] for a process manager, [`ProjectionScenario`] for a projection. [`TestApp`] is a whole
//! application whose time the test moves. [`PersistedShapes`] freezes what is stored, so that a change which could
//! not read it any more fails. On a [`FaultyStore`] calls fail and processes die, and nothing may be lost or doubled: a
//! [`Simulation`] lets that happen to a whole application, thousands of times, by a seed.
//!
//! A backend's author writes a [`StoreFactory`] and one line, [`store_contract!`], and gets one named test for
//! each rule of the contract. A [`Model`] holds the store against random histories besides.

mod app;
pub mod contract;
mod dice;
mod difference;
mod faulty;
mod json;
pub mod model;
mod scenario;
mod seeds;
mod shapes;
mod simulation;

pub use app::{ManualClock, SeededIds, Stored, TestApp};
pub use contract::{StoreFactory, Verdict, Violation};
pub use faulty::{Fault, FaultRates, Faults, FaultyReadModel, FaultyStore, Injected, Operation};
pub use model::Model;
pub use scenario::{Asked, Decided, ProcessScenario, ProjectionScenario, ReadModelScenario, Scenario};
pub use seeds::for_seeds;
pub use shapes::PersistedShapes;
pub use simulation::{FailedSeed, Rest, Simulated, Simulation, Step, World};
