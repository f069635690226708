//! Where a database is.

use std::fmt;
use std::path::{Path, PathBuf};

/// A file of SQLite, or the URL of a PostgreSQL database. It is shown without the secrets that a URL may have.
///
/// ```
/// use coins::DatabaseAddress;
///
/// assert_eq!(DatabaseAddress::of("coins.db"), DatabaseAddress::File("coins.db".into()));
/// let there = DatabaseAddress::of("postgres://me:secret@localhost/coins");
/// assert!(!there.to_string().contains("secret"), "{there}");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseAddress {
    /// A file.
    File(PathBuf),
    /// A URL that begins with `postgres://` or `postgresql://`.
    Postgres(String),
}

impl DatabaseAddress {
    /// What was typed: a URL of PostgreSQL is told by its beginning, and all else is a file.
    pub fn of(text: impl AsRef<Path>) -> Self {
        let path = text.as_ref();
        let url = path.to_str().filter(|text| {
            text.split_once("://").is_some_and(|(scheme, _)| matches!(scheme, "postgres" | "postgresql"))
        });
        match url {
            Some(url) => Self::Postgres(url.to_owned()),
            None => Self::File(path.to_owned()),
        }
    }
}

/// What a URL has between the login and the parameters: host, port and database. Nothing, when it cannot be told where a
/// password ends.
fn public(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let end_of_login = rest.rfind('@').map_or(0, |at| at + 1);
    match rest[..end_of_login].contains('?') {
        true => None,
        false => rest[end_of_login..].split('?').next(),
    }
}

impl fmt::Display for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(url) => write!(f, "postgres://{}", public(url).unwrap_or("…")),
        }
    }
}

impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_from_a_file_by_its_beginning() {
        for url in ["postgres://localhost/coins", "postgresql://localhost", "postgres://"] {
            assert_eq!(DatabaseAddress::of(url), DatabaseAddress::Postgres(url.to_owned()));
        }
        for file in ["coins.db", "postgres", "postgres:/x", "mysql://localhost/x", "/tmp/postgres://x", ""]
        {
            assert_eq!(DatabaseAddress::of(file), DatabaseAddress::File(file.into()), "{file}");
        }
    }

    #[test]
    fn what_is_shown_of_a_url_has_no_secret() {
        for (url, shown) in [
            ("postgres://localhost/coins", "postgres://localhost/coins"),
            ("postgresql://me:secret@host:5433/coins", "postgres://host:5433/coins"),
            ("postgres://me:se@cret/se:cret@host/coins?sslmode=require", "postgres://host/coins"),
            ("postgres://host/coins?password=secret&user=me", "postgres://host/coins"),
            ("postgres://host/coins?password=sec@secret", "postgres://…"),
            ("postgres://me:sec?secret@host/coins", "postgres://…"),
            ("postgres://", "postgres://"),
        ] {
            let address = DatabaseAddress::of(url);
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("secret"));
        }
    }
}
