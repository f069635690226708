//! What is to be typed is in a block that is typed.
//!
//! `sh` and `console` blocks are run, by `src/walk.rs` or by `.ci/docs`; `rust` blocks are compiled. A block of any other
//! language is for reading alone, so it must not look like something to type.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod documents;

use std::fs;

use documents::{documents, repository};

/// Languages of blocks that are for reading alone.
const READ: [&str; 5] = ["text", "mermaid", "elixir", "toml", "sql"];

/// What is wrong with the blocks of a document.
fn wrong(document: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (language, block) in docs::blocks(document) {
        let first = block.lines().next().unwrap_or_default();
        let types = block.lines().any(|line| line.starts_with("$ "));
        match language.split(',').next().unwrap_or_default() {
            "rust" => {}
            "sh" if !types => {}
            "console" if first.starts_with("$ ") => {}
            read if READ.contains(&read) && !types => {}
            other => wrong.push(format!("a block of {other:?} that begins with {first:?}")),
        }
    }
    wrong
}

#[test]
fn whatever_is_to_be_typed_is_typed() {
    for document in documents(repository()) {
        let found = wrong(&fs::read_to_string(&document).unwrap());
        assert!(found.is_empty(), "{}: {}", document.display(), found.join("; "));
    }
}

#[test]
fn a_command_that_nobody_types_is_found() {
    assert_eq!(
        wrong("```sh\nls\n```\n\n```console\n$ ls\nx\n```\n\n```text\nx\n```\n"),
        Vec::<String>::new()
    );
    for bad in
        ["```\nx\n```", "```bash\nls\n```", "```text\n$ ls\n```", "```sh\n$ ls\n```", "```console\nls\n```"]
    {
        assert_eq!(wrong(bad).len(), 1, "{bad}");
    }
}
