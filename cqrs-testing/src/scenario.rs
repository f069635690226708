//! Given, when, then: tests of a domain, without a store and without a runtime.

mod history;
mod process;
mod projection;
mod story;

use std::fmt::{self, Debug};

use cqrs_core::{Aggregate, Command, Event, Handle, Json, decode, encode};

pub use process::{Asked, ProcessScenario};
pub use projection::{ProjectionScenario, ReadModelScenario};
use story::Story;

use crate::difference::difference;

/// One aggregate, what has happened to it, and what it decides next.
///
/// ```
/// # use std::fmt;
/// # use cqrs_core::{Aggregate, Command, Event, Handle};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// # enum AccountEvent { Deposited { amount: u64 }, Withdrawn { amount: u64 } }
/// # impl Event for AccountEvent { const CATEGORY: &'static str = "account"; }
/// # #[derive(Default)]
/// # struct Account { balance: u64 }
/// # impl Aggregate for Account {
/// #     type Id = String;
/// #     type Event = AccountEvent;
/// #     fn apply(&mut self, event: &AccountEvent) {
/// #         match event {
/// #             AccountEvent::Deposited { amount } => self.balance += amount,
/// #             AccountEvent::Withdrawn { amount } => self.balance -= amount,
/// #         }
/// #     }
/// # }
/// # #[derive(Serialize, Deserialize)]
/// # struct Withdraw { account: String, amount: u64 }
/// # impl Command for Withdraw {
/// #     const NAME: &'static str = "Withdraw";
/// #     type Aggregate = Account;
/// #     fn aggregate_id(&self) -> &String { &self.account }
/// # }
/// # #[derive(Debug, PartialEq)]
/// # struct NotEnough { balance: u64 }
/// # impl fmt::Display for NotEnough {
/// #     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "only {}", self.balance) }
/// # }
/// # impl std::error::Error for NotEnough {}
/// # impl Handle<Withdraw> for Account {
/// #     type Error = NotEnough;
/// #     fn handle(&self, withdraw: &Withdraw) -> Result<Vec<AccountEvent>, NotEnough> {
/// #         let (balance, amount) = (self.balance, withdraw.amount);
/// #         if balance < amount { return Err(NotEnough { balance }); }
/// #         Ok(vec![AccountEvent::Withdrawn { amount }])
/// #     }
/// # }
/// use cqrs_testing::Scenario;
///
/// let withdraw = |amount| Withdraw { account: "me".to_owned(), amount };
///
/// Scenario::<Account>::given([AccountEvent::Deposited { amount: 5 }])
///     .when(withdraw(3))
///     .then([AccountEvent::Withdrawn { amount: 3 }])
///     .when(withdraw(3))
///     .then_err(NotEnough { balance: 2 });
/// ```
///
/// Every event, given or decided, is taken through JSON as a store would: the state is made of what comes back,
/// and an event that comes back as another one fails the scenario.
///
/// A scenario that fails panics at the line of the test, with what was given and decided so far, and with the
/// difference line by line. It tests one aggregate; what goes between aggregates is the matter of a
/// [`ProcessScenario`].
pub struct Scenario<A> {
    state: A,
    story: Story,
}

/// What an aggregate decided, still to be compared.
#[must_use = "a decision that nobody compares proves nothing"]
pub struct Decided<A: Aggregate, R> {
    scenario: Scenario<A>,
    decision: Result<Vec<A::Event>, R>,
}

