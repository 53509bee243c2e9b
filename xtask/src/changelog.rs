//! `cargo xtask changelog VERSION`: puts the files of `changes/unreleased/`, one for each change, together in
//! `CHANGELOG.md`. A file a change, because two people who write at the end of one list are in each other's way.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::{project, say};

const KINDS: [&str; 5] = ["Added", "Changed", "Fixed", "Removed", "Security"];
const FOLDER: &str = "changes/unreleased";
const UNRELEASED: &str = "## Unreleased";

/// Writes `CHANGELOG.md` and deletes what went into it.
pub fn run(version: &str) -> Result<()> {
    let files = files()?;
    let mut texts = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        texts.push((project::shown(file), text));
    }
    let path = project::path("CHANGELOG.md");
    let before = fs::read_to_string(&path).context("cannot read CHANGELOG.md")?;
    fs::write(&path, put_together(&before, version, &texts)?)?;
    for file in &files {
        fs::remove_file(file)?;
    }
    say::line(
        "changelog",
        &format!("{} changes are in {version}; add its date", files.len()),
    );
    Ok(())
}

/// The files in the order of their names.
fn files() -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(project::path(FOLDER)).with_context(|| format!("there is no {FOLDER}"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "md") && !path.ends_with("README.md") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The changelog with the changes under the version's heading, behind what stood under "Unreleased" of the same kind.
fn put_together(changelog: &str, version: &str, changes: &[(String, String)]) -> Result<String> {
    let (head, rest) = changelog
        .split_once(UNRELEASED)
        .with_context(|| format!("CHANGELOG.md has no heading `{UNRELEASED}`"))?;
    let (section, older) = match rest.find("\n## ") {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let mut kinds: BTreeMap<&str, String> = BTreeMap::new();
    for part in section.split("\n### ").skip(1) {
        let (kind, entries) = part.split_once('\n').unwrap_or((part, ""));
        kinds.insert(kind.trim(), format!("{}\n", entries.trim()));
    }
    for (name, text) in changes {
        let (kind, entry) = read(text)
            .with_context(|| format!("{name}: its first word has to be one of {KINDS:?} and a colon"))?;
        kinds.entry(kind).or_default().push_str(&entry);
    }
    let mut new = format!("{head}{UNRELEASED}\n\n## {version}\n");
    for (kind, entries) in &kinds {
        write!(new, "\n### {kind}\n\n{entries}")?;
    }
    if kinds.is_empty() {
        bail!("there is nothing to put together");
    }
    new.push_str(older);
    Ok(new)
}

/// The kind of a change, and its entry: a point of a list whose further lines are indented.
fn read(text: &str) -> Option<(&'static str, String)> {
    let (kind, entry) = text.trim().split_once(':')?;
    let kind = KINDS.into_iter().find(|known| *known == kind)?;
    let lines: Vec<&str> = entry.trim().lines().collect();
    Some((kind, format!("- {}\n", lines.join("\n  "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str =
        "# Changelog\n\n## Unreleased\n\n### Added\n\n- A.\n\n## 0.1.0\n\n### Added\n\n- Old.\n";

    fn change(text: &str) -> (String, String) {
        ("changes/unreleased/x.md".to_owned(), text.to_owned())
    }

    #[test]
    fn changes_stand_under_the_version_by_kind() {
        let changes = [change("Fixed: One.\nSet X first.\n"), change("Added: B.")];
        let text = put_together(BEFORE, "0.2.0", &changes).unwrap();
        let expected = "# Changelog\n\n## Unreleased\n\n## 0.2.0\n\n### Added\n\n- A.\n- B.\n\n### Fixed\n\n- One.\n  Set X first.\n\n## 0.1.0\n\n### Added\n\n- Old.\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_change_without_a_kind_is_refused_by_name() {
        let error = put_together(BEFORE, "0.2.0", &[change("Mended something.")]).unwrap_err();
        assert!(error.to_string().contains("changes/unreleased/x.md"), "{error}");
    }

    #[test]
    fn every_change_that_waits_has_a_kind() {
        for file in files().unwrap() {
            let text = fs::read_to_string(&file).unwrap();
            assert!(read(&text).is_some(), "{}: {text}", file.display());
        }
    }
}
