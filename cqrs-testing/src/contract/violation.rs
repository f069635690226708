//! What a rule says of a store that breaks it.

use std::fmt;

use cqrs_core::{AppendError, StepError, StoreError};

/// What a rule comes to.
pub type Verdict = Result<(), Violation>;

/// How a store breaks a rule, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(String);

impl Violation {
    /// Says what was wanted and what was found.
    pub fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }

    pub(crate) fn what(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store breaks its contract: {}", self.0)
    }
}

impl std::error::Error for Violation {}

macro_rules! from_error {
    ($($error:ty),*) => {
        $(impl From<$error> for Violation {
            fn from(error: $error) -> Self {
                Self::new(format_args!("an operation that must succeed failed: {error:?}"))
            }
        })*
    };
}

from_error!(StoreError, AppendError, StepError);

/// Ends a rule with a violation unless two values are equal.
macro_rules! want_eq {
    ($found:expr, $wanted:expr, $($what:tt)+) => {{
        let (found, wanted) = (&$found, &$wanted);
        if found != wanted {
            let what = format!($($what)+);
            return Err($crate::Violation::new(format_args!("{what}: wanted {wanted:?}, found {found:?}")));
        }
    }};
}

/// Ends a rule with a violation unless something holds.
macro_rules! want {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err($crate::Violation::new(format_args!($($what)+)));
        }
    };
}

pub(crate) use {want, want_eq};
