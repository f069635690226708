//! Texts that anybody may have written, such as errors: PostgreSQL's text can hold every character but one, NUL.

use std::borrow::Cow;

use cqrs_core::BoxError;

/// A text as a column has it: backslashes are doubled, and NUL is `\0`.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    match text.contains(['\\', '\0']) {
        false => Cow::Borrowed(text),
        true => Cow::Owned(text.replace('\\', r"\\").replace('\0', r"\0")),
    }
}

/// The text that a column has.
pub(crate) fn unescape(text: String) -> Result<String, BoxError> {
    if !text.contains('\\') {
        return Ok(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('\\') => '\\',
                Some('0') => '\0',
                _ => return Err(format!("{text:?} has a backslash that means nothing").into()),
            },
            other => other,
        });
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_read_as_it_was_written() {
        for text in ["", "plain", "\0", "\\", "\\0", "\\\0", "a\\\\0\0b\\", "ä\u{1F980}\n"] {
            let column = escape(text);
            assert!(!column.contains('\0'), "{column:?}");
            assert_eq!(unescape(column.into_owned()).unwrap(), text);
        }
        assert!(unescape("\\x".to_owned()).is_err());
        assert!(unescape("\\".to_owned()).is_err());
    }
}
