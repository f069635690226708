//! Nothing of one tenant is seen by another, and no more are open than may be.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tempfile::TempDir;
use tenants::{InvalidTenantId, TenantError, TenantId, Tenants, WriteNote};

fn id(id: &str) -> TenantId {
    id.parse().unwrap()
}

fn note(text: &str) -> WriteNote {
    WriteNote { note: "motto".to_owned(), text: text.to_owned() }
}

fn motto(text: &str) -> Vec<(String, String)> {
    vec![("motto".to_owned(), text.to_owned())]
}

fn tenants(most: usize) -> (TempDir, Tenants) {
    let directory = tempfile::tempdir().unwrap();
    let tenants = Tenants::new(directory.path(), most);
    (directory, tenants)
}

#[tokio::test]
async fn two_tenants_with_notes_of_one_name_see_each_his_own() {
    let (directory, tenants) = tenants(2);
    for name in ["acme", "bolt"] {
        let written = tenants.get(&id(name)).await.unwrap().write(note(name)).await.unwrap();
        // The first event of a log of its own, in a stream that begins.
        assert_eq!((written.position.as_u64(), written.version.as_u64()), (1, 1));
    }
    for name in ["acme", "bolt"] {
        assert_eq!(tenants.get(&id(name)).await.unwrap().notes().await.unwrap(), motto(name));
        assert!(directory.path().join(format!("{name}.db")).exists());
    }
}

#[tokio::test]
async fn no_more_are_open_than_may_be_and_one_that_had_to_go_has_all_when_it_is_back() {
    let (_directory, tenants) = tenants(2);
    for round in 0..3 {
        for name in ["acme", "bolt", "core", "dune"] {
            let tenant = tenants.get(&id(name)).await.unwrap();
            tenant.write(note(&format!("{name} {round}"))).await.unwrap();
            assert!(tenants.count() <= 2);
        }
    }
    for name in ["acme", "bolt", "core", "dune"] {
        let tenant = tenants.get(&id(name)).await.unwrap();
        assert_eq!(tenant.notes().await.unwrap(), motto(&format!("{name} 2")));
    }
}

#[tokio::test]
async fn the_one_that_nobody_has_asked_for_the_longest_goes() {
    let (directory, tenants) = tenants(2);
    for name in ["acme", "bolt", "acme"] {
        tenants.get(&id(name)).await.unwrap().write(note(name)).await.unwrap();
    }
    tenants.get(&id("core")).await.unwrap();
    // A file that is open has its WAL beside it.
    let is_open = |name: &str| directory.path().join(format!("{name}.db-wal")).exists();
    assert!(is_open("acme") && !is_open("bolt") && is_open("core"));
}

#[tokio::test]
async fn one_that_is_in_use_is_not_closed() {
    let (_directory, tenants) = tenants(1);
    let acme = tenants.get(&id("acme")).await.unwrap();
    tenants.close_idle(Duration::ZERO).await;
    assert_eq!(tenants.count(), 1);
    let refused = tenants.get(&id("bolt")).await;
    assert!(matches!(refused, Err(TenantError::AllInUse { most: 1 })), "{refused:?}");
    acme.write(note("still here")).await.unwrap();
    drop(acme);
    tenants.get(&id("bolt")).await.unwrap().write(note("at last")).await.unwrap();
}

#[tokio::test]
async fn one_that_is_idle_is_closed_and_opens_again() {
    let (directory, tenants) = tenants(4);
    tenants.get(&id("acme")).await.unwrap().write(note("hello")).await.unwrap();
    tenants.close_idle(Duration::from_secs(3_600)).await;
    assert_eq!(tenants.count(), 1, "an hour has not passed");
    tenants.close_idle(Duration::ZERO).await;
    assert_eq!(tenants.count(), 0);
    assert!(!directory.path().join("acme.db-wal").exists(), "the file is whole, and can be copied");
    assert_eq!(tenants.get(&id("acme")).await.unwrap().notes().await.unwrap(), motto("hello"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_asks_at_once_gets_the_same_one() {
    let (_directory, tenants) = tenants(1);
    let tenants = Arc::new(tenants);
    let asking = (0..50).map(|_| {
        let tenants = Arc::clone(&tenants);
        tokio::spawn(async move { tenants.get(&id("acme")).await.unwrap() })
    });
    let all: Vec<_> = join_all(asking).await.into_iter().map(Result::unwrap).collect();
    assert!(all.iter().all(|tenant| Arc::ptr_eq(tenant, &all[0])));
}

/// Two that close and open each other all the time, from several threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_while_tenants_come_and_go() {
    let (_directory, tenants) = tenants(1);
    let tenants = Arc::new(tenants);
    let writing = (0..8).map(|n| {
        let tenants = Arc::clone(&tenants);
        tokio::spawn(async move {
            for round in 0..5 {
                let tenant = loop {
                    match tenants.get(&id(["acme", "bolt"][n % 2])).await {
                        Err(TenantError::AllInUse { .. }) => tokio::task::yield_now().await,
                        tenant => break tenant.unwrap(),
                    }
                };
                let write = WriteNote { note: format!("{n}"), text: format!("{round}") };
                tenant.write(write).await.unwrap();
            }
        })
    });
    join_all(writing).await.into_iter().for_each(Result::unwrap);
    for (name, first) in [("acme", 0), ("bolt", 1)] {
        let wanted: Vec<_> = (0..4).map(|n| (format!("{}", 2 * n + first), "4".to_owned())).collect();
        assert_eq!(tenants.get(&id(name)).await.unwrap().notes().await.unwrap(), wanted);
    }
}

#[test]
fn no_name_of_a_tenant_leads_out_of_the_folder() {
    let long = "a".repeat(41);
    for bad in
        ["", "..", "../acme", "a/b", "a\\b", "/etc/passwd", "Acme", "a.b", "-a", "7a", "a\0", "ä", &long]
    {
        let refused: Result<TenantId, InvalidTenantId> = bad.parse();
        assert!(refused.is_err(), "{bad:?}");
    }
    assert_eq!(id("acme-2").to_string(), "acme-2");
}
