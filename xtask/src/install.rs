//! Installs what is missing, through the system's package manager where it may, else says what to type.
//!
//! Nothing that runs on the machine is touched: Debian starts a server when its package is installed, so while
//! apt-get works a `policy-rc.d` forbids that, and the new services are switched off afterwards. Spiral starts its
//! own, private ones.

mod apt;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{process, project, say};

/// Something that has to be on the machine.
#[derive(Debug)]
pub struct Tool {
    /// What a person calls it.
    pub name: &'static str,
    present: fn() -> bool,
    /// Debian's packages, then those that are nice to have.
    apt: &'static [&'static str],
    apt_optional: &'static [&'static str],
    /// The services that come with Debian's packages.
    services: &'static [&'static str],
    dnf: &'static [&'static str],
    brew: &'static [&'static str],
}

const NOTHING: Tool = Tool {
    name: "",
    present: || true,
    apt: &[],
    apt_optional: &[],
    services: &[],
    dnf: &[],
    brew: &[],
};

/// Every start of Spiral needs it.
pub const REDIS: Tool = Tool {
    name: "redis-server",
    present: || project::find("redis-server").is_some(),
    apt: &["redis-server"],
    services: &["redis-server"],
    dnf: &["redis"],
    brew: &["redis"],
    ..NOTHING
};

/// GMP, which computes the Fibonacci numbers, is built from its source.
pub const M4: Tool = Tool {
    name: "m4",
    present: || project::find("m4").is_some(),
    apt: &["m4"],
    dnf: &["m4"],
    brew: &["m4"],
    ..NOTHING
};

/// See [`M4`].
pub const MAKE: Tool = Tool {
    name: "make",
    present: || project::find("make").is_some(),
    apt: &["make"],
    dnf: &["make"],
    brew: &["make"],
    ..NOTHING
};

/// See [`M4`]; SQLite is built from its source as well.
pub const COMPILER: Tool = Tool {
    name: "a C compiler",
    present: || {
        project::find("cc").is_some() && project::find("gcc").or_else(|| project::find("clang")).is_some()
    },
    apt: &["gcc", "libc6-dev"],
    dnf: &["gcc", "glibc-devel"],
    brew: &["gcc"],
    ..NOTHING
};

/// The tests run on it beside SQLite.
pub const POSTGRES: Tool = Tool {
    name: "PostgreSQL",
    present: || postgres_folder().is_some(),
    apt: &["postgresql"],
    services: &["postgresql"],
    dnf: &["postgresql-server"],
    brew: &["postgresql"],
    ..NOTHING
};

/// Spiral finds out that it is behind it.
pub const PGBOUNCER: Tool = Tool {
    name: "PgBouncer",
    present: || project::find("pgbouncer").is_some(),
    apt: &["pgbouncer"],
    services: &["pgbouncer"],
    dnf: &["pgbouncer"],
    brew: &["pgbouncer"],
    ..NOTHING
};

/// What browsers talk to in production, and in the end-to-end tests.
pub const NGINX: Tool = Tool {
    name: "nginx",
    present: || project::find("nginx").is_some(),
    apt: &["nginx"],
    apt_optional: &["libnginx-mod-http-brotli-filter"],
    services: &["nginx"],
    dnf: &["nginx"],
    brew: &["nginx"],
};

/// The end-to-end tests drive it.
pub const CHROMIUM: Tool = Tool {
    name: "Chromium",
    present: || chromium().is_some(),
    apt: &["chromium"],
    dnf: &["chromium"],
    brew: &["--cask chromium"],
    ..NOTHING
};

/// Without fonts a page has no text that could be seen.
pub const FONTS: Tool = Tool {
    name: "fonts",
    present: has_fonts,
    apt: &["fonts-dejavu-core", "fonts-liberation"],
    dnf: &["dejavu-sans-fonts", "liberation-fonts"],
    ..NOTHING
};

/// It stands in for Docker Hub where the containers are tested.
pub const REGISTRY: Tool = Tool {
    name: "docker-registry",
    present: || project::find("docker-registry").is_some(),
    apt: &["docker-registry"],
    services: &["docker-registry"],
    dnf: &["docker-distribution"],
    ..NOTHING
};

/// Linters and the stand-ins of the release's tests are written in it.
pub const PYTHON: Tool = Tool {
    name: "Python with venv",
    present: || {
        project::find("python3").is_some_and(|python| {
            let mut command = process::command(python);
            process::capture(command.args(["-c", "import ensurepip, venv"]))
                .is_ok_and(|captured| captured.status.success())
        })
    },
    apt: &["python3", "python3-venv"],
    dnf: &["python3"],
    brew: &["python"],
    ..NOTHING
};

/// What cargo needs to build the workspace.
pub const FOR_BUILDING: [Tool; 3] = [M4, MAKE, COMPILER];

/// The browser that the end-to-end tests drive.
pub fn chromium() -> Option<PathBuf> {
    let names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ];
    let mac =
        ["Chromium", "Google Chrome"].map(|name| format!("/Applications/{name}.app/Contents/MacOS/{name}"));
    names
        .iter()
        .find_map(|name| project::find(name))
        .or_else(|| mac.map(PathBuf::from).into_iter().find(|file| file.is_file()))
}

