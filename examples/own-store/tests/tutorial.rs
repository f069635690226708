//! The tutorial: its code is this package's, and its rules are those of the contract.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

use std::collections::BTreeSet;
use std::fs;

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// Stands in an excerpt for lines that are left out.
const GAP: &str = "// …";

fn tutorial() -> String {
    fs::read_to_string(format!("{PACKAGE}/../../docs/writing-a-store.md")).unwrap()
}

/// The contents of the fenced Rust blocks, whatever else their fences say.
fn rust_blocks(tutorial: &str) -> Vec<Vec<&str>> {
    let mut blocks = Vec::new();
    let mut lines = tutorial.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let block: Vec<_> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
        if language.starts_with("rust") {
            blocks.push(block);
        }
    }
    blocks
}

/// The lines without their indentation.
fn unindented<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    lines.into_iter().map(str::trim).collect()
}

/// What is wrong with an excerpt: each of its pieces must stand in its file as it is, one after the other.
fn difference(block: &[&str]) -> Option<String> {
    let path = block.first().and_then(|line| line.strip_prefix("// "));
    let file = path.and_then(|path| fs::read_to_string(format!("{PACKAGE}/{path}")).ok());
    let (Some(path), Some(file)) = (path, file) else {
        return Some(format!(
            "a Rust block does not begin with the name of a file of the package: {block:#?}"
        ));
    };
    let (file, excerpt) = (unindented(file.lines()), unindented(block[1..].iter().copied()));
    let mut rest = &file[..];
    for piece in excerpt.split(|line| *line == GAP) {
        if piece.is_empty() {
            return Some(format!("an excerpt of {path} has nothing before or after a gap: {block:#?}"));
        }
        let place = |piece: &[&str]| rest.windows(piece.len()).position(|lines| lines == piece);
        match place(piece) {
            Some(found) => rest = &rest[found + piece.len()..],
            None => {
                let alike = (1..piece.len()).take_while(|count| place(&piece[..*count]).is_some()).count();
                return Some(format!("{path} does not have, where an excerpt does: {}", piece[alike]));
            }
        }
    }
    None
}

#[test]
fn the_code_of_the_tutorial_is_that_of_the_package() {
    let tutorial = tutorial();
    let blocks = rust_blocks(&tutorial);
    assert!(blocks.len() >= 20, "only {} Rust blocks were found", blocks.len());
    let differences: Vec<_> = blocks.iter().filter_map(|block| difference(block)).collect();
    assert!(differences.is_empty(), "docs/writing-a-store.md:\n{}", differences.join("\n\n"));
}

#[test]
fn an_excerpt_that_is_not_in_its_file_is_found() {
    let wrong = [
        vec!["let x = 1;"],
        vec!["// src/missing.rs", "let x = 1;"],
        vec!["// src/lib.rs", "mod missing;"],
        vec!["// src/lib.rs", "mod log;", "mod fact;"],
        vec!["// src/lib.rs", "mod log;", GAP, "mod fact;"],
        vec!["// src/lib.rs"],
        vec!["// src/lib.rs", "mod log;", GAP],
    ];
    for block in wrong {
        assert!(difference(&block).is_some(), "{block:?}");
    }
    assert_eq!(difference(&["// src/lib.rs", "    mod fact;", GAP, "mod log;"]), None);
}

macro_rules! names {
    ({ } $($family:ident { $($rule:ident)* })*) => {
        /// All rules of the contract, by family.
        fn rules() -> Vec<(&'static str, Vec<&'static str>)> {
            vec![$((stringify!($family), vec![$(stringify!($rule)),*])),*]
        }
    };
}

cqrs_testing::rules!(names,);

/// What stands between backticks, outside of blocks.
fn words(tutorial: &str) -> BTreeSet<&str> {
    let mut fenced = false;
    let prose = tutorial.lines().filter(|line| {
        let fence = line.starts_with("```");
        fenced ^= fence;
        !fence && !fenced
    });
    prose.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn the_tutorial_names_every_family_and_no_rule_that_is_not_there() {
    let tutorial = tutorial();
    let (words, rules) = (words(&tutorial), rules());
    for (family, _) in &rules {
        assert!(
            words.contains(family),
            "docs/writing-a-store.md does not say where `{family}` turns green"
        );
    }
    let mut named = 0;
    for word in words {
        let Some((family, rule)) = word.split_once("::") else { continue };
        if let Some((_, rules)) = rules.iter().find(|(name, _)| *name == family) {
            assert!(rules.contains(&rule), "docs/writing-a-store.md names `{word}`, which is no rule");
            named += 1;
        }
    }
    assert!(named >= 30, "only {named} rules were found");
}
