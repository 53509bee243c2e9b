//! Where things are: the checkout, what cargo builds, programs on the machine.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::{env, fs, process};

use anyhow::{Context, Result, bail};

/// Below it lie the ports of well-known servers.
const LOWEST_PORT: u16 = 15_000;

/// The folder of the checkout.
pub fn root() -> PathBuf {
    // Asked at run time first: one target folder may serve several checkouts.
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .filter(|folder| folder.ends_with("xtask"))
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    manifest
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// A path in the checkout.
pub fn path(relative: &str) -> PathBuf {
    root().join(relative)
}

/// Where cargo put this program, and the others of the same profile.
pub fn binaries() -> Result<PathBuf> {
    let own = env::current_exe().context("cannot tell where this program lies")?;
    let mut folder = own.parent().context("this program lies nowhere")?;
    // Test programs lie one level deeper.
    if folder.file_name() == Some(OsStr::new("deps")) {
        folder = folder.parent().context("this program lies nowhere")?;
    }
    Ok(folder.to_path_buf())
}

/// A program that cargo has built in the profile of this one.
pub fn binary(name: &str) -> Result<PathBuf> {
    let file = binaries()?.join(name);
    if !file.is_file() {
        bail!("cargo did not build `{name}`: there is no {}", file.display());
    }
    Ok(file)
}

/// A program on the machine. Debian keeps servers in `sbin`, which is not on everybody's PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    let on_path = env::var_os("PATH").unwrap_or_default();
    let usual = [
        "/usr/sbin",
        "/usr/local/sbin",
        "/usr/local/bin",
        "/opt/homebrew/bin",
    ]
    .map(PathBuf::from);
    env::split_paths(&on_path)
        .chain(usual)
        .map(|folder| folder.join(program))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// A path as a developer types it: relative to where they stand, when that is shorter.
pub fn shown(path: &Path) -> String {
    let relative = env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf));
    relative
        .unwrap_or_else(|| path.to_path_buf())
        .display()
        .to_string()
}

/// A port on loopback that nobody listens on at the moment.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no free port")?;
    Ok(listener.local_addr().context("there is no free port")?.port())
}

/// The same for a server that ends and comes back: not one of those that the system gives to outgoing connections,
/// which could take it meanwhile.
pub fn lasting_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first_outgoing = range.split_whitespace().next().and_then(|port| port.parse().ok());
    let below: u16 = first_outgoing.unwrap_or(32_768);
    let Some(count) = below.checked_sub(LOWEST_PORT).filter(|count| *count > 0) else {
        return free_port();
    };
    // Two programs that run at the same time begin at different places.
    let begin = u16::try_from(process::id() % u32::from(count)).unwrap_or_default();
    for _ in 0..count {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let offset = (u32::from(begin) + u32::from(step) * 7) % u32::from(count);
        let port = LOWEST_PORT + u16::try_from(offset).unwrap_or_default();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    free_port()
}

/// A loopback address.
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_workspace() {
        assert!(path("Cargo.toml").is_file());
        assert!(path("xtask/src/project.rs").is_file());
    }

    #[test]
    fn lasting_ports_differ() {
        let (one, other) = (lasting_port().unwrap(), lasting_port().unwrap());
        assert_ne!(one, other);
        assert!(one >= LOWEST_PORT && other >= LOWEST_PORT);
    }

    #[test]
    fn programs_are_found_and_folders_are_not() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program-here").is_none());
        assert!(find(".").is_none());
    }
}
