//! The command line: what may be typed, and the help that says so.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use lexopt::prelude::{Long, Short, Value, ValueExt};

use crate::{bench, compose_test, help};

/// One command with its options.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Help was asked for, or nothing was: the text.
    Help(String),
    /// `up`
    Up(UpOptions),
    /// `test`
    Test(TestOptions),
    /// `check`
    Check,
    /// `bench`, with what is handed on to the benchmark program.
    Bench(Vec<OsString>),
    /// `chaos`, with what is handed on to the program.
    Chaos(Vec<OsString>),
    /// `lighthouse`
    Lighthouse,
    /// `compose-test`
    ComposeTest(compose_test::Options),
    /// `openapi`
    Openapi,
    /// `docs`
    Docs,
    /// `changelog VERSION`
    Changelog {
        /// The heading.
        version: String,
    },
    /// `migration NAME`
    Migration {
        /// The words of the new file, in `snake_case`.
        name: String,
    },
}

/// The options of `up`.
#[derive(Debug, PartialEq, Eq)]
pub struct UpOptions {
    /// Where to listen on 127.0.0.1.
    pub port: u16,
    /// The data folder; `None` is `data` in the checkout.
    pub data: Option<PathBuf>,
}

/// The options of `test`.
#[derive(Debug, PartialEq, Eq)]
pub struct TestOptions {
    /// What to run, in this order.
    pub parts: Vec<Part>,
    /// Handed on to the runner; only with exactly one part.
    pub arguments: Vec<OsString>,
}

/// A part of the test suite with a runner of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `cargo test` over the workspace.
    Rust,
    /// Vitest.
    Frontend,
    /// Playwright through nginx.
    EndToEnd,
    /// Schemathesis: the API against its OpenAPI document.
    Api,
    /// pytest: the scripts of the release against stand-ins of AWS.
    Release,
    /// Real processes under load, killed and cut off.
    Chaos,
}

impl Part {
    /// Every part, in the order in which they run.
    pub const ALL: [Self; 6] = [
        Self::Rust,
        Self::Frontend,
        Self::EndToEnd,
        Self::Api,
        Self::Release,
        Self::Chaos,
    ];

    /// Whether its tests share the PostgreSQL that is started for them.
    pub fn uses_database(self) -> bool {
        match self {
            Self::Rust | Self::EndToEnd | Self::Api | Self::Release => true,
            Self::Frontend | Self::Chaos => false,
        }
    }

    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Frontend => "frontend",
            Self::EndToEnd => "e2e",
            Self::Api => "api",
            Self::Release => "release",
            Self::Chaos => "chaos",
        }
    }
}

/// Reads the whole command line.
pub fn parse(mut parser: lexopt::Parser) -> Result<Command> {
    let command = match parser.next()? {
        None | Some(Long("help") | Short('h')) => return Ok(asked(help::OVERVIEW)),
        Some(Value(word)) => word.string()?,
        Some(option) => return Err(option.unexpected().into()),
    };
    match command.as_str() {
        "help" => Ok(asked(help::OVERVIEW)),
        "up" => up(&mut parser),
        "test" => test(&mut parser),
        "check" => end(&mut parser, Command::Check, help::CHECK),
        "bench" => bench(&mut parser),
        "chaos" => chaos(&mut parser),
        "lighthouse" => end(&mut parser, Command::Lighthouse, help::LIGHTHOUSE),
        "compose-test" => compose_test(&mut parser),
        "openapi" => end(&mut parser, Command::Openapi, help::OPENAPI),
        "docs" => end(&mut parser, Command::Docs, help::DOCS),
        "changelog" => changelog(&mut parser),
        "migration" => migration(&mut parser),
        other => bail!("there is no command `{other}`"),
    }
}

fn up(parser: &mut lexopt::Parser) -> Result<Command> {
    let mut options = UpOptions {
        port: 8080,
        data: None,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("port") => {
                let value = parser.value()?.string()?;
                options.port = value.parse().ok().filter(|port| *port != 0).with_context(|| {
                    format!("`--port {value}` is not a port: give a number from 1 to 65535")
                })?;
            }
            Long("data") => options.data = Some(parser.value()?.into()),
            Long("help") | Short('h') => return Ok(asked(help::UP)),
            other @ (Short(_) | Long(_) | Value(_)) => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Up(options))
}

