//! Facts, as Rust and as the store have them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    CausationId, CodecError, CorrelationId, EventFilter, EventId, Json, Position, StreamId, Timestamp,
    Upcasts, Version, decode,
};

/// What can happen to one kind of aggregate: a plain serde enum with a variant for each fact.
///
/// The stored name of an event is the serde name of its variant, and the stored data the variant's
/// fields; so renaming a variant or a field needs a `#[serde(rename = "…")]` that keeps the stored name.
///
/// ```
/// use cqrs_core::{Event, encode};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// enum AccountEvent {
///     // Stored as `Opened`, whatever the variant is called by now.
///     #[serde(rename = "Opened")]
///     AccountOpened { owner: String },
///     Closed,
/// }
///
/// impl Event for AccountEvent {
///     const CATEGORY: &'static str = "account";
/// }
///
/// let (event_type, data) = encode(&AccountEvent::AccountOpened { owner: "zoë".to_owned() })?;
/// assert_eq!((event_type, data.as_str()), ("Opened", r#"{"owner":"zoë"}"#));
/// # Ok::<(), cqrs_core::CodecError>(())
/// ```
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The category of the streams that hold these events, such as `account`: ASCII letters, digits and
    /// `_`. Two event enums never share a category.
    const CATEGORY: &'static str;

    /// What stored event types that the enum no longer has are today. None, unless this says so.
    ///
    /// ```
    /// use std::sync::LazyLock;
    ///
    /// use cqrs_core::{Event, Upcasts};
    /// use serde::{Deserialize, Serialize};
    /// use serde_json::json;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// enum AccountEvent {
    ///     #[serde(rename = "Deposited.2")]
    ///     Deposited { amount: u64, currency: String },
    /// }
    ///
    /// static UPCASTS: LazyLock<Upcasts> = LazyLock::new(|| {
    ///     Upcasts::new().change("Deposited", "Deposited.2", |mut data| {
    ///         data["currency"] = json!("EUR");
    ///         Ok(data)
    ///     })
    /// });
    ///
    /// impl Event for AccountEvent {
    ///     const CATEGORY: &'static str = "account";
    ///
    ///     fn upcasts() -> Option<&'static Upcasts> {
    ///         Some(&UPCASTS)
    ///     }
    /// }
    /// ```
    fn upcasts() -> Option<&'static Upcasts> {
        None
    }
}

/// The events that a subscriber wants to see: one aggregate's, or a union of several made with
/// [`event_set!`](crate::event_set).
pub trait EventSet: Sized + Send + Sync + 'static {
    /// Which events of the log belong to the set.
    fn filter() -> EventFilter;

    /// Decodes one event that passes the filter, and adds it to `events`: one, unless an upcast makes it several,
    /// or none.
    ///
    /// # Errors
    ///
    /// When the stored type or data is not what the Rust type says. It is never skipped.
    fn decode(event: &RecordedEvent, events: &mut Vec<Self>) -> Result<(), CodecError>;
}

impl<E: Event> EventSet for E {
    fn filter() -> EventFilter {
        EventFilter::category(E::CATEGORY)
    }

    fn decode(event: &RecordedEvent, events: &mut Vec<Self>) -> Result<(), CodecError> {
        decode_stored(&event.event_type, &event.data, events)
    }
}

/// Decodes what is stored of one event, of today or of former days, and adds it to `events`: one, unless an
/// [upcast](Event::upcasts) makes it several, or none.
///
/// # Errors
///
/// When the upcasts fail, there is no such variant, or the fields are not the variant's.
pub fn decode_stored<E: Event>(
    event_type: &str,
    data: &Json,
    events: &mut Vec<E>,
) -> Result<(), CodecError> {
    match E::upcasts().filter(|upcasts| upcasts.concerns(event_type)) {
        None => events.push(decode(event_type, data)?),
        Some(upcasts) => {
            for (event_type, data) in upcasts.upcast(event_type, data)? {
                events.push(decode(&event_type, &data)?);
            }
        }
    }
    Ok(())
}

