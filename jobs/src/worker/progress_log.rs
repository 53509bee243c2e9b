//! Progress and log lines of a running attempt until they are reported, bounded in size.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::output::{shorten, storable};
use crate::queue::events::{LogLine, Notes};
use crate::queue::leases::now;

/// Lines of one attempt; further ones are dropped, and the last one reports that.
const LINES_MAX: u32 = 200;
/// Characters of one line; a longer one is shortened in the middle.
const LINE_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(crate) struct ProgressLog {
    unsent: Mutex<Unsent>,
}

#[derive(Debug, Default)]
struct Unsent {
    notes: Notes,
    /// Lines of the attempt so far.
    lines: u32,
}

impl ProgressLog {
    fn unsent(&self) -> MutexGuard<'_, Unsent> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how far the attempt is. What is no number is ignored.
    pub(crate) fn progress(&self, share: f64) {
        if !share.is_nan() {
            self.unsent().notes.progress = Some(share.clamp(0.0, 1.0));
        }
    }

    pub(crate) fn line(&self, text: &str) {
        let mut unsent = self.unsent();
        if unsent.lines >= LINES_MAX {
            return;
        }
        unsent.lines += 1;
        let text = if unsent.lines == LINES_MAX {
            format!("{LINES_MAX} lines are kept of an attempt: further ones are dropped")
        } else {
            shorten(&storable(text), LINE_MAX, LINE_MAX / 2 - 1)
        };
        let number = unsent.lines;
        unsent.notes.lines.push(LogLine {
            number,
            at: now(),
            text,
        });
    }

    /// What was written since the last call.
    pub(crate) fn take(&self) -> Notes {
        std::mem::take(&mut self.unsent().notes)
    }

    /// Takes back what could not be reported.
    pub(crate) fn put_back(&self, mut notes: Notes) {
        let mut unsent = self.unsent();
        let later = std::mem::take(&mut unsent.notes);
        notes.progress = later.progress.or(notes.progress);
        notes.lines.extend(later.lines);
        unsent.notes = notes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_in_number_and_length() {
        let progress_log = ProgressLog::default();
        for _ in 0..LINES_MAX * 2 {
            progress_log.line(&"x".repeat(LINE_MAX * 2));
        }
        let lines = progress_log.take().lines;
        assert_eq!(lines.len(), usize::try_from(LINES_MAX).unwrap());
        assert!(lines.iter().all(|line| line.text.chars().count() <= LINE_MAX));
        let last = lines.last().unwrap();
        assert!(
            last.number == LINES_MAX && last.text.contains("dropped"),
            "{last:?}"
        );
        progress_log.line("one more");
        assert!(progress_log.take().is_empty());
        let progress_log = ProgressLog::default();
        progress_log.line("a\0b");
        assert_eq!(progress_log.take().lines[0].text, "a\u{fffd}b");
    }

    #[test]
    fn progress_is_a_share() {
        let progress_log = ProgressLog::default();
        progress_log.progress(7.0);
        assert_eq!(progress_log.take().progress, Some(1.0));
        progress_log.progress(f64::NAN);
        assert!(progress_log.take().is_empty());
    }

    #[test]
    fn what_could_not_be_reported_comes_first_again() {
        let progress_log = ProgressLog::default();
        progress_log.line("first");
        progress_log.progress(0.1);
        let notes = progress_log.take();
        progress_log.line("second");
        progress_log.progress(0.2);
        progress_log.put_back(notes);
        let notes = progress_log.take();
        let texts: Vec<&str> = notes.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!((texts, notes.progress), (vec!["first", "second"], Some(0.2)));
        assert_eq!(notes.lines[1].number, 2);
    }
}
