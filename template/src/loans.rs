//! What queries are answered from.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cqrs_core::{BoxError, Projection, RecordedEvent};

use crate::BookEvent;

/// Who has which book.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loans(pub BTreeMap<String, String>);

/// Keeps [`Loans`] up to date.
#[derive(Debug)]
pub struct LoansProjection;

#[async_trait]
impl Projection for LoansProjection {
    const NAME: &'static str = "loans";
    type Event = BookEvent;
    type Target = Loans;

    async fn project(&self, event: &RecordedEvent<BookEvent>, Loans(loans): &mut Loans) -> Result<(), BoxError> {
        match &event.data {
            BookEvent::Lent { book, reader } => loans.insert(book.clone(), reader.clone()),
            BookEvent::Returned { book, .. } => loans.remove(book),
        };
        Ok(())
    }
}
