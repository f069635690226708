//! Three tenants, of whom two may be open at once. `cargo run -p tenants`

use std::time::Duration;

use cqrs_core::BoxError;
use tenants::{Tenants, WriteNote};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let directory = tempfile::tempdir()?;
    let tenants = Tenants::new(directory.path(), 2);
    for id in ["acme", "bolt", "core"] {
        let (note, text) = ("motto".to_owned(), format!("we are {id}"));
        tenants.get(&id.parse()?).await?.write(WriteNote { note, text }).await?;
        println!("{id} has written; open: {}", tenants.count());
    }
    println!("acme has {:?}", tenants.get(&"acme".parse()?).await?.notes().await?);
    tenants.close_idle(Duration::ZERO).await;
    println!("open: {}", tenants.count());
    if let Err(refused) = "../acme".parse::<tenants::TenantId>() {
        println!("{refused}");
    }
    Ok(())
}
