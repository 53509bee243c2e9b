//! Checks of what builds, ships and releases Spiral, without doing any of it: the shell scripts, Travis's file, the
//! template for AWS. `cargo xtask test release` runs the scripts for real, against stand-ins.

use std::fs;

use anyhow::Result;

use crate::{process, project, python};

/// Every shell script that git knows.
pub fn shellcheck() -> Result<()> {
    let mut shellcheck = python::command("shellcheck")?;
    shellcheck.arg("--external-sources");
    process::run_quietly(shellcheck.args(scripts()?)).map(drop)
}

/// Travis's file by its schema.
pub fn travis() -> Result<()> {
    let mut check = python::command("check-jsonschema")?;
    process::run_quietly(check.args(["--builtin-schema", "vendor.travis", ".travis.yml"])).map(drop)
}

/// What makes the account's part, by cfn-lint.
pub fn template() -> Result<()> {
    let mut lint = python::command("cfn-lint")?;
    process::run_quietly(lint.arg("aws/template.yaml")).map(drop)
}

fn scripts() -> Result<Vec<String>> {
    let mut git = process::command("git");
    let files = process::run_quietly(git.args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    let scripts = files.lines().filter(|file| {
        fs::read_to_string(project::path(file))
            .is_ok_and(|text| is_shell(text.lines().next().unwrap_or_default(), &text))
    });
    Ok(scripts.map(str::to_owned).collect())
}

/// By its first line, or, when others source it, by what it tells shellcheck.
fn is_shell(first: &str, text: &str) -> bool {
    let program = first.strip_prefix("#!").unwrap_or_default();
    program.ends_with("bash")
        || program.ends_with("/sh")
        || program.ends_with(" sh")
        || text
            .lines()
            .take(6)
            .any(|line| line.starts_with("# shellcheck shell="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_found_wherever_they_are() {
        let scripts = scripts().unwrap();
        for file in [
            ".ci/run",
            "ci/release",
            "ci/require.sh",
            "aws/rollback",
            "aws/web/.platform/hooks/predeploy/20_migrate.sh",
        ] {
            assert!(
                scripts.iter().any(|script| script == file),
                "{file} is not in {scripts:?}"
            );
        }
        assert!(
            !scripts
                .iter()
                .any(|script| script == "README.md" || script == "aws/bundle")
        );
    }
}
