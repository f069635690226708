//! Short ways to write a breach of one operation.

/// Makes stores that do something else at `append`.
macro_rules! appends {
    ($($(#[$doc:meta])* $breach:ident: $store:ident, $batch:ident => $answers:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait::async_trait]
        impl Breach for $breach {
            #[allow(unused_mut, reason = "some breaches change the batch")]
            async fn append(&self, $store: &MemoryStore, mut $batch: Vec<Append>) -> Answers {
                $answers
            }
        }
    )*};
}

/// Makes stores that change each append before they judge it.
macro_rules! changes_appends {
    ($($(#[$doc:meta])* $breach:ident: $append:ident => $change:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait::async_trait]
        impl Breach for $breach {
            async fn append(&self, store: &MemoryStore, mut batch: Vec<Append>) -> Answers {
                for $append in &mut batch {
                    $change;
                }
                store.append(batch).await
            }
        }
    )*};
}

/// Makes stores that read a stream in another way.
macro_rules! reads {
    ($($(#[$doc:meta])* $breach:ident: $store:ident, $stream:ident, $read:ident => $events:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait::async_trait]
        impl Breach for $breach {
            async fn read_stream(
                &self,
                $store: &MemoryStore,
                $stream: &StreamId,
                $read: StreamRead,
            ) -> Result<Vec<RecordedEvent>, StoreError> {
                $events
            }
        }
    )*};
}

/// Makes stores that read the log in another way.
macro_rules! reads_log {
    ($($(#[$doc:meta])* $breach:ident: $store:ident, $after:ident, $filter:ident, $limit:ident => $page:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait::async_trait]
        impl Breach for $breach {
            async fn read_log(
                &self,
                $store: &MemoryStore,
                $after: Position,
                $filter: &EventFilter,
                $limit: usize,
            ) -> Result<LogPage, StoreError> {
                $page
            }
        }
    )*};
}

/// Makes stores that wait in another way.
macro_rules! waits {
    ($($(#[$doc:meta])* $breach:ident: $store:ident, $after:ident => $head:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait::async_trait]
        impl Breach for $breach {
            async fn wait_beyond(&self, $store: &MemoryStore, $after: Position) -> Result<Position, StoreError> {
                $head
            }
        }
    )*};
}

/// Makes stores that change what is written of an event.
macro_rules! changes_events {
    ($($(#[$doc:meta])* $breach:ident: $event:ident => $change:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait::async_trait]
        impl Breach for $breach {
            async fn append(&self, store: &MemoryStore, mut batch: Vec<Append>) -> Answers {
                for write in batch.iter_mut().flat_map(|append| &mut append.writes) {
                    for $event in &mut write.events {
                        $change;
                    }
                }
                store.append(batch).await
            }
        }
    )*};
}

pub(crate) use {appends, changes_appends, changes_events, reads, reads_log, waits};
