//! Files stay small enough to be read at once, and the top of a crate small enough to be known.

use std::fs;
use std::path::{Path, PathBuf};

const MOST_LINES: usize = 400;
const FOLDERS: [&str; 10] = [
    "aws",
    "bench",
    "chaos",
    "ci",
    "frontend/e2e",
    "frontend/src",
    "jobs",
    "migrations",
    "web-api",
    "xtask",
];
const MOST_MODULES: usize = 12;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != "node_modules" {
            collect(&path, files);
        } else if path.is_file() {
            files.push(path);
        }
    }
}

#[test]
fn no_file_of_code_has_more_than_400_lines() {
    let mut files = Vec::new();
    for folder in FOLDERS {
        collect(&root().join(folder), &mut files);
    }
    let is_code = |path: &&PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        // Written by a program.
        let is_generated = path.to_string_lossy().ends_with(".gen.ts");
        matches!(ending, Some("rs" | "ts" | "tsx" | "lua" | "py" | "js" | "css")) && !is_generated
    };
    let files: Vec<&PathBuf> = files.iter().filter(is_code).collect();
    assert!(files.len() > 500, "{} files", files.len());
    let long: Vec<String> = files
        .iter()
        .filter_map(|path| {
            let lines = fs::read_to_string(path).ok()?.lines().count();
            (lines > MOST_LINES).then(|| format!("{}: {lines}", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "too long:\n  {}", long.join("\n  "));
}

#[test]
fn the_api_has_few_modules_at_its_top() {
    let lib = fs::read_to_string(root().join("web-api/src/lib.rs")).unwrap();
    let modules = lib
        .lines()
        .filter(|line| line.contains("mod ") && line.ends_with(';'))
        .count();
    assert!((5..=MOST_MODULES).contains(&modules), "{modules} modules");
}
