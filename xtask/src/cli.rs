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
mod tests;
