//! How the commands talk: one line a step, the same columns everywhere, times that a person reads.

use std::io::{IsTerminal as _, stdout};
use std::time::{Duration, Instant};

/// A step that takes a while: it says what it does now, and later how long that took.
#[derive(Debug)]
pub struct Step {
    area: &'static str,
    start: Instant,
}

/// One line: where, and what. It takes the place of a line that is being written over.
pub fn line(area: &str, text: &str) {
    if stdout().is_terminal() {
        print!("\r\x1b[K");
    }
    println!("  {area:<10} {text}");
}

impl Step {
    /// Says that a step begins.
    pub fn begin(area: &'static str, doing: &str) -> Self {
        line(area, &format!("{doing} …"));
        Self {
            area,
            start: Instant::now(),
        }
    }

    /// Says that it is done, and how long it took.
    pub fn end(self, done: &str) {
        line(self.area, &format!("{done} in {}", time(self.start.elapsed())));
    }
}

/// A duration as a person says it: `0.4 s`, `12 s`, `3 min 5 s`.
pub fn time(length: Duration) -> String {
    let seconds = length.as_secs_f64();
    let whole = seconds.round();
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if whole < 120.0 {
        format!("{whole:.0} s")
    } else {
        let minutes = (whole / 60.0).floor();
        format!("{minutes:.0} min {:.0} s", whole - minutes * 60.0)
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The last lines of a text, indented, to show why something failed.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    let from = all.len().saturating_sub(lines);
    let mut shown = String::new();
    if from > 0 {
        shown.push_str("  | …\n");
    }
    for line in all.iter().skip(from) {
        shown.push_str("  | ");
        shown.push_str(line);
        shown.push('\n');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        let shown = |ms| time(Duration::from_millis(ms));
        assert_eq!(shown(40), "0.0 s");
        assert_eq!(shown(1_234), "1.2 s");
        assert_eq!(shown(9_960), "10 s");
        assert_eq!(shown(61_000), "61 s");
        assert_eq!(shown(119_700), "2 min 0 s");
        assert_eq!(shown(185_000), "3 min 5 s");
    }

    #[test]
    fn lists_read_well() {
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b"]), "a and b");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }

    #[test]
    fn a_tail_says_that_it_is_one() {
        assert_eq!(tail("a\nb\nc\n", 2), "  | …\n  | b\n  | c\n");
        assert_eq!(tail("a\n", 2), "  | a\n");
    }
}
