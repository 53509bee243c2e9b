//! `cargo xtask openapi`: the API's document, and the frontend's types made from it, from the code as it is.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::{build, frontend, process, project, say};

const NO_ARGUMENTS: [&str; 0] = [];

/// Writes both files.
pub fn run() -> Result<()> {
    build::workspace()?;
    let text = document()?;
    say::line(
        "openapi",
        if write_if_new(&document_file(), &text)? {
            "web-api/openapi.json is new"
        } else {
            "web-api/openapi.json was up to date"
        },
    );
    frontend::packages()?;
    process::run_quietly(&mut frontend::script("types", &NO_ARGUMENTS)?)?;
    say::line("openapi", "the frontend's types are made from it");
    Ok(())
}

/// Fails when the committed document is not what the code says. Needs a built workspace.
pub fn check_document() -> Result<()> {
    let file = document_file();
    let committed = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    if committed != document()? {
        bail!("web-api/openapi.json is out of date. Run `cargo xtask openapi` and commit what it writes.");
    }
    Ok(())
}

/// Fails when the committed types are not what the committed document gives; leaves them as they are.
pub fn check_types() -> Result<()> {
    frontend::packages()?;
    let file = types_file()?;
    let committed = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let made = process::run_quietly(&mut frontend::script("types", &NO_ARGUMENTS)?);
    let current = fs::read(&file);
    if current.as_ref().is_ok_and(|current| *current == committed) {
        return made.map(drop);
    }
    fs::write(&file, &committed)?;
    made?;
    bail!(
        "{} is out of date. Run `cargo xtask openapi` and commit what it writes.",
        project::shown(&file)
    )
}

fn document_file() -> PathBuf {
    project::path("web-api/openapi.json")
}

/// The file that the script `types` writes, read from its `-o FILE`.
fn types_file() -> Result<PathBuf> {
    let manifest = fs::read_to_string(project::path("frontend/package.json"))?;
    let output = manifest
        .lines()
        .find(|line| line.trim_start().starts_with("\"types\":"))
        .and_then(|line| line.split_once(" -o "))
        .and_then(|(_, rest)| rest.split([' ', '"']).next())
        .context("the script `types` in frontend/package.json does not say `-o FILE`")?;
    Ok(project::path("frontend").join(output))
}

fn document() -> Result<String> {
    let text = process::run_quietly(process::sealed_command(project::binary("web-api")?).arg("openapi"))?;
    if !text.trim_start().starts_with('{') {
        bail!("`web-api openapi` printed no document");
    }
    Ok(format!("{}\n", text.trim_end()))
}

fn write_if_new(file: &PathBuf, text: &str) -> Result<bool> {
    if fs::read_to_string(file).is_ok_and(|current| current == text) {
        return Ok(false);
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(true)
}
