//! The application.

use std::collections::BTreeMap;

use cqrs_core::{App, AppBuilder, ReadModel, Router, Store};

use crate::{
    CancelOrder, Charge, FulfilOrder, OrderId, OrderStatus, Orders, Refund, Release, Reserve, Ship,
};

/// The commands that the process manager asks for, by name.
pub fn routes() -> Router {
    Router::new()
        .route::<Reserve>()
        .route::<Release>()
        .route::<Charge>()
        .route::<Refund>()
        .route::<Ship>()
        .route::<CancelOrder>()
}

/// The shop on a store, with what the clerk sees in a read model.
pub fn shop<R>(store: impl Store, orders: R) -> AppBuilder
where
    R: ReadModel<Target = BTreeMap<OrderId, OrderStatus>>,
{
    App::builder(store).router(routes()).projection(Orders, orders).process_manager::<FulfilOrder>()
}
