//! Purses, and what their owners want.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use cqrs_memory::InMemory;
use cqrs_testing::{FaultyStore, Rest, Step, World};

use crate::breach::{Breach, Broken, Whole};
use crate::purses::{CURSED, Carry, Fill, Forget, GiveBack, PurseEvent, Send, Take};
use crate::read_model::CountsTwice;
use cqrs_core::*;
use cqrs_memory::MemoryStore;

pub(crate) type Amounts = BTreeMap<String, i64>;

/// What outlives the processes.
pub(crate) struct Purses {
    memory: MemoryStore,
    breach: Arc<dyn Breach>,
    amounts: InMemory<Amounts>,
    /// In a read model that is broken, if `counts_twice`.
    doubled: CountsTwice,
    counts_twice: bool,
    /// What was sent where it is stuck.
    cursed: RefCell<BTreeSet<String>>,
}

impl Purses {
    /// With a read model that is broken.
    pub(crate) fn counting_twice() -> Self {
        Self { counts_twice: true, ..Self::on(Arc::new(Whole)) }
    }

    /// On a store with a breach.
    pub(crate) fn on(breach: Arc<dyn Breach>) -> Self {
        Self {
            memory: MemoryStore::new(),
            breach,
            amounts: InMemory::default(),
            doubled: CountsTwice::default(),
            counts_twice: false,
            cursed: RefCell::default(),
        }
    }
}

impl World for Purses {
    type Store = Broken;

    fn store(&self) -> Broken {
        Broken::new(self.memory.clone(), Arc::clone(&self.breach))
    }

    fn app(&self, store: &FaultyStore<Broken>) -> AppBuilder {
        let app = App::builder(store.clone())
            .router(Router::new().route::<Take>().route::<GiveBack>())
            .process_manager::<Carry>();
        match self.counts_twice {
            true => app.projection(Sums, store.read_model(self.doubled.clone())),
            false => app.projection(Sums, store.read_model(self.amounts.clone())),
        }
    }

    async fn step(&self, app: &App, step: &Step<'_>) {
        let purse = (*step.pick(&["a", "b", "c"])).to_owned();
        let amount = 1 + step.below(5) as i64;
        if step.number() < 2 {
            let fill = Fill { purse, amount };
            let _ = step.dispatch(|| app.dispatch(fill.clone())).await;
            return;
        }
        let to = (*step.pick(&["a", "b", "c", "a", "b", "c", CURSED])).to_owned();
        let (via, waits) = (step.id().to_string(), step.below(2) == 0);
        let send = Send { purse, to, amount, via };
        let sent = step.dispatch(|| {
            let dispatch = app.dispatch(send.clone());
            if waits { dispatch.settled() } else { dispatch }
        });
        let sent = sent.await.is_ok();
        if sent && send.to == CURSED {
            self.cursed.borrow_mut().insert(send.via);
        } else if sent && step.below(3) == 0 {
            let forget = Forget { purse: send.purse, via: send.via };
            let Ok(_) = step.dispatch(|| app.dispatch(forget.clone())).await;
        }
    }

    fn parked(&self) -> u64 {
        self.cursed.borrow().len() as u64
    }

    async fn check(&self, rest: &Rest<'_, Broken>) {
        let events = rest.events::<PurseEvent>();
        let (mut sums, mut under_way) = (Amounts::new(), BTreeMap::new());
        for event in &events {
            let (purse, change) = event.data.change();
            *sums.entry(purse.to_owned()).or_default() += change;
            match &event.data {
                PurseEvent::Filled { .. } | PurseEvent::Forgotten { .. } => {}
                PurseEvent::Sent { purse, to, amount, via } => {
                    let before = under_way.insert(via.clone(), (purse.clone(), to.clone(), *amount));
                    assert!(before.is_none(), "{via} is sent twice");
                }
                PurseEvent::Taken { purse, amount, via } => {
                    let sent = under_way.remove(via);
                    assert!(
                        sent.is_some_and(|sent| (&sent.1, &sent.2) == (purse, amount)),
                        "{via} is taken"
                    );
                }
                PurseEvent::GivenBack { purse, amount, via } => {
                    let sent = under_way.remove(via);
                    assert!(
                        sent.is_some_and(|sent| (&sent.0, &sent.2) == (purse, amount)),
                        "{via} returns"
                    );
                }
            }
        }
        let left: BTreeSet<_> = under_way.keys().cloned().collect();
        assert_eq!(left, *self.cursed.borrow(), "what is under way in the end, and what must be");
        let found = match self.counts_twice {
            true => self.doubled.value(),
            false => self.amounts.read(Clone::clone).await,
        };
        assert_eq!(found, sums, "the read model");
        self.check_instances(&events, &left).await;
    }
}

impl Purses {
    /// Looked at where nothing is broken.
    async fn check_instances(&self, events: &[RecordedEvent<PurseEvent>], left: &BTreeSet<String>) {
        for event in events {
            let PurseEvent::Sent { via, .. } = &event.data else { continue };
            let found = self.memory.instances(Carry::NAME, &[InstanceId::new(via).unwrap()]).await.unwrap();
            let finished = found[0].as_ref().unwrap().finished;
            assert_eq!(finished, !left.contains(via), "whether the instance of {via} has ended");
        }
    }
}

/// Sums up purses.
struct Sums;

#[async_trait]
impl Projection for Sums {
    const NAME: &'static str = "sums";
    type Event = PurseEvent;
    type Target = Amounts;

    async fn project(
        &self,
        event: &RecordedEvent<PurseEvent>,
        amounts: &mut Amounts,
    ) -> Result<(), BoxError> {
        let (purse, change) = event.data.change();
        *amounts.entry(purse.to_owned()).or_default() += change;
        Ok(())
    }
}
