//! Who may read.

use cqrs_core::{Aggregate, Command, Event, Handle};
use serde::{Deserialize, Serialize};

/// What can happen to a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants and their fields say it")]
pub enum MemberEvent {
    Joined { member: String, name: String },
}

impl Event for MemberEvent {
    const CATEGORY: &'static str = "member";
}

/// A member of the library.
#[derive(Debug, Default)]
pub struct Member {
    joined: bool,
}

impl Aggregate for Member {
    type Id = String;
    type Event = MemberEvent;

    fn apply(&mut self, MemberEvent::Joined { .. }: &MemberEvent) {
        self.joined = true;
    }
}

/// Makes somebody a member.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Join {
    pub member: String,
    pub name: String,
}

impl Command for Join {
    const NAME: &'static str = "Join";
    type Aggregate = Member;

    fn aggregate_id(&self) -> &String {
        &self.member
    }
}

/// Nobody joins twice.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("this member joined before")]
pub struct JoinedBefore;

impl Handle<Join> for Member {
    type Error = JoinedBefore;

    fn handle(&self, command: &Join) -> Result<Vec<MemberEvent>, JoinedBefore> {
        if self.joined {
            return Err(JoinedBefore);
        }
        let Join { member, name } = command.clone();
        Ok(vec![MemberEvent::Joined { member, name }])
    }
}
