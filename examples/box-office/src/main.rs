//! Serves the box office on port 8080 until Ctrl-C. `cargo run -p box-office`, and then:
//!
//! ```text
//! curl -N localhost:8080/events &
//! curl -X PUT localhost:8080/seats/A1 -H 'content-type: application/json' -d '{"guest":"zoë"}'
//! curl -X PUT localhost:8080/seats/A1 -H 'content-type: application/json' -d '{"guest":"tom"}'
//! curl localhost:8080/seats
//! ```

use box_office::Service;
use cqrs_core::BoxError;
use cqrs_memory::MemoryStore;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let service = Service::start(MemoryStore::new()).await?;
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let interrupted = async {
        // Without a signal to wait for, it runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    service.serve(listener, interrupted).await?;
    Ok(())
}
