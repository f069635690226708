//! Where a handler begins that has never run, and where it goes on that has.

use super::HandlerOptions;
use super::calls::load;
use crate::{BoxError, HandlerCheckpoint, HandlerStep, Position, StartFrom, StepError, Store, StoreError};

/// Makes durable where a handler begins, when it has never run.
pub(crate) async fn begin(
    store: &dyn Store,
    handler: &str,
    options: HandlerOptions,
) -> Result<(), StoreError> {
    if store.handler_checkpoint(handler).await?.revision > 0 {
        return Ok(());
    }
    let at = match options.start {
        StartFrom::Origin => Position::ZERO,
        StartFrom::Now => store.head().await?,
        StartFrom::Position(position) => position,
    };
    let watermarks = vec![at; options.partitions.max(1)];
    let step = HandlerStep {
        handler: handler.to_owned(),
        checkpoint: HandlerCheckpoint { revision: 1, read_to: at, watermarks },
        parked: Vec::new(),
        released: Vec::new(),
    };
    match store.commit_handler(step).await {
        // Another process began it first.
        Ok(()) | Err(StepError::Fenced) => Ok(()),
        Err(StepError::Store(error)) => Err(error),
    }
}

/// Up to where a handler has worked, and how many keys it holds back.
pub(crate) async fn stands(
    store: &dyn Store,
    handler: &'static str,
    options: HandlerOptions,
) -> Result<(Position, u64), BoxError> {
    let desk = load::<()>(store, handler, &options.bounded()).await?;
    Ok((desk.settled(), desk.held_back() as u64))
}
