//! Errors whatever their type.

/// An error of application code, or of a backend, whatever its type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error with its causes, in one line. A cause that the error before has told already is not told twice.
///
/// ```
/// use cqrs_core::{StoreError, describe};
///
/// let error = StoreError::backend("append", "the disk is full");
/// assert_eq!(describe(&error), "the store failed to append: the disk is full");
/// ```
pub fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !text.ends_with(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        cause = error.source();
    }
    text
}
