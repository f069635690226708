//! Consumers of the log that let go of their stream and take it up again where they were.

use std::sync::{Arc, Mutex};

use coins::AccountEvent;
use cqrs_core::{App, EventFilter, EventSet, Position, RecordedEvent, StartFrom, StoreError, StreamId};
use futures::StreamExt;

use crate::random::Random;
use crate::writer;

/// A consumer; a clone is the same.
#[derive(Clone)]
pub(crate) struct Reader {
    /// After which position it began.
    start: u64,
    wants: Wants,
    /// The positions of what it took, in order.
    taken: Arc<Mutex<Vec<u64>>>,
    random: Random,
}

#[derive(Clone, Copy)]
enum Wants {
    All,
    Received,
    One,
}

impl Reader {
    pub(crate) fn new(number: u64, random: &mut Random) -> Self {
        let wants = [Wants::All, Wants::All, Wants::Received, Wants::One][number as usize % 4];
        let start = if number == 0 { 0 } else { random.below(300) };
        Self { start, wants, taken: Arc::default(), random: Random::of(random.below(u64::MAX)) }
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    fn filter(&self) -> EventFilter {
        match self.wants {
            Wants::All => EventFilter::all(),
            Wants::Received => AccountEvent::filter().and_event_types(["CoinsReceived"]),
            Wants::One => {
                let stream = StreamId::new("account", writer::account(1).as_str()).unwrap();
                EventFilter::all().and_streams([stream])
            }
        }
    }

    fn wants(&self, event: &RecordedEvent<AccountEvent>) -> bool {
        event.position.as_u64() > self.start
            && match self.wants {
                Wants::All => true,
                Wants::Received => matches!(event.data, AccountEvent::CoinsReceived { .. }),
                Wants::One => event.data.account_id() == &writer::account(1),
            }
    }

    /// Goes on after the last one that it took.
    fn after(&self) -> StartFrom {
        StartFrom::Position(Position::new(self.taken.lock().unwrap().last().copied().unwrap_or(self.start)))
    }

    fn take(&self, event: &RecordedEvent) {
        self.taken.lock().unwrap().push(event.position.as_u64());
    }

    /// Takes events until the application ends, with one stream after the other.
    pub(crate) async fn read(mut self, app: App) {
        loop {
            let mut events = app.subscribe(self.after(), self.filter());
            for _ in 0..=self.random.below(100) {
                match events.next().await {
                    // The runtime is being taken away, and the store's threads were faster.
                    Some(Err(StoreError::Closed)) | None => return,
                    Some(event) => self.take(&event.unwrap()),
                }
            }
        }
    }

    /// Takes what is left, and looks whether that was all, and all of it once.
    pub(crate) async fn finish(&self, app: &App, log: &[RecordedEvent<AccountEvent>]) {
        let wanted: Vec<_> =
            log.iter().filter(|event| self.wants(event)).map(|event| event.position.as_u64()).collect();
        let mut events = app.subscribe(self.after(), self.filter());
        while self.taken.lock().unwrap().last() < wanted.last() {
            self.take(&events.next().await.expect("the application runs").unwrap());
        }
        assert_eq!(*self.taken.lock().unwrap(), wanted, "after {}", self.start);
    }
}
