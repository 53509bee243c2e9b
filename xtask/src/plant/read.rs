//! A plant is a file in `chaos/plants/`: the check that it is for, how chaos runs, why, and edits of sources.
//!
//! ```text
//! check: stuck: without an outcome
//! run: --jobs 600 --only kill-worker
//! why: One sentence.
//!
//! in: jobs/lua/recover.lua
//! -  a line that is there once
//! +  what stands there instead
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Where they are.
const FOLDER: &str = "chaos/plants";
const ENDING: &str = "plant";

/// Where chaos names its checks.
const CHECKS: &str = "chaos/src/count.rs";

/// A fault that a check must catch.
#[derive(Debug, PartialEq, Eq)]
pub struct Plant {
    /// The name of its file.
    pub name: String,
    /// The check that must fail, as chaos prints it.
    pub check: String,
    /// The arguments of chaos.
    pub arguments: Vec<String>,
    /// What is broken.
    pub why: String,
    edits: Vec<Edit>,
}

#[derive(Debug, PartialEq, Eq)]
struct Edit {
    file: String,
    /// Whole lines that follow each other.
    old: Vec<String>,
    new: Vec<String>,
}

/// Every plant of a checkout, by name.
pub fn all(root: &Path) -> Result<Vec<Plant>> {
    let folder = root.join(FOLDER);
    let mut plants = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("there is no {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let text = fs::read_to_string(&path)?;
            plants.push(Plant::read(&name, &text).with_context(|| path.display().to_string())?);
        }
    }
    plants.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(plants)
}

/// The checks that chaos makes, as its source names them.
pub fn checks(root: &Path) -> Result<Vec<String>> {
    let source = fs::read_to_string(root.join(CHECKS))?;
    let calls = source.split("verdict.check(").skip(1);
    let names = calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next());
    Ok(names.map(str::to_owned).collect())
}

impl Plant {
    fn read(name: &str, text: &str) -> Result<Self> {
        let (mut check, mut why, mut arguments) = (None, None, Vec::new());
        let mut edits: Vec<Edit> = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(value) = line.strip_prefix("check: ") {
                check = Some(value.to_owned());
            } else if let Some(value) = line.strip_prefix("why: ") {
                why = Some(value.to_owned());
            } else if let Some(value) = line.strip_prefix("run: ") {
                arguments = value.split_whitespace().map(str::to_owned).collect();
            } else if let Some(file) = line.strip_prefix("in: ") {
                edits.push(Edit {
                    file: file.to_owned(),
                    old: Vec::new(),
                    new: Vec::new(),
                });
            } else {
                let edit = edits.last_mut().context("an edit begins with `in: FILE`")?;
                match line.split_at_checked(1) {
                    Some(("-", old)) => edit.old.push(old.to_owned()),
                    Some(("+", new)) => edit.new.push(new.to_owned()),
                    _ => bail!("what is `{line}`?"),
                }
            }
        }
        if edits.is_empty() || edits.iter().any(|edit| edit.old.is_empty()) {
            bail!("it needs an edit, and each edit a line that begins with `-`");
        }
        Ok(Self {
            name: name.to_owned(),
            check: check.context("it needs a line `check: …`")?,
            why: why.context("it needs a line `why: …`")?,
            arguments,
            edits,
        })
    }

    /// The files that it changes, by their paths below the root, as they are with the fault in them.
    ///
    /// # Errors
    /// When a file is not there, or does not have the lines of an edit exactly once: the plant is out of date.
    pub fn edited(&self, root: &Path) -> Result<BTreeMap<PathBuf, String>> {
        let mut texts: BTreeMap<PathBuf, String> = BTreeMap::new();
        for edit in &self.edits {
            let file = &edit.file;
            let text = match texts.get(Path::new(file)) {
                Some(text) => text.clone(),
                None => fs::read_to_string(root.join(file)).with_context(|| format!("there is no {file}"))?,
            };
            let text = edit
                .apply(&text)
                .with_context(|| format!("`{}` no longer applies to {file}", self.name))?;
            texts.insert(PathBuf::from(file), text);
        }
        Ok(texts)
    }
}

impl Edit {
    fn apply(&self, text: &str) -> Result<String> {
        let lines: Vec<&str> = text.lines().collect();
        let places: Vec<usize> = lines
            .windows(self.old.len())
            .enumerate()
            .filter(|(_, window)| window.iter().zip(&self.old).all(|(line, old)| line == old))
            .map(|(at, _)| at)
            .collect();
        let [at] = places[..] else {
            let first = self.old.first().map(|line| line.trim()).unwrap_or_default();
            bail!(
                "the lines that begin with `{first}` are there {} times, not once",
                places.len()
            );
        };
        let before = lines[..at].iter().copied();
        let after = lines[at + self.old.len()..].iter().copied();
        let new = self.new.iter().map(String::as_str);
        let edited: Vec<&str> = before.chain(new).chain(after).collect();
        Ok(edited.join("\n") + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "check: stuck: at all\nrun: --jobs 7\nwhy: Because.\n\nin: a.lua\n-  two\n--- three\n+  2\n";

    #[test]
    fn a_plant_is_read_and_applies_to_lines_that_are_there_once() {
        let plant = Plant::read("x", TEXT).unwrap();
        assert_eq!(plant.check, "stuck: at all");
        assert_eq!(plant.arguments, ["--jobs", "7"]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.lua");
        fs::write(&file, "one\n  two\n-- three\nfour\n").unwrap();
        let edited = plant.edited(folder.path()).unwrap();
        let expected = BTreeMap::from([(PathBuf::from("a.lua"), "one\n  2\nfour\n".to_owned())]);
        assert_eq!(edited, expected);

        for (text, times) in [
            ("one\n", "0 times"),
            ("  two\n-- three\n  two\n-- three\n", "2 times"),
        ] {
            fs::write(&file, text).unwrap();
            let error = format!("{:#}", plant.edited(folder.path()).unwrap_err());
            assert!(error.contains(times) && error.contains("a.lua"), "{error}");
        }
    }

    #[test]
    fn what_is_no_plant_is_refused() {
        for text in [
            "check: a\nwhy: b\n",
            "check: a\nwhy: b\nin: c\n+d\n",
            "why: b\nin: c\n-d\n",
            "check: a\nwhy: b\n-d\n",
            "check: a\nwhy: b\nin: c\nd\n",
        ] {
            assert!(Plant::read("x", text).is_err(), "{text}");
        }
    }
}