/// The folder with PostgreSQL's own programs. Debian and Fedora keep them off the PATH, one folder a version.
pub fn postgres_folder() -> Option<PathBuf> {
    let mut found = Vec::new();
    for (parent, start) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql@"),
    ] {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(version) = name
                .strip_prefix(start)
                .and_then(|version| version.parse::<u32>().ok())
            {
                found.push((version, entry.path().join("bin")));
            }
        }
    }
    found.sort();
    // What is on the PATH comes first; it may be a link into one of those folders.
    let on_path = project::find("initdb").and_then(|file| file.canonicalize().ok());
    let on_path = on_path.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let is_whole = |folder: &PathBuf| {
        ["initdb", "postgres", "pg_isready", "createdb"]
            .iter()
            .all(|program| folder.join(program).is_file())
    };
    on_path
        .into_iter()
        .chain(found.into_iter().rev().map(|(_, folder)| folder))
        .find(is_whole)
}

fn has_fonts() -> bool {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let folders = [
        PathBuf::from("/usr/share/fonts"),
        PathBuf::from("/usr/local/share/fonts"),
        PathBuf::from("/System/Library/Fonts"),
        home.join(".local/share/fonts"),
    ];
    folders.iter().any(|folder| holds_a_font(folder, 4))
}

fn holds_a_font(folder: &Path, depth: u32) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        let ending = path
            .extension()
            .map(|ending| ending.to_string_lossy().to_lowercase());
        matches!(ending.as_deref(), Some("ttf" | "otf" | "ttc"))
            || (depth > 0 && path.is_dir() && holds_a_font(&path, depth - 1))
    })
}

/// Installs those of the tools that are missing.
pub fn ensure(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&Tool> = tools.iter().filter(|tool| !(tool.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|tool| tool.name).collect();
    let names = say::list(&names);
    let Some(privilege) = apt::privilege() else {
        bail!("{}", advice(&names, &missing));
    };
    let step = say::Step::begin("tools", &format!("installing {names} with apt-get"));
    apt::install(&privilege, &missing)?;
    let still: Vec<&str> = missing
        .iter()
        .filter(|tool| !(tool.present)())
        .map(|tool| tool.name)
        .collect();
    if !still.is_empty() {
        bail!(
            "apt-get installed its packages, yet {} cannot be found on this machine",
            say::list(&still)
        );
    }
    step.end("installed");
    Ok(())
}

/// What to type where this program may not install anything itself.
fn advice(names: &str, missing: &[&Tool]) -> String {
    let packages = |of: fn(&Tool) -> &'static [&'static str]| {
        missing
            .iter()
            .flat_map(|tool| of(tool))
            .copied()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let commands = if project::find("apt-get").is_some() {
        let services: Vec<&str> = missing.iter().flat_map(|tool| tool.services).copied().collect();
        let mut commands = format!(
            "  sudo apt-get update && sudo apt-get install --yes --no-install-recommends {}",
            packages(|tool| tool.apt)
        );
        if !services.is_empty() {
            commands.push_str(
                "\n\nDebian starts services with them that Spiral does not use. To switch them off:\n\n",
            );
            commands.push_str("  sudo systemctl disable --now ");
            commands.push_str(&services.join(" "));
        }
        commands
    } else if project::find("dnf").is_some() {
        format!("  sudo dnf install {}", packages(|tool| tool.dnf))
    } else if project::find("brew").is_some() {
        format!("  brew install {}", packages(|tool| tool.brew))
    } else {
        "  (with the package manager of this system)".to_owned()
    };
    format!(
        "This machine has no {names}, and installing it needs your permission. Type this, then try again:\n\n{commands}"
    )
}

/// Fails with a clear message when Node is missing or too old for the frontend.
pub fn need_node() -> Result<()> {
    const AT_LEAST: (u32, u32) = (20, 19);
    let hint = "The pages and the benchmarks need Node 20.19 or newer with npm: https://nodejs.org, or your version manager.";
    if project::find("npm").is_none() {
        bail!("There is no npm on this machine. {hint}");
    }
    let version = process::run_quietly(process::command("node").arg("--version")).context(hint)?;
    match node_version(&version) {
        Some(found) if found < AT_LEAST => bail!("Node is {} here. {hint}", version.trim()),
        _ => Ok(()),
    }
}

fn node_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().trim_start_matches('v').split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_are_read() {
        assert_eq!(node_version("v20.20.2\n"), Some((20, 20)));
        assert_eq!(node_version("v8.1"), Some((8, 1)));
        assert_eq!(node_version("nightly"), None);
    }

    #[test]
    fn the_advice_names_what_is_missing() {
        let text = advice("redis-server", &[&REDIS]);
        assert!(text.contains("no redis-server"), "{text}");
        if project::find("apt-get").is_some() {
            assert!(
                text.contains("install --yes --no-install-recommends redis-server"),
                "{text}"
            );
            assert!(text.contains("disable --now redis-server"), "{text}");
        }
    }
}