fn test(parser: &mut lexopt::Parser) -> Result<Command> {
    let mut parts = Vec::new();
    // lexopt swallows `--`, so what follows it is told apart before it is asked.
    loop {
        if let Some(arguments) = after_dashes(parser) {
            if parts.len() != 1 {
                bail!("`-- ARGS` goes to one runner: name it, e.g. `cargo xtask test rust -- ARGS`");
            }
            return Ok(Command::Test(TestOptions { parts, arguments }));
        }
        match parser.next()? {
            None => break,
            Some(Long("help") | Short('h')) => return Ok(asked(help::TEST)),
            Some(Value(word)) => {
                let word = word.string()?;
                let part = Part::ALL.into_iter().find(|part| part.name() == word);
                parts.push(part.ok_or_else(|| {
                    anyhow!(
                        "there is no part `{word}`: rust, frontend, e2e, api, release and chaos there are"
                    )
                })?);
            }
            Some(option) => return Err(option.unexpected().into()),
        }
    }
    if parts.is_empty() {
        parts.extend(Part::ALL);
    }
    Ok(Command::Test(TestOptions {
        parts,
        arguments: Vec::new(),
    }))
}

/// The arguments after `--`, when that is what comes next.
fn after_dashes(parser: &mut lexopt::Parser) -> Option<Vec<OsString>> {
    let mut raw = parser.try_raw_args()?;
    raw.next_if(|argument| argument == "--")?;
    Some(raw.collect())
}

fn asked(text: &str) -> Command {
    Command::Help(text.to_owned())
}

/// Everything is the benchmark program's, and read here as well: what it would refuse is refused before it is built.
fn bench(parser: &mut lexopt::Parser) -> Result<Command> {
    let arguments = handed_on(parser)?;
    match bench::options::Options::parse(lexopt::Parser::from_args(&arguments))? {
        Some(_) => Ok(Command::Bench(arguments)),
        None => Ok(asked(bench::options::HELP)),
    }
}

/// Everything that follows is the program's, but for the question what may follow: that is answered without it.
fn chaos(parser: &mut lexopt::Parser) -> Result<Command> {
    let arguments = handed_on(parser)?;
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        return Ok(Command::Help(help::chaos()));
    }
    Ok(Command::Chaos(arguments))
}

/// Everything that follows, for a program that reads it by itself.
fn handed_on(parser: &mut lexopt::Parser) -> Result<Vec<OsString>> {
    Ok(parser.raw_args()?.filter(|argument| argument != "--").collect())
}

fn compose_test(parser: &mut lexopt::Parser) -> Result<Command> {
    let mut options = compose_test::Options::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("if-possible") => options.if_possible = true,
            Long("no-build") => options.no_build = true,
            Long("keep") => options.keep = true,
            Long("help") | Short('h') => return Ok(asked(help::COMPOSE_TEST)),
            other @ (Short(_) | Long(_) | Value(_)) => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::ComposeTest(options))
}

fn end(parser: &mut lexopt::Parser, command: Command, help: &str) -> Result<Command> {
    match parser.next()? {
        None => Ok(command),
        Some(Long("help") | Short('h')) => Ok(asked(help)),
        Some(other) => Err(other.unexpected().into()),
    }
}

fn migration(parser: &mut lexopt::Parser) -> Result<Command> {
    match word(
        parser,
        help::MIGRATION,
        "`migration` needs a name, e.g. `cargo xtask migration add_tags`",
    )? {
        Ok(name) => end(parser, Command::Migration { name }, help::MIGRATION),
        Err(help) => Ok(help),
    }
}

fn changelog(parser: &mut lexopt::Parser) -> Result<Command> {
    match word(
        parser,
        help::CHANGELOG,
        "`changelog` needs a version, e.g. `cargo xtask changelog 0.2.0`",
    )? {
        Ok(version) => end(parser, Command::Changelog { version }, help::CHANGELOG),
        Err(help) => Ok(help),
    }
}

