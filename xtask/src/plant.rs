//! `cargo xtask chaos --plant NAME`: plants a fault in a copy of the checkout, builds it and runs chaos there. The check
//! that the fault is for has to fail; a check that holds whatever is broken says nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::interrupt::{self, Interrupted};
use crate::{build, process, project, say};

pub mod read;
mod tree;

use read::Plant;
use tree::Tree;

/// In place of a name: one after the other.
const ALL: &str = "all";

/// What is built of the copy: chaos and the programs that it starts.
const PACKAGES: [&str; 4] = ["chaos", "web-api", "jobs", "migrations"];

/// Plants each of them in turn and says whether every one was seen. `arguments` are handed on to chaos, behind those of
/// the plant.
///
/// # Errors
/// When there is no plant of such a name, or the sources cannot be copied.
pub fn run(names: &[String], arguments: &[OsString]) -> Result<bool> {
    let plants = chosen(names)?;
    let target = project::binaries()?;
    let target = target
        .parent()
        .context("the target folder has no parent")?
        .join("plants");
    let tree = Tree::at(target.join("tree"))?;
    let mut missed = Vec::new();
    for plant in &plants {
        interrupt::check()?;
        println!("\n== {} ==\n\n  {}\n", plant.name, plant.why);
        let begin = Instant::now();
        let outcome = seen(plant, &tree, &target, arguments);
        let time = say::time(begin.elapsed());
        match outcome {
            Ok(others) => {
                let also = if others.is_empty() {
                    String::new()
                } else {
                    format!("; also: {}", others.join("; "))
                };
                println!("\n  seen    {:<22} {time}   {}{also}", plant.name, plant.check);
            }
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => {
                println!("\n  MISSED  {:<22} {time}   {error:#}", plant.name);
                missed.push(plant.name.as_str());
            }
        }
    }
    if !missed.is_empty() {
        println!("\nMissed: {}.", say::list(&missed));
    }
    println!(
        "\n{} passed, {} failed",
        plants.len() - missed.len(),
        missed.len()
    );
    Ok(missed.is_empty())
}

fn chosen(names: &[String]) -> Result<Vec<Plant>> {
    let mut plants = read::all(&project::root())?;
    for name in names.iter().filter(|name| *name != ALL) {
        if !plants.iter().any(|plant| plant.name == *name) {
            let known: Vec<&str> = plants.iter().map(|plant| plant.name.as_str()).collect();
            bail!("there is no plant `{name}`: {} there are", say::list(&known));
        }
    }
    if !names.iter().any(|name| name == ALL) {
        plants.retain(|plant| names.contains(&plant.name));
    }
    Ok(plants)
}

/// Plants it, builds and runs. The other checks that failed as well; an error when its own did not.
fn seen(plant: &Plant, tree: &Tree, target: &Path, arguments: &[OsString]) -> Result<Vec<String>> {
    let edited = plant.edited(&project::root())?;
    tree.write(&edited)?;
    let step = say::Step::begin("build", "compiling the copy (the first time some minutes)");
    let mut cargo = build::cargo();
    cargo
        .current_dir(tree.folder())
        .env("CARGO_TARGET_DIR", target)
        .args(["build", "--locked", "--bins"]);
    for package in PACKAGES {
        cargo.args(["--package", package]);
    }
    build::with_progress(&mut cargo)?;
    step.end("compiled");
    let mut chaos = process::sealed_command(target.join("debug/chaos"));
    chaos.args(&plant.arguments).args(arguments);
    let step = say::Step::begin("chaos", &process::words(&chaos));
    let captured = process::capture(&mut chaos)?;
    step.end("counted");
    let verdicts: BTreeMap<String, bool> = captured.output.lines().filter_map(verdict).collect();
    let why = match verdicts.get(&plant.check) {
        Some(false) => {
            remove_logs(&captured.output);
            let failed = verdicts.into_iter().filter(|(_, holds)| !holds);
            let failed = failed.map(|(check, _)| check);
            return Ok(failed.filter(|check| *check != plant.check).collect());
        }
        Some(true) => "holds all the same",
        None => "was not made",
    };
    let said = format!("{}{}", captured.output, captured.errors);
    bail!("the check \"{}\" {why}\n{}", plant.check, say::tail(&said, 40))
}

/// What chaos left behind because a check failed, as it should.
fn remove_logs(output: &str) {
    let named = output
        .lines()
        .find_map(|line| line.strip_prefix("All logs are in "));
    let folder = named.map(|folder| Path::new(folder.trim_end_matches('.')));
    if let Some(folder) = folder.filter(|folder| folder.parent() == Some(env::temp_dir().as_path())) {
        fs::remove_dir_all(folder).ok();
    }
}

/// A check and whether it holds, of a line such as `  FAILED  stuck: without an outcome      3`.
fn verdict(line: &str) -> Option<(String, bool)> {
    let (word, rest) = line.trim().split_once(' ')?;
    let holds = match word {
        "ok" => true,
        "FAILED" => false,
        _ => return None,
    };
    let (check, count) = rest.trim().rsplit_once(' ')?;
    count.parse::<u64>().ok()?;
    Some((check.trim().to_owned(), holds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_from_what_chaos_prints() {
        let read = |line: &str| verdict(line);
        let stuck = "stuck: without an outcome".to_owned();
        let line = format!("  FAILED  {stuck:<60} 12\n");
        assert_eq!(read(&line), Some((stuck.clone(), false)));
        let line = format!("  ok      {stuck:<60} 0");
        assert_eq!(read(&line), Some((stuck, true)));
        assert_eq!(read("  rows           200 (200 completed)"), None);
        assert_eq!(read("  fault    2.0 s  kill-api   web-api-1.1 killed"), None);
    }

    #[test]
    fn a_plant_that_is_not_there_is_named() {
        let names = ["no-fence".to_owned(), "earthquake".to_owned()];
        let error = chosen(&names).unwrap_err().to_string();
        assert!(
            error.contains("`earthquake`") && error.contains("no-fence"),
            "{error}"
        );
        let chosen = chosen(&names[..1]).unwrap();
        assert_eq!(chosen.len(), 1);
        assert_eq!(chosen[0].name, "no-fence");
    }
}
