//! A copy of the checkout's files in a folder of its own. A file that is right already is not written again, so that
//! cargo compiles no more than what a plant changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{process, project};

/// The copy.
#[derive(Debug)]
pub(super) struct Tree {
    folder: PathBuf,
    /// By their paths below the root.
    files: BTreeSet<PathBuf>,
}

impl Tree {
    /// A copy of what git knows of the checkout or would add to it. Files that are gone there go here.
    pub(super) fn at(folder: PathBuf) -> Result<Self> {
        let root = project::root();
        let mut git = process::command("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let listed = process::run_quietly(&mut git)?;
        let files = listed.split('\0').map(PathBuf::from);
        let files: BTreeSet<PathBuf> = files.filter(|file| root.join(file).is_file()).collect();
        fs::create_dir_all(&folder)?;
        remove_others(&folder, &folder, &files)?;
        Ok(Self { folder, files })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes every file as it is in the checkout, but for those that are `edited`.
    pub(super) fn write(&self, edited: &BTreeMap<PathBuf, String>) -> Result<()> {
        let root = project::root();
        for file in &self.files {
            let content = match edited.get(file) {
                Some(text) => text.clone().into_bytes(),
                None => fs::read(root.join(file))?,
            };
            let copy = self.folder.join(file);
            if fs::read(&copy).is_ok_and(|there| there == content) {
                continue;
            }
            if let Some(folder) = copy.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&copy, content).with_context(|| format!("cannot write {}", copy.display()))?;
        }
        Ok(())
    }
}

/// Takes away what is not among the files.
fn remove_others(folder: &Path, top: &Path, files: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, top, files)?;
        } else if !path.strip_prefix(top).is_ok_and(|file| files.contains(file)) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
