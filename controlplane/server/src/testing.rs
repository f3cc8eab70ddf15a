//! What this crate's own tests share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A directory that is removed when dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("our own directory can be removed");
    }
}

/// An empty directory.
pub(crate) fn scratch() -> Scratch {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("bedside-server-{}-{count}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a temporary directory can be made");
    Scratch(path)
}
