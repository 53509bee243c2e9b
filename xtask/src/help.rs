//! What `--help` prints: for the whole, and for each command. All of it is here, so that it answers at once, whatever
//! has to be compiled before the command itself can run.

use std::fs;

use crate::plant::read;
use crate::project;

/// Printed for `cargo xtask --help` and below every usage error.
pub const OVERVIEW: &str = "\
Spiral's developer commands

  cargo xtask up [--port N] [--data FOLDER]       build and run everything at http://127.0.0.1:8080
  cargo xtask test [PART] [-- ARGS]               run the tests: rust, frontend, e2e (a real browser), api, release, chaos
  cargo xtask check                               formatting, lints, types, docs, generated files
  cargo xtask bench [fibonacci] [engine] [ARGS]   the benchmarks (release build)
  cargo xtask chaos [--jobs N] [--seed N] …       jobs under load while everything is killed, cut off and emptied
  cargo xtask lighthouse                          what Lighthouse says of the pages in front of the whole of Spiral
  cargo xtask compose-test [--if-possible]        build the images, run them with docker compose, kill and replace them
  cargo xtask openapi                             write web-api/openapi.json and the frontend's types
  cargo xtask docs                                write the pages of docs/ that are made from other files
  cargo xtask changelog VERSION                   put changes/unreleased/ together in CHANGELOG.md
  cargo xtask migration NAME                      a new SQL migration, e.g. `add_tags`

`cargo xtask COMMAND --help` tells more. Each installs what it misses (apt-get, where it may) and says what it does.";

/// `up`
pub const UP: &str = "\
cargo xtask up [--port N] [--data FOLDER]

Builds Spiral and runs it in one process: API, workers, SQLite and a private Redis. Ctrl-C stops it.

  --port N         where to listen on 127.0.0.1 (8080)
  --data FOLDER    where the database, Redis's log and the log of the process lie (data/)";

/// `test`
pub const TEST: &str = "\
cargo xtask test [PART…] [-- ARGS]

Runs the tests against servers of its own (Redis, PostgreSQL, nginx) that are thrown away. Without a part: all of them.

  rust        cargo test over the workspace
  frontend    Vitest
  e2e         Playwright with Chromium through nginx
  api         Schemathesis: the API against its OpenAPI document
  release     pytest: the scripts of the release against stand-ins of AWS
  chaos       20,000 jobs under load and faults, then counted

  -- ARGS     handed on to the runner; only with exactly one part";

/// `check`
pub const CHECK: &str = "\
cargo xtask check

Everything that needs no running server: rustfmt, clippy, rustdoc, the frontend's lint and types, generated files,
nginx, shell scripts, containers, compose files, Travis's file and the CloudFormation template. A line for each.";

/// `lighthouse`
pub const LIGHTHOUSE: &str = "\
cargo xtask lighthouse

Starts Spiral behind nginx and runs Lighthouse over Overview, Jobs and Fibonacci, desktop and mobile, three rounds each.";

/// `compose-test`
pub const COMPOSE_TEST: &str = "\
cargo xtask compose-test [--if-possible] [--no-build] [--keep]

Builds the images and runs the containers with docker compose: starts, scales, kills and replaces them under load.

  --if-possible    ends without a failure where no Docker daemon answers or base images cannot be had
  --no-build       takes the images that are there
  --keep           leaves the containers running";

/// `openapi`
pub const OPENAPI: &str = "\
cargo xtask openapi

Writes web-api/openapi.json from the code, and the frontend's types from that.";

/// `docs`
pub const DOCS: &str = "\
cargo xtask docs

Writes docs/reference/settings.md from .env.example. `cargo xtask check` fails where it is out of date.";

/// `changelog`
pub const CHANGELOG: &str = "\
cargo xtask changelog VERSION

Puts the files of changes/unreleased/ under the heading of VERSION in CHANGELOG.md, by kind, and deletes them.
The first word of a file is its kind: Added, Changed, Fixed, Removed or Security, with a colon behind it.";

/// `migration`
pub const MIGRATION: &str = "\
cargo xtask migration NAME

Makes migrations/src/mDATE_NAME.rs and its line in migrations/src/lib.rs. NAME is in snake_case, such as add_tags.";

/// `chaos`, but for the list of faults.
const CHAOS: &str = "\
cargo xtask chaos [OPTION…]

Starts APIs, workers, Redis and PostgreSQL, calls functions, breaks everything around them, and counts every job.
The first run compiles everything, which takes some minutes.

  --jobs N                 calls in all (20000)
  --rate N                 calls a second at most (180); 0 is no limit
  --connections N          connections that make them (64)
  --rounds N               how often every fault strikes (2); 0 is again and again until the load is over
  --seed N                 repeats the order of the faults of an earlier run
  --only FAULT             this fault alone; may be said several times
  --appendfsync WHEN       how Redis keeps its log: always or everysec (everysec)
  --worker-binary FILE     another build of the worker, which is deployed in turns with this one
  --web-api-binary FILE    the same of the API
  --previous [REVISION]    both from the release before this one, or from that commit (built when they are not there)
  --keep                   leave the logs behind, also when all is well
  --release                programs with optimization (built when they are not there)
  --plant NAME             tries a check: plants a fault in a copy, and fails unless the check that it is for fails;
                           may be said several times, `all` is every one of them

The faults:
";

/// `chaos`, with the faults as their source lists them: the program itself takes minutes to compile.
pub fn chaos() -> String {
    let source = fs::read_to_string(project::path("chaos/src/faults.rs")).unwrap_or_default();
    let mut text = CHAOS.to_owned();
    let lines: Vec<String> = faults(&source)
        .into_iter()
        .map(|(name, does)| format!("  {name:<18} {does}"))
        .collect();
    text.push_str(&lines.join("\n"));
    text.push_str("\n\nThe plants, each with its check:\n");
    let plants = read::all(&project::root()).unwrap_or_default();
    let lines: Vec<String> = plants
        .iter()
        .map(|plant| format!("\n  {:<22} {}", plant.name, plant.check))
        .collect();
    text.push_str(&lines.concat());
    text
}

/// The pairs of `name: "…"` and `does: "…"`.
pub fn faults(source: &str) -> Vec<(&str, &str)> {
    let values = |key: &str| -> Vec<&str> {
        let lines = source.lines().map(str::trim);
        lines
            .filter_map(|line| line.strip_prefix(key)?.strip_prefix(": \"")?.strip_suffix("\","))
            .collect()
    };
    values("name").into_iter().zip(values("does")).collect()
}