/// Declares a union of several aggregates' events, for a projection or a process manager.
///
/// ```
/// use cqrs_core::{Event, EventSet, event_set};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// enum OrderEvent { OrderPlaced }
/// impl Event for OrderEvent { const CATEGORY: &'static str = "order"; }
///
/// #[derive(Serialize, Deserialize)]
/// enum PaymentEvent { PaymentTaken { amount: u64 } }
/// impl Event for PaymentEvent { const CATEGORY: &'static str = "payment"; }
///
/// event_set! {
///     /// What the shop reports on.
///     enum ShopEvent { Order(OrderEvent), Payment(PaymentEvent) }
/// }
///
/// assert_eq!(ShopEvent::filter(), cqrs_core::EventFilter::categories_of(["order", "payment"]));
/// ```
#[macro_export]
macro_rules! event_set {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$inner:meta])* $variant:ident($event:ty)),+ $(,)? }) => {
        $(#[$meta])*
        $vis enum $name { $($(#[$inner])* $variant($event)),+ }

        impl $crate::EventSet for $name {
            fn filter() -> $crate::EventFilter {
                $crate::EventFilter::categories_of([$(<$event as $crate::Event>::CATEGORY),+])
            }

            fn decode(
                event: &$crate::RecordedEvent,
                events: &mut ::std::vec::Vec<Self>,
            ) -> ::std::result::Result<(), $crate::CodecError> {
                let category = event.stream.category();
                $(if category == <$event as $crate::Event>::CATEGORY {
                    let mut own = ::std::vec::Vec::with_capacity(1);
                    <$event as $crate::EventSet>::decode(event, &mut own)?;
                    events.extend(own.into_iter().map($name::$variant));
                    return ::std::result::Result::Ok(());
                })+
                ::std::result::Result::Err($crate::CodecError::ForeignCategory {
                    category: category.to_owned(),
                    set: stringify!($name),
                })
            }
        }
    };
}

/// What is known of an event or a command besides its data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// What caused it.
    pub causation_id: Option<CausationId>,
    /// The causal chain that it belongs to.
    pub correlation_id: Option<CorrelationId>,
    /// What the application added, such as a user's id. Keys and values are kept as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Value>,
}

/// An event on its way into the store.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// The stored name of its variant.
    pub event_type: Arc<str>,
    /// The variant's fields.
    pub data: Json,
    /// What is known besides.
    pub metadata: Metadata,
}

/// An event as the store has it. `E` is the event's type once it is decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedEvent<E = Json> {
    /// Its number in the log of the whole store.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its number in the stream.
    pub version: Version,
    /// Its id.
    pub id: EventId,
    /// The stored name of its variant.
    pub event_type: Arc<str>,
    /// The variant's fields, or the decoded event.
    pub data: E,
    /// What is known besides.
    pub metadata: Metadata,
    /// When the command that emitted it was decided, by the deciding machine's clock. Only positions order
    /// events; times of several machines may disagree.
    pub recorded_at: Timestamp,
}

/// An event in the store that the program cannot read.
#[derive(Debug, thiserror::Error)]
#[error("event {event_type:?} at version {version} of stream {stream} (position {position})")]
pub struct Undecodable {
    /// Its stream.
    pub stream: StreamId,
    /// Its number in the stream.
    pub version: Version,
    /// Its number in the log.
    pub position: Position,
    /// Its stored type.
    pub event_type: Arc<str>,
    /// What is wrong with it.
    pub source: CodecError,
}

impl RecordedEvent {
    /// Decodes events, in order. Each is one, unless an [upcast](Event::upcasts) makes it several, which share their
    /// position, version and id, or none.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let app = App::builder(MemoryStore::new()).start().await?;
    /// # app.dispatch(deposit("me", 5)).await?;
    /// let stored = app.store().read_log(Position::ZERO, &EventFilter::all(), 100).await?.events;
    /// assert_eq!((&*stored[0].event_type, stored[0].data.as_str()), ("Deposited", r#"{"account":"me","amount":5}"#));
    ///
    /// let events = RecordedEvent::decode_all::<AccountEvent>(stored)?;
    /// assert_eq!(events[0].data, AccountEvent::Deposited { account: "me".to_owned(), amount: 5 });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Undecodable`] names the stream, the version and the type.
    pub fn decode_all<S: EventSet>(
        events: impl IntoIterator<Item = Self>,
    ) -> Result<Vec<RecordedEvent<S>>, Undecodable> {
        let events = events.into_iter();
        let mut decoded = Vec::with_capacity(events.size_hint().0);
        let mut parts = Vec::with_capacity(1);
        for event in events {
            event.decode_parts(&mut parts)?;
            let last = parts.pop();
            decoded.extend(parts.drain(..).map(|part| event.with(part)));
            decoded.extend(last.map(|part| event.into_decoded(part)));
        }
        Ok(decoded)
    }

    /// Decodes the data, as [`EventSet::decode`] does.
    pub(crate) fn decode_parts<S: EventSet>(&self, parts: &mut Vec<S>) -> Result<(), Undecodable> {
        S::decode(self, parts).map_err(|source| Undecodable {
            stream: self.stream.clone(),
            version: self.version,
            position: self.position,
            event_type: Arc::clone(&self.event_type),
            source,
        })
    }

    fn with<S>(&self, data: S) -> RecordedEvent<S> {
        self.clone().into_decoded(data)
    }

    fn into_decoded<S>(self, data: S) -> RecordedEvent<S> {
        RecordedEvent {
            position: self.position,
            stream: self.stream,
            version: self.version,
            id: self.id,
            event_type: self.event_type,
            data,
            metadata: self.metadata,
            recorded_at: self.recorded_at,
        }
    }
}
