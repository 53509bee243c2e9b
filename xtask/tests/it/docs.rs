//! What the documents name exists: paths of the tree, links, and the test beside each promise.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The texts between backticks, outside of code blocks.
fn quoted(document: &str) -> Vec<String> {
    let prose = document.split("```").step_by(2);
    prose
        .flat_map(|text| text.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

fn is_path(text: &str) -> bool {
    let first = text.split('/').next().unwrap_or_default();
    text.contains('/') && !text.contains(' ') && root().join(first).is_dir() && !first.is_empty()
}

#[test]
fn every_path_in_the_documents_exists() {
    for name in ["README.md", "ARCHITECTURE.md"] {
        let text = document(name);
        let paths: Vec<String> = quoted(&text).into_iter().filter(|text| is_path(text)).collect();
        assert!(paths.len() > 5, "{name} names only {paths:?}");
        for path in paths {
            assert!(
                root().join(&path).exists(),
                "{name} names {path}, which is not there"
            );
        }
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            let there = match link.strip_prefix('#') {
                Some(anchor) => anchors(&text).any(|known| known == anchor),
                None => root().join(link).exists(),
            };
            assert!(there, "{name} links to {link}, which is not there");
        }
    }
}

/// What links to the headings of a document are called.
fn anchors(document: &str) -> impl Iterator<Item = String> {
    let headings = document.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        words
            .chars()
            .filter(|character| character.is_alphanumeric() || " -".contains(*character))
            .map(|character| if character == ' ' { '-' } else { character })
            .collect()
    })
}

/// All Rust tests of the workspace, as one text.
fn tests() -> String {
    let mut text = String::new();
    let mut folders = vec![
        root().join("jobs"),
        root().join("web-api"),
        root().join("migrations"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                text.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }
    text
}

#[test]
fn every_promise_has_the_test_that_it_names() {
    let architecture = document("ARCHITECTURE.md");
    let promises = architecture.split("## What holds").nth(1).unwrap();
    let tests = tests();
    let mut named = 0;
    for row in promises.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let test_cell = row.trim_end_matches('|').rsplit('|').next().unwrap();
        for test in quoted(test_cell) {
            assert!(tests.contains(&format!("fn {test}(")), "there is no test {test}");
            named += 1;
        }
    }
    assert!(named > 10, "only {named} tests are named");
}
