//! Tests for those who build on `cqrs-core`: scenarios of a domain, a store that goes wrong, and the contract that
//! every store must keep.
//!
//! A domain is tested with [`Scenario`]: given these events, when this command, then those events or that refusal.
//! A whole application is tested on a [`FaultyStore`]: calls fail and processes die, and nothing is lost or doubled.
//!
//! A backend's author writes a [`StoreFactory`] and one line, [`store_contract!`], and gets one named test for
//! each rule of the contract.

pub mod contract;
mod faulty;
pub mod model;
mod scenario;
mod seeds;

pub use contract::{StoreFactory, Verdict, Violation};
pub use faulty::{Fault, FaultRates, Faults, FaultyReadModel, FaultyStore, Injected, Operation};
pub use model::Model;
pub use scenario::{Decided, Scenario};
pub use seeds::for_seeds;
