//! What a simulation is about.

use cqrs_core::{App, AppBuilder, Store};

use super::{Rest, Step};
use crate::FaultyStore;

/// What a [`Simulation`](super::Simulation) is about: an application, what its clients want, and what must hold in
/// the end. One value is one seed's world; it outlives all processes in it.
///
/// Whatever is to survive a crash is a field of it: the store, read models, and what clients have been told. All of it
/// runs on one thread, so that a [`RefCell`](std::cell::RefCell) will do.
pub trait World {
    /// The store inside, which keeps its promises.
    type Store: Store;

    /// The store. It is asked for once.
    fn store(&self) -> Self::Store;

    /// Puts the application of one process together, on a handle of the store that goes wrong.
    ///
    /// Read models are wrapped with [`FaultyStore::read_model`]. Clock and ids are set by the simulation.
    fn app(&self, store: &FaultyStore<Self::Store>) -> AppBuilder;

    /// Does what a client does in one step, and returns when the client has its answers.
    ///
    /// When the process dies in the middle of it, it is dropped, and begun anew in the next process. Decisions are
    /// drawn from the [`Step`], which draws the same again, and commands are dispatched with [`Step::dispatch`], which
    /// gives them the same ids again.
    fn step(&self, app: &App, step: &Step<'_>) -> impl Future<Output = ()>;

    /// Looks whether all is as it must be, once everything has come to rest.
    ///
    /// What holds for every application was looked at before: see [`Simulation`](super::Simulation).
    fn check(&self, rest: &Rest<'_, Self::Store>) -> impl Future<Output = ()>;

    /// How many tasks must be parked in the end, since a process manager gave them up. None, as it is.
    fn parked(&self) -> u64 {
        0
    }
}
