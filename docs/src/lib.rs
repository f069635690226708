//! The documents of the project, as a package: `cargo test -p docs` compiles and runs the programs of the guides,
//! types the tutorial in an empty folder, and follows every link.
//!
//! The guides to dispatching and testing are run with `coins`, whose words they use.

mod walk;

pub use walk::{blocks, walk};

macro_rules! guides {
    ($($name:ident $file:literal)*) => { $(
        #[cfg(doctest)]
        #[doc = include_str!(concat!("../", $file))]
        struct $name;
    )* };
}

guides! {
    Aggregates "aggregates.md"
    Commands "commands.md"
    Consistency "consistency.md"
    Events "events.md"
    FromCommanded "from-commanded.md"
    FromCqrsEs "from-cqrs-es.md"
    Http "http.md"
    Idempotency "idempotency.md"
    Operations "operations.md"
    ProcessManagers "process-managers.md"
    Projections "projections.md"
    Rules "rules.md"
    Stores "stores.md"
    Tenants "tenants.md"
}
