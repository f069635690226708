//! One handler in several processes: one works, and the others wait for their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cqrs_core::*;
use cqrs_memory::MemoryStore;
use cqrs_testing::{Fault, Faults, FaultyStore, Operation};

use crate::common::{PausedClock, add};
use crate::probe::{NAME, Pots, Probe, once};

async fn start(store: impl Store, clock: impl Clock, probe: &Probe) -> App {
    let builder = App::builder(store).clock(clock).event_handler_with(probe.clone(), once());
    builder.start().await.unwrap()
}

async fn until(app: &App, wanted: impl Fn(&SubscriberStatus) -> bool) -> SubscriberStatus {
    app.watch_status(NAME).unwrap().wait_for(|status| wanted(status)).await.unwrap().clone()
}

fn waits(status: &SubscriberStatus) -> bool {
    matches!(status.state, SubscriberState::Waiting { .. })
}

/// Both delivered each event where there was so little to do that neither was fenced.
#[tokio::test(start_paused = true)]
async fn one_of_two_delivers_and_the_other_one_tells_how_far_it_has_come() {
    let (store, clock) = (MemoryStore::new(), PausedClock::new());
    let pots = Pots::of(&["failing"]);
    let probes = [Probe::failing(&pots), Probe::failing(&pots)];
    let _first = start(store.clone(), clock, &probes[0]).await;
    let second = start(store, clock, &probes[1]).await;
    until(&second, waits).await;
    for n in 1..=10 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        second.dispatch(add("pot", 1)).wait_for([NAME]).await.unwrap();
        assert_eq!(probes.each_ref().map(|probe| probe.begun().len()), [n, 0]);
    }
    second.dispatch(add("failing", 1)).wait_for([NAME]).await.unwrap();
    let status = until(&second, |status| status.parked == 1).await;
    assert!(waits(&status), "{status:?}");
    assert_eq!((status.position, status.head), (Position::new(11), Position::new(11)));
}

#[tokio::test(start_paused = true)]
async fn the_next_one_goes_on_at_once_when_the_first_is_shut_down() {
    let (store, clock) = (MemoryStore::new(), PausedClock::new());
    let probes = [Probe::quick(), Probe::quick()];
    let first = start(store.clone(), clock, &probes[0]).await;
    first.dispatch(add("pot", 1)).wait_for([NAME]).await.unwrap();
    let second = start(store, clock, &probes[1]).await;
    let SubscriberState::Waiting { until: end } = until(&second, waits).await.state else { unreachable!() };
    first.shutdown().await;
    second.dispatch(add("pot", 1)).wait_for([NAME]).await.unwrap();
    assert!(clock.now() < end, "the lease was given back");
    assert_eq!(probes.map(|probe| probe.of("pot")), [vec![1], vec![2]]);
}

/// What was under way when a process died is delivered by the next one, when the lease has ended.
#[tokio::test(start_paused = true)]
async fn the_next_one_goes_on_where_a_dead_one_was() {
    let (store, clock) = (MemoryStore::new(), PausedClock::new());
    let dying = FaultyStore::new(store.clone(), Faults::default());
    let probes = [Probe::new(|_| std::future::pending()), Probe::quick()];
    let first = start(dying.clone(), clock, &probes[0]).await;
    first.dispatch(add("pot", 1)).await.unwrap();
    probes[0].until_begun(1).await;
    dying.crash();
    let second = start(store, clock, &probes[1]).await;
    let SubscriberState::Waiting { until: end } = until(&second, waits).await.state else { unreachable!() };
    probes[1].until_ended(1).await;
    assert!(clock.now() >= end, "the lease had not ended");
    assert_eq!(probes[1].of("pot"), [1]);
}

/// A delivery that takes longer than a lease lasts is not begun by another one meanwhile, nor once more when the store
/// fails now and then.
#[tokio::test(start_paused = true)]
async fn a_lease_is_kept_however_long_a_delivery_takes() {
    let (store, clock) = (MemoryStore::new(), PausedClock::new());
    let faulty = FaultyStore::new(store.clone(), Faults::default());
    let slow = Probe::new(async |_| {
        tokio::time::sleep(Duration::from_secs(600)).await;
        Ok(())
    });
    let probes = [slow, Probe::quick()];
    let first = start(faulty.clone(), clock, &probes[0]).await;
    first.dispatch(add("pot", 1)).await.unwrap();
    probes[0].until_begun(1).await;
    let second = start(store, clock, &probes[1]).await;
    faulty.inject(Operation::AcquireLease, [Fault::Fail, Fault::Fail]);
    probes[0].until_ended(1).await;
    assert_eq!(probes[0].begun().len(), 1);
    until(&second, |status| status.position == Position::new(1)).await;
    assert_eq!(probes[1].begun(), []);
}

/// A clock that can be put back.
#[derive(Clone)]
struct Shifted(PausedClock, Arc<AtomicI64>);

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.now().as_micros() - self.1.load(Ordering::SeqCst))
    }
}

