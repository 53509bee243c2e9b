//! The folder with everything that the all-in-one mode keeps: held by one process at a time.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::hash::Hasher as _;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use fnv::FnvHasher;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// A socket's path may have 108 bytes on Linux, the closing zero included, and less elsewhere.
const LONGEST_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The folder, locked as long as this lives.
pub(super) struct DataFolder {
    path: PathBuf,
    socket: PathBuf,
    /// The lock goes with the file.
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if need be and takes it for this process.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        fs::create_dir_all(path).with_context(|| format!("cannot make the data folder {shown}"))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("cannot use the data folder {shown}"))?;
        let lock = take(&path)?;
        let socket = socket_path(&path, &lock)?;
        Ok(Self {
            path,
            socket,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the private Redis listens.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn redis_log(&self) -> PathBuf {
        self.path.join("redis.log")
    }

    pub(super) fn database_url(&self) -> String {
        format!("sqlite://{}?mode=rwc", in_url(&self.path.join("spiral.db")))
    }
}

impl Drop for DataFolder {
    /// Leaves nothing behind among the temporary files.
    fn drop(&mut self) {
        if let Some(private) = self.socket.parent().filter(|parent| *parent != self.path) {
            fs::remove_file(&self.socket).ok();
            fs::remove_dir(private).ok();
        }
    }
}

/// Locks the folder. The system lets go of the lock when the process ends, however it ends.
fn take(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("lock");
    let mut lock = File::options()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .with_context(|| format!("cannot write in the data folder {}", folder.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            lock.read_to_string(&mut holder).ok();
            let holder = holder.trim();
            let process = if holder.is_empty() {
                String::new()
            } else {
                format!(" (process {holder})")
            };
            bail!(
                "another Spiral{process} uses the data folder {}. Stop that one, or choose another folder with --data.",
                folder.display()
            );
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())?;
    Ok(lock)
}

/// In the folder when the path is short enough, else in a folder of our own among the temporary files: always the same
/// one, so that a Redis that was left behind is found again.
fn socket_path(folder: &Path, lock: &File) -> anyhow::Result<PathBuf> {
    let near = folder.join("redis.sock");
    if near.as_os_str().len() <= LONGEST_SOCKET_PATH {
        return Ok(near);
    }
    let me = lock.metadata()?.uid();
    let name = format!("spiral-{me}-{:016x}", hash(folder.as_os_str().as_encoded_bytes()));
    for parent in [std::env::temp_dir(), PathBuf::from("/tmp")] {
        let private = parent.join(&name);
        let socket = private.join("redis.sock");
        if socket.as_os_str().len() <= LONGEST_SOCKET_PATH {
            make_private(&private, me)?;
            return Ok(socket);
        }
    }
    bail!("the path of the data folder is too long for a socket, and so is that of the temporary files")
}

/// A folder that nobody else can look into, or put something in.
fn make_private(folder: &Path, me: u32) -> anyhow::Result<()> {
    let made = DirBuilder::new().mode(0o700).create(folder);
    let found = fs::symlink_metadata(folder);
    let found = found.with_context(|| format!("cannot make {}: {made:?}", folder.display()))?;
    if !found.is_dir() || found.uid() != me || found.mode() & 0o077 != 0 {
        bail!(
            "{} is open to other users: remove it, or choose a shorter data folder",
            folder.display()
        );
    }
    Ok(())
}

/// The same for the same folder in every version.
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = FnvHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

/// What a path in a URL cannot hold as it is.
const NOT_PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A path as part of a URL: everything that is not plain is percent-encoded.
pub(super) fn in_url(path: &Path) -> String {
    percent_encode(path.as_os_str().as_encoded_bytes(), NOT_PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_never_share_a_folder() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a").join("b");
        let first = DataFolder::open(&path).unwrap();
        let error = DataFolder::open(&path).err().unwrap().to_string();
        assert!(
            error.contains(&format!("another Spiral (process {}) uses", std::process::id())),
            "{error}"
        );
        drop(first);
        assert!(DataFolder::open(&path).is_ok());
    }

    #[test]
    fn a_long_path_gets_a_short_socket_of_its_own() {
        let parent = tempfile::tempdir().unwrap();
        let long = |name: &str| parent.path().join("x".repeat(200)).join(name);
        let (one, two) = (
            DataFolder::open(&long("one")).unwrap(),
            DataFolder::open(&long("two")).unwrap(),
        );
        assert!(one.socket().as_os_str().len() <= LONGEST_SOCKET_PATH);
        assert_ne!(one.socket(), two.socket());
        let private = one.socket().parent().unwrap().to_path_buf();
        assert_eq!(fs::metadata(&private).unwrap().mode() & 0o777, 0o700);
        drop(one);
        assert!(!private.exists());
        let near = DataFolder::open(&parent.path().join("short")).unwrap();
        assert!(near.socket().starts_with(near.path()));
    }

    #[test]
    fn a_path_is_encoded_for_a_url() {
        assert_eq!(in_url(Path::new("/a b/50%?#ä")), "/a%20b/50%25%3F%23%C3%A4");
    }
}