/// The one word that a command needs, or its help.
fn word(parser: &mut lexopt::Parser, help: &str, missing: &str) -> Result<Result<String, Command>> {
    match parser.next()? {
        Some(Value(word)) => Ok(Ok(word.string()?)),
        Some(Long("help") | Short('h')) => Ok(Err(asked(help))),
        Some(other) => Err(other.unexpected().into()),
        None => bail!("{missing}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Command> {
        parse(lexopt::Parser::from_args(words.iter().copied()))
    }

    #[test]
    fn up_has_the_documented_defaults() {
        assert_eq!(
            read(&["up"]).unwrap(),
            Command::Up(UpOptions {
                port: 8080,
                data: None
            })
        );
    }

    #[test]
    fn up_takes_a_port_and_a_folder() {
        let expected = UpOptions {
            port: 9000,
            data: Some("/tmp/x".into()),
        };
        assert_eq!(
            read(&["up", "--port", "9000", "--data=/tmp/x"]).unwrap(),
            Command::Up(expected)
        );
    }

    #[test]
    fn a_bad_port_is_named() {
        for port in ["0", "65536", "abc", "-1"] {
            let error = read(&["up", &format!("--port={port}")]).unwrap_err().to_string();
            assert!(error.contains(port) && error.contains("1 to 65535"), "{error}");
        }
    }

    #[test]
    fn test_without_words_means_every_part() {
        let expected = TestOptions {
            parts: Part::ALL.into(),
            arguments: Vec::new(),
        };
        assert_eq!(read(&["test"]).unwrap(), Command::Test(expected));
    }

    #[test]
    fn one_part_may_get_arguments() {
        let expected = TestOptions {
            parts: vec![Part::Rust],
            arguments: ["-p", "jobs", "--", "--nocapture"].map(OsString::from).into(),
        };
        let words = ["test", "rust", "--", "-p", "jobs", "--", "--nocapture"];
        assert_eq!(read(&words).unwrap(), Command::Test(expected));
        assert!(read(&["test", "--", "x"]).is_err());
    }

    #[test]
    fn the_benchmarks_take_their_words_directly_and_behind_dashes() {
        let expected = Command::Bench(["engine", "--rounds", "3"].map(OsString::from).into());
        assert_eq!(read(&["bench", "engine", "--rounds", "3"]).unwrap(), expected);
        assert_eq!(
            read(&["bench", "--", "engine", "--rounds", "3"]).unwrap(),
            expected
        );
        assert_eq!(read(&["bench"]).unwrap(), Command::Bench(Vec::new()));
    }

    #[test]
    fn chaos_reads_its_arguments_itself() {
        let expected = ["--jobs", "100", "--keep"].map(OsString::from);
        assert_eq!(
            read(&["chaos", "--jobs", "100", "--keep"]).unwrap(),
            Command::Chaos(expected.to_vec())
        );
        let words = ["chaos", "--", "--jobs", "100", "--keep"];
        assert_eq!(read(&words).unwrap(), Command::Chaos(expected.into()));
    }

    #[test]
    fn every_command_explains_itself_without_being_run() {
        let commands = help::OVERVIEW
            .lines()
            .filter_map(|line| line.trim().strip_prefix("cargo xtask "));
        let mut explained = 0;
        for line in commands {
            let command = line.split(' ').next().unwrap();
            for option in ["--help", "-h"] {
                let Command::Help(text) = read(&[command, option]).unwrap() else {
                    panic!("{command} {option} does something else");
                };
                assert!(
                    text.starts_with(&format!("cargo xtask {command}")),
                    "{command}: {text}"
                );
            }
            explained += 1;
        }
        assert_eq!(explained, 11);
    }

    #[test]
    fn the_containers_are_tested_always_or_where_it_is_possible() {
        let options = compose_test::Options::default();
        assert_eq!(read(&["compose-test"]).unwrap(), Command::ComposeTest(options));
        let options = compose_test::Options {
            if_possible: true,
            no_build: true,
            keep: true,
        };
        let words = ["compose-test", "--if-possible", "--no-build", "--keep"];
        assert_eq!(read(&words).unwrap(), Command::ComposeTest(options));
        assert!(read(&["compose-test", "--fast"]).is_err());
    }

    #[test]
    fn unknown_words_are_refused() {
        for words in [
            vec!["fly"],
            vec!["test", "java"],
            vec!["check", "x"],
            vec!["lighthouse", "x"],
            vec!["up", "8080"],
            vec!["migration"],
            vec!["bench", "queue"],
        ] {
            assert!(read(&words).is_err(), "{words:?}");
        }
    }
}
