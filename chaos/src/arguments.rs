//! The command line of chaos.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use lexopt::prelude::{Long, Short, Value, ValueExt as _};

use crate::faults::FAULTS;
use crate::options::{Fsync, Options};

/// `None` means that help was asked for.
pub(crate) fn read(mut parser: lexopt::Parser) -> Result<Option<Options>> {
    let mut options = Options::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("jobs") => options.jobs = parser.value()?.parse()?,
            Long("rate") => options.rate = parser.value()?.parse()?,
            Long("connections") => options.connections = parser.value()?.parse()?,
            Long("rounds") => options.rounds = parser.value()?.parse()?,
            Long("seed") => options.seed = parser.value()?.parse()?,
            Long("only") => options.only.push(fault(parser.value()?.string()?)?),
            Long("appendfsync") => options.fsync = fsync(&parser.value()?.string()?)?,
            Long("worker-binary") => options.worker_binary = Some(file(parser.value()?)?),
            Long("web-api-binary") => options.web_api_binary = Some(file(parser.value()?)?),
            Long("keep") => options.keep = true,
            Long("help") | Short('h') => return Ok(None),
            other @ (Long(_) | Short(_) | Value(_)) => return Err(other.unexpected().into()),
        }
    }
    if options.jobs == 0 || options.connections == 0 {
        bail!("`--jobs` and `--connections` need at least one");
    }
    Ok(Some(options))
}

fn file(named: OsString) -> Result<PathBuf> {
    let file = PathBuf::from(named);
    let file = std::path::absolute(&file).unwrap_or(file);
    if !file.is_file() {
        bail!("{} is no file", file.display());
    }
    Ok(file)
}

fn fault(name: String) -> Result<String> {
    let known = FAULTS.iter().any(|fault| fault.name == name);
    known
        .then_some(())
        .with_context(|| format!("there is no fault `{name}`"))?;
    Ok(name)
}

fn fsync(word: &str) -> Result<Fsync> {
    [Fsync::Always, Fsync::EverySecond]
        .into_iter()
        .find(|fsync| fsync.setting() == word)
        .with_context(|| format!("`--appendfsync {word}`: it is always or everysec"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Result<Option<Options>> {
        read(lexopt::Parser::from_args(words.iter().copied()))
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let read = options(&["--seed", "7"]).unwrap().unwrap();
        let expected = Options {
            seed: 7,
            ..Options::default()
        };
        assert_eq!(read, expected);
        assert_eq!(options(&["--help"]).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for words in [
            ["--jobs", "0"],
            ["--connections", "0"],
            ["--jobs", "many"],
            ["--only", "earthquake"],
            ["--appendfsync", "no"],
            ["--worker-binary", "/no/such/file"],
            ["--web-api-binary", "/no/such/file"],
        ] {
            assert!(options(&words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn the_help_has_every_fault_and_the_defaults() {
        let help = xtask::help::chaos();
        for fault in &FAULTS {
            let line = format!("  {:<18} {}", fault.name, fault.does);
            assert!(help.lines().any(|known| known == line), "{line}\n{help}");
        }
        let default = Options::default();
        for (option, value) in [
            ("--jobs", u64::from(default.jobs)),
            ("--rate", u64::from(default.rate)),
            ("--connections", default.connections as u64),
            ("--rounds", u64::from(default.rounds)),
        ] {
            let line = help
                .lines()
                .find(|line| line.trim_start().starts_with(option))
                .unwrap();
            assert!(line.contains(&format!("({value})")), "{line}");
        }
    }
}
