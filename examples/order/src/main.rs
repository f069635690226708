//! Two orders for the same lamp: the first customer cannot pay, the second one can. `cargo run -p order`

use cqrs_core::{App, BoxError, EventFilter, Position};
use cqrs_memory::{InMemory, MemoryStore};
use order::{Deposit, PlaceOrder, Restock, shop};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let orders = InMemory::default();
    let app = shop(MemoryStore::new(), orders.clone()).start().await?;

    app.dispatch(Restock { article: "lamp".parse()?, quantity: 1.try_into()? }).await?;
    app.dispatch(Deposit { customer: "bob".parse()?, amount: 500.try_into()? }).await?;
    app.dispatch(Deposit { customer: "ann".parse()?, amount: 5_000.try_into()? }).await?;

    // Bob has too little: his payment is refused, and the one lamp goes back to where Ann finds it.
    place(&app, "1", "bob").await?;
    place(&app, "2", "ann").await?;

    println!("What happened:");
    for event in app.store().read_log(Position::ZERO, &EventFilter::all(), 100).await?.events {
        let stream = event.stream.to_string();
        println!("{:>4}  {stream:<12} {:<10} {}", event.position, event.event_type, event.data);
    }
    println!("\nHow the orders stand:");
    for (order, status) in orders.read(Clone::clone).await {
        println!("      order {order}: {status}");
    }
    app.shutdown().await;
    Ok(())
}

/// Places an order for the lamp, and waits until all that follows from it is done.
async fn place(app: &App, order: &str, customer: &str) -> Result<(), BoxError> {
    let place = PlaceOrder {
        order_id: order.parse()?,
        customer: customer.parse()?,
        article: "lamp".parse()?,
        quantity: 1.try_into()?,
        amount: 1_250.try_into()?,
    };
    app.dispatch(place).settled().await?;
    Ok(())
}
