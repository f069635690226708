//! Numbers as one reads them.

/// A number with commas between its thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// As exact as its size deserves.
pub(crate) fn figure(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => whole(number),
        size if size.fract() == 0.0 => format!("{number}"),
        _ => format!("{number:.2}"),
    }
}

/// Without a fraction. What is below zero counts as zero.
pub(crate) fn whole(number: f64) -> String {
    thousands(number.round() as u64)
}

/// Bytes in MiB.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

/// Microseconds in milliseconds.
pub(crate) fn milliseconds(micros: f64) -> String {
    format!("{:.2}", micros / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas() {
        let texts = [0, 999, 1_000, 12_345, 1_234_567].map(thousands);
        assert_eq!(texts, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn a_figure_is_as_exact_as_its_size_deserves() {
        let texts = [0.0, 0.854, 1.0, 10.0, 99.5, 130.7, 45_000.4].map(figure);
        assert_eq!(texts, ["0", "0.85", "1", "10", "99.50", "131", "45,000"]);
    }

    #[test]
    fn units_are_divided_by_what_they_are() {
        assert_eq!((mebibytes(3 << 19), milliseconds(1_500.0)), ("1.5".to_owned(), "1.50".to_owned()));
    }
}
