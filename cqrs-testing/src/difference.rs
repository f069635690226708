//! What differs between two texts, line by line.

/// All lines, with `-` before those that only the first text has and `+` before those that only the second has.
/// Lines that both have keep their order, as many of them as possible.
pub(crate) fn difference(first: &str, second: &str) -> String {
    if first == second {
        return "  they are not equal, though they print alike\n".to_owned() + &marked(' ', first.lines());
    }
    let (first, second): (Vec<_>, Vec<_>) = (first.lines().collect(), second.lines().collect());
    let common = common(&first, &second);
    let (mut i, mut j) = (0, 0);
    let mut text = String::new();
    for (next_i, next_j) in common {
        text += &marked('-', first[i..next_i].iter().copied());
        text += &marked('+', second[j..next_j].iter().copied());
        text += &marked(' ', first[next_i..=next_i].iter().copied());
        (i, j) = (next_i + 1, next_j + 1);
    }
    text + &marked('-', first[i..].iter().copied()) + &marked('+', second[j..].iter().copied())
}

fn marked<'a>(mark: char, lines: impl Iterator<Item = &'a str>) -> String {
    lines.map(|line| format!("{mark} {line}\n")).collect()
}

/// The indexes of a longest common subsequence.
fn common(first: &[&str], second: &[&str]) -> Vec<(usize, usize)> {
    // The length of a longest one from line i of the first and line j of the second on.
    let mut lengths = vec![vec![0_usize; second.len() + 1]; first.len() + 1];
    for i in (0..first.len()).rev() {
        for j in (0..second.len()).rev() {
            lengths[i][j] = if first[i] == second[j] {
                lengths[i + 1][j + 1] + 1
            } else {
                lengths[i + 1][j].max(lengths[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < first.len() && j < second.len() {
        if first[i] == second[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[i + 1][j] >= lengths[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_line_stands_between_those_that_stay() {
        assert_eq!(difference("a\nb\nc", "a\nx\nc"), "  a\n- b\n+ x\n  c\n");
    }

    #[test]
    fn lines_that_are_missing_or_too_many_are_marked() {
        assert_eq!(difference("a\nb", "b\nc"), "- a\n  b\n+ c\n");
        assert_eq!(difference("", "a"), "+ a\n");
        assert_eq!(difference("a\na", "a"), "  a\n- a\n");
    }

    #[test]
    fn as_many_lines_as_possible_stay() {
        assert_eq!(difference("x\na\nb", "a\nb\nx"), "- x\n  a\n  b\n+ x\n");
    }

    #[test]
    fn what_prints_alike_is_said_to_differ() {
        assert!(difference("NaN", "NaN").starts_with("  they are not equal"));
    }
}
