//! Whoever waits is told what has come of it, at once when nothing more can come.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::*;
use cqrs_core::*;
use cqrs_memory::{InMemory, MemoryStore};
use cqrs_testing::{Fault, Faults, FaultyStore, Operation};
use tokio::sync::{Notify, Semaphore};

const LONG: Duration = Duration::from_secs(3_600);

/// The positions that it was given of what it wants: everything, or one pot. A version fails on purpose.
struct Sums<const V: u32>(Option<&'static str>);

#[async_trait]
impl<const V: u32> Projection for Sums<V> {
    const NAME: &'static str = "sums";
    const VERSION: u32 = V;
    type Event = PotEvent;
    type Target = Vec<u64>;

    fn filter(&self) -> EventFilter {
        let one = self.0.map(|pot| StreamId::new("pot", pot).unwrap());
        match one {
            Some(one) => PotEvent::filter().and_streams([one]),
            None => PotEvent::filter(),
        }
    }

    async fn project(&self, event: &RecordedEvent<PotEvent>, seen: &mut Vec<u64>) -> Result<(), BoxError> {
        seen.push(event.position.as_u64());
        Ok(())
    }
}

/// Fails for ever.
struct Failing;

#[async_trait]
impl Projection for Failing {
    const NAME: &'static str = "failing";
    type Event = PotEvent;
    type Target = ();

    async fn project(&self, _: &RecordedEvent<PotEvent>, (): &mut ()) -> Result<(), BoxError> {
        Err("for ever".into())
    }
}

/// Writes down where events are, after a while, or comes to its end.
#[derive(Clone, Default)]
struct Mail {
    sent: Arc<Mutex<Vec<u64>>>,
    ends: bool,
}

#[async_trait]
impl EventHandler for Mail {
    const NAME: &'static str = "mail";
    type Event = PotEvent;

    async fn handle(&self, event: &RecordedEvent<PotEvent>) -> Result<(), BoxError> {
        if self.ends {
            return Err("no more mail".into());
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        self.sent.lock().unwrap().push(event.position.as_u64());
        Ok(())
    }

    fn failed(&self, _: &HandlerFailure) -> Policy {
        Policy::Stop
    }
}

fn waiting<'a, T: Dispatchable>(dispatch: Dispatch<'a, T>, wait: &str) -> Dispatch<'a, T> {
    match wait {
        "strong" => dispatch.strong(),
        "settled" => dispatch.settled(),
        names => dispatch.wait_for(names.split(' ')),
    }
}

/// Strong consistency of a peer times out with filters and with batches, because it waits for an acknowledgement of the
/// event itself.
#[tokio::test(start_paused = true)]
async fn what_is_waited_for_is_there_whatever_the_filters_and_batches() {
    let all = ["strong", "sums", "mail", "carry", "sums mail carry", "settled"];
    for wait in all {
        for (filter, batch_events, batch_wait) in [
            (None, 1_000, Duration::ZERO),
            (None, 1, Duration::ZERO),
            (None, 3, Duration::from_secs(60)),
            (Some("nobody's"), 1_000, Duration::ZERO),
            (Some("nobody's"), 2, Duration::from_secs(60)),
        ] {
            let case = format!("{wait}, filter {filter:?}, {batch_events} in {batch_wait:?}");
            let (seen, mail) = (InMemory::default(), Mail::default());
            let mut options = SubscribeOptions::default();
            (options.batch_events, options.batch_wait) = (batch_events, batch_wait);
            let builder = App::builder(MemoryStore::new()).router(router()).subscribe_options(options);
            let builder = builder.projection(Sums::<1>(filter), seen.clone()).event_handler(mail.clone());
            let app = builder.process_manager::<Carry>().start().await.unwrap();
            for n in 0..4 {
                app.dispatch(add("a", 5)).await.unwrap();
                let moved = carry("a", "b", 1, &format!("t{n}"));
                let done = waiting(app.dispatch(moved), wait).timeout(LONG).await.unwrap();
                assert_eq!(done.consistency, Consistency::Reached, "{case}");
                let mut last = done.position.as_u64();
                if wait == "settled" {
                    last = stream(&**app.store(), "b").await.last().unwrap().position.as_u64();
                    assert!(last > done.position.as_u64(), "{case}");
                }
                let wants = |name: &str| wait.contains(name) || ["strong", "settled"].contains(&wait);
                if wants("sums") && filter.is_none() {
                    let found = seen.read(Clone::clone).await;
                    assert!(
                        found.starts_with(&(1..=last).collect::<Vec<_>>()),
                        "{case}: {found:?}, {last}"
                    );
                }
                if wait.contains("mail") {
                    let sent = mail.sent.lock().unwrap();
                    assert!((1..=last).all(|position| sent.contains(&position)), "{case}: {sent:?}");
                }
                if wait.contains("carry") {
                    let chain = app.store().chain(done.command_id.into()).await.unwrap();
                    assert!(chain.pending > 0 || chain.last > done.position, "{case}: it has asked for it");
                }
            }
        }
    }
}

