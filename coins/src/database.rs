//! The databases that read models can be in: what a projection writes to, and what a query reads from.

mod address;
mod reader;
mod tables;

pub use address::DatabaseAddress;
pub(crate) use reader::{Argument, Reader, Row, corrupt};
pub use tables::Tables;

/// A statement in the words of each database. Its parameters are the same in all of them.
#[derive(Clone, Copy, Debug)]
pub struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// The files `NAME.sqlite.sql` and `NAME.postgres.sql` beside the module that says so, as [`Sql`].
macro_rules! sql {
    ($name:literal) => {
        $crate::database::Sql {
            sqlite: include_str!(concat!($name, ".sqlite.sql")),
            postgres: include_str!(concat!($name, ".postgres.sql")),
        }
    };
}

pub(crate) use sql;
