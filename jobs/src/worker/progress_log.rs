//! What a running attempt says of itself, until somebody takes it along: progress and log lines, bounded.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::output::{shorten, storable};
use crate::queue::events::{LogLine, Notes};
use crate::queue::leases::now;

/// Lines of one attempt; further ones are dropped, and the last one says so.
const LINES_MAX: u32 = 200;
/// Characters of one line; a longer one is shortened in the middle.
const LINE_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(crate) struct Notebook {
    page: Mutex<Page>,
}

#[derive(Debug, Default)]
struct Page {
    notes: Notes,
    /// Lines of the attempt so far.
    lines: u32,
}

impl Notebook {
    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how far the attempt is. What is no number is ignored.
    pub(crate) fn progress(&self, share: f64) {
        if !share.is_nan() {
            self.page().notes.progress = Some(share.clamp(0.0, 1.0));
        }
    }

    pub(crate) fn line(&self, text: &str) {
        let mut page = self.page();
        if page.lines >= LINES_MAX {
            return;
        }
        page.lines += 1;
        let text = if page.lines == LINES_MAX {
            format!("{LINES_MAX} lines are kept of an attempt: further ones are dropped")
        } else {
            shorten(&storable(text), LINE_MAX, LINE_MAX / 2 - 1)
        };
        let number = page.lines;
        page.notes.lines.push(LogLine {
            number,
            at: now(),
            text,
        });
    }

    /// What was noted since the last call.
    pub(crate) fn take(&self) -> Notes {
        std::mem::take(&mut self.page().notes)
    }

    /// Gives back what could not be told.
    pub(crate) fn put_back(&self, mut notes: Notes) {
        let mut page = self.page();
        let later = std::mem::take(&mut page.notes);
        notes.progress = later.progress.or(notes.progress);
        notes.lines.extend(later.lines);
        page.notes = notes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_in_number_and_length() {
        let notebook = Notebook::default();
        for _ in 0..LINES_MAX * 2 {
            notebook.line(&"x".repeat(LINE_MAX * 2));
        }
        let lines = notebook.take().lines;
        assert_eq!(lines.len(), usize::try_from(LINES_MAX).unwrap());
        assert!(lines.iter().all(|line| line.text.chars().count() <= LINE_MAX));
        let last = lines.last().unwrap();
        assert!(
            last.number == LINES_MAX && last.text.contains("dropped"),
            "{last:?}"
        );
        notebook.line("one more");
        assert!(notebook.take().is_empty());
        let notebook = Notebook::default();
        notebook.line("a\0b");
        assert_eq!(notebook.take().lines[0].text, "a\u{fffd}b");
    }

    #[test]
    fn progress_is_a_share() {
        let notebook = Notebook::default();
        notebook.progress(7.0);
        assert_eq!(notebook.take().progress, Some(1.0));
        notebook.progress(f64::NAN);
        assert!(notebook.take().is_empty());
    }

    #[test]
    fn what_could_not_be_told_comes_first_again() {
        let notebook = Notebook::default();
        notebook.line("first");
        notebook.progress(0.1);
        let notes = notebook.take();
        notebook.line("second");
        notebook.progress(0.2);
        notebook.put_back(notes);
        let notes = notebook.take();
        let texts: Vec<&str> = notes.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!((texts, notes.progress), (vec!["first", "second"], Some(0.2)));
        assert_eq!(notes.lines[1].number, 2);
    }
}
