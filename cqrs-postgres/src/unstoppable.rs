//! Work that goes on when nobody waits for it any more.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// A future that is done by whoever awaits it, and by a task of its own once it is dropped half done.
///
/// A task from the beginning would do as well, but it costs a switch to it and back.
#[derive(Debug)]
pub(crate) struct Unstoppable<F: Future<Output: Send + 'static> + Send + 'static> {
    work: Option<Pin<Box<F>>>,
    runtime: Option<Handle>,
}

impl<F: Future<Output: Send + 'static> + Send + 'static> Unstoppable<F> {
    /// Something that is done to its end, as long as the runtime lives in which this is called.
    pub(crate) fn new(work: F) -> Self {
        Self { work: Some(Box::pin(work)), runtime: Handle::try_current().ok() }
    }
}

impl<F: Future<Output: Send + 'static> + Send + 'static> Future for Unstoppable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // What panics is not there any more when this is dropped.
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let done = work.as_mut().poll(context);
        if done.is_pending() {
            self.work = Some(work);
        }
        done
    }
}

impl<F: Future<Output: Send + 'static> + Send + 'static> Drop for Unstoppable<F> {
    fn drop(&mut self) {
        if let (Some(work), Some(runtime)) = (self.work.take(), self.runtime.take()) {
            runtime.spawn(work);
        }
    }
}