/// One who waits for several stood before the first of them, which tried and tried, while another one had ended long ago.
#[tokio::test(start_paused = true)]
async fn one_that_has_stopped_answers_at_once_however_long_the_others_take() {
    let (store, seen) = (MemoryStore::new(), InMemory::default());
    let builder = App::builder(store.clone()).router(router()).projection(Failing, InMemory::default());
    let builder = builder.projection(Sums::<1>(None), seen.clone());
    let builder = builder.event_handler(Mail { ends: true, ..Mail::default() });
    let app = builder.process_manager::<Carry>().start().await.unwrap();
    // A newer program takes the read model over.
    let newer = App::builder(store).projection(Sums::<2>(None), seen).start().await.unwrap();
    newer.dispatch(add("a", 1)).strong().await.unwrap();
    for name in ["sums", "mail"] {
        let mut status = app.watch_status(name).unwrap();
        status.wait_for(|status| status.state.is_stopped()).await.unwrap();
    }
    let began = tokio::time::Instant::now();
    for wait in ["strong", "sums", "mail", "failing sums", "failing mail", "failing nobody", "settled"] {
        let done = waiting(app.dispatch(add("a", 1)), wait).timeout(LONG).await.unwrap();
        assert_eq!(done.consistency, Consistency::Stopped, "{wait}");
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    for wait in ["carry", "carry carry"] {
        let done = waiting(app.dispatch(add("a", 1)), wait).timeout(LONG).await.unwrap();
        assert_eq!(done.consistency, Consistency::Reached, "{wait}: who is not asked for does not matter");
    }
}

/// A peer's dispatch that times out does not say whether the command took effect.
#[tokio::test(start_paused = true)]
async fn a_wait_that_runs_out_tells_that_the_command_took_effect() {
    let builder = App::builder(MemoryStore::new()).projection(Failing, InMemory::default());
    let app = builder.start().await.unwrap();
    for (wait, version) in ["strong", "failing", "settled"].into_iter().zip(1..) {
        let began = tokio::time::Instant::now();
        let timeout = Duration::from_secs(5);
        let done = waiting(app.dispatch(add("a", 1)), wait).timeout(timeout).await.unwrap();
        assert_eq!(
            (done.consistency, done.version),
            (Consistency::TimedOut, Version::new(version)),
            "{wait}"
        );
        assert!(began.elapsed() >= timeout && began.elapsed() < timeout + Duration::from_millis(10));
    }
    let nothing = app.dispatch(add("a", 1)).timeout(Duration::MAX).await.unwrap();
    assert_eq!(nothing.consistency, Consistency::NotAwaited);
}

/// What was waiting when the application ended, and the same again after a restart, from where everybody was.
#[tokio::test(start_paused = true)]
async fn a_shutdown_answers_those_who_wait_and_after_a_restart_they_wait_for_what_was_left() {
    let store = MemoryStore::new();
    let faulty = FaultyStore::new(store.clone(), Faults::default());
    let (seen, mail) = (InMemory::default(), Mail::default());
    let mut process = ProcessOptions::default();
    (process.first_retry, process.longest_retry) = (LONG, LONG);
    let mut options = SubscribeOptions::default();
    (options.batch_wait, options.batch_events) = (LONG, 1_000);
    let builder = App::builder(faulty.clone()).router(router()).process_options(process);
    let builder = builder.projection_with(Sums::<1>(None), seen.clone(), options);
    let app = builder.event_handler(mail.clone()).process_manager::<Carry>().start().await.unwrap();
    // The process manager's command fails, and waits for its next attempt; the projection waits for a full batch.
    faulty.inject(Operation::Append, [Fault::Fail]);
    let writer = App::builder(store.clone()).start().await.unwrap();
    writer.dispatch(add("a", 9)).await.unwrap();
    let moved = writer.dispatch(carry("a", "b", 1, "t1")).await.unwrap();
    let chain = CorrelationId::from(moved.command_id);
    while store.next_due(SystemClock.now()).await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let ending = app.clone();
    let wait = |wait| {
        let dispatch = app.dispatch(add("a", 1)).correlation_id(chain);
        waiting(dispatch, wait).timeout(LONG / 2).into_future()
    };
    let [settled, strong, sums] = ["settled", "strong", "sums"].map(wait);
    let waiters = async { futures::join!(settled, strong, sums).into() };
    let ends = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        ending.shutdown().await;
    };
    let (answers, ()): ([_; 3], ()) = futures::join!(waiters, ends);
    let answers = answers.map(|answer| answer.unwrap().consistency);
    // The projection has worked on its batch at the shutdown, as far as it went.
    let gone = |answer| matches!(answer, Consistency::Stopped | Consistency::Reached);
    assert!(answers[0] == Consistency::Stopped && answers.into_iter().all(gone), "{answers:?}");
    let builder = App::builder(store.clone()).router(router()).projection(Sums::<1>(None), seen.clone());
    let app = builder.event_handler(mail.clone()).process_manager::<Carry>().start().await.unwrap();
    for wait in ["strong", "mail", "settled"] {
        let done = waiting(app.dispatch(add("a", 1)), wait).timeout(LONG / 2).await.unwrap();
        assert_eq!(done.consistency, Consistency::Reached, "{wait}");
    }
    let head = store.head().await.unwrap().as_u64();
    assert_eq!(seen.read(Clone::clone).await, (1..=head).collect::<Vec<_>>());
}

