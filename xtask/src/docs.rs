//! The pages of the documentation that are made from other files: `docs/reference/settings.md` from `.env.example`.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Result, bail};

use crate::{project, say};

const SOURCE: &str = ".env.example";
const PAGE: &str = "docs/reference/settings.md";

/// Writes the pages anew.
pub fn write() -> Result<()> {
    fs::write(
        project::path(PAGE),
        settings(&fs::read_to_string(project::path(SOURCE))?)?,
    )?;
    say::line("docs", &format!("{PAGE} is made from {SOURCE}"));
    Ok(())
}

/// Whether the pages are what would be written.
pub fn check() -> Result<()> {
    let wanted = settings(&fs::read_to_string(project::path(SOURCE))?)?;
    if fs::read_to_string(project::path(PAGE)).unwrap_or_default() == wanted {
        return Ok(());
    }
    bail!("{PAGE} does not say what {SOURCE} says. `cargo xtask docs` writes it anew.")
}

/// A table for each section; a setting's meaning is the comment above it.
fn settings(source: &str) -> Result<String> {
    let mut page = String::from(
        "# Settings\n\nMade from `.env.example` by `cargo xtask docs`. Settings come from the environment; an empty \
         value counts as not set.\nDurations: `500ms`, `30s`, `5m`, `24h`, `30d`. All problems of all settings are \
         reported at once at the start.\n",
    );
    let mut meaning: Vec<&str> = Vec::new();
    let mut in_section = false;
    for line in source.lines() {
        if let Some(title) = line.strip_prefix("# --- ") {
            let title = title.trim_end_matches(" ---");
            write!(
                page,
                "\n## {title}\n\n| setting | default | meaning |\n| --- | --- | --- |\n"
            )?;
            meaning.clear();
            in_section = true;
        } else if let Some((name, default)) = setting(line) {
            if !in_section {
                bail!("{SOURCE}: {name} is in no section");
            }
            let default = if default.is_empty() {
                "none".to_owned()
            } else {
                format!("`{default}`")
            };
            let meaning = std::mem::take(&mut meaning).join(" ").replace('|', "\\|");
            writeln!(page, "| `{name}` | {default} | {meaning} |")?;
        } else if let Some(comment) = line.strip_prefix('#') {
            meaning.push(comment.trim());
        } else if line.is_empty() {
            meaning.clear();
        } else {
            bail!("{SOURCE}: cannot be read: {line}");
        }
    }
    Ok(page)
}

/// `NAME=value`, also in a comment: those that only docker-compose.yml reads stand there like that.
fn setting(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("# ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let upper = |character: char| character.is_ascii_uppercase() || character == '_';
    (!name.is_empty() && name.chars().all(upper)).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_its_default_and_the_comment_above_it() {
        let source =
            "# Head.\n\n# --- One (api) ---\n\n# What it\n# does.\nSPIRAL_A=5s\n# a|b\n# SPIRAL_B=\n";
        let page = settings(source).unwrap();
        assert!(page.contains("\n## One (api)\n"), "{page}");
        assert!(page.contains("| `SPIRAL_A` | `5s` | What it does. |\n"), "{page}");
        assert!(page.contains("| `SPIRAL_B` | none | a\\|b |\n"), "{page}");
        assert!(settings("SPIRAL_A=1\n").is_err());
        assert!(settings("# --- One ---\nnonsense\n").is_err());
    }
}
