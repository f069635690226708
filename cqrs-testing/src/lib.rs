//! Tests for those who build on `cqrs-core`: the contract that every store must keep.
//!
//! A backend's author writes a [`StoreFactory`] and one line, [`store_contract!`], and gets one named test for
//! each rule of the contract.

pub mod contract;

pub use contract::{StoreFactory, Verdict, Violation};