/// A clock that goes back puts nothing off, and no time is negative.
#[tokio::test(start_paused = true)]
async fn a_clock_that_goes_back_stops_nobody_and_the_status_tells_no_nonsense() {
    let (clock, seen) = (Hand::new(), InMemory::default());
    clock.put(1_000_000);
    let builder = App::builder(MemoryStore::new()).router(router()).clock(clock.clone());
    let builder =
        builder.projection(Sums::<1>(None), seen.clone()).projection(Failing, InMemory::default());
    let app = builder.event_handler(Mail::default()).process_manager::<Carry>().start().await.unwrap();
    for (round, seconds) in [1_000_000, 10, 0, 2_000_000, -5].into_iter().enumerate() {
        clock.put(seconds);
        for wait in ["sums", "mail", "carry"] {
            let done = waiting(app.dispatch(add("a", 9)), wait).timeout(LONG).await.unwrap();
            assert_eq!(done.consistency, Consistency::Reached, "{wait} at {seconds}");
        }
        app.dispatch(carry("a", "b", 1, &round.to_string())).await.unwrap();
        let mut failing = app.watch_status("failing").unwrap();
        let attempt = |status: &SubscriberStatus| match status.state {
            SubscriberState::Retrying { attempts, .. } => attempts,
            _ => 0,
        };
        let before = attempt(&failing.borrow());
        let found = failing.wait_for(|status| attempt(status) > before).await.unwrap().clone();
        let now = clock.now();
        let SubscriberState::Retrying { next_attempt, .. } = &found.state else { panic!("{found:?}") };
        assert!(next_attempt.since(now) <= Duration::from_secs(30), "{found:?} at {seconds}");
        assert_eq!(found.last_error.as_ref().unwrap().0, now);
        let oldest = found.oldest_waiting.unwrap();
        assert_eq!(found.lag_time(now), now.since(oldest));
        assert!(oldest == Timestamp::from_micros(1_000_000_000_000), "the first that is waiting");
        assert!(found.rate == 0 && found.lag() >= 4);
    }
}

