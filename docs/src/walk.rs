//! A document as a list of things to do in an empty folder.
//!
//! - a `rust` or `toml` block that begins with `// path` or `# path` is written to that file;
//! - an `sh` block is run, and must succeed;
//! - a `text` block behind it is what it must have printed.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// The name by which a newcomer has cloned the repository.
const CLONE: &str = "cqrs-core";

/// Why a walk has ended before its end: what was done, and what came of it.
type Stumble = Box<dyn Error>;

/// What to do, in order.
#[derive(Debug)]
enum Step {
    Write { path: String, text: String },
    Run { script: String, prints: Option<String> },
}

/// Walks the documents that begin in a folder with nothing but the clone in it, in the order in which they are read, and says
/// how long each command took. What is compiled is kept in `target`, or where `cargo` keeps it.
///
/// # Errors
///
/// When a document has a block that nobody can do, a command fails or warns, or prints something else.
pub fn walk(folder: &Path, target: Option<&Path>) -> Result<(), Stumble> {
    Walk::of(include_str!("../tutorial.md"))?.go(folder, target)?;
    Walk::of(include_str!("../your-own-domain.md"))?.go(folder, target)
}

/// A document, about to be walked.
struct Walk(Vec<Step>);

impl Walk {
    /// Reads what a document says is to be done.
    fn of(document: &str) -> Result<Self, Stumble> {
        let mut steps = Vec::new();
        for (language, text) in blocks(document) {
            match language.as_str() {
                "sh" => steps.push(Step::Run { script: text, prints: None }),
                "text" => match steps.last_mut() {
                    Some(Step::Run { prints: prints @ None, .. }) => *prints = Some(text),
                    step => return Err(format!("an output stands behind {step:?}:\n{text}").into()),
                },
                "rust" | "toml" => {
                    let first = text.lines().next().unwrap_or_default();
                    let path = first.strip_prefix("// ").or_else(|| first.strip_prefix("# "));
                    let path = path.ok_or_else(|| format!("a block names no file:\n{text}"))?.to_owned();
                    steps.push(Step::Write { path, text });
                }
                "mermaid" => {}
                other => {
                    let why = format!("nobody knows what to do with a block of {other:?}:\n{text}");
                    return Err(why.into());
                }
            }
        }
        Ok(Self(steps))
    }

    /// Does it all, beginning in a folder, and looks at what has come of it as an exacting reader would.
    fn go(self, folder: &Path, target: Option<&Path>) -> Result<(), Stumble> {
        let mut way = Way { folder, here: folder.to_owned(), target };
        for step in self.0 {
            match step {
                Step::Write { path, text } => way.write(&path, &text)?,
                Step::Run { script, prints } => {
                    let began = Instant::now();
                    let printed = way.run(&script)?;
                    println!(
                        "{:>4} s  {}",
                        began.elapsed().as_secs(),
                        script.trim_end().replace('\n', "\n        ")
                    );
                    if prints.is_some_and(|prints| prints != printed) {
                        return Err(format!("{script}--- prints\n{printed}").into());
                    }
                }
            }
        }
        way.run("cargo clippy --quiet --all-targets -- -D warnings")?;
        Ok(())
    }
}

/// Where a walk is.
struct Way<'a> {
    /// Where it began.
    folder: &'a Path,
    here: PathBuf,
    /// Where what is compiled is kept, if not where `cargo` would.
    target: Option<&'a Path>,
}

impl Way<'_> {
    fn write(&self, path: &str, text: &str) -> Result<(), Stumble> {
        let path = self.here.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(&path, text)?)
    }

    /// Gives a new package the versions that the workspace is tested with, so that no network is needed.
    fn lock_versions(&self) -> Result<(), Stumble> {
        let lock = self.here.join("Cargo.lock");
        if self.here.join("Cargo.toml").exists() && !lock.exists() {
            fs::copy(self.folder.join(CLONE).join("Cargo.lock"), lock)?;
        }
        Ok(())
    }

    /// Runs a script where the one before has ended, and answers with what it prints.
    fn run(&mut self, script: &str) -> Result<String, Stumble> {
        self.lock_versions()?;
        let end = self.folder.join("here");
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &format!("{script}\npwd > \"$WALK_END\"")])
            .current_dir(&self.here)
            .env("WALK_END", &end)
            .envs(self.target.map(|target| ("CARGO_TARGET_DIR", target)))
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
            .output()?;
        let printed = String::from_utf8(output.stdout)?;
        let complained = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() || complained.contains("warning") {
            return Err(format!("{script}\n{printed}\n{complained}").into());
        }
        self.here = fs::read_to_string(end)?.trim_end().into();
        Ok(printed)
    }
}

/// The fenced blocks of a document, with their languages.
pub fn blocks(document: &str) -> Vec<(String, String)> {
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
