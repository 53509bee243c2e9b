//! A private nginx from the same files as in production: rendered into a folder, on a free port, as this user.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::server::{self, Server};
use crate::{http, install, process, project, python};

/// For an API that is named by its address: nobody is ever asked.
pub const NO_RESOLVER: &str = "127.0.0.1";

/// What the template is filled with.
#[derive(Debug)]
pub struct Site<'a> {
    /// Where the API listens, `host:port`.
    pub api: &'a str,
    /// The name server that knows the host in it, `address:port`. An address needs none.
    pub resolver: &'a str,
    /// The folder of the static build.
    pub root: &'a Path,
    pub bounds: Bounds,
}

/// What a client may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Requests at the same time.
    pub connections: u32,
    /// How long it may send or read nothing, in seconds.
    pub patience: u32,
}

impl Default for Bounds {
    /// As in the image.
    fn default() -> Self {
        Self {
            connections: 200,
            patience: 30,
        }
    }
}

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    // In this order: the server ends before its folder goes.
    _server: Server,
    folder: TempDir,
}

impl Nginx {
    /// Renders the configuration and starts it.
    pub fn start(site: &Site<'_>) -> Result<Self> {
        Self::start_below("", site)
    }

    /// The same below a base path.
    pub fn start_below(base_path: &str, site: &Site<'_>) -> Result<Self> {
        install::ensure(&[install::NGINX])?;
        let port = project::free_port()?;
        let folder = tempfile::Builder::new()
            .prefix("spiral-nginx-")
            .tempdir()
            .context("no temporary folder")?;
        write(folder.path(), site, base_path, port)?;
        let mut command = command(folder.path(), "daemon off;")?;
        let mut server = Server::start("nginx", &mut command, &folder.path().join("nginx.log"))?;
        server.wait_until(Duration::from_secs(20), || http::accepts(port))?;
        Ok(Self {
            port,
            _server: server,
            folder,
        })
    }

    /// The bytes that it keeps of bodies and answers in files.
    pub fn spooled(&self) -> u64 {
        let files = |kind: &str| {
            let folder = fs::read_dir(self.folder.path().join(kind));
            folder.into_iter().flatten().flatten()
        };
        ["nginx-body", "nginx-proxy"]
            .into_iter()
            .flat_map(files)
            .filter_map(|file| file.metadata().ok())
            .map(|file| file.len())
            .sum()
    }

    /// What it has said and logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("nginx.log")).unwrap_or_default()
    }
}

/// Lets nginx read the rendered configuration without starting it.
pub fn check() -> Result<()> {
    install::ensure(&[install::NGINX])?;
    for base_path in BASE_PATHS {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        write(
            folder.path(),
            &Site {
                api: "127.0.0.1:1",
                resolver: NO_RESOLVER,
                root: folder.path(),
                bounds: Bounds::default(),
            },
            base_path,
            project::free_port()?,
        )?;
        let mut command = command(folder.path(), "")?;
        process::run_quietly(command.arg("-t"))?;
    }
    Ok(())
}

/// What is looked at has to be right without a base path and with one.
const BASE_PATHS: [&str; 2] = ["", "/ops/spiral-2.x"];

/// Lets gixy look for mistakes that nginx takes for settings, in the same configuration and that of TLS.
pub fn lint() -> Result<()> {
    for base_path in BASE_PATHS {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let site = Site {
            api: "web-api:8080",
            resolver: NO_RESOLVER,
            root: folder.path(),
            bounds: Bounds::default(),
        };
        write(folder.path(), &site, base_path, 8080)?;
        fs::create_dir(folder.path().join("tls"))?;
        fs::copy(
            project::path("nginx/tls.conf"),
            folder.path().join("tls/tls.conf"),
        )?;
        let mut gixy = python::command("gixy")?;
        gixy.arg("--skips").arg(NOT_MISTAKES.join(","));
        process::run_quietly(gixy.arg(folder.path().join("nginx.conf")))?;
    }
    Ok(())
}

/// What gixy finds and is meant: the API is to know the name and port that the caller used (it builds no link from
/// them), and a look for a file at each request is cheaper than one that is out of date.
const NOT_MISTAKES: [&str; 2] = ["host_spoofing", "try_files_is_evil_too"];