/// What is not put off is due by every clock, and in the order in which it was asked for.
#[tokio::test]
async fn commands_of_an_instance_keep_their_order_when_the_clock_goes_back() {
    let (clock, store) = (Hand::new(), MemoryStore::new());
    clock.put(100);
    let writer = App::builder(store.clone()).router(router()).clock(clock.clone()).start().await.unwrap();
    writer.dispatch(add("a", 9)).await.unwrap();
    writer.dispatch(carry("a", "b", 1, "t")).await.unwrap();
    clock.put(50);
    writer.dispatch(carry("a", "c", 1, "u")).await.unwrap();
    let builder = App::builder(store.clone()).router(router()).clock(clock.clone());
    let app = builder.process_manager::<Carry>().start().await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!((stream(&store, "b").await.len(), stream(&store, "c").await.len()), (1, 1));
}

/// The clock of one who died was an hour ahead, and so is the end of his lease.
#[tokio::test(start_paused = true)]
async fn a_lease_of_one_who_had_a_wrong_clock_holds_nobody_up_for_longer_than_others() {
    let (store, clock) = (MemoryStore::new(), Hand::new());
    let hour = Timestamp::from_micros(3_600_000_000);
    store.acquire_lease("process carry", uuid::Uuid::from_u128(1), clock.now(), hour).await.unwrap();
    let builder = App::builder(store.clone()).router(router()).clock(clock.clone());
    let app = builder.process_manager::<Carry>().start().await.unwrap();
    app.dispatch(add("a", 9)).await.unwrap();
    let began = tokio::time::Instant::now();
    let moved = app.dispatch(carry("a", "b", 1, "t")).settled().timeout(LONG).await.unwrap();
    assert_eq!(moved.consistency, Consistency::Reached);
    let waited = began.elapsed();
    let lease = SubscribeOptions::default().lease;
    assert!(waited >= lease && waited < 2 * lease, "after {waited:?}");
}

/// What is under way holds up everybody who ends the application, also after somebody who did not wait so long.
#[tokio::test]
async fn whoever_shuts_down_waits_for_what_is_under_way() {
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let store = MemoryStore::new();
    let handler = Slow { gate: Arc::clone(&gate), begun: Arc::clone(&begun) };
    let app = App::builder(store.clone()).event_handler(handler).start().await.unwrap();
    app.dispatch(add("a", 1)).await.unwrap();
    begun.notified().await;
    {
        let mut cut_off = Box::pin(app.shutdown());
        assert!(futures::poll!(&mut cut_off).is_pending());
    }
    let (mut first, mut second) = (Box::pin(app.shutdown()), Box::pin(app.shutdown()));
    for _ in 0..100 {
        assert!(futures::poll!(&mut first).is_pending() && futures::poll!(&mut second).is_pending());
        tokio::task::yield_now().await;
    }
    gate.add_permits(1);
    tokio::join!(first, second);
    let checkpoint = store.handler_checkpoint("slow").await.unwrap();
    assert_eq!(checkpoint.watermarks.iter().min(), Some(&Position::new(1)), "it is recorded");
}

/// Handles nothing before its gate is opened.
struct Slow {
    gate: Arc<Semaphore>,
    begun: Arc<Notify>,
}

#[async_trait]
impl EventHandler for Slow {
    const NAME: &'static str = "slow";
    type Event = PotEvent;

    async fn handle(&self, _: &RecordedEvent<PotEvent>) -> Result<(), BoxError> {
        self.begun.notify_one();
        self.gate.acquire().await?.forget();
        Ok(())
    }
}
