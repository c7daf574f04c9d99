//! Files that are not whole yet, to be removed when the process is told to end: a signal runs no destructors, and what was
//! written until then holds record ids and filters.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

static PATHS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn paths() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    PATHS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that is removed by [`remove_files_in_the_making`] while this lives.
#[derive(Debug)]
pub struct InTheMaking(PathBuf);

impl InTheMaking {
    /// The file at `path`, which is there already.
    pub fn new(path: &Path) -> Self {
        paths().insert(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for InTheMaking {
    fn drop(&mut self) {
        paths().remove(&self.0);
    }
}

/// Does what gives files their names, all or none: files in the making are not removed meanwhile.
pub fn settle<T>(give_names: impl FnOnce() -> T) -> T {
    let _held = paths();
    give_names()
}

/// Removes every file that is not whole yet, from a thread that ends the process next: no other file gets its name any
/// more.
pub fn remove_files_in_the_making() {
    let held = paths();
    for path in held.iter() {
        // It may be gone already.
        drop(std::fs::remove_file(path));
    }
    std::mem::forget(held);
}
