//! Files stay small enough to be read at once, and the top of a crate small enough to be known.

use std::fs;
use std::path::Path;
use std::process::Command;

const MOST_LINES: usize = 400;
const MOST_MODULES: usize = 12;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn no_file_of_code_has_more_than_400_lines() {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let is_code = |path: &&str| {
        let path = Path::new(path);
        let ending = path.extension().and_then(|ending| ending.to_str());
        // Written by a program.
        let is_generated = path.to_string_lossy().ends_with(".gen.ts");
        matches!(ending, Some("rs" | "ts" | "tsx" | "lua" | "py" | "js" | "css")) && !is_generated
    };
    let files: Vec<&str> = listed.lines().filter(is_code).collect();
    assert!(files.len() > 500, "{} files", files.len());
    let long: Vec<String> = files
        .iter()
        .filter_map(|path| {
            let lines = fs::read_to_string(root().join(path)).ok()?.lines().count();
            (lines > MOST_LINES).then(|| format!("{path}: {lines}"))
        })
        .collect();
    assert!(long.is_empty(), "too long:\n  {}", long.join("\n  "));
}

#[test]
fn the_api_has_few_modules_at_its_top() {
    let lib = fs::read_to_string(root().join("web-api/src/lib.rs")).unwrap();
    let modules = lib.lines().filter(|line| line.contains("mod ") && line.ends_with(';')).count();
    assert!((5..=MOST_MODULES).contains(&modules), "{modules} modules");
}
