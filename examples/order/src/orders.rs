//! What the shop's clerk sees.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use cqrs_core::{BoxError, Projection, RecordedEvent};

use crate::{OrderEvent, OrderId, Reason};

/// How each order stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Orders;

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants say it")]
pub enum OrderStatus {
    Open,
    Shipped,
    Cancelled(Reason),
}

#[async_trait]
impl Projection for Orders {
    const NAME: &'static str = "orders";
    type Event = OrderEvent;
    type Target = BTreeMap<OrderId, OrderStatus>;

    async fn project(
        &self,
        event: &RecordedEvent<OrderEvent>,
        orders: &mut BTreeMap<OrderId, OrderStatus>,
    ) -> Result<(), BoxError> {
        let status = match &event.data {
            OrderEvent::Placed { .. } => OrderStatus::Open,
            OrderEvent::Shipped { .. } => OrderStatus::Shipped,
            OrderEvent::Cancelled { reason, .. } => OrderStatus::Cancelled(*reason),
        };
        orders.insert(event.data.order_id().clone(), status);
        Ok(())
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Shipped => f.write_str("shipped"),
            Self::Cancelled(reason) => write!(f, "cancelled: {reason}"),
        }
    }
}
