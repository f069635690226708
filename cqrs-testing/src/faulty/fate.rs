//! What becomes of one call: a function of the plan, the operation and the call's number.

use std::time::Duration;

use tokio::task::yield_now;

use super::plan::{Fault, Faults, Operation};
use crate::dice::Dice;

/// How many times a call yields at most, to let others pass.
const MOST_YIELDS: u64 = 8;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Fate {
    pub(super) before: Pause,
    pub(super) fault: Option<Fault>,
    pub(super) after: Pause,
}

/// What holds a call up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pause {
    delay: Duration,
    yields: u64,
}

impl Pause {
    pub(super) async fn pass(self) {
        for _ in 0..self.yields {
            yield_now().await;
        }
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
    }
}

impl Fate {
    /// Draws the fate of the call of this number.
    pub(super) fn draw(plan: &Faults, operation: Operation, nth: u64) -> Self {
        let rates = plan.rates_for(operation);
        let mut dice = Dice::of(plan.seed(), &[operation as u64, nth]);
        let mut chance = dice.chance();
        let mut hits = |rate: f64| {
            chance -= rate;
            chance < 0.0
        };
        let drawn = if hits(rates.fail) {
            Some(Fault::Fail)
        } else if hits(rates.lose_answer) {
            Some(Fault::LoseAnswer)
        } else if hits(rates.panic) {
            Some(Fault::Panic)
        } else if hits(rates.crash / 2.0) {
            Some(Fault::CrashBefore)
        } else if hits(rates.crash / 2.0) {
            Some(Fault::CrashAfter)
        } else {
            None
        };
        let mut fate = Self { fault: plan.scripted(operation, nth).or(drawn), ..Self::default() };
        if dice.chance() < rates.delay {
            let delay = rates.longest_delay.mul_f64(dice.chance());
            fate.side(&mut dice).delay = delay;
        }
        if dice.chance() < rates.reorder {
            let yields = 1 + dice.next() % MOST_YIELDS;
            fate.side(&mut dice).yields = yields;
        }
        fate
    }

    fn side(&mut self, dice: &mut Dice) -> &mut Pause {
        if dice.next() & 1 == 0 { &mut self.before } else { &mut self.after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaultRates;

    fn even() -> FaultRates {
        let mut rates = FaultRates::default();
        (rates.fail, rates.lose_answer, rates.panic, rates.crash) = (0.2, 0.2, 0.2, 0.2);
        (rates.delay, rates.longest_delay, rates.reorder) = (0.5, Duration::from_secs(1), 0.5);
        rates
    }

    #[test]
    fn calls_go_wrong_as_often_as_the_rates_say() {
        let plan = Faults::seeded(7).rates(even());
        let fates: Vec<_> = (1..=10_000).map(|nth| Fate::draw(&plan, Operation::Append, nth)).collect();
        let count = |counts: &dyn Fn(&Fate) -> bool| fates.iter().filter(|fate| counts(fate)).count();
        let near = |found: usize, wanted: usize| found.abs_diff(wanted) < 200;
        for fault in [Fault::Fail, Fault::LoseAnswer, Fault::Panic] {
            assert!(near(count(&|fate| fate.fault == Some(fault)), 2_000), "{fault:?}");
        }
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            assert!(near(count(&|fate| fate.fault == Some(fault)), 1_000), "{fault:?}");
        }
        assert!(near(count(&|fate| fate.before.delay > Duration::ZERO), 2_500));
        assert!(near(count(&|fate| fate.after.delay > Duration::ZERO), 2_500));
        assert!(near(count(&|fate| fate.before.yields + fate.after.yields > 0), 5_000));
    }

    #[test]
    fn seeds_operations_and_numbers_have_fates_of_their_own() {
        let draw = |seed, operation| {
            let plan = Faults::seeded(seed).rates(even());
            (1..=100).map(|nth| Fate::draw(&plan, operation, nth)).collect::<Vec<_>>()
        };
        let fates = draw(1, Operation::Append);
        assert_eq!(fates, draw(1, Operation::Append));
        assert_ne!(fates, draw(2, Operation::Append));
        assert_ne!(fates, draw(1, Operation::ReadLog));
        assert_ne!(fates[..50], fates[50..]);
    }

    #[test]
    fn nothing_goes_wrong_by_default() {
        for nth in 1..100 {
            assert_eq!(Fate::draw(&Faults::default(), Operation::Append, nth), Fate::default());
        }
    }
}
