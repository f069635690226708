//! Who may do what.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cqrs_core::{BoxError, Command, CommandView, Middleware};
use serde_json::Value;

use crate::Withdraw;

/// Lets only tellers take money out, and writes the branch where they sit into the events.
///
/// A rule about the account's state belongs into the account. Who is allowed to ask at all is nobody's state, so it
/// stands around the dispatch.
#[derive(Clone, Debug)]
pub struct Tellers {
    branches: BTreeMap<String, String>,
}

/// Somebody who is no teller wanted to take money out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{user:?} is no teller")]
pub struct NoTeller {
    /// Who it was; empty when the command does not say.
    pub user: String,
}

impl Tellers {
    /// These, with the branches where they sit.
    pub fn new<'a>(branches: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let branches = branches.into_iter().map(|(teller, branch)| (teller.to_owned(), branch.to_owned()));
        Self { branches: branches.collect() }
    }
}

#[async_trait]
impl Middleware for Tellers {
    async fn before(
        &self,
        command: &CommandView<'_>,
        metadata: &mut BTreeMap<String, Value>,
    ) -> Result<(), BoxError> {
        let user = command.metadata().extra.get("user").and_then(Value::as_str).unwrap_or_default();
        match self.branches.get(user) {
            Some(branch) => {
                metadata.insert("branch".to_owned(), branch.clone().into());
                Ok(())
            }
            None if command.name() == Withdraw::NAME => Err(NoTeller { user: user.to_owned() }.into()),
            None => Ok(()),
        }
    }
}
