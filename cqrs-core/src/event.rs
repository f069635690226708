//! Facts, as Rust and as the store have them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    CausationId, CodecError, CorrelationId, EventFilter, EventId, Json, Position, StreamId, Timestamp,
    Version, decode,
};

/// What can happen to one kind of aggregate: a plain serde enum with a variant for each fact.
///
/// The stored name of an event is the serde name of its variant, and the stored data the variant's
/// fields; so renaming a variant or a field needs a `#[serde(rename = "…")]` that keeps the stored name.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The category of the streams that hold these events, such as `account`: ASCII letters, digits and
    /// `_`. Two event enums never share a category.
    const CATEGORY: &'static str;
}

/// The events that a subscriber wants to see: one aggregate's, or a union of several made with
/// [`event_set!`](crate::event_set).
pub trait EventSet: Sized + Send + Sync + 'static {
    /// Which events of the log belong to the set.
    fn filter() -> EventFilter;

    /// Decodes one event that passes the filter.
    ///
    /// # Errors
    ///
    /// When the stored type or data is not what the Rust type says. It is never skipped.
    fn decode(event: &RecordedEvent) -> Result<Self, CodecError>;
}

impl<E: Event> EventSet for E {
    fn filter() -> EventFilter {
        EventFilter::category(E::CATEGORY)
    }

    fn decode(event: &RecordedEvent) -> Result<Self, CodecError> {
        decode(&event.event_type, &event.data)
    }
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

            fn decode(event: &$crate::RecordedEvent) -> ::std::result::Result<Self, $crate::CodecError> {
                let category = event.stream.category();
                $(if category == <$event as $crate::Event>::CATEGORY {
                    return $crate::decode(&event.event_type, &event.data).map($name::$variant);
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
    /// Decodes the data.
    ///
    /// # Errors
    ///
    /// [`Undecodable`] names the stream, the version and the type.
    pub fn decode<S: EventSet>(self) -> Result<RecordedEvent<S>, Undecodable> {
        match S::decode(&self) {
            Ok(data) => Ok(RecordedEvent {
                position: self.position,
                stream: self.stream,
                version: self.version,
                id: self.id,
                event_type: self.event_type,
                data,
                metadata: self.metadata,
                recorded_at: self.recorded_at,
            }),
            Err(source) => Err(Undecodable {
                stream: self.stream,
                version: self.version,
                position: self.position,
                event_type: self.event_type,
                source,
            }),
        }
    }
}
