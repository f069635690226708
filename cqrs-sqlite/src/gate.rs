//! One fair queue of writers for each file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex as SyncMutex, PoisonError, Weak};

use tokio::sync::Mutex;

/// The gates of all files that are open in this process, by canonical path: two stores on one file share one,
/// so that SQLite's busy loop, which is not fair, is left to other processes.
static GATES: LazyLock<SyncMutex<HashMap<PathBuf, Weak<Mutex<()>>>>> = LazyLock::new(SyncMutex::default);

/// The gate of a file. Its waiters are let in in the order of their arrival.
pub(crate) fn of(canonical: &Path) -> Arc<Mutex<()>> {
    let mut gates = GATES.lock().unwrap_or_else(PoisonError::into_inner);
    gates.retain(|_, gate| gate.strong_count() > 0);
    if let Some(gate) = gates.get(canonical).and_then(Weak::upgrade) {
        return gate;
    }
    let gate = Arc::new(Mutex::new(()));
    gates.insert(canonical.to_owned(), Arc::downgrade(&gate));
    gate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_one_gate_as_long_as_somebody_holds_it() {
        let path = Path::new("/one/file/has/one/gate");
        let gate = of(path);
        assert!(Arc::ptr_eq(&gate, &of(path)));
        assert!(!Arc::ptr_eq(&gate, &of(Path::new("/another"))));
        drop(gate);
        assert_eq!(Arc::strong_count(&of(path)), 1);
    }
}
