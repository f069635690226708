//! Mining many coins: the search and the dispatch side by side.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use cqrs_core::{DispatchError, Dispatched, StoreError};
use futures::future::{BoxFuture, FutureExt, OptionFuture};
use futures::stream::{FuturesOrdered, StreamExt};
use tokio::task::JoinHandle;

use crate::{AccountId, Coins, MineCoinError, Search};

/// The most commands under way: enough that one commit has many of them, few enough that a request to
/// stop is obeyed within a commit or two.
const MAX_UNDER_WAY: usize = 1_024;

/// What was mined so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinedCoins {
    /// How many coins.
    pub coins: u64,
    /// The nonce of the last one.
    pub last_nonce: Option<u64>,
}

/// Why mining ended early. What was mined until then is mined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MiningError {
    /// The last nonce cannot be read; nothing was mined.
    #[error("the last nonce of the account cannot be read")]
    Read(#[from] StoreError),
    /// No nonce is left that is greater than the last one and proves work.
    #[error("{account_id:?} has no nonce left below 2^64: mined {} of {wanted} coins", mined.coins)]
    EndOfNonces {
        /// Who mines.
        account_id: AccountId,
        /// How many coins were wanted.
        wanted: u64,
        /// What was mined.
        mined: MinedCoins,
    },
    /// A command failed.
    #[error("mining ended after {} coins", mined.coins)]
    Dispatch {
        /// What was mined.
        mined: MinedCoins,
        /// What went wrong.
        source: DispatchError<MineCoinError>,
    },
}

impl Coins {
    /// Searches an account's next nonces on all cores and mines `count` coins with them.
    ///
    /// Commands are dispatched in the order of their nonces, many at a time, while the search goes on. When
    /// somebody else mines for the same account meanwhile, the search goes on behind their nonces.
    ///
    /// `progress` is called after each coin; [`ControlFlow::Break`] asks for no more, and what is under way
    /// is finished first. When this returns, queries know of the coins, as in [`Coins::mine_coin`].
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use coins::Coins;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let coins = Coins::open(directory.path().join("coins.db")).await?;
    ///
    /// let mined = coins.mine_next(&"me".parse()?, 3, |_| ControlFlow::Continue(())).await?;
    /// assert_eq!((mined.coins, mined.last_nonce), (3, Some(486)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`MiningError`]; it says how many coins were mined before.
    pub async fn mine_next(
        &self,
        account: &AccountId,
        count: u64,
        mut progress: impl FnMut(&MinedCoins) -> ControlFlow<()>,
    ) -> Result<MinedCoins, MiningError> {
        let last = self.account(account).await?.and_then(|account| account.last_nonce);
        let mut miner = Miner::new(self, account, count, last);
        loop {
            miner.dispatch();
            miner.search();
            tokio::select! {
                Some((nonce, outcome)) = miner.under_way.next() => {
                    if miner.take(nonce, outcome) && progress(&miner.mined).is_break() {
                        miner.stopped = true;
                    }
                }
                Some(chunk) = OptionFuture::from(miner.searching.as_mut()) => match chunk {
                    Ok((search, nonces)) => miner.found(search, nonces),
                    // Nobody cancels the search, so all that can happen to it is a panic.
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                else => break,
            }
        }
        miner.end()
    }
}

type Outcome = Result<Dispatched, DispatchError<MineCoinError>>;

/// Mining under way.
struct Miner<'a> {
    coins: &'a Coins,
    account: &'a AccountId,
    wanted: u64,
    mined: MinedCoins,
    /// No new commands; those under way are finished.
    stopped: bool,
    failure: Option<DispatchError<MineCoinError>>,
    /// Nonces up to this one are used, by whomever.
    used: Option<u64>,
    /// Nonces that were found and not offered yet.
    nonces: VecDeque<u64>,
    /// The search while it rests, until it ends.
    search: Option<Search>,
    /// The search while it runs.
    searching: Option<JoinHandle<(Search, Option<Vec<u64>>)>>,
    under_way: FuturesOrdered<BoxFuture<'a, (u64, Outcome)>>,
}

impl<'a> Miner<'a> {
    fn new(coins: &'a Coins, account: &'a AccountId, wanted: u64, last: Option<u64>) -> Self {
        Self {
            coins,
            account,
            wanted,
            mined: MinedCoins::default(),
            stopped: false,
            failure: None,
            used: last,
            nonces: VecDeque::new(),
            search: Some(Search::after(account, last)),
            searching: None,
            under_way: FuturesOrdered::new(),
        }
    }

    /// How many coins are wanted beyond those that are mined or under way.
    fn missing(&self) -> u64 {
        if self.stopped { 0 } else { self.wanted - self.mined.coins - self.under_way.len() as u64 }
    }

    /// Puts commands on their way, as many as may be.
    fn dispatch(&mut self) {
        while self.missing() > 0 && self.under_way.len() < MAX_UNDER_WAY {
            let Some(nonce) = self.nonces.pop_front() else { break };
            let outcome = self.coins.mine_coin(self.account, nonce);
            self.under_way.push_back(async move { (nonce, outcome.await) }.boxed());
        }
    }

    /// Lets the search run when there are too few nonces in stock.
    fn search(&mut self) {
        let stock = self.nonces.len();
        if stock < MAX_UNDER_WAY
            && self.missing() > stock as u64
            && let Some(mut search) = self.search.take()
        {
            self.searching = Some(tokio::task::spawn_blocking(move || {
                let nonces = search.next();
                (search, nonces)
            }));
        }
    }

    /// Takes in what a run of the search has found; nothing at all means that it has come to its end.
    fn found(&mut self, mut search: Search, nonces: Option<Vec<u64>>) {
        self.searching = None;
        if let Some(nonces) = nonces {
            self.nonces.extend(nonces.into_iter().filter(|nonce| Some(*nonce) > self.used));
            if let Some(used) = self.used {
                search.skip_to_after(used);
            }
            self.search = Some(search);
        }
    }

    /// Takes in what became of a command: whether a coin was mined.
    fn take(&mut self, nonce: u64, outcome: Outcome) -> bool {
        match outcome {
            Ok(_) => {
                self.mined.coins += 1;
                self.mined.last_nonce = Some(nonce);
                return true;
            }
            Err(DispatchError::Rejected(MineCoinError::UsedNonce { last, .. })) => {
                tracing::debug!(account = %self.account, last, "somebody else mined; the search goes on behind");
                self.used = self.used.max(Some(last));
                self.nonces.retain(|nonce| *nonce > last);
                if let Some(search) = &mut self.search {
                    search.skip_to_after(last);
                }
            }
            Err(error) => {
                self.stopped = true;
                self.failure.get_or_insert(error);
            }
        }
        false
    }

    fn end(self) -> Result<MinedCoins, MiningError> {
        let Self { account, wanted, mined, stopped, failure, .. } = self;
        match failure {
            Some(source) => Err(MiningError::Dispatch { mined, source }),
            None if !stopped && mined.coins < wanted => {
                Err(MiningError::EndOfNonces { account_id: account.clone(), wanted, mined })
            }
            None => Ok(mined),
        }
    }
}
