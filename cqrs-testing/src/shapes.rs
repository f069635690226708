//! Freezing what is stored: events, commands, states.

mod compare;
mod entry;
mod file;
mod problem;
mod variants;

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use cqrs_core::{Command, Event, Json, ProcessManager, decode_stored, describe, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use compare::{Events, Read, Sample, Today, compare};
use entry::Entry;
use file::Frozen;

/// What a program stores, compared with a file that is committed beside the tests.
///
/// What is stored once stays: a form that is in the file must be readable for ever, whatever becomes of the Rust
/// type. Samples are what the program writes today; list one for each event variant, each command that a process
/// manager asks for or that others send by name, and each state. A variant without a sample fails.
///
/// ```no_run
/// # use cqrs_core::{Aggregate, Command, Event, Handle};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # enum AccountEvent { Deposited { amount: u64 }, Withdrawn { amount: u64 } }
/// # impl Event for AccountEvent { const CATEGORY: &'static str = "account"; }
/// # #[derive(Default)]
/// # struct Account;
/// # impl Aggregate for Account {
/// #     type Id = String;
/// #     type Event = AccountEvent;
/// #     fn apply(&mut self, _: &AccountEvent) {}
/// # }
/// # #[derive(Serialize, Deserialize)]
/// # struct Withdraw { account: String, amount: u64 }
/// # impl Command for Withdraw {
/// #     const NAME: &'static str = "Withdraw";
/// #     type Aggregate = Account;
/// #     fn aggregate_id(&self) -> &String { &self.account }
/// # }
/// # impl Handle<Withdraw> for Account {
/// #     type Error = std::convert::Infallible;
/// #     fn handle(&self, _: &Withdraw) -> Result<Vec<AccountEvent>, Self::Error> { Ok(Vec::new()) }
/// # }
/// use cqrs_testing::PersistedShapes;
///
/// // In a test of the crate:
/// PersistedShapes::in_file("tests/shapes/account.json")
///     .event(&AccountEvent::Deposited { amount: 5 })
///     .event(&AccountEvent::Withdrawn { amount: 3 })
///     .command(&Withdraw { account: "me".to_owned(), amount: 3 })
///     .check();
/// ```
///
/// With `UPDATE_SHAPES=1` in the environment, [`PersistedShapes::check`] adds to the file what is new, as long as
/// nothing else is wrong. It never changes or drops a line: what is given up is deleted by hand, and seen in review.
///
/// A sample must be written alike each time: no random ids, and at most one element in a hash set or map. One file
/// belongs to one test.
#[must_use = "nothing is compared before `.check()`"]
pub struct PersistedShapes {
    file: PathBuf,
    today: Today,
    unwritable: Vec<String>,
}

impl PersistedShapes {
    /// Begins with a file of JSON, which need not be there yet. The path is relative to the package's folder, where
    /// its `Cargo.toml` is.
    pub fn in_file(path: impl AsRef<Path>) -> Self {
        Self { file: path.as_ref().to_owned(), today: Today::default(), unwritable: Vec::new() }
    }

    /// A sample of an event.
    pub fn event<E: Event>(mut self, event: &E) -> Self {
        self.today.events.entry(E::CATEGORY).or_insert_with(|| Events {
            rust_type: std::any::type_name::<E>(),
            variants: variants::variants::<E>(),
            read: read_event::<E>,
        });
        match encode(event) {
            Ok((event_type, data)) => {
                let (category, event_type) = (E::CATEGORY.to_owned(), event_type.to_owned());
                self.sample(Entry::Event { category, event_type }, data, read_event::<E>);
            }
            Err(error) => self.unwritable.push(format!("event {}: {}", E::CATEGORY, describe(&error))),
        }
        self
    }

    /// A sample of a command.
    pub fn command<C: Command>(self, command: &C) -> Self {
        self.value(Entry::Command(C::NAME.to_owned()), command)
    }

    /// A sample of a process manager's state. It has no schema version: instances that are under way must be
    /// readable for ever.
    pub fn process<P: ProcessManager>(self, state: &P) -> Self {
        self.value(Entry::Process(P::NAME.to_owned()), state)
    }

    /// A sample of a state that is stored with a version of its schema, and made anew where the version is
    /// another one. With the same version it must be written alike to the field: a default in the place of a
    /// field that was not there gives another state than the events would.
    pub fn snapshot<S: Serialize + DeserializeOwned>(self, name: &str, schema: u32, state: &S) -> Self {
        self.value(Entry::Snapshot { name: name.to_owned(), schema }, state)
    }

    /// Any text that is stored and must never change, such as the name of a projection or of a stream; `what` says
    /// what it names.
    pub fn name(self, what: &str, name: &str) -> Self {
        self.value(Entry::Name(what.to_owned()), &name.to_owned())
    }

    /// Compares what is written today with the file, and reads every form of the file with today's types.
    ///
    /// # Panics
    ///
    /// With all that differs and what to do about each, unless it is only new and `UPDATE_SHAPES=1` is set.
    #[track_caller]
    pub fn check(self) {
        let update = env::var_os("UPDATE_SHAPES").is_some_and(|value| !value.is_empty() && value != "0");
        if let Err(why) = self.judge(update) {
            panic!("{why}");
        }
    }

    fn judge(self, update: bool) -> Result<(), String> {
        let Self { file, today, unwritable } = self;
        // Cargo says so to what it runs; without Cargo, the folder in use has to do.
        let path = env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from).join(&file);
        let shown = file.display();
        let frozen = file::read(&path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
        let problems = compare(&today, &frozen);
        let additions: Vec<Frozen> = problems.iter().filter_map(|problem| problem.addition()).collect();
        let broken = unwritable.len() + problems.len() - additions.len();
        if broken == 0 && (update || additions.is_empty()) {
            if additions.is_empty() {
                return Ok(());
            }
            let all = frozen.into_iter().chain(additions).collect();
            return file::write(&path, all).map_err(|error| format!("{shown} cannot be written: {error}"));
        }
        let mut text = format!("what is stored differs from {shown}\n\n");
        let unwritable = unwritable.into_iter().map(|why| format!("{why}\n"));
        let told = unwritable.chain(problems.iter().map(ToString::to_string)).collect::<Vec<_>>();
        text += &told.join("\n");
        if update {
            text += "\nUPDATE_SHAPES=1 has changed nothing: it only adds what is new, once nothing else is wrong.\n";
        }
        Err(text)
    }

    fn sample(&mut self, entry: Entry, written: Json, read: Read) {
        self.today.samples.push(Sample { entry, written, read });
    }

    fn value<T: Serialize + DeserializeOwned>(mut self, entry: Entry, value: &T) -> Self {
        match Json::of(value) {
            Ok(written) => self.sample(entry, written, read_value::<T>),
            Err(error) => self.unwritable.push(format!("{entry}: cannot be written as JSON: {error}")),
        }
        self
    }
}

impl std::fmt::Debug for PersistedShapes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entries: Vec<_> = self.today.samples.iter().map(|sample| sample.entry.to_string()).collect();
        f.debug_struct("PersistedShapes").field("file", &self.file).field("samples", &entries).finish()
    }
}

fn read_event<E: Event>(event_type: &str, data: &Json) -> Result<(String, Json), String> {
    let cause = |error: cqrs_core::CodecError| match std::error::Error::source(&error) {
        Some(cause) => cause.to_string(),
        None => error.to_string(),
    };
    let mut events = Vec::<E>::new();
    decode_stored(event_type, data, &mut events).map_err(cause)?;
    let mut encoded = events.iter().map(encode).collect::<Result<Vec<_>, _>>().map_err(cause)?;
    match (encoded.pop(), encoded.is_empty()) {
        (Some((event_type, data)), true) => Ok((event_type.to_owned(), data)),
        (last, _) => {
            // What an upcast makes several, or none: a list, each with its name.
            let all: Vec<_> = encoded.into_iter().chain(last).map(|part| BTreeMap::from([part])).collect();
            Ok((String::new(), Json::of(&all).map_err(|error| error.to_string())?))
        }
    }
}

fn read_value<T: Serialize + DeserializeOwned>(name: &str, json: &Json) -> Result<(String, Json), String> {
    let value: T = json.decode().map_err(|error| error.to_string())?;
    Ok((name.to_owned(), Json::of(&value).map_err(|error| error.to_string())?))
}
