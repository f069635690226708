//! What tenants do: they write notes.

use std::convert::Infallible;

use async_trait::async_trait;
use cqrs_core::{Aggregate, BoxError, Command, Event, Handle, Projection, RecordedEvent};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

/// What can happen to a note.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants and their fields say it")]
pub enum NoteEvent {
    Written { note: String, text: String },
}

impl Event for NoteEvent {
    const CATEGORY: &'static str = "note";
}

/// A note. It has no rules.
#[derive(Debug, Default)]
pub struct Note;

impl Aggregate for Note {
    type Id = String;
    type Event = NoteEvent;

    fn apply(&mut self, _: &NoteEvent) {}
}

/// Writes a note, or writes it anew.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct WriteNote {
    pub note: String,
    pub text: String,
}

impl Command for WriteNote {
    const NAME: &'static str = "WriteNote";
    type Aggregate = Note;

    fn aggregate_id(&self) -> &String {
        &self.note
    }
}

impl Handle<WriteNote> for Note {
    type Error = Infallible;

    fn handle(&self, command: &WriteNote) -> Result<Vec<NoteEvent>, Infallible> {
        let WriteNote { note, text } = command.clone();
        Ok(vec![NoteEvent::Written { note, text }])
    }
}

/// Keeps the table `notes`. There is no column for the tenant: all of the file is his.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notes;

#[async_trait]
impl Projection for Notes {
    const NAME: &'static str = "notes";
    type Event = NoteEvent;
    type Target = SqliteConnection;

    async fn setup(&self, connection: &mut SqliteConnection) -> Result<(), BoxError> {
        let notes = "CREATE TABLE IF NOT EXISTS notes (note TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT";
        sqlx::query(notes).execute(connection).await?;
        Ok(())
    }

    async fn project(
        &self,
        event: &RecordedEvent<NoteEvent>,
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        let NoteEvent::Written { note, text } = &event.data;
        let write = sqlx::query("INSERT OR REPLACE INTO notes VALUES (?, ?)");
        write.bind(note.clone()).bind(text.clone()).execute(connection).await?;
        Ok(())
    }
}
