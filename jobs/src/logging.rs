//! Structured log lines on standard error, the same for every binary.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::settings::{Lookup, Problem, Reader};

/// What is logged, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Directives of `tracing_subscriber::EnvFilter`, such as `info` or `warn,jobs=debug`.
    pub filter: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            // What the libraries log of their own work is of use to their authors only.
            filter: "info,apalis_core=warn,salvo_core=warn,sea_orm_migration=warn,sqlx=warn".to_owned(),
            json: false,
        }
    }
}

impl LogSettings {
    /// # Errors
    /// Every setting that cannot be used.
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(lookup);
        let default = Self::default();
        let filter = reader.text("SPIRAL_LOG", &default.filter);
        if let Err(error) = EnvFilter::builder().parse(&filter) {
            reader.problem("SPIRAL_LOG", format!("{filter:?} is no log filter: {error}"));
        }
        let format = reader.text("SPIRAL_LOG_FORMAT", "text");
        if !matches!(format.as_str(), "text" | "json") {
            reader.problem(
                "SPIRAL_LOG_FORMAT",
                format!("{format:?} is neither text nor json"),
            );
        }
        reader.finish(Self {
            filter,
            json: format == "json",
        })
    }
}

/// Begins to log. Later calls change nothing.
pub fn start(settings: &LogSettings) {
    let filter = EnvFilter::builder().parse_lossy(&settings.filter);
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        // It would say on standard error that standard error cannot be written, and panic there.
        .log_internal_errors(false)
        .with_writer(|| Lossy(io::stderr()));
    // A second start (all-in-one, tests) keeps the first one's settings.
    let _already_started = if settings.json {
        lines.json().flatten_event(true).try_init()
    } else {
        lines.with_ansi(io::stderr().is_terminal()).try_init()
    };
}

/// Loses what cannot be written: a log whose disk is full, or whose reader is gone, is no reason to stop working.
struct Lossy<W>(W);

impl<W: Write> Write for Lossy<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.0.write(bytes).unwrap_or(bytes.len()))
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).ok();
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().ok();
        Ok(())
    }
}

/// Says why a process could not start, where the log may not be there yet.
pub fn last_words(text: &str) {
    // With standard error closed there is nowhere to log it.
    let _closed = writeln!(io::stderr(), "error: {text}");
}
