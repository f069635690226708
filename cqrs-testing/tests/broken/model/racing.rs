//! Stores that are sound until an append meets another one.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::task::yield_now;

use crate::breach::*;
use crate::trick::one;

/// How many appends are under way.
#[derive(Default)]
struct Racers(AtomicUsize);

struct Racing<'a>(&'a Racers);

impl Racers {
    /// Begins an append; lets others begin; tells whether one has.
    async fn begin(&self) -> (Racing<'_>, bool) {
        self.0.fetch_add(1, Ordering::SeqCst);
        let racing = Racing(self);
        for _ in 0..3 {
            yield_now().await;
        }
        (racing, self.0.load(Ordering::SeqCst) > 1)
    }
}

impl Drop for Racing<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Makes stores that append in another way where appends meet.
macro_rules! races {
    ($($(#[$doc:meta])* $breach:ident: $store:ident, $batch:ident => $answers:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        pub(super) struct $breach(Racers);

        #[async_trait]
        impl Breach for $breach {
            #[allow(unused_mut, reason = "some breaches change the batch")]
            async fn append(&self, $store: &MemoryStore, mut $batch: Vec<Append>) -> Answers {
                let (_racing, meets) = self.0.begin().await;
                if meets $answers else { $store.append($batch).await }
            }
        }
    )*};
}

races! {
    /// Takes a writer's word for the version.
    AcceptsStaleAppends: store, batch => {
        for write in batch.iter_mut().flat_map(|append| &mut append.writes) {
            write.expected = ExpectedVersion::Any;
        }
        store.append(batch).await
    }
    /// Leaves no receipts.
    ForgetsReceipts: store, batch => {
        batch.iter_mut().for_each(|append| append.receipt = None);
        store.append(batch).await
    }
    /// Acknowledges the last event of a batch without storing it.
    LosesAnEvent: store, batch => {
        let events = batch.iter_mut().flat_map(|append| &mut append.writes).filter(|write| !write.events.is_empty());
        let lost = events.last().map(|write| (write.stream.clone(), write.events.pop()));
        let mut answers = store.append(batch).await?;
        if lost.is_some() && let Some(Ok(last)) = answers.last_mut() && !last.duplicate {
            (last.position, last.events) = (last.position.next(), last.events + 1);
            last.versions.iter_mut().for_each(|version| *version = version.next());
        }
        Ok(answers)
    }
    /// Commits each append of a batch by itself.
    WritesInPieces: store, batch => {
        let mut answers = Vec::new();
        for mut append in batch {
            append.rests_on_previous = false;
            answers.push(one(store, append).await?);
            yield_now().await;
        }
        Ok(answers)
    }
    /// Tells the head of now for the position of the append.
    TellsTheHead: store, batch => {
        let mut answers = store.append(batch).await?;
        yield_now().await;
        let head = store.head().await?;
        answers.iter_mut().flatten().for_each(|answer| answer.position = head);
        Ok(answers)
    }
    /// Tells a conflict where there is none.
    RefusesForNothing: store, batch => {
        let refused = batch.first().and_then(|append| append.writes.first()).cloned();
        match refused {
            Some(StreamWrite { stream, expected, .. }) if batch.len() == 1 => {
                let actual = Version::new(1_000);
                Ok(vec![Err(AppendError::WrongExpectedVersion { stream, expected, actual })])
            }
            _ => store.append(batch).await,
        }
    }
}

/// Leaves out a position where appends meet: everything after it has the next higher one.
#[derive(Default)]
pub(super) struct LeavesAGap(Racers, AtomicU64);

impl LeavesAGap {
    /// The position that is told for a true one. No gap is zero.
    fn told(&self, position: Position) -> Position {
        let gap = self.1.load(Ordering::SeqCst);
        if gap != 0 && position.as_u64() > gap { position.next() } else { position }
    }
}

#[async_trait]
impl Breach for LeavesAGap {
    async fn append(&self, store: &MemoryStore, batch: Vec<Append>) -> Answers {
        let (_racing, meets) = self.0.begin().await;
        let head = store.head().await?.as_u64();
        if meets && head > 0 {
            let _ = self.1.compare_exchange(0, head, Ordering::SeqCst, Ordering::SeqCst);
        }
        let mut answers = store.append(batch).await?;
        answers.iter_mut().flatten().for_each(|answer| answer.position = self.told(answer.position));
        Ok(answers)
    }

    async fn receipts(
        &self,
        store: &MemoryStore,
        commands: &[CommandId],
    ) -> Result<Vec<Option<Appended>>, StoreError> {
        let mut found = store.receipts(commands).await?;
        found.iter_mut().flatten().for_each(|receipt| receipt.position = self.told(receipt.position));
        Ok(found)
    }

    async fn head(&self, store: &MemoryStore) -> Result<Position, StoreError> {
        Ok(self.told(store.head().await?))
    }
}

/// Tells in each other handle the head as it was when that handle wrote last, as a replica that lags behind does.
#[derive(Default)]
pub(super) struct LagsBehind(Option<Mutex<Position>>);

#[async_trait]
impl Breach for LagsBehind {
    async fn append(&self, store: &MemoryStore, batch: Vec<Append>) -> Answers {
        let answers = store.append(batch).await?;
        if let Some(seen) = &self.0 {
            let head = store.head().await?;
            *seen.lock().unwrap() = head;
        }
        Ok(answers)
    }

    async fn head(&self, store: &MemoryStore) -> Result<Position, StoreError> {
        let head = store.head().await?;
        Ok(match &self.0 {
            Some(seen) => *seen.lock().unwrap(),
            None => head,
        })
    }

    fn again(&self) -> Option<Arc<dyn Breach>> {
        Some(Arc::new(Self(Some(Mutex::default()))))
    }
}
