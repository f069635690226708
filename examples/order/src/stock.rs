//! What there is of an article, and for whom.

use std::collections::BTreeMap;
use std::convert::Infallible;

use cqrs_core::{Aggregate, Command, Event, Handle};
use serde::{Deserialize, Serialize};

use crate::{Article, OrderId, Quantity};

/// What there is of an article. It never promises a piece to two orders.
#[derive(Debug, Default)]
pub struct Stock {
    // Wider than any sum of quantities that a stream can hold, so that nothing can overflow.
    available: u128,
    reserved: BTreeMap<OrderId, Reservation>,
}

/// What became of an order's pieces. One that was released stays, so that it is released once.
#[derive(Debug, PartialEq)]
enum Reservation {
    Held(Quantity),
    Released,
}

/// What can happen to the stock of an article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants and their fields say it")]
pub enum StockEvent {
    Restocked { article: Article, quantity: Quantity },
    Reserved { article: Article, order_id: OrderId, quantity: Quantity },
    Released { article: Article, order_id: OrderId, quantity: Quantity },
}

impl Event for StockEvent {
    const CATEGORY: &'static str = "stock";
}

impl Aggregate for Stock {
    type Id = Article;
    type Event = StockEvent;

    fn apply(&mut self, event: &StockEvent) {
        match event {
            StockEvent::Restocked { quantity, .. } => self.available += u128::from(quantity.as_u64()),
            StockEvent::Reserved { order_id, quantity, .. } => {
                self.available -= u128::from(quantity.as_u64());
                self.reserved.insert(order_id.clone(), Reservation::Held(*quantity));
            }
            StockEvent::Released { order_id, quantity, .. } => {
                self.available += u128::from(quantity.as_u64());
                self.reserved.insert(order_id.clone(), Reservation::Released);
            }
        }
    }
}

/// Adds pieces.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Restock {
    pub article: Article,
    pub quantity: Quantity,
}

impl Command for Restock {
    const NAME: &'static str = "Restock";
    type Aggregate = Stock;

    fn aggregate_id(&self) -> &Article {
        &self.article
    }
}

impl Handle<Restock> for Stock {
    type Error = Infallible;

    fn handle(&self, restock: &Restock) -> Result<Vec<StockEvent>, Infallible> {
        let Restock { article, quantity } = restock.clone();
        Ok(vec![StockEvent::Restocked { article, quantity }])
    }
}

/// Sets pieces aside for an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Reserve {
    pub article: Article,
    pub order_id: OrderId,
    pub quantity: Quantity,
}

/// There are not as many pieces left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} of {article} are wanted, and {available} are left")]
#[expect(missing_docs, reason = "the fields say it")]
pub struct OutOfStock {
    pub article: Article,
    pub wanted: Quantity,
    pub available: u128,
}

impl Command for Reserve {
    const NAME: &'static str = "Reserve";
    type Aggregate = Stock;

    fn aggregate_id(&self) -> &Article {
        &self.article
    }
}

impl Handle<Reserve> for Stock {
    type Error = OutOfStock;

    fn handle(&self, reserve: &Reserve) -> Result<Vec<StockEvent>, OutOfStock> {
        let Reserve { article, order_id, quantity } = reserve.clone();
        if self.reserved.contains_key(&order_id) {
            return Ok(Vec::new());
        }
        if u128::from(quantity.as_u64()) > self.available {
            return Err(OutOfStock { article, wanted: quantity, available: self.available });
        }
        Ok(vec![StockEvent::Reserved { article, order_id, quantity }])
    }
}

/// Gives back what was set aside for an order, if anything was.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Release {
    pub article: Article,
    pub order_id: OrderId,
}

impl Command for Release {
    const NAME: &'static str = "Release";
    type Aggregate = Stock;

    fn aggregate_id(&self) -> &Article {
        &self.article
    }
}

impl Handle<Release> for Stock {
    type Error = Infallible;

    fn handle(&self, release: &Release) -> Result<Vec<StockEvent>, Infallible> {
        let Release { article, order_id } = release.clone();
        Ok(match self.reserved.get(&order_id) {
            Some(Reservation::Held(quantity)) => {
                vec![StockEvent::Released { article, order_id, quantity: *quantity }]
            }
            Some(Reservation::Released) | None => Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use cqrs_testing::Scenario;

    use super::*;

    fn lamp() -> Article {
        "lamp".parse().unwrap()
    }

    fn order(id: &str) -> OrderId {
        id.parse().unwrap()
    }

    fn pieces(number: u64) -> Quantity {
        number.try_into().unwrap()
    }

    fn restocked(number: u64) -> StockEvent {
        StockEvent::Restocked { article: lamp(), quantity: pieces(number) }
    }

    fn reserve(id: &str, number: u64) -> Reserve {
        Reserve { article: lamp(), order_id: order(id), quantity: pieces(number) }
    }

    fn reserved(id: &str, number: u64) -> StockEvent {
        StockEvent::Reserved { article: lamp(), order_id: order(id), quantity: pieces(number) }
    }

    #[test]
    fn what_is_set_aside_is_there_for_nobody_else() {
        Scenario::<Stock>::given([restocked(3)])
            .when(reserve("one", 2))
            .then([reserved("one", 2)])
            .when(reserve("two", 2))
            .then_err(OutOfStock { article: lamp(), wanted: pieces(2), available: 1 });
    }

    #[test]
    fn an_order_reserves_once_and_is_released_once() {
        let release = || Release { article: lamp(), order_id: order("one") };
        let released =
            StockEvent::Released { article: lamp(), order_id: order("one"), quantity: pieces(2) };
        Scenario::<Stock>::given([restocked(2)])
            .when(release())
            .then([])
            .when(reserve("one", 2))
            .then([reserved("one", 2)])
            .when(reserve("one", 2))
            .then([])
            .when(release())
            .then([released])
            .when(release())
            .then([])
            .when(reserve("one", 2))
            .then([])
            .when(reserve("two", 2))
            .then([reserved("two", 2)]);
    }
}
