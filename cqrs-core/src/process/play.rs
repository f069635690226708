//! What events come to for one instance: pure, and whatever goes wrong with it concerns nobody else.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::ProcessManager;
use super::asked::Asked;
use super::outgoing::Concern;
use super::plan::{Knows, Origin, PlanError, Turn, chain_of};
use super::state::restore;
use crate::dispatch::panic_message;
use crate::{InstanceId, InstanceRecord, Json, Position, Stuck, describe};

/// What some turns of an instance came to.
#[derive(Default)]
pub(crate) struct Played {
    /// What is to be stored, if anything changed.
    pub(crate) record: Option<InstanceRecord>,
    pub(crate) asked: Asked,
}

/// Lets an instance have its turns. Where it cannot, it gets stuck: what came before that event holds, and what comes
/// after waits. One that is stuck already has none.
pub(crate) fn play<P: ProcessManager>(
    id: &InstanceId,
    record: Option<InstanceRecord>,
    turns: &[Turn<'_, P::Event>],
    knows: Knows<'_>,
) -> Played {
    let Some(first) = turns.first() else { return Played::default() };
    if record.as_ref().is_some_and(|record| record.stuck.is_some()) {
        return Played::default();
    }
    let reached = Cell::new(first.event.position);
    let take = |turns| {
        let taken =
            catch_unwind(AssertUnwindSafe(|| take::<P>(id, record.as_ref(), turns, knows, &reached)));
        taken.unwrap_or_else(|panic| {
            Err(PlanError::Panicked { process: P::NAME, message: panic_message(&*panic) })
        })
    };
    let error = match take(turns) {
        Ok(played) => return played,
        Err(error) => error,
    };
    // The functions of a process manager come to the same twice, so what went well before goes well again. If it
    // does not, then nothing of it holds.
    let failed_at = reached.get();
    let before = turns.partition_point(|turn| turn.event.position < failed_at);
    let (mut played, at) = match take(&turns[..before]) {
        Ok(played) => (played, before),
        Err(_) => (Played::default(), 0),
    };
    let event = turns.get(at).unwrap_or(first).event;
    let stuck = Stuck { at: event.position, error: describe(&error), chain: Some(chain_of(event)) };
    tracing::error!(process = P::NAME, instance = %id, at = %stuck.at, error = %stuck.error, "an instance is stuck");
    let known = played.record.take().or(record).unwrap_or_else(|| not_begun::<P>());
    played.record = Some(InstanceRecord { stuck: Some(stuck), ..known });
    played
}

fn not_begun<P: ProcessManager>() -> InstanceRecord {
    InstanceRecord {
        state: None,
        schema_version: P::SCHEMA_VERSION,
        finished: false,
        first: Position::ZERO,
        last: Position::ZERO,
        stuck: None,
    }
}

/// Lets an instance have its turns, and tells at which event it is.
fn take<P: ProcessManager>(
    id: &InstanceId,
    record: Option<&InstanceRecord>,
    turns: &[Turn<'_, P::Event>],
    knows: Knows<'_>,
    reached: &Cell<Position>,
) -> Result<Played, PlanError> {
    let mut found = record.cloned().unwrap_or_else(not_begun::<P>);
    let mut begun = found.state.is_some();
    let mut live: Option<P> = None;
    let mut asked = Asked::default();
    for Turn { number, event, part, concern } in turns {
        reached.set(event.position);
        concern.check::<P>(id, begun.then_some(found.first), event.position)?;
        if found.finished {
            continue;
        }
        if !begun {
            if !concern.starts() {
                continue;
            }
            (begun, found.first) = (true, event.position);
        }
        let state = match &mut live {
            Some(state) => state,
            None => live.insert(restore(id, &found)?),
        };
        Origin::event::<P>(id, event, *part).ask(*number, state.handle(event), knows, &mut asked)?;
        state.apply(&event.data);
        (found.finished, found.last) = (*concern == Concern::Stop, event.position);
    }
    let Some(state) = live else { return Ok(Played::default()) };
    // A state that cannot be written takes all of its turns with it.
    reached.set(turns.first().map_or(Position::ZERO, |turn| turn.event.position));
    let state = Json::of(&state).map_err(|source| PlanError::Unwritable {
        process: P::NAME,
        instance: id.clone(),
        source,
    })?;
    let record = InstanceRecord { state: Some(state), schema_version: P::SCHEMA_VERSION, ..found };
    Ok(Played { record: Some(record), asked })
}

impl Concern {
    fn starts(self) -> bool {
        matches!(self, Self::Start | Self::StartStrict)
    }

    /// Whether an event may concern an instance so, which was begun at a position if it was.
    fn check<P: ProcessManager>(
        self,
        id: &InstanceId,
        begun: Option<Position>,
        at: Position,
    ) -> Result<(), PlanError> {
        let (process, instance) = (P::NAME, id.clone());
        match (self, begun) {
            // Where an instance of former days was begun is not known.
            (Self::StartStrict, Some(first)) if first != at && first != Position::ZERO => {
                Err(PlanError::BegunTwice { process, instance, first })
            }
            (Self::ContinueStrict, None) => Err(PlanError::NotBegun { process, instance }),
            _ => Ok(()),
        }
    }
}
