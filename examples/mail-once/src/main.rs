//! Places two orders, and shows the mail. `cargo run -p mail-once`

use cqrs_core::{App, BoxError};
use cqrs_memory::MemoryStore;
use mail_once::{Confirmations, MailServer, PlaceOrder, SentMail};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (server, sent) = (MailServer::default(), SentMail::default());
    let handler = Confirmations { server: server.clone(), sent };
    let app = App::builder(MemoryStore::new()).event_handler(handler).start().await?;
    for (order, customer, item) in [(1, "ada@example.org", "an engine"), (2, "bob@example.org", "a pipe")] {
        let place = PlaceOrder { order, customer: customer.to_owned(), item: item.to_owned() };
        app.dispatch(place).wait_for(["confirmations"]).await?;
    }
    for mail in server.delivered() {
        println!("to {}: {}", mail.to, mail.text);
    }
    app.shutdown().await;
    Ok(())
}
