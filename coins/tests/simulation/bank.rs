//! The application, and what its clients want.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use coins::{
    AccountEvent, AccountId, MineCoin, MineCoinError, Proof, ReceiveCoins, SendCoins, SendCoinsError,
    SendCoinsProcess, TransferId,
};
use cqrs_core::{
    App, AppBuilder, BoxError, Consistency, Dispatch, Dispatchable, EventFilter, EventStore, Position,
    Projection, RecordedEvent, Router,
};
use cqrs_memory::{InMemory, MemoryStore};
use cqrs_testing::{FaultyStore, Rest, Step, World};

use crate::books::Books;

/// What each account has.
pub(crate) type Balances = BTreeMap<AccountId, i64>;

/// Who has accounts, and the first nonces that prove work for them.
static ACCOUNTS: LazyLock<Vec<(AccountId, Vec<u64>)>> = LazyLock::new(|| {
    let account = |name: &str| {
        let id: AccountId = name.parse().unwrap();
        let proof = Proof::of(&id);
        (id, (0..).filter(|nonce| proof.accepts(*nonce)).take(12).collect())
    };
    ["me", "you", "them"].map(account).into()
});

/// What outlives the processes.
#[derive(Default)]
pub(crate) struct Bank {
    store: MemoryStore,
    balances: InMemory<Balances>,
}

/// For what a client waits.
#[derive(Clone, Copy)]
enum Wait {
    Nothing,
    Projections,
    Settled,
}

impl World for Bank {
    type Store = MemoryStore;

    fn store(&self) -> MemoryStore {
        self.store.clone()
    }

    fn app(&self, store: &FaultyStore<MemoryStore>) -> AppBuilder {
        App::builder(store.clone())
            .router(Router::new().route::<ReceiveCoins>())
            .projection(AllBalances, store.read_model(self.balances.clone()))
            .process_manager::<SendCoinsProcess>()
    }

    async fn step(&self, app: &App, step: &Step<'_>) {
        let wait = *step.pick(&[Wait::Nothing, Wait::Projections, Wait::Settled]);
        let (account_id, nonces) = step.pick(&ACCOUNTS);
        if step.number() == 0 || step.below(3) == 0 {
            let nonce = *step.pick(nonces);
            self.mine(app, step, wait, MineCoin { account_id: account_id.clone(), nonce }).await;
        } else {
            let (to, _) = step.pick(&ACCOUNTS);
            let amount = (1 + step.below(2)).try_into().unwrap();
            let transfer_id = TransferId::new(step.id());
            let send = SendCoins { account_id: account_id.clone(), to: to.clone(), amount, transfer_id };
            self.send(app, step, wait, send).await;
        }
    }

    async fn check(&self, rest: &Rest<'_, MemoryStore>) {
        let books = Books::of(&rest.events::<AccountEvent>());
        assert!(books.under_way.is_empty(), "left under way: {:?}", books.under_way);
        assert_eq!(self.balances.read(Clone::clone).await, books.balances, "the read model");
        for (transfer_id, from) in &books.transfers {
            rest.assert_finished::<SendCoinsProcess>(format!("{transfer_id}/{from}")).await;
        }
    }
}

impl Bank {
    async fn mine(&self, app: &App, step: &Step<'_>, wait: Wait, mine: MineCoin) {
        let (who, nonce) = (mine.account_id.clone(), mine.nonce);
        match step.dispatch(|| wait.on(app.dispatch(mine.clone()))).await {
            Ok(mined) => wait.check(mined.consistency),
            Err(MineCoinError::UsedNonce { last, .. }) => {
                assert!(nonce <= last && self.books().await.last_nonces[&who] >= last);
            }
            Err(other) => panic!("refused otherwise: {other}"),
        }
    }

    async fn send(&self, app: &App, step: &Step<'_>, wait: Wait, send: SendCoins) {
        let transfer = (send.transfer_id, send.account_id.clone());
        match step.dispatch(|| wait.on(app.dispatch(send.clone()))).await {
            Ok(sent) => {
                wait.check(sent.consistency);
                let books = self.books().await;
                assert!(books.transfers.contains(&transfer), "what was sent is known");
                let arrived = !books.under_way.contains_key(&transfer);
                assert!(arrived || !matches!(wait, Wait::Settled), "what has settled has arrived");
            }
            Err(SendCoinsError::NotEnoughCoins { .. }) => {
                assert!(!self.books().await.transfers.contains(&transfer), "what was refused is not sent");
            }
            Err(other) => panic!("refused otherwise: {other}"),
        }
    }

    /// What the log says by now.
    async fn books(&self) -> Books {
        let page = self.store.read_log(Position::ZERO, &EventFilter::all(), usize::MAX).await.unwrap();
        Books::of(&RecordedEvent::decode_all(page.events).unwrap())
    }
}

impl Wait {
    fn on<T: Dispatchable>(self, dispatch: Dispatch<'_, T>) -> Dispatch<'_, T> {
        match self {
            Self::Nothing => dispatch,
            Self::Projections => dispatch.strong(),
            Self::Settled => dispatch.settled(),
        }
    }

    /// Who waits is kept waiting until it is there.
    fn check(self, consistency: Consistency) {
        let wanted = match self {
            Self::Nothing => Consistency::NotAwaited,
            Self::Projections | Self::Settled => Consistency::Reached,
        };
        assert_eq!(consistency, wanted);
    }
}

/// Keeps what each account has.
struct AllBalances;

#[async_trait]
impl Projection for AllBalances {
    const NAME: &'static str = "all-balances";
    type Event = AccountEvent;
    type Target = Balances;

    async fn project(
        &self,
        event: &RecordedEvent<AccountEvent>,
        balances: &mut Balances,
    ) -> Result<(), BoxError> {
        let coins = match &event.data {
            AccountEvent::CoinMined { .. } => 1,
            AccountEvent::CoinsSent { amount, .. } => -i64::try_from(amount.as_u64())?,
            AccountEvent::CoinsReceived { amount, .. } => i64::try_from(amount.as_u64())?,
        };
        *balances.entry(event.data.account_id().clone()).or_default() += coins;
        Ok(())
    }
}
