//! Where a subscriber begins.

use crate::{HandlerCheckpoint, HandlerStep, Position, StepError, Store, StoreError};

/// Where a subscriber begins that has no checkpoint yet. Once it has one, it goes on from there.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// use futures::StreamExt;
///
/// # let app = App::builder(MemoryStore::new()).start().await?;
/// for amount in [5, 6] {
///     app.dispatch(deposit("me", amount)).await?;
/// }
/// // Somebody who has seen the first event, and wants what came since.
/// let mut events = app.subscribe_to::<AccountEvent>(StartFrom::Position(Position::new(1)));
/// let next = events.next().await.ok_or("the log goes on")??;
/// assert_eq!(next.position, Position::new(2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartFrom {
    /// At the first event that ever was.
    #[default]
    Origin,
    /// With the next event.
    Now,
    /// After this position.
    Position(Position),
}

/// The position that a start means at this moment.
pub(crate) async fn start(store: &dyn Store, start: StartFrom) -> Result<Position, StoreError> {
    match start {
        StartFrom::Origin => Ok(Position::ZERO),
        StartFrom::Position(position) => Ok(position),
        StartFrom::Now => store.head().await,
    }
}

/// Where a subscriber began, whose name nobody else has. What was now at its first start is written down, as a handler
/// that has read so far and does nothing: it must be known when the subscriber is to begin anew.
pub(crate) async fn began(
    store: &dyn Store,
    subscriber: &str,
    from: StartFrom,
) -> Result<Position, StoreError> {
    if from != StartFrom::Now {
        return start(store, from).await;
    }
    let handler = format!("start of {subscriber}");
    loop {
        let HandlerCheckpoint { revision, read_to, .. } = store.handler_checkpoint(&handler).await?;
        if revision > 0 {
            return Ok(read_to);
        }
        let head = store.head().await?;
        let step = HandlerStep {
            handler: handler.clone(),
            checkpoint: HandlerCheckpoint { revision: 1, read_to: head, watermarks: vec![head] },
            parked: Vec::new(),
            released: Vec::new(),
        };
        match store.commit_handler(step).await {
            Ok(()) => return Ok(head),
            // Another runner begins at the same moment.
            Err(StepError::Fenced) => {}
            Err(StepError::Store(error)) => return Err(error),
        }
    }
}
