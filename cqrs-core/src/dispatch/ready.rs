//! Aggregates with commands that wait, on their way to the committer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::committer::{self, Answers};
use super::dispatcher::Core;
use crate::{Append, StreamId};

/// An aggregate of any type that has commands.
pub(super) trait Ready: Send + Sync {
    fn stream(&self) -> &StreamId;

    /// Decides what waits, without awaiting anything, and adds what is to be stored to the batch. `None` when
    /// there is no state in memory: it is read in the background, and the aggregate comes back to the queue by
    /// itself.
    fn begin(
        self: Arc<Self>,
        core: &Arc<Core>,
        queue: &ReadyQueue,
        batch: &mut Vec<Append>,
    ) -> Option<Box<dyn InFlight>>;

    /// Forgets a turn that panicked. What waits besides comes back to the queue.
    fn abandon(self: Arc<Self>, core: &Arc<Core>, queue: &ReadyQueue);
}

/// A turn whose appends are on their way to the store.
pub(super) trait InFlight: Send {
    /// Takes the answers to the turn's own appends, and answers its commands. True when the aggregate is ready
    /// for another turn.
    fn conclude(self: Box<Self>, answers: Answers<'_>, core: &Arc<Core>, queue: &ReadyQueue) -> bool;
}

/// The way to the committer's task, which ends when the last strong handle is gone.
///
/// The channel has no bound of its own: the dispatcher bounds the commands under way.
pub(super) struct ReadyQueue {
    sender: Sender,
    /// How many commands were queued and not yet decided, over all aggregates.
    commands: Arc<AtomicUsize>,
}

enum Sender {
    Strong(mpsc::UnboundedSender<Arc<dyn Ready>>),
    /// The committer's own handle, which does not keep it alive.
    Weak(mpsc::WeakUnboundedSender<Arc<dyn Ready>>),
}

impl ReadyQueue {
    /// Starts the committer's task.
    pub(super) fn start(core: Arc<Core>) -> Self {
        let (sender, waiting) = mpsc::unbounded_channel();
        let commands = Arc::<AtomicUsize>::default();
        let own = Self { sender: Sender::Weak(sender.downgrade()), commands: Arc::clone(&commands) };
        tokio::spawn(committer::run(core, own, waiting));
        Self { sender: Sender::Strong(sender), commands }
    }

    /// A handle that keeps the committer alive. There is none once everybody else is gone.
    pub(super) fn strong(&self) -> Option<Self> {
        let sender = match &self.sender {
            Sender::Strong(sender) => sender.clone(),
            Sender::Weak(sender) => sender.upgrade()?,
        };
        Some(Self { sender: Sender::Strong(sender), commands: Arc::clone(&self.commands) })
    }

    /// Queues an aggregate. Should the committer be gone, which is only when the runtime ends, its commands are
    /// dropped unanswered.
    pub(super) fn push(&self, ready: Arc<dyn Ready>) {
        match &self.sender {
            Sender::Strong(sender) => drop(sender.send(ready)),
            Sender::Weak(sender) => drop(sender.upgrade().map(|sender| sender.send(ready))),
        }
    }

    /// Counts commands that wait.
    pub(super) fn arrived(&self, commands: usize) {
        self.commands.fetch_add(commands, Ordering::Relaxed);
    }

    /// Counts commands that wait no longer.
    pub(super) fn taken(&self, commands: usize) {
        self.commands.fetch_sub(commands, Ordering::Relaxed);
    }

    /// How many commands wait.
    pub(super) fn commands(&self) -> usize {
        self.commands.load(Ordering::Relaxed)
    }
}
