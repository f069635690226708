//! A command on its way through a turn.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Span;

use super::middleware::Watch;
use super::{DispatchError, Dispatched, panic_message};
use crate::{
    BoxError, Command, CommandId, CorrelationId, ExpectedVersion, Handle, Metadata, StoreError, StreamId,
    Version,
};

/// What goes with a command.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) command_id: CommandId,
    /// Whether the store keeps a receipt of it.
    pub(crate) receipt: bool,
    pub(crate) expected: Option<Version>,
    /// Cause, chain and extras of the command.
    pub(crate) metadata: Metadata,
}

impl Envelope {
    /// What the command's events carry: the command is their cause, and they stay in its chain.
    pub(crate) fn event_metadata(&self) -> Metadata {
        let own_chain = CorrelationId::from(self.command_id);
        Metadata {
            causation_id: Some(self.command_id.into()),
            correlation_id: Some(self.metadata.correlation_id.unwrap_or(own_chain)),
            extra: self.metadata.extra.clone(),
        }
    }
}

/// What became of a command that no rule refused and that did not take effect.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The version that the caller expected is not the stream's.
    Conflict {
        stream: StreamId,
        expected: ExpectedVersion,
        actual: Version,
    },
    Store(Arc<StoreError>),
    Panicked(String),
    Invalid(BoxError),
}

impl Failure {
    /// The same failure for one more command.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Conflict { stream, expected, actual } => {
                Self::Conflict { stream: stream.clone(), expected: *expected, actual: *actual }
            }
            Self::Store(error) => Self::Store(Arc::clone(error)),
            Self::Panicked(message) => Self::Panicked(message.clone()),
            Self::Invalid(error) => Self::Invalid(error.to_string().into()),
        }
    }
}

/// What a handler made of a command.
#[derive(Debug)]
pub(crate) enum Verdict<E> {
    Events(Vec<E>),
    /// The job keeps the rejection itself, since only it knows the type.
    Rejected,
    Panicked(String),
}

/// A command of any type for one type of aggregate.
pub(crate) trait Job<A: crate::Aggregate>: Send {
    fn envelope(&self) -> &Envelope;
    fn decide(&mut self, state: &A) -> Verdict<A::Event>;
    /// Lets the caller look at the state that has the command's events.
    fn observe(&mut self, state: &A);
    fn done(self: Box<Self>, outcome: Dispatched);
    /// Answers with the rejection of the last decision.
    fn rejected(self: Box<Self>);
    fn failed(self: Box<Self>, failure: Failure);
}

pub(crate) type Reply<C> = Result<Dispatched, DispatchError<Rejected<C>>>;
pub(crate) type Rejected<C> = <<C as Command>::Aggregate as Handle<C>>::Error;

/// What a caller does with the state that has the command's events. It may be called more than once; the last time
/// counts.
pub(crate) type Observer<A> = Box<dyn FnMut(&A) + Send>;

/// The job of one command.
pub(crate) struct CommandJob<C: Command> {
    command: C,
    envelope: Envelope,
    observer: Option<Observer<C::Aggregate>>,
    rejection: Option<Rejected<C>>,
    /// Empty once it is answered.
    reply: Option<oneshot::Sender<Reply<C>>>,
    watch: Option<Watch>,
    /// The caller's span, so that what `handle` logs is found there.
    span: Span,
    /// Held until the command is answered: what bounds the commands under way.
    permit: Option<OwnedSemaphorePermit>,
}

impl<C: Command> CommandJob<C> {
    pub(crate) fn new(
        command: C,
        envelope: Envelope,
        observer: Option<Observer<C::Aggregate>>,
        watch: Option<Watch>,
        reply: oneshot::Sender<Reply<C>>,
    ) -> Self {
        let (rejection, reply, span) = (None, Some(reply), Span::current());
        Self { command, envelope, observer, rejection, reply, watch, span, permit: None }
    }

    /// Gives the job what it holds until it is answered.
    pub(crate) fn hold(&mut self, permit: OwnedSemaphorePermit) {
        self.permit = Some(permit);
    }

    /// Answers, unless that was done. Whoever no longer waits for the answer does not get one.
    pub(crate) fn answer(&mut self, reply: Reply<C>) {
        let Some(sender) = self.reply.take() else { return };
        if let Some(watch) = &self.watch {
            match &reply {
                Ok(outcome) => watch.after(&self.command, &self.envelope, outcome),
                Err(error) => watch.failed(&self.command, &self.envelope, error),
            }
        }
        // What was held is let go first, so that a caller who has been answered finds it free.
        self.permit = None;
        let _ = sender.send(reply);
    }
}

/// A job that is dropped unanswered was in a turn that panicked, or the runtime has ended.
impl<C: Command> Drop for CommandJob<C> {
    fn drop(&mut self) {
        if self.reply.is_some() {
            let command_id = self.envelope.command_id;
            let source = Arc::new(StoreError::OutcomeUnknown { source: "the turn was dropped".into() });
            self.answer(Err(DispatchError::OutcomeUnknown { command_id, source }));
        }
    }
}

impl<C: Command> Job<C::Aggregate> for CommandJob<C> {
    fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn decide(&mut self, state: &C::Aggregate) -> Verdict<<C::Aggregate as crate::Aggregate>::Event> {
        let command = &self.command;
        let _within = self.span.enter();
        match catch_unwind(AssertUnwindSafe(|| state.handle(command))) {
            Ok(Ok(events)) => Verdict::Events(events),
            Ok(Err(rejection)) => {
                self.rejection = Some(rejection);
                Verdict::Rejected
            }
            Err(panic) => Verdict::Panicked(panic_message(&*panic)),
        }
    }

    fn observe(&mut self, state: &C::Aggregate) {
        if let Some(observer) = &mut self.observer {
            // Who panics here has seen nothing, and will look again on a task of its own.
            let _ = catch_unwind(AssertUnwindSafe(|| observer(state)));
        }
    }

    fn done(mut self: Box<Self>, outcome: Dispatched) {
        self.answer(Ok(outcome));
    }

    fn rejected(mut self: Box<Self>) {
        // Dropping the reply instead would read as an unknown outcome; a turn only asks after `Rejected`.
        if let Some(rejection) = self.rejection.take() {
            self.answer(Err(DispatchError::Rejected(rejection)));
        }
    }

    fn failed(mut self: Box<Self>, failure: Failure) {
        let command_id = self.envelope.command_id;
        self.answer(Err(match failure {
            Failure::Conflict { stream, expected, actual } => {
                DispatchError::Conflict { stream, expected, actual }
            }
            Failure::Store(source) if matches!(*source, StoreError::OutcomeUnknown { .. }) => {
                DispatchError::OutcomeUnknown { command_id, source }
            }
            Failure::Store(source) => DispatchError::Store(source),
            Failure::Panicked(message) => DispatchError::Panicked { message },
            Failure::Invalid(source) => DispatchError::Invalid(source),
        }));
    }
}
