//! Leases: which of several runners works.

use cqrs_core::{Lease, LeaseStore, Timestamp};
use futures::future::join_all;
use uuid::Uuid;

use super::violation::want_eq;
use super::{StoreFactory, Verdict, Violation};

const A: Uuid = Uuid::from_u128(1);
const B: Uuid = Uuid::from_u128(2);

/// A time within a lease's life; not the machine's, which a store must not ask.
fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + second * 1_000_000)
}

/// Somebody asks at a second for a lease until another one.
async fn ask<S: LeaseStore>(
    store: &S,
    lease: &str,
    holder: Uuid,
    (now, until): (i64, i64),
) -> Result<Lease, cqrs_core::StoreError> {
    store.acquire_lease(lease, holder, at(now), at(until)).await
}

fn held_by(holder: Uuid, until: i64) -> Lease {
    Lease::HeldBy { holder, until: at(until) }
}

/// A lease that nobody has is given; while it lasts, others are told who has it and until when, and change nothing.
pub async fn a_lease_is_one_holders_at_a_time<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    want_eq!(ask(&store, "l", A, (0, 10)).await?, Lease::Held, "the answer to the first");
    for now in [0, 1, 9] {
        let answer = ask(&store, "l", B, (now, now + 10)).await?;
        want_eq!(answer, held_by(A, 10), "the answer to another");
    }
    want_eq!(ask(&store, "l", A, (9, 19)).await?, Lease::Held, "the answer to the first again");
    Ok(())
}

/// A lease is free at the moment when it ends, by the time of the one who asks.
pub async fn a_lease_ends_in_its_time<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    ask(&store, "l", A, (0, 10)).await?;
    want_eq!(ask(&store, "l", B, (9, 20)).await?, held_by(A, 10), "the answer before the end");
    want_eq!(ask(&store, "l", B, (10, 20)).await?, Lease::Held, "the answer at the end");
    want_eq!(ask(&store, "l", A, (11, 21)).await?, held_by(B, 20), "the answer to the former holder");
    Ok(())
}

/// The holder renews his lease while it lasts and after it has ended, also to an earlier end.
pub async fn a_lease_is_renewed_by_its_holder<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    ask(&store, "l", A, (0, 10)).await?;
    for (now, until) in [(5, 30), (6, 20), (25, 40)] {
        want_eq!(ask(&store, "l", A, (now, until)).await?, Lease::Held, "the answer to the holder");
        let answer = ask(&store, "l", B, (now, 99)).await?;
        want_eq!(answer, held_by(A, until), "the answer to another");
    }
    Ok(())
}

/// A lease that its holder gives back is free at once; another one cannot give it back.
pub async fn a_lease_that_is_given_back_is_free<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    store.release_lease("l", A).await?;
    ask(&store, "l", A, (0, 10)).await?;
    store.release_lease("l", B).await?;
    want_eq!(ask(&store, "l", B, (1, 11)).await?, held_by(A, 10), "the answer to another");
    store.release_lease("l", A).await?;
    want_eq!(ask(&store, "l", B, (1, 11)).await?, Lease::Held, "the answer to another");
    store.release_lease("l", A).await?;
    want_eq!(ask(&store, "l", A, (2, 12)).await?, held_by(B, 11), "the answer to the former holder");
    Ok(())
}

/// Who asks for the holders of leases is told who has each, in the order of his question; nobody has what was never taken,
/// given back, or has come to its end by his time. Nothing changes by that.
pub async fn holders_are_told_in_order<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let leases = ["b", "never", "a", "ended", "B", "given back", "a"].map(str::to_owned);
    want_eq!(store.lease_holders(&leases, at(0)).await?, vec![None; 7], "the holders before anybody asks");
    for (lease, holder, until) in
        [("a", A, 20), ("b", B, 20), ("ended", A, 10), ("given back", B, 20), ("other", A, 20)]
    {
        ask(&store, lease, holder, (0, until)).await?;
    }
    store.release_lease("given back", B).await?;
    let held = [Some(B), None, Some(A), None, None, None, Some(A)];
    let mut before = held;
    before[3] = Some(A);
    let other = factory.again(&store).await;
    for store in [&store, &other] {
        want_eq!(store.lease_holders(&leases, at(9)).await?, before, "the holders before the end of one");
        want_eq!(store.lease_holders(&leases, at(10)).await?, held, "the holders at the end of one");
        want_eq!(store.lease_holders(&[], at(10)).await?, Vec::<Option<Uuid>>::new(), "no leases");
    }
    want_eq!(ask(&store, "never", A, (10, 20)).await?, Lease::Held, "the answer for what was looked at");
    want_eq!(ask(&store, "a", B, (10, 20)).await?, held_by(A, 20), "the answer for what was looked at");
    Ok(())
}

/// Leases of several names know nothing of each other, whatever their case.
pub async fn leases_do_not_mix<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    for (number, lease) in (3..).zip(["l", "L", "l ", "projection l in /a/ü.db"]) {
        want_eq!(
            ask(&store, lease, Uuid::from_u128(number), (0, 10)).await?,
            Lease::Held,
            "the answer for {lease:?}"
        );
    }
    store.release_lease("L", Uuid::from_u128(4)).await?;
    want_eq!(ask(&store, "l", B, (0, 10)).await?, held_by(Uuid::from_u128(3), 10), "the answer to another");
    Ok(())
}

/// Of several who ask at once, one gets the lease, and all others are told that he has it.
pub async fn one_of_racing_holders_gets_the_lease<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    for round in 0..20 {
        let lease = format!("race {round}");
        let holders = (1..=8).map(Uuid::from_u128);
        let answers = join_all(holders.clone().map(|holder| ask(&store, &lease, holder, (0, 10)))).await;
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let winners: Vec<_> =
            holders.zip(&answers).filter(|(_, answer)| **answer == Lease::Held).map(|(it, _)| it).collect();
        let [winner] = winners[..] else {
            return Err(Violation::new(format_args!("{} holders of one lease", winners.len())));
        };
        let others = answers.iter().filter(|answer| **answer != Lease::Held);
        for answer in others {
            want_eq!(*answer, held_by(winner, 10), "the answer to another");
        }
    }
    Ok(())
}

/// A lease that was taken by one handle is seen by another.
pub async fn leases_hold_between_handles<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let other = factory.again(&store).await;
    ask(&store, "l", A, (0, 10)).await?;
    want_eq!(ask(&other, "l", B, (1, 11)).await?, held_by(A, 10), "the answer by another handle");
    store.release_lease("l", A).await?;
    want_eq!(ask(&other, "l", B, (1, 11)).await?, Lease::Held, "the answer after it was given back");
    Ok(())
}
