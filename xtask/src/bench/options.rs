//! What `cargo xtask bench` may be told. It is read twice: here, before anything is compiled, and by the benchmark
//! program, which is handed the same words.

use anyhow::{Context, Result, bail};
use lexopt::prelude::{Long, Short, Value, ValueExt};

/// Printed for `--help` and below every usage error.
pub const HELP: &str = "\
cargo xtask bench [fibonacci] [engine] [monitoring] [frames] [OPTIONS]

  fibonacci        the whole path, from the HTTP call to the digits, beside GMP alone
  engine           no-op jobs beside apalis-redis's own storage and BullMQ, and what was aimed at
  monitoring       what the pages ask of a PostgreSQL with 1,000,000 jobs; only when it is named
  frames           how smoothly a browser shows 1,000,000 jobs while 500 events a second come in; only when it is named
  --rounds N       how often each measurement is repeated (5)
  --markdown       tables as the README has them

With engine:

  --only PARTS     some of drain, latency, path and memory, with commas between them
  --concurrency N  jobs that run at the same time, on every side (100)
  --backlog N      the largest backlog (1000000); smaller for a quick look";

/// The smallest that `--backlog` may be: below it there is nothing to see.
const SMALLEST_BACKLOG: u64 = 5_000;

/// What to run, and how.
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the command line")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The Fibonacci benchmark.
    pub fibonacci: bool,
    /// The parts of the engine benchmark, in this order.
    pub engine: Vec<Part>,
    /// The questions of the pages.
    pub monitoring: bool,
    /// The frames of the jobs page.
    pub frames: bool,
    /// How often each measurement is repeated.
    pub rounds: usize,
    /// Whether tables are Markdown.
    pub markdown: bool,
    /// Jobs that run at the same time.
    pub concurrency: usize,
    /// The largest backlog.
    pub backlog: u64,
}

/// A part of the engine benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Enqueuing in bulk and draining, the engine alone.
    Drain,
    /// From enqueuing to the start of the handler, on an idle queue.
    Latency,
    /// Through HTTP and PostgreSQL.
    Path,
    /// What Redis holds, and what an idle worker takes.
    Memory,
}

impl Part {
    /// Every part, in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Drain, Self::Latency, Self::Path, Self::Memory];

    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Latency => "latency",
            Self::Path => "path",
            Self::Memory => "memory",
        }
    }

    fn of(word: &str) -> Result<Self> {
        let part = Self::ALL.into_iter().find(|part| part.name() == word);
        part.with_context(|| format!("there is no part `{word}`: drain, latency, path and memory there are"))
    }
}

impl Options {
    /// Reads the words after `bench`; `None` means that help was asked for.
    pub fn parse(mut parser: lexopt::Parser) -> Result<Option<Self>> {
        let mut options = Self {
            fibonacci: false,
            engine: Vec::new(),
            monitoring: false,
            frames: false,
            rounds: 5,
            markdown: false,
            concurrency: 100,
            backlog: 1_000_000,
        };
        let mut engine = false;
        let mut only = Vec::new();
        while let Some(argument) = parser.next()? {
            match argument {
                Value(word) if word == "fibonacci" => options.fibonacci = true,
                Value(word) if word == "engine" => engine = true,
                Value(word) if word == "monitoring" => options.monitoring = true,
                Value(word) if word == "frames" => options.frames = true,
                Long("rounds") => options.rounds = number(&mut parser, "rounds", 1)?,
                Long("markdown") => options.markdown = true,
                Long("concurrency") => options.concurrency = number(&mut parser, "concurrency", 1)?,
                Long("backlog") => options.backlog = number(&mut parser, "backlog", SMALLEST_BACKLOG)?,
                Long("only") => {
                    for word in parser.value()?.string()?.split(',') {
                        only.push(Part::of(word.trim())?);
                    }
                }
                Long("help") | Short('h') => return Ok(None),
                other @ (Long(_) | Short(_) | Value(_)) => bail!("{}\n\n{HELP}", other.unexpected()),
            }
        }
        let named = options.fibonacci || engine || options.monitoring || options.frames;
        if !named {
            // Without a word it is all of it; a part names its benchmark.
            (options.fibonacci, engine) = (only.is_empty(), true);
        }
        if engine {
            only.sort();
            only.dedup();
            options.engine = if only.is_empty() { Part::ALL.into() } else { only };
        } else if !only.is_empty() {
            bail!("`--only` belongs to `engine`");
        }
        Ok(Some(options))
    }
}

fn number<T>(parser: &mut lexopt::Parser, name: &str, least: T) -> Result<T>
where
    T: Copy + std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let value = parser.value()?.string()?;
    let number = value.replace('_', "").parse().ok();
    number
        .filter(|number| *number >= least)
        .with_context(|| format!("`--{name} {value}` needs a whole number from {least} on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Option<Options>> {
        Options::parse(lexopt::Parser::from_args(words.iter().copied()))
    }

    fn options(words: &[&str]) -> Options {
        read(words).unwrap().unwrap()
    }

    #[test]
    fn without_a_word_everything_runs() {
        let all = options(&[]);
        assert!(all.fibonacci && !all.monitoring && !all.frames);
        assert_eq!(
            (all.engine, all.rounds, all.backlog),
            (Part::ALL.into(), 5, 1_000_000)
        );
    }

    #[test]
    fn a_word_runs_its_benchmark_alone() {
        assert_eq!(options(&["fibonacci"]).engine, []);
        let engine = options(&["engine"]);
        assert!(!engine.fibonacci);
        assert_eq!(engine.engine, Part::ALL);
        let monitoring = options(&["monitoring"]);
        assert!(monitoring.monitoring && !monitoring.fibonacci && monitoring.engine.is_empty());
        let frames = options(&["frames"]);
        assert!(frames.frames && !frames.monitoring && frames.engine.is_empty());
    }

    #[test]
    fn parts_run_in_their_order_and_once() {
        let some = options(&["--only", "memory,drain", "--only=drain"]);
        assert!(!some.fibonacci);
        assert_eq!(some.engine, [Part::Drain, Part::Memory]);
        assert!(read(&["fibonacci", "--only", "drain"]).is_err());
    }

    #[test]
    fn numbers_have_a_least_value() {
        assert_eq!(options(&["--backlog", "20_000"]).backlog, 20_000);
        for words in [
            ["--rounds", "0"],
            ["--rounds", "five"],
            ["--concurrency", "0"],
            ["--backlog", "4999"],
            ["--only", "speed"],
        ] {
            let error = read(&words).unwrap_err().to_string();
            assert!(error.contains(words[1]), "{error}");
        }
    }

    #[test]
    fn help_is_no_error_and_an_unknown_word_is() {
        assert!(read(&["--help"]).unwrap().is_none());
        let error = read(&["queue"]).unwrap_err().to_string();
        assert!(error.contains("queue") && error.contains(HELP), "{error}");
    }
}
