//! Stores that break leases.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use uuid::Uuid;

use crate::breach::*;
use crate::proofs::proofs;

/// Makes a breach that asks otherwise than it was asked.
macro_rules! asks {
    ($($(#[$meta:meta])* $name:ident: |$lease:ident, $holder:ident, $now:ident, $until:ident| $asked:expr;)*) => {$(
        $(#[$meta])*
        #[derive(Default)]
        struct $name;

        #[async_trait]
        impl Breach for $name {
            async fn acquire_lease(
                &self,
                store: &MemoryStore,
                $lease: &str,
                $holder: Uuid,
                $now: Timestamp,
                $until: Timestamp,
            ) -> Result<Lease, StoreError> {
                let (lease, holder, now, until): (String, Uuid, Timestamp, Timestamp) = $asked;
                store.acquire_lease(&lease, holder, now, until).await
            }
        }
    )*};
}

asks! {
    /// Takes everybody for the same holder.
    GivesItToAll: |lease, _holder, now, until| (lease.to_owned(), Uuid::nil(), now, until);

    /// Lets no lease end.
    NeverEnds: |lease, holder, _now, until| (lease.to_owned(), holder, Timestamp::from_micros(i64::MIN), until);

    /// Lets a lease end a moment late.
    EndsLate: |lease, holder, now, until| {
        (lease.to_owned(), holder, now.minus(std::time::Duration::from_micros(1)), until)
    };

    /// Has one lease for all work.
    HasOneLease: |_lease, holder, now, until| ("the lease".to_owned(), holder, now, until);

    /// Takes names for one that differ in case alone.
    FoldsNames: |lease, holder, now, until| (lease.to_lowercase(), holder, now, until);
}

/// Lets anybody give a lease back.
#[derive(Default)]
struct LetsAnybodyGiveBack(Mutex<HashMap<String, Uuid>>);

#[async_trait]
impl Breach for LetsAnybodyGiveBack {
    async fn acquire_lease(
        &self,
        store: &MemoryStore,
        lease: &str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        let answer = store.acquire_lease(lease, holder, now, until).await?;
        if answer == Lease::Held {
            self.0.lock().unwrap().insert(lease.to_owned(), holder);
        }
        Ok(answer)
    }

    async fn release_lease(&self, store: &MemoryStore, lease: &str, _: Uuid) -> Result<(), StoreError> {
        let holder = self.0.lock().unwrap().get(lease).copied();
        store.release_lease(lease, holder.unwrap_or_default()).await
    }
}

/// Keeps a lease that was given back.
#[derive(Default)]
struct KeepsWhatIsGivenBack;

#[async_trait]
impl Breach for KeepsWhatIsGivenBack {
    async fn release_lease(&self, _: &MemoryStore, _: &str, _: Uuid) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Does not let the holder renew.
#[derive(Default)]
struct RenewsNothing;

#[async_trait]
impl Breach for RenewsNothing {
    async fn acquire_lease(
        &self,
        store: &MemoryStore,
        lease: &str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        // Who asks in another name learns who has it, and takes it only when it is free.
        match store.acquire_lease(lease, Uuid::max(), now, now).await? {
            Lease::HeldBy { holder: found, .. } if found == holder => Ok(Lease::Held),
            Lease::HeldBy { holder, until } => Ok(Lease::HeldBy { holder, until }),
            Lease::Held => store.acquire_lease(lease, holder, now, until).await,
        }
    }
}

/// Looks before it takes, and lets others in between.
#[derive(Default)]
struct ChecksAndThenTakes;

#[async_trait]
impl Breach for ChecksAndThenTakes {
    async fn acquire_lease(
        &self,
        store: &MemoryStore,
        lease: &str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        match store.acquire_lease(lease, Uuid::max(), now, now).await? {
            Lease::HeldBy { holder: found, until } if found != holder => {
                Ok(Lease::HeldBy { holder: found, until })
            }
            _ => {
                tokio::task::yield_now().await;
                // Takes it from whoever was faster.
                let end = Timestamp::from_micros(i64::MAX);
                store.acquire_lease(lease, holder, end, until).await
            }
        }
    }
}

/// Makes a breach that tells other holders than there are.
macro_rules! tells {
    ($($(#[$meta:meta])* $name:ident: |$store:ident, $leases:ident, $now:ident| $told:expr;)*) => {$(
        $(#[$meta])*
        #[derive(Default)]
        struct $name;

        #[async_trait]
        impl Breach for $name {
            async fn lease_holders(
                &self,
                $store: &MemoryStore,
                $leases: &[String],
                $now: Timestamp,
            ) -> Result<Vec<Option<Uuid>>, StoreError> {
                $told
            }
        }
    )*};
}

tells! {
    /// Tells who had a lease that has come to its end.
    TellsFormerHolders: |store, leases, _now| store.lease_holders(leases, Timestamp::from_micros(i64::MIN)).await;

    /// Tells the holder of a lease for a moment too long.
    TellsHoldersTooLong: |store, leases, now| {
        store.lease_holders(leases, now.minus(std::time::Duration::from_micros(1))).await
    };

    /// Tells the holders in the order of the names.
    TellsHoldersByName: |store, leases, now| {
        let mut leases = leases.to_vec();
        leases.sort();
        store.lease_holders(&leases, now).await
    };

    /// Takes names for one that differ in case alone, when it is asked for holders.
    TellsHoldersOfAnyCase: |store, leases, now| {
        let leases: Vec<_> = leases.iter().map(|lease| lease.to_lowercase()).collect();
        store.lease_holders(&leases, now).await
    };

    /// Takes a lease to see who has it.
    TakesWhatItLooksAt: |store, leases, now| {
        let found = store.lease_holders(leases, now).await?;
        for lease in leases {
            store.acquire_lease(lease, Uuid::max(), now, Timestamp::from_micros(i64::MAX)).await?;
        }
        Ok(found)
    };
}

/// Keeps leases in the handle alone.
#[derive(Default)]
struct KeepsLeasesInTheHandle(MemoryStore);

#[async_trait]
impl Breach for KeepsLeasesInTheHandle {
    async fn acquire_lease(
        &self,
        _: &MemoryStore,
        lease: &str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        self.0.acquire_lease(lease, holder, now, until).await
    }

    async fn lease_holders(
        &self,
        _: &MemoryStore,
        leases: &[String],
        now: Timestamp,
    ) -> Result<Vec<Option<Uuid>>, StoreError> {
        self.0.lease_holders(leases, now).await
    }

    async fn release_lease(&self, _: &MemoryStore, lease: &str, holder: Uuid) -> Result<(), StoreError> {
        self.0.release_lease(lease, holder).await
    }

    fn again(&self) -> Option<std::sync::Arc<dyn Breach>> {
        Some(std::sync::Arc::new(Self::default()))
    }
}

proofs! {
    GivesItToAll:
        leases::a_lease_ends_in_its_time,
        leases::a_lease_is_one_holders_at_a_time,
        leases::a_lease_is_renewed_by_its_holder,
        leases::a_lease_that_is_given_back_is_free,
        leases::leases_do_not_mix,
        leases::leases_hold_between_handles,
        leases::one_of_racing_holders_gets_the_lease,
        leases::holders_are_told_in_order;
    NeverEnds: leases::a_lease_ends_in_its_time;
    EndsLate: leases::a_lease_ends_in_its_time;
    HasOneLease:
        leases::a_lease_that_is_given_back_is_free,
        leases::leases_do_not_mix,
        leases::leases_hold_between_handles,
        leases::holders_are_told_in_order;
    FoldsNames: leases::leases_do_not_mix;
    TellsFormerHolders: leases::holders_are_told_in_order;
    TellsHoldersTooLong: leases::holders_are_told_in_order;
    TellsHoldersByName: leases::holders_are_told_in_order;
    TellsHoldersOfAnyCase: leases::holders_are_told_in_order;
    TakesWhatItLooksAt: leases::holders_are_told_in_order;
    LetsAnybodyGiveBack: leases::a_lease_that_is_given_back_is_free;
    KeepsWhatIsGivenBack:
        leases::a_lease_that_is_given_back_is_free,
        leases::leases_hold_between_handles,
        leases::holders_are_told_in_order;
    RenewsNothing: leases::a_lease_is_renewed_by_its_holder;
    ChecksAndThenTakes: leases::one_of_racing_holders_gets_the_lease;
    KeepsLeasesInTheHandle:
        leases::leases_hold_between_handles,
        leases::holders_are_told_in_order;
}
