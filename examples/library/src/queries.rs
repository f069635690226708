//! What is asked.

use cqrs_sqlite::SqliteReadModel;

/// Asks the tables. Its connections cannot write.
#[derive(Clone, Debug)]
pub struct Queries(SqliteReadModel);

/// A book that should have come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// The book's title.
    pub title: String,
    /// The name of the one who has it; the id, as long as the name is not known.
    pub reader: String,
    /// For how many days it has been overdue.
    pub days: u32,
}

/// A book and how often it was lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Popular {
    /// The book's title.
    pub title: String,
    /// Who wrote it.
    pub author: String,
    /// How often it was lent.
    pub times: u32,
    /// Whether it is on the shelf now.
    pub here: bool,
}

impl Queries {
    /// Asks the tables of a read model.
    pub fn new(read_model: SqliteReadModel) -> Self {
        Self(read_model)
    }

    /// The books that are overdue on a day, the longest first.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub async fn overdue(&self, day: u32) -> Result<Vec<Overdue>, sqlx::Error> {
        let rows = sqlx::query_as(include_str!("queries/overdue.sql"))
            .bind(day)
            .fetch_all(self.0.reader())
            .await?;
        Ok(rows.into_iter().map(|(title, reader, days)| Overdue { title, reader, days }).collect())
    }

    /// The books that are lent most; among equals by title.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub async fn popular(&self, limit: u32) -> Result<Vec<Popular>, sqlx::Error> {
        let rows = sqlx::query_as(include_str!("queries/popular.sql"))
            .bind(limit)
            .fetch_all(self.0.reader())
            .await?;
        Ok(rows
            .into_iter()
            .map(|(title, author, times, here)| Popular { title, author, times, here })
            .collect())
    }
}
