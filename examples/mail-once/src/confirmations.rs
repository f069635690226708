//! The handler: an order comes in, a mail goes out.

use async_trait::async_trait;
use cqrs_core::{BoxError, EventHandler, RecordedEvent};

use crate::{Mail, MailServer, OrderEvent, SentMail};

/// Confirms each order by mail.
#[derive(Clone, Debug)]
pub struct Confirmations {
    /// Where mail goes.
    pub server: MailServer,
    /// What was sent.
    pub sent: SentMail,
}

#[async_trait]
impl EventHandler for Confirmations {
    const NAME: &'static str = "confirmations";
    type Event = OrderEvent;

    /// The mails to one customer stay in order; those to others do not wait for them.
    fn key(&self, event: &RecordedEvent<OrderEvent>) -> String {
        let OrderEvent::Placed { customer, .. } = &event.data;
        customer.clone()
    }

    async fn handle(&self, event: &RecordedEvent<OrderEvent>) -> Result<(), BoxError> {
        let OrderEvent::Placed { customer, item } = &event.data;
        if self.sent.has(event.id).await {
            return Ok(());
        }
        let text = format!("Thank you for ordering: {item}");
        // Whoever dies after this line sends again, with the same id.
        self.server.send(Mail { id: event.id, to: customer.clone(), text }).await?;
        self.sent.note(event.id).await;
        Ok(())
    }
}
