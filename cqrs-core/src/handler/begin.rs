//! Where a handler begins that has never run.

use super::HandlerOptions;
use crate::{HandlerCheckpoint, HandlerStep, Position, StartFrom, StepError, Store, StoreError};

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