/// nginx on the configuration in a folder; `more` are directives of the main level.
fn command(folder: &Path, more: &str) -> Result<Command> {
    let program =
        project::find("nginx").context("nginx is not on this machine: `cargo xtask test` installs it")?;
    // As root its workers would be somebody else, who may not read this user's files.
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let mut command = server::command(program);
    command
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(folder.join("nginx.conf"));
    command.arg("-g").arg(format!(
        "pid {}; {user} {more}",
        folder.join("nginx.pid").display()
    ));
    // Before it has read its configuration it would complain about a log that belongs to root.
    command.arg("-e").arg("stderr");
    Ok(command)
}

/// Writes the folder that nginx reads, as the official image lays it out.
fn write(folder: &Path, site: &Site<'_>, base_path: &str, port: u16) -> Result<()> {
    let source = project::path("nginx");
    let read = |name: &str| {
        let file = source.join(name);
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    for name in ["conf.d", "modules-enabled", "optional"] {
        fs::create_dir_all(folder.join(name))?;
    }
    let values = [
        ("NGINX_LISTEN", format!("127.0.0.1:{port}")),
        ("NGINX_API", site.api.to_owned()),
        ("NGINX_RESOLVER", site.resolver.to_owned()),
        ("NGINX_ROOT", site.root.display().to_string()),
        ("NGINX_BODY_LIMIT", "1m".to_owned()),
        ("NGINX_BATCH_BODY_LIMIT", "16m".to_owned()),
        ("NGINX_TEMP", folder.display().to_string()),
        ("NGINX_PROXY", "unix:".to_owned()),
        ("NGINX_CONNECTIONS", site.bounds.connections.to_string()),
        ("NGINX_PATIENCE", format!("{}s", site.bounds.patience)),
        ("SPIRAL_BASE_PATH", base_path.to_owned()),
    ];
    fs::write(folder.join("nginx.conf"), read("nginx.conf")?)?;
    let template = read("templates/default.conf.template")?;
    fs::write(folder.join("conf.d/default.conf"), render(&template, &values)?)?;
    if let Some(module) = brotli_module() {
        let load = format!("load_module {};\n", module.display());
        fs::write(folder.join("modules-enabled/brotli.conf"), load)?;
        fs::write(folder.join("optional/brotli.conf"), read("optional/brotli.conf")?)?;
    }
    Ok(())
}

/// Where distributions put the module.
fn brotli_module() -> Option<PathBuf> {
    [
        "/usr/lib/nginx/modules",
        "/usr/share/nginx/modules",
        "/usr/lib64/nginx/modules",
    ]
    .iter()
    .map(|folder| Path::new(folder).join("ngx_http_brotli_filter_module.so"))
    .find(|file| file.is_file())
}

/// Fills in `${NAME}` as the official image does with envsubst; a name without a value is an error here.
fn render(template: &str, values: &[(&str, String)]) -> Result<String> {
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("${{{name}}}"), value);
    }
    if let Some((_, rest)) = text.split_once("${") {
        let name = rest.split('}').next().unwrap_or_default();
        bail!("nginx's template asks for `${{{name}}}`, which has no value");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_and_nginx_variables_stay() {
        let values = [
            ("NGINX_API", "api:1".to_owned()),
            ("NGINX_ROOT", "/srv".to_owned()),
        ];
        let text = render(
            "server ${NGINX_API}; root ${NGINX_ROOT}; try_files $uri =404; ${NGINX_API}",
            &values,
        )
        .unwrap();
        assert_eq!(text, "server api:1; root /srv; try_files $uri =404; api:1");
    }

    #[test]
    fn a_name_without_a_value_is_told() {
        let error = render("listen ${NGINX_LISTEN};", &[]).unwrap_err().to_string();
        assert!(error.contains("${NGINX_LISTEN}"), "{error}");
    }

    #[test]
    fn the_template_documents_every_name_that_it_asks_for() {
        let template = fs::read_to_string(project::path("nginx/templates/default.conf.template")).unwrap();
        let mut asked: Vec<&str> = template
            .split("${")
            .skip(1)
            .map(|rest| rest.split('}').next().unwrap())
            .collect();
        asked.sort_unstable();
        asked.dedup();
        let mut documented: Vec<&str> = template
            .lines()
            .filter_map(|line| line.strip_prefix("#   "))
            .map(|rest| rest.split(' ').next().unwrap())
            .filter(|name| name.starts_with("NGINX_") || name.starts_with("SPIRAL_"))
            .collect();
        documented.sort_unstable();
        assert_eq!(asked, documented);
    }
}