impl<A> Scenario<A>
where
    A: Aggregate<Event: Debug + PartialEq>,
{
    /// Begins with what has happened, in order; `[]` for an aggregate to which nothing has happened yet.
    ///
    /// # Panics
    ///
    /// When an event does not come back from JSON as it was.
    #[track_caller]
    pub fn given(events: impl IntoIterator<Item = A::Event>) -> Self {
        let mut scenario = Self { state: A::default(), story: Story::default() };
        for event in events {
            scenario.take(&event, "given");
        }
        if scenario.story.is_empty() {
            scenario.story.tell("given", "nothing");
        }
        scenario
    }

    /// Asks the aggregate to decide a command.
    pub fn when<C>(mut self, command: C) -> Decided<A, A::Error>
    where
        C: Command<Aggregate = A>,
        A: Handle<C>,
    {
        let fields = Json::of(&command).map_or_else(|error| error.to_string(), |json| json.to_string());
        self.story.tell("when", &format!("{} {fields}", C::NAME));
        let decision = self.state.handle(&command);
        Decided { scenario: self, decision }
    }

    /// Lets an event happen, as it comes back from a store.
    #[track_caller]
    fn take(&mut self, event: &A::Event, step: &str) {
        self.story.tell(step, &format!("{event:?}"));
        match stored(event) {
            Ok(event) => self.state.apply(&event),
            Err(why) => self.story.fail(&format!("{event:?} {why}")),
        }
    }
}

impl<A, R> Decided<A, R>
where
    A: Aggregate<Event: Debug + PartialEq>,
    R: Debug,
{
    /// Expects these events, in order; `[]` when the aggregate is to find nothing to do. They have happened
    /// then, and the scenario goes on.
    ///
    /// # Panics
    ///
    /// When the command was refused, when other events were decided, or when an event does not come back from
    /// JSON as it was.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = A::Event>) -> Scenario<A> {
        let Self { mut scenario, decision } = self;
        let expected: Vec<_> = expected.into_iter().collect();
        let found = match decision {
            Ok(found) => found,
            Err(error) => scenario
                .story
                .fail(&format!("expected the events {expected:#?}\nbut it was refused: {error:#?}")),
        };
        if found != expected {
            let difference = difference(&print(&expected), &print(&found));
            scenario.story.fail(&format!("the events differ (- expected, + decided):\n{difference}"));
        }
        if found.is_empty() {
            scenario.story.tell("then", "nothing");
        }
        for event in &found {
            scenario.take(event, "then");
        }
        scenario
    }

    /// Expects a refusal. Nothing has happened then, and the scenario goes on.
    ///
    /// # Panics
    ///
    /// When the command was accepted, or refused for another reason.
    #[track_caller]
    pub fn then_err(self, expected: R) -> Scenario<A>
    where
        R: PartialEq,
    {
        let Self { mut scenario, decision } = self;
        match decision {
            Ok(events) => scenario.story.fail(&format!(
                "expected the refusal {expected:#?}\nbut it was accepted, with {events:#?}"
            )),
            Err(found) if found != expected => {
                let difference = difference(&format!("{expected:#?}"), &format!("{found:#?}"));
                scenario.story.fail(&format!("the refusals differ (- expected, + found):\n{difference}"))
            }
            Err(found) => scenario.story.tell("then", &format!("refused: {found:?}")),
        }
        scenario
    }
}

impl<A: Aggregate, R> Decided<A, R> {
    /// What was decided, for what cannot be compared for equality.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub fn decision(self) -> Result<Vec<A::Event>, R> {
        self.decision
    }
}

/// What a store makes of an event.
fn stored<E: Event + Debug + PartialEq>(event: &E) -> Result<E, String> {
    let (event_type, data) = encode(event).map_err(|error| format!("cannot be stored: {error}"))?;
    let json = || format!("{event_type} {data}");
    let back = decode(event_type, &data).map_err(|error: cqrs_core::CodecError| {
        format!("is stored as {}, which cannot be read: {}", json(), causes(&error))
    })?;
    if back != *event {
        return Err(format!("is stored as {}, and comes back as {back:?}", json()));
    }
    Ok(back)
}

fn causes(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Events with a line for each field.
fn print<E: Debug>(events: &[E]) -> String {
    events.iter().map(|event| format!("{event:#?}\n")).collect()
}

impl<A> Debug for Scenario<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario").field("story", &self.story).finish_non_exhaustive()
    }
}

impl<A: Aggregate<Event: Debug>, R: Debug> Debug for Decided<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, decision } = self;
        f.debug_struct("Decided").field("story", &scenario.story).field("decision", decision).finish()
    }
}
