//! Clients that mine and send, in two applications.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use coins::{AccountId, MineCoin, Search, SendCoins, SendCoinsError, TransferId};
use cqrs_core::{App, DispatchError};
use futures::future::join_all;

use crate::open;
use crate::random::Random;

const CLIENTS: u64 = 8;

pub(crate) fn account(number: u64) -> AccountId {
    format!("account {number}").parse().unwrap()
}

/// Dispatches so many commands, half of the clients in each of two applications. Returns what was acknowledged.
pub(crate) async fn write(path: &Path, commands: u64, random: &mut Random) -> HashSet<String> {
    let mut apps = Vec::new();
    for _ in 0..2 {
        apps.push(App::builder(open(path).await).start().await.unwrap());
    }
    let left = Arc::new(AtomicU64::new(commands));
    let clients = (0..CLIENTS).map(|number| {
        let random = Random::of(random.below(u64::MAX));
        tokio::spawn(client(apps[number as usize % 2].clone(), number, random, Arc::clone(&left)))
    });
    let acknowledged = join_all(clients.collect::<Vec<_>>()).await.into_iter().flat_map(Result::unwrap);
    for app in apps {
        app.shutdown().await;
    }
    acknowledged.collect()
}

async fn client(app: App, number: u64, mut random: Random, left: Arc<AtomicU64>) -> Vec<String> {
    let (me, mut acknowledged) = (account(number), Vec::new());
    let mut nonces = Search::after(&me, None).flatten();
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        if random.below(3) == 0 {
            let nonce = nonces.next().expect("there is always another one");
            app.dispatch(MineCoin { account_id: me.clone(), nonce }).await.unwrap();
            acknowledged.push(format!("mined {me}/{nonce}"));
            continue;
        }
        let to = account(random.below(CLIENTS));
        let transfer_id = TransferId::random();
        let send = SendCoins { account_id: me.clone(), to, amount: "1".parse().unwrap(), transfer_id };
        match app.dispatch(send).await {
            Ok(_) => acknowledged.push(format!("sent {transfer_id}")),
            Err(DispatchError::Rejected(SendCoinsError::NotEnoughCoins { .. })) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    acknowledged
}
