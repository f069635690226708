//! Several futures at once, in an order that repeats itself.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::dice::Dice;

/// Runs futures until all have ended. Which one goes first is drawn at each turn.
///
/// They are one task, so that the order does not depend on the order in which they are woken: where several wait
/// for one value, tokio draws that order from a number that no seed determines.
pub(super) async fn together<F: Future<Output = ()>>(mut dice: Dice, futures: impl IntoIterator<Item = F>) {
    let mut running: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    poll_fn(|cx| {
        if running.len() > 1 {
            let first = dice.below(running.len() as u64);
            running.rotate_left(usize::try_from(first).unwrap_or_default());
        }
        running.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Lets the runtime poll so many tasks, if it has so many to poll: with an event interval of one, it looks after the
/// future that blocks on it in between.
pub(super) async fn polls(mut count: u64) {
    poll_fn(|cx| {
        if count == 0 {
            return Poll::Ready(());
        }
        count -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
