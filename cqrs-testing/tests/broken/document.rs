//! The specification in `docs/contract.md`: its rules are those of the code.

use std::fmt::Write;

use crate::proofs;

/// What stands between these lines is made from the code.
const BEGIN: &str = "<!-- made from the code: begin -->\n";
const END: &str = "<!-- made from the code: end -->\n";

/// How many broken stores are named for a rule.
const NAMED: usize = 3;

/// A family of rules, and its source.
struct Family {
    name: &'static str,
    rules: &'static [&'static str],
    source: &'static str,
}

macro_rules! families {
    ({} $($family:ident { $($rule:ident)* })*) => {
        const FAMILIES: &[Family] = &[$(Family {
            name: stringify!($family),
            rules: &[$(stringify!($rule)),*],
            source: include_str!(concat!("../../src/contract/", stringify!($family), ".rs")),
        }),*];
    };
}

cqrs_testing::rules!(families,);

#[test]
fn the_document_says_what_the_code_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/contract.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = [before, BEGIN, &specification(), END, after].concat();
    if std::env::var_os("UPDATE_CONTRACT").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    assert!(
        document == wanted || std::env::var_os("UPDATE_CONTRACT").is_some(),
        "docs/contract.md is not what the code says: run\n  UPDATE_CONTRACT=1 cargo test -p cqrs-testing document"
    );
}

#[test]
fn every_rule_has_one_name() {
    let mut names: Vec<_> = FAMILIES.iter().flat_map(|family| family.rules).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn every_broken_store_has_one_name() {
    let mut names: Vec<_> = proofs::all().map(|proof| proof.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

fn specification() -> String {
    let (rules, stores) = (proofs::rules().len(), proofs::all().count());
    let mut text =
        format!("\n{rules} rules in {} families, proven by {stores} broken stores.\n", FAMILIES.len());
    for family in FAMILIES {
        let about = docs(family.source.lines(), "//!");
        write!(text, "\n## `{}`\n\n{about}\n\n", family.name).unwrap();
        for (index, rule) in family.rules.iter().enumerate() {
            let number = index + 1;
            let sentence = sentence(family.source, rule);
            let proofs = proven_by(&format!("{}::{rule}", family.name));
            writeln!(text, "{number}. {sentence} `{rule}`\n   {proofs}").unwrap();
        }
    }
    text.push('\n');
    text
}

/// The doc comment of a rule, in a line.
fn sentence(source: &str, rule: &str) -> String {
    let head = format!("pub async fn {rule}<");
    let end = source.find(&head).unwrap();
    let mut lines: Vec<_> =
        source[..end].lines().rev().take_while(|line| line.starts_with("///")).collect();
    lines.reverse();
    docs(lines.into_iter(), "///")
}

fn docs<'a>(lines: impl Iterator<Item = &'a str>, mark: &str) -> String {
    let lines: Vec<_> = lines.map_while(|line| line.strip_prefix(mark)).map(str::trim).collect();
    lines.join(" ").trim().to_owned()
}

/// The broken stores that a rule rejects. Those that few rules reject say most about it, and come first.
fn proven_by(rule: &str) -> String {
    let mut proofs: Vec<_> = proofs::all().filter(|proof| proof.lists(rule)).collect();
    proofs.sort_by_key(|proof| proof.rejected_by.len());
    let named: Vec<_> = proofs.iter().take(NAMED).map(|proof| format!("`{}`", proof.name)).collect();
    let more = match proofs.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("Rejects {}{more}.", named.join(", "))
}
