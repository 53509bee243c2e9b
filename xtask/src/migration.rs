//! `cargo xtask migration NAME`: a new migration file, and its lines in the ordered list.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::{process, project, say};

/// Makes the file and adds it to `migrations/src/lib.rs`.
pub fn run(name: &str) -> Result<()> {
    check_name(name)?;
    let module = format!("m{}_{name}", now()?);
    let list = project::path("migrations/src/lib.rs");
    let text = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    ensure!(
        !text.contains(&format!("_{name};")),
        "there is a migration called `{name}` already"
    );
    let with_module = insert(&text, &module)?;
    let file = project::path(&format!("migrations/src/{module}.rs"));
    fs::write(&file, TEMPLATE).with_context(|| format!("cannot write {}", file.display()))?;
    fs::write(&list, with_module).with_context(|| format!("cannot write {}", list.display()))?;
    say::line(
        "migration",
        &format!("{} waits for its `up` and `down`", project::shown(&file)),
    );
    say::line("migration", &format!("{} lists it", project::shown(&list)));
    Ok(())
}

const TEMPLATE: &str = "\
//! What it changes, and why.
//!
//! Old code runs while this does: add first, remove in a later release. Names are literal, never entities.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter().table(\"jobs\").add_column(ColumnDef::new(\"name\").text()).to_owned();
        manager.alter_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter().table(\"jobs\").drop_column(\"name\").to_owned();
        manager.alter_table(table).await
    }
}
";

fn check_name(name: &str) -> Result<()> {
    let decent = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !decent || name.len() > 60 {
        bail!(
            "`{name}` is no name for a migration: lower-case letters, digits and _ it takes, e.g. `add_tags`"
        );
    }
    Ok(())
}

/// The time in UTC, as migrations are ordered: `20261123_231500`.
fn now() -> Result<String> {
    let mut date: Command = process::command("date");
    Ok(process::run_quietly(date.args(["-u", "+%Y%m%d_%H%M%S"]))?
        .trim()
        .to_owned())
}

/// Adds the module after the last migration's, and the migration at the end of the list.
fn insert(text: &str, module: &str) -> Result<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let last = |found: fn(&str) -> bool, lines: &[String]| lines.iter().rposition(|line| found(line.trim()));

    let modules = last(|line| line.starts_with("mod m2") && line.ends_with(';'), &lines)
        .context("migrations/src/lib.rs has no line `mod m2…;` to put the new one after")?;
    lines.insert(modules + 1, format!("mod {module};"));

    let boxed = last(
        |line| line.contains("Box::new(m2") && line.contains("::Migration)"),
        &lines,
    )
    .context("migrations/src/lib.rs has no `Box::new(m2…::Migration)` to put the new one after")?;
    let entry = format!("Box::new({module}::Migration)");
    let line = lines.get(boxed).cloned().unwrap_or_default();
    if line.trim_start().starts_with("Box::new(") && line.trim_end().ends_with(',') {
        let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
        lines.insert(boxed + 1, format!("{indent}{entry},"));
    } else if let Some((before, after)) = line.rsplit_once("::Migration)")
        && let Some(place) = lines.get_mut(boxed)
    {
        // All on one line: rustfmt breaks it when it gets too long.
        *place = format!("{before}::Migration), {entry}{after}");
    }
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_one_entry_a_line_grows_by_a_line() {
        let text = "mod m20260101_000000_jobs;\nmod m20260102_000000_tags;\n\nfn x() {\n    vec![\n        Box::new(m20260101_000000_jobs::Migration),\n        Box::new(m20260102_000000_tags::Migration),\n    ]\n}\n";
        let expected = "mod m20260101_000000_jobs;\nmod m20260102_000000_tags;\nmod m20270101_000000_new;\n\nfn x() {\n    vec![\n        Box::new(m20260101_000000_jobs::Migration),\n        Box::new(m20260102_000000_tags::Migration),\n        Box::new(m20270101_000000_new::Migration),\n    ]\n}\n";
        assert_eq!(insert(text, "m20270101_000000_new").unwrap(), expected);
    }

    #[test]
    fn a_list_on_one_line_grows_in_place() {
        let text =
            "mod m20260101_000000_jobs;\nfn x() { vec![Box::new(m20260101_000000_jobs::Migration)] }\n";
        let expected = "mod m20260101_000000_jobs;\nmod m20270101_000000_new;\nfn x() { vec![Box::new(m20260101_000000_jobs::Migration), Box::new(m20270101_000000_new::Migration)] }\n";
        assert_eq!(insert(text, "m20270101_000000_new").unwrap(), expected);
    }

    #[test]
    fn a_file_of_another_shape_is_left_alone() {
        assert!(insert("fn main() {}\n", "m20270101_000000_new").is_err());
    }

    #[test]
    fn names_are_checked() {
        for name in ["add_tags", "jobs2"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "Add", "add-tags", "../x", "2x", "_x"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_time_has_its_shape() {
        let now = now().unwrap();
        assert_eq!(now.len(), 15);
        assert!(
            now.chars()
                .enumerate()
                .all(|(i, c)| if i == 8 { c == '_' } else { c.is_ascii_digit() }),
            "{now}"
        );
    }
}