/// The lease looked young for as long as the clock had gone back, and was not renewed, and another one took it.
#[tokio::test(start_paused = true)]
async fn a_lease_is_kept_when_the_clock_goes_back() {
    let (store, clock) = (MemoryStore::new(), Shifted(PausedClock::new(), Arc::default()));
    let probes = [Probe::quick(), Probe::quick()];
    let _first = start(store.clone(), clock.clone(), &probes[0]).await;
    let second = start(store, clock.clone(), &probes[1]).await;
    until(&second, waits).await;
    clock.1.store(3_600_000_000, Ordering::SeqCst);
    for n in 1..=10 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        second.dispatch(add("pot", 1)).wait_for([NAME]).await.unwrap();
        assert_eq!(probes.each_ref().map(|probe| probe.begun().len()), [n, 0]);
    }
}

/// Another one may work by then, whose deliveries must not be overtaken by older ones.
#[tokio::test(start_paused = true)]
async fn who_cannot_renew_the_lease_begins_no_delivery_after_its_end() {
    let (store, clock) = (MemoryStore::new(), PausedClock::new());
    let faulty = FaultyStore::new(store, Faults::default());
    let probe = Probe::quick();
    let app = start(faulty.clone(), clock, &probe).await;
    app.dispatch(add("pot", 1)).wait_for([NAME]).await.unwrap();
    let retries = |status: &SubscriberStatus| matches!(status.state, SubscriberState::Retrying { .. });
    faulty.inject(Operation::AcquireLease, [Fault::Fail]);
    until(&app, retries).await;
    until(&app, |status| status.state == SubscriberState::Running).await;
    faulty.inject(Operation::AcquireLease, std::iter::repeat_n(Fault::Fail, 1_000));
    tokio::time::sleep(Duration::from_secs(5)).await;
    app.dispatch(add("pot", 1)).wait_for([NAME]).await.unwrap();
    assert!(until(&app, retries).await.last_error.is_some());
    tokio::time::sleep(Duration::from_secs(10)).await;
    app.dispatch(add("pot", 1)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(probe.of("pot"), [1, 2]);
    until(&app, retries).await;
    faulty.calm();
    probe.until_ended(3).await;
    until(&app, |status| status.state == SubscriberState::Running).await;
}

/// What a failure has ended came back to life when its lease was lost.
#[tokio::test(start_paused = true)]
async fn a_handler_that_has_ended_takes_no_further_turn() {
    let (store, clock) = (MemoryStore::new(), PausedClock::new());
    let faulty = FaultyStore::new(store, Faults::default());
    let probe = Probe::new(async |(pot, _)| match pot.as_str() {
        "slow" => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            Ok(())
        }
        _ => Err(pot.into()),
    });
    let probe = probe.saying(|_| Policy::Stop);
    let app = start(faulty.clone(), clock, &probe).await;
    app.dispatch(add("slow", 1)).await.unwrap();
    probe.until_begun(1).await;
    // For longer than the lease lasts, and no longer.
    faulty.inject(Operation::AcquireLease, std::iter::repeat_n(Fault::Fail, 30));
    app.dispatch(add("failing", 1)).await.unwrap();
    until(&app, |status| status.state.is_stopped()).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let status = until(&app, |_| true).await;
    assert!(matches!(status.state, SubscriberState::Stopped { error: Some(_) }), "{status:?}");
    assert_eq!(probe.begun().len(), 2, "each was delivered once");
}

/// A process that could not renew its lease for so long that another one works ends what it has under way.
#[tokio::test(start_paused = true)]
async fn who_has_lost_the_lease_delivers_no_more() {
    let (store, clock) = (MemoryStore::new(), PausedClock::new());
    let faulty = FaultyStore::new(store.clone(), Faults::default());
    let slow = || {
        Probe::new(async |_| {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        })
    };
    let probes = [slow(), slow()];
    let first = start(faulty.clone(), clock, &probes[0]).await;
    first.dispatch(add("pot", 1)).await.unwrap();
    probes[0].until_begun(1).await;
    // It asks again every quarter of a second.
    faulty.inject(Operation::AcquireLease, std::iter::repeat_n(Fault::Fail, 60));
    let _second = start(store, clock, &probes[1]).await;
    probes[1].until_ended(1).await;
    until(&first, waits).await;
    assert_eq!(probes[0].ended(), []);
}

/// Who waits and cannot see how far the other one has come says so, until he can.
#[tokio::test(start_paused = true)]
async fn one_that_waits_tells_of_a_store_that_fails() {
    let (store, clock) = (MemoryStore::new(), PausedClock::new());
    let faulty = FaultyStore::new(store.clone(), Faults::default());
    let _first = start(store, clock, &Probe::quick()).await;
    let second = start(faulty.clone(), clock, &Probe::quick()).await;
    until(&second, waits).await;
    for operation in [Operation::HandlerCheckpoint, Operation::AcquireLease] {
        for (fault, attempts) in [(Fault::Fail, 2), (Fault::Panic, 1)] {
            faulty.inject(operation, std::iter::repeat_n(fault, attempts));
            let tells = |status: &SubscriberStatus| match &status.state {
                SubscriberState::Retrying { attempts: found, .. } => *found as usize == attempts,
                _ => false,
            };
            until(&second, tells).await;
            until(&second, waits).await;
        }
    }
}
