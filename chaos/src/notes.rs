//! What happened, one line each with its time, in files beside the logs of the processes: a history is found in them
//! all by the id of a job, and put in order by the times.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use chrono::{DateTime, SecondsFormat, Utc};

/// Longer lines are cut: an event may carry a whole output.
const LONGEST: usize = 300;

/// A file of notes. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Notes(Arc<Mutex<BufWriter<File>>>);

impl Notes {
    pub(crate) fn create(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(Arc::new(Mutex::new(BufWriter::new(file)))))
    }

    /// Notes what happens now.
    pub(crate) fn note(&self, text: &str) {
        self.note_at(Utc::now(), text);
    }

    pub(crate) fn note_at(&self, time: DateTime<Utc>, text: &str) {
        let text = text.replace('\n', " ");
        let end = text
            .char_indices()
            .nth(LONGEST)
            .map_or(text.len(), |(position, _)| position);
        let time = time.to_rfc3339_opts(SecondsFormat::Micros, true);
        // A full disk must not change what is measured: the verdict does not rest on the notes.
        writeln!(self.file(), "{time} {}", &text[..end]).ok();
    }

    pub(crate) fn flush(&self) {
        self.file().flush().ok();
    }

    fn file(&self) -> MutexGuard<'_, BufWriter<File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
