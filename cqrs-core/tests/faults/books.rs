//! What the log says, and what it must say.

use std::collections::HashMap;

use cqrs_core::*;

use crate::client::Told;
use crate::common::PotEvent;
use crate::world::Sums;

/// The whole log, and what went wrong on the way.
pub(crate) struct Books {
    pub(crate) events: Vec<RecordedEvent<PotEvent>>,
    pub(crate) report: String,
}

/// The whole log.
pub(crate) async fn log(store: &dyn Store) -> Vec<RecordedEvent<PotEvent>> {
    let page = store.read_log(Position::ZERO, &EventFilter::all(), usize::MAX).await.unwrap();
    RecordedEvent::decode_all(page.events).unwrap()
}

/// Takes an event into the sums of all pots.
pub(crate) fn take_in(sums: &mut Sums, event: &PotEvent) {
    let (pot, amount) = match event {
        PotEvent::Added { pot, amount }
        | PotEvent::Arrived { pot, amount, .. }
        | PotEvent::Returned { pot, amount, .. } => (pot, *amount),
        PotEvent::Moved { pot, amount, .. } => (pot, -amount),
        PotEvent::Trapped => unreachable!("nobody sets the trap here"),
    };
    *sums.entry(pot.clone()).or_default() += amount;
}

impl Books {
    /// What the pots have; at no time less than nothing.
    pub(crate) fn sums(&self) -> Sums {
        let mut sums = Sums::new();
        for event in &self.events {
            take_in(&mut sums, &event.data);
            assert!(sums.values().all(|sum| *sum >= 0), "{sums:?} at {}; {}", event.position, self.report);
        }
        sums
    }

    /// The causal chains that have a transfer.
    pub(crate) fn transfers(&self) -> Vec<CorrelationId> {
        let moved = self.events.iter().filter(|event| matches!(event.data, PotEvent::Moved { .. }));
        moved.filter_map(|event| event.metadata.correlation_id).collect()
    }

    /// The position of a causal chain's last event.
    pub(crate) fn end_of(&self, chain: CorrelationId) -> Position {
        let of_chain = |event: &&RecordedEvent<PotEvent>| event.metadata.correlation_id == Some(chain);
        self.events.iter().rfind(of_chain).map_or(Position::ZERO, |event| event.position)
    }

    /// Every transfer that has begun has ended, once, with the same amount: in the other pot, or back in its own.
    pub(crate) fn check_transfers(&self) {
        for event in &self.events {
            if let PotEvent::Moved { via, .. } = &event.data {
                self.check_transfer(via);
            }
        }
        let count =
            |counts: fn(&PotEvent) -> bool| self.events.iter().filter(|event| counts(&event.data)).count();
        let begun = count(|event| matches!(event, PotEvent::Moved { .. }));
        let ended = count(|event| matches!(event, PotEvent::Arrived { .. } | PotEvent::Returned { .. }));
        assert_eq!(ended, begun, "transfers that ended, and that began; {}", self.report);
    }

    /// If this command began a transfer, it has ended.
    pub(crate) fn check_landed(&self, id: CommandId) {
        let began = |event: &RecordedEvent<PotEvent>| {
            matches!(event.data, PotEvent::Moved { .. }) && event.metadata.causation_id == Some(id.into())
        };
        if self.events.iter().any(began) {
            self.check_transfer(&id.to_string());
        }
    }

    fn check_transfer(&self, wanted: &str) {
        let (mut begun, mut ended) = (Vec::new(), Vec::new());
        for event in &self.events {
            match &event.data {
                PotEvent::Moved { pot, to, amount, via } if via == wanted => {
                    let home = if to == "closed" { pot } else { to };
                    begun.push((home, amount, to == "closed"));
                }
                PotEvent::Arrived { pot, amount, via } if via == wanted => ended.push((pot, amount, false)),
                PotEvent::Returned { pot, amount, via } if via == wanted => ended.push((pot, amount, true)),
                _ => {}
            }
        }
        assert_eq!(begun.len(), 1, "transfer {wanted} begins once; {}", self.report);
        assert_eq!(ended, begun, "where transfer {wanted} has ended, and where it must; {}", self.report);
    }

    /// Every command took effect once if a client was told that it did, and never if not; and as it was told.
    pub(crate) fn check_commands(&self, all: &[Told]) {
        let mut effects: HashMap<CausationId, Vec<&RecordedEvent<PotEvent>>> = HashMap::new();
        for event in &self.events {
            effects.entry(event.metadata.causation_id.unwrap()).or_default().push(event);
        }
        let mut firsts = HashMap::new();
        for told in all {
            let Some(outcome) = told.outcome else {
                continue;
            };
            let found = effects.get(&told.id.into()).map_or(&[][..], Vec::as_slice);
            assert_eq!(found.len() as u64, outcome.events, "events of {}; {}", told.id, self.report);
            if let Some(last) = found.last() {
                let wanted = (outcome.position, outcome.version);
                assert_eq!(
                    (last.position, last.version),
                    wanted,
                    "the end of {}; {}",
                    told.id,
                    self.report
                );
            }
            let outcome = (outcome.position, outcome.version, outcome.events);
            let first = *firsts.entry(told.id).or_insert(outcome);
            assert_eq!(outcome, first, "the outcomes of {}; {}", told.id, self.report);
        }
        for told in all.iter().filter(|told| told.outcome.is_none() && !firsts.contains_key(&told.id)) {
            let found = effects.get(&told.id.into());
            assert!(
                found.is_none(),
                "{} was refused, and took effect: {found:?}; {}",
                told.id,
                self.report
            );
        }
        let first_times = |id| {
            all.iter()
                .filter(move |told| told.id == id && told.outcome.is_some_and(|outcome| !outcome.duplicate))
        };
        for id in firsts.keys() {
            assert!(
                first_times(*id).count() <= 1,
                "{id} took effect for the first time twice; {}",
                self.report
            );
        }
    }
}
