//! The shop, and what its customers want.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use cqrs_core::{App, AppBuilder};
use cqrs_memory::{InMemory, MemoryStore};
use cqrs_testing::{FaultyStore, Rest, Step, World};
use order::{
    Approve, Article, CancelOrder, Customer, Deposit, FulfilOrder, OrderId, OrderStatus, PAYMENT_PATIENCE,
    PlaceOrder, Reason, Restock, shop,
};

use crate::books::{Books, ShopEvent};

/// What outlives the processes.
#[derive(Default)]
pub(crate) struct Market {
    store: MemoryStore,
    board: InMemory<BTreeMap<OrderId, OrderStatus>>,
    /// The orders that customers were told to be placed.
    placed: RefCell<Vec<OrderId>>,
}

impl World for Market {
    type Store = MemoryStore;

    fn store(&self) -> MemoryStore {
        self.store.clone()
    }

    fn app(&self, store: &FaultyStore<MemoryStore>) -> AppBuilder {
        shop(store.clone(), store.read_model(self.board.clone()))
    }

    async fn step(&self, app: &App, step: &Step<'_>) {
        let customer: Customer = step.pick(&["ann", "bob"]).parse().unwrap();
        let article: Article = step.pick(&["lamp", "chair"]).parse().unwrap();
        match step.below(if step.number() == 0 { 2 } else { 6 }) {
            0 => {
                let quantity = (1 + step.below(3)).try_into().unwrap();
                let restock = Restock { article, quantity };
                let Ok(_) = step.dispatch(|| app.dispatch(restock.clone())).await;
            }
            1 => {
                let amount = (4_000 * (1 + step.below(8))).try_into().unwrap();
                let deposit = Deposit { customer, amount };
                let Ok(_) = step.dispatch(|| app.dispatch(deposit.clone()).strong()).await;
            }
            _ => self.order(app, step, customer, article).await,
        }
    }

    async fn check(&self, rest: &Rest<'_, MemoryStore>) {
        let books = Books::of(&rest.events::<ShopEvent>());
        books.check_ended();
        assert_eq!(self.board.read(Clone::clone).await, books.orders, "the read model");
        for order_id in &*self.placed.borrow() {
            assert!(books.orders.contains_key(order_id), "{order_id} was placed, and is not there");
        }
        for order_id in books.orders.keys() {
            rest.assert_finished::<FulfilOrder>(order_id).await;
        }
    }
}

impl Market {
    /// Orders something. Now and then the customer is asked, and approves, early, late or never; now and then he
    /// thinks better of it.
    async fn order(&self, app: &App, step: &Step<'_>, customer: Customer, article: Article) {
        let order_id: OrderId = step.id().to_string().parse().unwrap();
        let place = PlaceOrder {
            order_id: order_id.clone(),
            customer: customer.clone(),
            article,
            quantity: (1 + step.below(2)).try_into().unwrap(),
            amount: (3_000 * (1 + step.below(5))).try_into().unwrap(),
        };
        let settles = step.below(2) == 0;
        let placed = step.dispatch(|| {
            let dispatch = app.dispatch(place.clone());
            if settles { dispatch.settled() } else { dispatch }
        });
        placed.await.unwrap();
        self.placed.borrow_mut().push(order_id.clone());
        match step.below(6) {
            0 => {
                let cancel = CancelOrder { order_id, reason: Reason::ByCustomer };
                // It may be shipped already.
                let _ = step.dispatch(|| app.dispatch(cancel.clone())).await;
            }
            1..=3 => {
                tokio::time::sleep(Duration::from_millis(step.below(600))).await;
                // The payment is due at about the same time.
                if step.below(3) == 0 {
                    step.pass(PAYMENT_PATIENCE);
                    tokio::time::sleep(Duration::from_millis(step.below(30))).await;
                }
                let approve = Approve { customer, order_id };
                // Perhaps nobody has asked.
                let _ = step.dispatch(|| app.dispatch(approve.clone())).await;
            }
            _ => {}
        }
    }
}
