//! What the documents say is typed in an empty folder, and what they show is what is seen.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Where the package `docs` is; the workspace is around it.
const DOCS: &str = env!("CARGO_MANIFEST_DIR");

/// A folder with nothing but this repository in it, as if it were cloned. It has the same name each time, so that what was
/// compiled is used again.
fn empty_folder() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    DOCS.hash(&mut hasher);
    let folder = std::env::temp_dir().join(format!("walk-{:016x}", hasher.finish()));
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir(&folder).unwrap();
    symlink(Path::new(DOCS).parent().unwrap(), folder.join("cqrs-core")).unwrap();
    folder
}

#[test]
fn a_newcomer_who_types_the_documents_sees_what_they_show() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("walk");
    if let Err(stumble) = docs::walk(&empty_folder(), Some(&target)) {
        panic!("{stumble}");
    }
}
