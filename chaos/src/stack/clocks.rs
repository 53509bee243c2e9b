//! Clocks that can be set wrong for one process alone: libfaketime answers instead of the system, and reads from a file
//! how far it is to be off. The monotonic clock stays as it is, as it does when a real clock is set.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// What a right clock is off by.
pub(crate) const RIGHT: &str = "+0";

/// Where Debian, and others, put it.
const FOLDERS: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime",
    "/usr/lib/aarch64-linux-gnu/faketime",
    "/usr/lib/faketime",
    "/usr/local/lib/faketime",
];
const LIBRARY: &str = "libfaketimeMT.so.1";

#[derive(Debug)]
pub(crate) struct Clocks {
    /// `None` when it is not installed.
    library: Option<PathBuf>,
    folder: PathBuf,
}

impl Clocks {
    /// The files go to `folder`. `CHAOS_FAKETIME` says where the library is when it is in none of the usual places.
    pub(crate) fn new(folder: &Path) -> Self {
        let named = std::env::var_os("CHAOS_FAKETIME").map(PathBuf::from);
        let usual = FOLDERS.iter().map(|folder| Path::new(folder).join(LIBRARY));
        Self {
            library: named.into_iter().chain(usual).find(|file| file.is_file()),
            folder: folder.to_path_buf(),
        }
    }

    pub(crate) fn can_jump(&self) -> bool {
        self.library.is_some()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.clock"))
    }

    /// Lets the process of this name have a clock of its own, which is right to begin with.
    pub(crate) fn prepare(&self, name: &str, command: &mut Command) -> Result<()> {
        let Some(library) = &self.library else {
            return Ok(());
        };
        let file = self.file(name);
        if !file.exists() {
            self.set(name, RIGHT)?;
        }
        command
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", file)
            // In seconds.
            .env("FAKETIME_CACHE_DURATION", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
        Ok(())
    }

    /// Sets a clock. It is read again within a second.
    pub(crate) fn set(&self, name: &str, off_by: &str) -> Result<()> {
        let file = self.file(name);
        fs::write(&file, format!("{off_by}\n"))
            .with_context(|| format!("{} cannot be written", file.display()))
    }
}
