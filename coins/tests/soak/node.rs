//! A node: an application that is started and stopped, again and again.

use cqrs_core::EventStore;
use tokio::runtime::Builder;
use tokio::sync::watch;

use crate::random::Random;
use crate::reader::Reader;
use crate::{World, open};

/// How many events the log grows by, at most, while a node lives.
const LIFE: u64 = 500;

pub(crate) struct Node {
    world: World,
    readers: Vec<Reader>,
    random: Random,
    /// Becomes true when there is nothing more to come.
    over: watch::Receiver<bool>,
}

impl Node {
    pub(crate) fn new(
        world: World,
        readers: Vec<Reader>,
        random: Random,
        over: watch::Receiver<bool>,
    ) -> Self {
        Self { world, readers, random, over }
    }

    /// Lives until it is over. Returns how often.
    pub(crate) fn run(mut self) -> u64 {
        let mut lives = 0;
        while !*self.over.borrow() {
            lives += 1;
            // One that is dropped is a process that is killed: whatever runs ends at its next await.
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(self.live());
        }
        lives
    }

    async fn live(&mut self) {
        let store = open(&self.world.path).await;
        let batch = [1_000, 100, 7][self.random.below(3) as usize];
        let app = self.world.start(store.clone(), batch).await;
        for reader in &self.readers {
            tokio::spawn(reader.clone().read(app.clone()));
        }
        if self.random.below(8) == 0 {
            let projection = ["account-balances", "transfers", "positions"][self.random.below(3) as usize];
            // The other node may be about to do the same.
            drop(app.rebuild(projection));
        }
        let until = store.head().await.unwrap().plus(self.random.below(LIFE));
        tokio::select! {
            _ = store.wait_beyond(until) => {}
            _ = self.over.wait_for(|over| *over) => {}
        }
        if self.random.below(2) == 0 {
            app.shutdown().await;
        }
    }
}
