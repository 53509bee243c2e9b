//! The logs of all processes and the notes of the witnesses, as one text that can be asked for lines.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, Result};

/// A line, and who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// It begins with its time, so that lines of all files are in order when they are sorted.
    pub(crate) text: String,
    pub(crate) source: String,
}

/// The lines of all logs that `wanted` wants, the earliest ones, at most so many, in the order of their times.
pub(crate) fn lines(folder: &Path, most: usize, wanted: impl Fn(&str) -> bool) -> Result<Vec<Line>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).context("the logs cannot be read")? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "log") {
            found.extend(lines_of(&path, &wanted)?);
            found.sort();
            found.truncate(most);
        }
    }
    Ok(found)
}

/// The lines of one log that `wanted` wants.
pub(crate) fn lines_of(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<Line>> {
    let source = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    // Bytes, because a process that was killed may have left half a character behind.
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    let mut found = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        if wanted(&text) {
            found.push(Line {
                text: text.trim_end().to_owned(),
                source: source.clone(),
            });
        }
        line.clear();
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_all_files_are_in_order() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.log"), "1 x one\n3 x three\n2 y\n").unwrap();
        fs::write(folder.path().join("a.log"), b"2 x \xff two\n").unwrap();
        fs::write(folder.path().join("a.txt"), "0 x nobody\n").unwrap();
        let found = lines(folder.path(), 10, |line| line.contains('x')).unwrap();
        let sources: Vec<&str> = found.iter().map(|line| line.source.as_str()).collect();
        assert_eq!(sources, ["b", "a", "b"]);
        assert_eq!(lines(folder.path(), 1, |_| true).unwrap()[0].text, "1 x one");
    }
}
