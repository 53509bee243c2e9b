//! Runs cargo and says how far it is: `compiling 123 of 334 (sea-orm, sqlx-core)`.
//!
//! cargo draws its bar for terminals alone, and only where nobody reads its output. So it is told to draw always, and
//! what it draws is read.

use std::io::{IsTerminal as _, Read, Write as _, stdout};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::WAITING;
use crate::{process, say};

/// Between two lines where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);
/// How much of cargo's output is kept for a failure.
const KEPT: usize = 64 * 1024;
/// As wide as cargo draws its bar, so that the names fit in.
const WIDTH: &str = "160";

/// Runs it; a failure is an error with the end of what cargo wrote.
pub(super) fn run(command: &mut Command) -> Result<()> {
    command
        .env("CARGO_TERM_PROGRESS_WHEN", "always")
        .env("CARGO_TERM_PROGRESS_WIDTH", WIDTH)
        .env("CARGO_TERM_COLOR", "never")
        .stderr(Stdio::piped());
    let kept = Arc::new(Mutex::new(String::new()));
    let writer = Arc::clone(&kept);
    let status = process::run_read(command, move |pipe| read(pipe, &writer))?;
    if !status.success() {
        let text = kept.lock().unwrap_or_else(PoisonError::into_inner);
        bail!(
            "`{}` failed ({status})\n{}",
            process::words(command),
            say::tail(&text, 60)
        );
    }
    Ok(())
}

fn read(mut pipe: impl Read, kept: &Mutex<String>) {
    let mut screen = Screen::new();
    let mut buffer = [0; 8192];
    let mut line = Vec::new();
    while let Ok(length @ 1..) = pipe.read(&mut buffer) {
        for byte in &buffer[..length] {
            if matches!(byte, b'\r' | b'\n') {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim();
                if let Some(far) = Far::read(text) {
                    screen.show(&far);
                } else if text.starts_with("Blocking waiting for file lock") {
                    screen.say(WAITING);
                } else if !text.is_empty() && !is_routine(text) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    if kept.len() < KEPT {
                        kept.push_str(text);
                        kept.push('\n');
                    }
                }
                line.clear();
            } else {
                line.push(*byte);
            }
        }
    }
    screen.clear();
}

/// Lines that cargo prints for each package, which the progress already shows.
fn is_routine(text: &str) -> bool {
    let first = text.split(' ').next().unwrap_or_default();
    matches!(
        first,
        "Compiling"
            | "Checking"
            | "Downloading"
            | "Downloaded"
            | "Updating"
            | "Locking"
            | "Finished"
            | "Adding"
    )
}

/// How far cargo is.
#[derive(Debug, PartialEq, Eq)]
struct Far {
    done: u32,
    all: u32,
    names: String,
}

impl Far {
    /// Reads `Building [====>   ] 12/334: serde, syn(build.rs)`.
    fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("Building")?.split_once("] ")?.1;
        let (numbers, names) = rest.split_once(':').unwrap_or((rest, ""));
        let (done, all) = numbers.trim().split_once('/')?;
        Some(Self {
            done: done.parse().ok()?,
            all: all.parse().ok()?,
            names: names.trim().to_owned(),
        })
    }
}

impl std::fmt::Display for Far {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "compiling {} of {}", self.done, self.all)?;
        if !self.names.is_empty() {
            write!(formatter, " ({})", self.names)?;
        }
        Ok(())
    }
}

/// One line that is written over on a terminal; a line now and then elsewhere.
struct Screen {
    terminal: bool,
    written: bool,
    last: Instant,
}

impl Screen {
    fn new() -> Self {
        Self {
            terminal: stdout().is_terminal(),
            written: false,
            last: Instant::now(),
        }
    }

    fn show(&mut self, far: &Far) {
        if self.terminal {
            let text: String = format!("  {:<10} {far}", "build").chars().take(100).collect();
            print!("\r\x1b[K{text}");
            stdout().flush().ok();
            self.written = true;
        } else if self.last.elapsed() >= PAUSE {
            self.last = Instant::now();
            say::line("build", &far.to_string());
        }
    }

    fn say(&mut self, text: &str) {
        self.clear();
        say::line("cargo", text);
    }

    fn clear(&mut self) {
        if self.written {
            print!("\r\x1b[K");
            stdout().flush().ok();
            self.written = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_of_cargo_is_read() {
        let text = "Building [=======>              ] 123/334: sea-orm, sqlx-core";
        let far = Far::read(text).unwrap();
        assert_eq!(far.to_string(), "compiling 123 of 334 (sea-orm, sqlx-core)");
        assert_eq!(
            Far::read("Building [> ] 0/2").unwrap().to_string(),
            "compiling 0 of 2"
        );
        assert_eq!(Far::read("Compiling serde v1.0.0"), None);
    }

    #[test]
    fn a_failure_shows_what_cargo_wrote() {
        let mut command = process::command("sh");
        command.args([
            "-c",
            "printf 'Building [>] 1/2: a\\r\\nerror: no such thing\\n' >&2; exit 3",
        ]);
        let error = run(&mut command).unwrap_err().to_string();
        let shown = error.split_once('\n').unwrap().1;
        assert_eq!(shown.trim(), "| error: no such thing");
    }
}
