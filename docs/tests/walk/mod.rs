//! A document as a list of things to do in an empty folder.
//!
//! - a `rust` or `toml` block that begins with `// path` or `# path` is written to that file;
//! - an `sh` block is run, and must succeed;
//! - a `text` block behind it is what it must have printed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// Where the package `docs` is; the workspace is around it.
const DOCS: &str = env!("CARGO_MANIFEST_DIR");

/// The name by which a newcomer has cloned the repository.
const CLONE: &str = "cqrs-core";

/// What to do, in order.
#[derive(Debug)]
enum Step {
    Write { path: String, text: String },
    Run { script: String, prints: Option<String> },
}

/// A document, about to be walked.
pub(crate) struct Walk(Vec<Step>);

impl Walk {
    /// Reads what a document says is to be done.
    pub(crate) fn of(document: &str) -> Self {
        let mut steps = Vec::new();
        for (language, text) in blocks(document) {
            match language.as_str() {
                "sh" => steps.push(Step::Run { script: text, prints: None }),
                "text" => match steps.last_mut() {
                    Some(Step::Run { prints: prints @ None, .. }) => *prints = Some(text),
                    step => panic!("an output stands behind {step:?}:\n{text}"),
                },
                "rust" | "toml" => {
                    let first = text.lines().next().unwrap_or_default();
                    let path = first.strip_prefix("// ").or_else(|| first.strip_prefix("# "));
                    let path = path.unwrap_or_else(|| panic!("a block names no file:\n{text}")).to_owned();
                    steps.push(Step::Write { path, text });
                }
                "mermaid" => {}
                other => panic!("nobody knows what to do with a block of {other:?}:\n{text}"),
            }
        }
        Self(steps)
    }

    /// Does it all, beginning in a folder.
    pub(crate) fn go(self, folder: &Path) {
        let mut here = folder.to_owned();
        for step in self.0 {
            match step {
                Step::Write { path, text } => write(&here, &path, &text),
                Step::Run { script, prints } => {
                    let began = Instant::now();
                    let printed = run(folder, &mut here, &script);
                    println!("{:>4} s  {}", began.elapsed().as_secs(), script.trim_end());
                    if let Some(prints) = prints {
                        assert_eq!(printed, prints, "what is printed by: {script}");
                    }
                }
            }
        }
    }
}

/// The fenced blocks of a document, with their languages.
fn blocks(document: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for event in Parser::new(document) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                open = Some((language.to_string(), String::new()));
            }
            Event::Text(text) => {
                if let Some((_, block)) = &mut open {
                    block.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => blocks.extend(open.take()),
            _ => {}
        }
    }
    blocks
}

/// A folder with nothing but the clone in it. It has the same name each time, so that what was compiled is used again.
pub(crate) fn empty_folder() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    DOCS.hash(&mut hasher);
    let folder = std::env::temp_dir().join(format!("walk-{:016x}", hasher.finish()));
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(Path::new(DOCS).parent().unwrap(), folder.join(CLONE)).unwrap();
    folder
}

fn write(here: &Path, path: &str, text: &str) {
    let path = here.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
}

/// Gives a new package the versions that the workspace is tested with, so that no network is needed.
fn lock_versions(here: &Path) {
    let lock = here.join("Cargo.lock");
    if here.join("Cargo.toml").exists() && !lock.exists() {
        fs::copy(Path::new(DOCS).parent().unwrap().join("Cargo.lock"), lock).unwrap();
    }
}

/// Runs a script where the one before has ended, and answers with what it prints.
fn run(folder: &Path, here: &mut PathBuf, script: &str) -> String {
    lock_versions(here);
    let end = folder.join("here");
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &format!("{script}\npwd > \"$WALK_END\"")])
        .current_dir(&here)
        .env("WALK_END", &end)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("walk"))
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{printed}\n{complained}");
    assert!(!complained.contains("warning"), "{script}\n{complained}");
    *here = fs::read_to_string(end).unwrap().trim_end().into();
    printed
}
