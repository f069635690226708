//! `coins demo`: the session of the talk.

use std::fmt::Display;
use std::path::Path;

use coins::{AccountId, Amount, Coins, DatabaseAddress};
use cqrs_core::{Position, Version};
use serde_json::{Value, json};

use super::accounts::Richest;
use crate::failure::Failure;
use crate::output::Output;
use crate::show::{self, EventLine};

/// More events than an account has in the session.
const WHOLE_STREAM: usize = 100;

/// Plays the session, on a database that is to be made and kept, or on one that goes when it is over.
pub(super) async fn run(db: Option<&Path>, output: Output) -> Result<(), Failure> {
    let directory = tempfile::tempdir().map_err(|error| {
        Failure::Store(format!("cannot make a temporary directory for the session: {error}"))
    })?;
    let file = directory.path().join("coins.db");
    let database = DatabaseAddress::of(db.unwrap_or(&file));
    let taken = || {
        Failure::Misplaced(format!(
            "{database} exists: the session wants a new database, so that its answers are those of the talk"
        ))
    };
    // A path that cannot be looked at is left to the store, which says what is wrong with it.
    if matches!(&database, DatabaseAddress::File(path) if path.try_exists().unwrap_or(false)) {
        return Err(taken());
    }
    let coins = Coins::open(db.unwrap_or(&file)).await?;
    if coins.head().await? > Position::ZERO {
        coins.close().await;
        return Err(taken());
    }
    let mut session = Session { coins: &coins, output, calls: Vec::new() };
    let result = session.play().await;
    let calls = Value::Array(session.calls);
    coins.close().await;
    result?;
    if output.is_json() { output.text(&format!("{calls}\n")) } else { Ok(()) }
}

struct Session<'a> {
    coins: &'a Coins,
    output: Output,
    /// The calls and their answers, for `--json`, which is told in one document at the end.
    calls: Vec<Value>,
}

impl Session<'_> {
    async fn play(&mut self) -> Result<(), Failure> {
        let (me, you): (AccountId, AccountId) = ("me".parse()?, "you".parse()?);
        for nonce in [1, 190, 190, 443] {
            self.mine_coin(&me, nonce).await?;
        }
        self.events(&me).await?;
        self.richest().await?;
        for nonce in [488, 1442, 1597] {
            self.mine_coin(&you, nonce).await?;
        }
        self.richest().await?;
        for amount in ["99999", "3"] {
            self.send_coins(&you, &me, amount.parse()?).await?;
        }
        self.richest().await?;
        self.events(&me).await?;
        self.events(&you).await
    }

    async fn mine_coin(&mut self, account: &AccountId, nonce: u64) -> Result<(), Failure> {
        let outcome = self.coins.mine_coin(account, nonce).await;
        self.outcome(format!("Coins.mine_coin({account:?}, {nonce})"), outcome.map_err(Failure::from))
    }

    async fn send_coins(
        &mut self,
        from: &AccountId,
        to: &AccountId,
        amount: Amount,
    ) -> Result<(), Failure> {
        let outcome = self.coins.send_coins(from, to, amount).await;
        let call = format!("Coins.send_coins({from:?}, {to:?}, {amount})");
        self.outcome(call, outcome.map_err(Failure::from))
    }

    async fn richest(&mut self) -> Result<(), Failure> {
        let richest = Richest::of(self.coins).await?;
        let words = match &richest {
            Some(Richest { account_id, balance }) => {
                format!("{{account_id: {account_id:?}, balance: {balance}}}")
            }
            None => "nil".to_owned(),
        };
        self.tell("Coins.richest()", &words, json!(richest))
    }

    async fn events(&mut self, account: &AccountId) -> Result<(), Failure> {
        let events = self.coins.events(account, Version::ZERO, WHOLE_STREAM).await?;
        let lines =
            events.iter().map(|event| format!("{}  {}", event.version, show::happened(&event.data)));
        let words = lines.collect::<Vec<_>>().join("\n");
        let json = events.iter().map(EventLine::of).collect::<Result<Vec<_>, _>>()?;
        self.tell(format!("Coins.events({account:?})"), &words, json!(json))
    }

    /// Tells an answer of `:ok` or an error of a rule. Another failure ends the session.
    fn outcome<T>(&mut self, call: String, outcome: Result<T, Failure>) -> Result<(), Failure> {
        match outcome {
            Ok(_) => self.tell(call, "ok", json!("ok")),
            Err(Failure::Refused { code, message }) => {
                self.tell(call, &format!("error: {code}"), json!({ "error": code, "message": message }))
            }
            Err(failure) => Err(failure),
        }
    }

    fn tell(&mut self, call: impl Display, words: &str, answer: Value) -> Result<(), Failure> {
        if self.output.is_json() {
            self.calls.push(json!({ "call": call.to_string(), "answer": answer }));
            return Ok(());
        }
        self.output.text(&format!("> {call}\n{words}\n"))
    }
}
