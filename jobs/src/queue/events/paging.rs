//! How many entries of a stream are read at once: fewer when they are large, or when reads fail, so that an answer comes
//! through a slow link in time.

/// The number of entries for the next read.
#[derive(Debug)]
pub(super) struct Paging {
    most: usize,
    /// Bytes that an answer should have, about.
    bytes: usize,
    entries: usize,
}

impl Paging {
    pub(super) fn new(most: usize, bytes: usize) -> Self {
        Self {
            most,
            bytes,
            entries: most,
        }
    }

    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// A read brought so many entries, of so many bytes in all.
    pub(super) fn read(&mut self, entries: usize, bytes: usize) {
        if let Some(mean) = bytes.checked_div(entries) {
            let fitting = self.bytes / mean.max(1);
            // By and by: the next ones may be large again.
            self.entries = fitting.min(self.entries * 2).clamp(1, self.most);
        }
    }

    /// A read failed; its answer may have been too large to come in time.
    pub(super) fn failed(&mut self) {
        self.entries = (self.entries / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_entries_and_failures_make_the_next_read_smaller() {
        let mut paging = Paging::new(32, 1_000);
        paging.read(32, 3_200);
        assert_eq!(paging.entries(), 10);
        paging.failed();
        assert_eq!(paging.entries(), 5);
        paging.read(5, 500_000);
        assert_eq!(paging.entries(), 1);
        paging.failed();
        assert_eq!(paging.entries(), 1);
        paging.read(0, 0);
        assert_eq!(paging.entries(), 1, "nothing was learnt");
        for _ in 0..10 {
            paging.read(1, 10);
        }
        assert_eq!(paging.entries(), 32);
    }
}
