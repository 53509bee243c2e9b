//! A file system of its own in memory, which can be made full and roomy again at once. Root alone may have one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use rustix::fs::statvfs;

use crate::process;

/// Room for what a run writes; memory is taken only for what is written.
const ROOMY: &str = "50%";

/// A mounted file system; dropping it takes it away.
#[derive(Debug)]
pub struct SmallDisk {
    place: PathBuf,
}

impl SmallDisk {
    /// Mounts one on a folder, for this account; `None` where this process may not.
    pub fn mount(place: &Path, uid: u32, gid: u32) -> Option<Self> {
        let options = format!("size={ROOMY},mode=0700,uid={uid},gid={gid}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(place);
        let mounted = mount.stdout(Stdio::null()).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self {
            place: place.to_path_buf(),
        })
    }

    /// From now on there is no room for anything more.
    pub fn fill(&self) -> Result<()> {
        // What is written meanwhile makes the new size too small, which the system refuses.
        for _ in 0..20 {
            let now = statvfs(&self.place)?;
            let used = (now.f_blocks - now.f_bfree) * now.f_frsize;
            if self.resize(&used.to_string()).is_ok() {
                return Ok(());
            }
        }
        bail!(
            "the small disk at {} could not be made full",
            self.place.display()
        )
    }

    /// There is room again.
    pub fn free(&self) -> Result<()> {
        self.resize(ROOMY)
    }

    fn resize(&self, size: &str) -> Result<()> {
        let mut mount = process::command("mount");
        mount
            .args(["-o", &format!("remount,size={size}")])
            .arg(&self.place);
        process::run_quietly(&mut mount).map(drop)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let mut umount = Command::new("umount");
        umount.arg("--lazy").arg(&self.place);
        umount.stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn it_is_full_and_has_room_again() {
        let folder = tempfile::tempdir().unwrap();
        let Some(disk) = SmallDisk::mount(folder.path(), 0, 0) else {
            println!("skipped: this process may not mount a file system");
            return;
        };
        let write = |name: &str| fs::write(folder.path().join(name), vec![1; 100_000]);
        write("one").unwrap();
        disk.fill().unwrap();
        assert_eq!(write("two").unwrap_err().kind(), std::io::ErrorKind::StorageFull);
        disk.free().unwrap();
        write("two").unwrap();
        drop(disk);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
