//! What the documents name exists: paths of the tree, links, and the test beside each promise.

use std::collections::BTreeSet;
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
    text.contains('/')
        && !text.contains(' ')
        && !["target", "."].contains(&first)
        && root().join(first).is_dir()
        && !first.is_empty()
}

/// Every page of the documentation, by its path below the root.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> = [
        "README.md",
        "ARCHITECTURE.md",
        "BENCHMARKS.md",
        "CONTRIBUTING.md",
        "changes/README.md",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                folders.push(path);
            } else if entry.path().extension().is_some_and(|ending| ending == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

#[test]
fn every_path_in_the_documents_exists() {
    let mut named = 0;
    for name in pages() {
        let paths = quoted(&document(&name));
        for path in paths.into_iter().filter(|text| is_path(text)) {
            assert!(
                root().join(&path).exists(),
                "{name} names {path}, which is not there"
            );
            named += 1;
        }
    }
    assert!(named > 30, "only {named} paths are named");
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let mut followed = 0;
    for name in pages() {
        let text = document(&name);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => root().join(&name),
                file => root().join(&name).parent().unwrap().join(file),
            };
            assert!(target.exists(), "{name} links to {link}, which is not there");
            if !anchor.is_empty() {
                let target = fs::read_to_string(target).unwrap();
                assert!(
                    anchors(&target).any(|known| known == anchor),
                    "{name} links to {link}, which has no such heading"
                );
            }
            followed += 1;
        }
    }
    assert!(followed > 50, "only {followed} links were followed");
}

#[test]
fn every_command_in_the_documents_is_one() {
    let mut named = 0;
    for name in pages() {
        let text = document(&name);
        for rest in text.split("cargo xtask ").skip(1) {
            let word: String = rest
                .chars()
                .take_while(|character| character.is_ascii_lowercase() || *character == '-')
                .collect();
            // "cargo xtask alone", "cargo xtask COMMAND" and "cargo xtask --help" name none.
            if !word.is_empty() && !word.starts_with('-') && word != "alone" {
                let line = format!("cargo xtask {word} ");
                assert!(
                    xtask::help::OVERVIEW.contains(&line),
                    "{name}: there is no `cargo xtask {word}`"
                );
                named += 1;
            }
        }
    }
    assert!(named > 20, "only {named} commands are named");
}

#[test]
fn every_error_code_has_a_page_and_every_page_a_code() {
    let source = error_source();
    let codes: BTreeSet<String> = source
        .split("pub fn code(&self)")
        .nth(1)
        .unwrap()
        .split("pub fn ")
        .next()
        .unwrap()
        .split("=> \"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    assert!(codes.len() > 30, "{codes:?}");
    let index = document("docs/reference/errors/README.md");
    let mut pages = BTreeSet::new();
    for entry in fs::read_dir(root().join("docs/reference/errors")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let code = name.trim_end_matches(".md").to_owned();
        if code != "README" {
            assert!(index.contains(&format!("({name})")), "{name} is not in the list");
            pages.insert(code);
        }
    }
    assert_eq!(codes, pages, "docs/reference/errors/ has a page for each code");
}

fn error_source() -> String {
    ["web-api/src/http/error/status.rs", "web-api/src/http/error.rs"]
        .iter()
        .filter_map(|path| fs::read_to_string(root().join(path)).ok())
        .find(|text| text.contains("pub fn code(&self)"))
        .unwrap()
}

#[test]
fn every_metric_is_in_the_reference_and_no_other() {
    let page = document("docs/reference/metrics.md");
    let named: BTreeSet<String> = metrics_in(&page);
    let mut exported = BTreeSet::new();
    for text in sources(&["jobs/src", "web-api/src"]) {
        // In a macro of the crate `metrics`, or in the constant that one is given.
        let mut before = "";
        for part in text.split("\"spiral_") {
            let name = part.split('"').next().unwrap();
            if before.ends_with("!(") || before.ends_with("_SECONDS: &str =") {
                exported.insert(format!("spiral_{name}"));
            }
            before = part.trim_end();
        }
    }
    assert_eq!(named, exported);
}

fn metrics_in(page: &str) -> BTreeSet<String> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| `spiral_")?.split('`').next())
        .map(|name| format!("spiral_{name}"))
        .collect()
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

/// The texts of all Rust files below these folders.
fn sources(folders: &[&str]) -> Vec<String> {
    let mut texts = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                texts.push(fs::read_to_string(&path).unwrap());
            }
        }
    }
    texts
}

#[test]
fn every_promise_has_the_test_that_it_names() {
    let tests = sources(&["jobs", "web-api", "migrations", "xtask"]).concat();
    let mut named = 0;
    for (page, heading) in [
        ("ARCHITECTURE.md", "## What holds"),
        ("docs/guarantees.md", "# Guarantees"),
    ] {
        let text = document(page);
        let promises = text.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
        for row in promises.lines().filter(|line| line.starts_with("| ")).skip(2) {
            let test_cell = row.trim_end_matches('|').rsplit('|').next().unwrap();
            let names = quoted(test_cell);
            assert!(!names.is_empty(), "{page}: no test beside {row}");
            for test in names {
                assert!(
                    tests.contains(&format!("fn {test}(")),
                    "{page}: there is no test {test}"
                );
                named += 1;
            }
        }
    }
    assert!(named > 30, "only {named} tests are named");
}
