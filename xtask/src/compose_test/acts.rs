//! What the stack has to bear, one act after the other.

mod refusals;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::images::docker;
use super::load::{self, Load};
use super::not_so;
use super::stack::{Stack, inspect};
use crate::http::{self, Question};
use crate::{frontend, install, interrupt, process, project, say};

pub(super) use refusals::{no_token, wrong_database_password, wrong_redis_password};

/// An image may have to be built from nothing.
const START: Duration = Duration::from_mins(3);
const BACK: Duration = Duration::from_mins(2);
const FINISH: Duration = Duration::from_mins(3);
const ANSWER: Duration = Duration::from_secs(30);
const REPLICAS: usize = 2;
/// What the programs say of a wrong password of Redis.
const REFUSED_BY_REDIS: &str = "Password authentication failed";
/// F(90).
const VALUE: &str = "2880067194370816120";

/// Asks in HTTP/2 and tells what came.
const ASK_BY_HTTP_2: &str = "
    const session = require('node:http2').connect(process.argv[1], { rejectUnauthorized: false });
    session.on('error', (error) => { console.error(error.message); process.exit(1); });
    const request = session.request({ ':path': '/api/v1/functions' });
    request.on('response', (headers) => {
      console.log(headers[':status'], session.socket.getProtocol(), headers['strict-transport-security']);
      session.destroy();
    });
    request.end();
";

pub(super) fn no_secrets(stack: &mut Stack) -> Result<()> {
    let mut up = stack.compose(&["up", "--detach"]);
    let captured = process::capture(up.env_remove("SPIRAL_SECRETS"))?;
    if captured.status.success() || !captured.errors.contains("Run it with Docker") {
        bail!("it should fail and say where to read on:\n{}", captured.errors);
    }
    Ok(())
}

pub(super) fn build(stack: &mut Stack) -> Result<()> {
    if !stack.no_build {
        say::line("images", "building; the first time takes many minutes …");
        stack.run(&["build"])?;
    }
    for service in ["web-api", "worker", "migrate"] {
        let said = stack.run(&["run", "--rm", "--no-deps", service, "--version"])?;
        if !said.contains(&stack.commit) {
            return Err(not_so(format!(
                "{service} --version says {said:?}, not {}",
                stack.commit
            )));
        }
    }
    Ok(())
}

pub(super) fn start(stack: &mut Stack) -> Result<()> {
    stack.run(&["up", "--detach"])?;
    all_well(stack, 1)
}

fn all_well(stack: &Stack, workers: usize) -> Result<()> {
    for (service, count) in [
        ("postgres", 1),
        ("redis", 1),
        ("web-api", REPLICAS),
        ("worker", workers),
        ("nginx", 1),
    ] {
        stack.wait_until_well(service, count, START)?;
    }
    let health = get(stack, "/api/healthz")?;
    if http::text_in(&health, "commit") != Some(&stack.commit) {
        return Err(not_so(format!(
            "/api/healthz does not say {}: {health}",
            stack.commit
        )));
    }
    Ok(())
}

pub(super) fn rights(stack: &mut Stack) -> Result<()> {
    let all = stack.run(&["ps", "--quiet"])?;
    for container in all.split_whitespace() {
        let format = "{{.Name}} user={{.Config.User}} readonly={{.HostConfig.ReadonlyRootfs}} \
                      drop={{.HostConfig.CapDrop}} add={{.HostConfig.CapAdd}} options={{.HostConfig.SecurityOpt}}";
        let rights = inspect(container, format)?;
        let user = rights.split("user=").nth(1).unwrap_or_default();
        for expected in [
            "readonly=true",
            "drop=[ALL]",
            "add=[]",
            "options=[no-new-privileges:true]",
        ] {
            if !rights.contains(expected) {
                return Err(not_so(format!("{rights} lacks {expected}")));
            }
        }
        if user.starts_with([' ', '0']) || user.starts_with("root") {
            return Err(not_so(format!("{rights} is root")));
        }
        let ports = inspect(
            container,
            "{{range $port, $to := .NetworkSettings.Ports}}{{if $to}}{{$port}} {{end}}{{end}}",
        )?;
        if rights.contains("-nginx-") != (ports == "8080/tcp") {
            return Err(not_so(format!("{rights} publishes {ports:?}")));
        }
    }
    for hidden in ["redis", "postgres"] {
        let found = stack.attempt(&["exec", "-T", "nginx", "getent", "hosts", hidden])?;
        if found.status.success() {
            return Err(not_so(format!("nginx sees {hidden}: {}", found.output)));
        }
    }
    let web_api = stack.attempt(&["exec", "-T", "nginx", "getent", "hosts", "web-api"])?;
    if !web_api.status.success() {
        return Err(not_so(
            "nginx does not see web-api, so what it does not see says nothing",
        ));
    }
    let worker = one(stack, "worker")?;
    let networks = inspect(
        &worker,
        "{{range $name, $to := .NetworkSettings.Networks}}{{$name}} {{end}}",
    )?;
    let mounts = inspect(&worker, "{{range .Mounts}}{{.Destination}} {{end}}")?;
    if networks.contains("_data") || mounts.contains("postgres") {
        return Err(not_so(format!(
            "the worker knows the database: {networks}{mounts}"
        )));
    }
    Ok(())
}

pub(super) fn index(stack: &mut Stack) -> Result<()> {
    let question = Question {
        method: "POST",
        path: "/api/values?wait=20s",
        headers: "",
        body: Some("{\"index\":90}"),
    };
    let end = Instant::now() + BACK;
    loop {
        let body = ask(stack, &question)?;
        if body.contains(VALUE) {
            return Ok(());
        }
        // Not yet: the answer is the job as it is.
        if !body.contains("\"state\":") || Instant::now() >= end {
            return Err(not_so(format!("F(90) came as {body}")));
        }
    }
}

pub(super) fn browser(stack: &mut Stack) -> Result<()> {
    frontend::packages()?;
    let mut playwright = frontend::script("e2e", &["form.spec.ts", "live.spec.ts"])?;
    playwright
        .env("SPIRAL_E2E_URL", format!("http://127.0.0.1:{}", stack.port))
        .env("PLAYWRIGHT_HTML_OPEN", "never")
        .env("CI", "1");
    if let Some(chromium) = install::chromium() {
        playwright.env("SPIRAL_CHROMIUM", chromium);
    }
    process::run_quietly(&mut playwright).map(drop)
}

pub(super) fn scale(stack: &mut Stack) -> Result<()> {
    const JOBS: usize = 900;
    let scale = ["--no-deps", "--no-recreate", "--scale", "worker=3", "worker"];
    stack.run(&[&["up", "--detach"], &scale[..]].concat())?;
    stack.wait_until_well("worker", 3, BACK)?;
    let call = "{\"function\":\"sleep\",\"input\":{\"seconds\":0.5}}";
    let body = format!("{{\"jobs\":[{}]}}", vec![call; JOBS].join(","));
    let question = Question {
        method: "POST",
        path: "/api/v1/batches",
        headers: "",
        body: Some(&body),
    };
    let answer = ask(stack, &question)?;
    let batch = http::text_in(&answer, "id")
        .context("the batch was not taken")?
        .to_owned();
    let end = Instant::now() + FINISH;
    while !get(stack, &format!("/api/v1/batches/{batch}"))?.contains(&format!("\"completed\":{JOBS}")) {
        if Instant::now() >= end {
            bail!(
                "the batch is not done: {}",
                get(stack, &format!("/api/v1/batches/{batch}"))?
            );
        }
        interrupt::pause(Duration::from_millis(200))?;
    }
    let list = get(stack, &format!("/api/v1/jobs?batch={batch}&limit=500"))?;
    let mut workers = BTreeSet::new();
    // Some of many: those that lie side by side may all have been one worker's.
    for id in http::texts_in(&list, "id").step_by(5) {
        let job = get(stack, &format!("/api/v1/jobs/{id}"))?;
        // `NAME-PROCESS-START`, where the name is the container's.
        workers.extend(
            http::text_in(&job, "worker").map(|worker| worker.split('-').next().unwrap_or(worker).to_owned()),
        );
    }
    if workers.len() != 3 {
        return Err(not_so(format!("the jobs ran on {workers:?}")));
    }
    Ok(())
}

/// One after the other is killed, and started again after a while, as somebody would who watches over it.
pub(super) fn kills(stack: &mut Stack) -> Result<()> {
    let load = Load::start(stack.port, "kills");
    load.wait_for(100, START)?;
    for (service, count) in [
        ("worker", 3),
        ("web-api", REPLICAS),
        ("redis", 1),
        ("postgres", 1),
    ] {
        let container = one(stack, service)?;
        process::run_quietly(docker().args(["kill", &container]))?;
        interrupt::pause(Duration::from_secs(5))?;
        process::run_quietly(docker().args(["start", &container]))?;
        stack.wait_until_well(service, count, BACK)?;
        load.wait_for(100, BACK)
            .with_context(|| format!("after {service} was killed"))?;
    }
    let outcome = load.stop();
    load::all_completed(stack.port, &outcome.accepted, FINISH)?;
    let (accepted, refused) = (outcome.accepted.len(), outcome.refused.len());
    say::line(
        "",
        &format!("  {accepted} jobs accepted, all completed; {refused} calls had to be made again"),
    );
    Ok(())
}

pub(super) fn roll(stack: &mut Stack) -> Result<()> {
    let before = both(stack)?;
    let load = Load::start(stack.port, "roll");
    load.wait_for(100, BACK)?;
    let mut roll = process::sealed_command(project::path("compose/roll"));
    stack.settings(&mut roll);
    process::run_quietly(roll.args(["web-api", "worker"]))?;
    load.wait_for(100, BACK)?;
    let outcome = load.stop();
    let after = both(stack)?;
    if !before.is_disjoint(&after) || before.len() != after.len() {
        return Err(not_so(format!("{before:?} became {after:?}")));
    }
    if let Some(first) = outcome.refused.first() {
        let (refused, accepted) = (outcome.refused.len(), outcome.accepted.len());
        return Err(not_so(format!(
            "{refused} calls of {accepted} failed, the first one with: {first}"
        )));
    }
    load::all_completed(stack.port, &outcome.accepted, FINISH)?;
    say::line(
        "",
        &format!(
            "  {} jobs accepted, no call failed, all completed",
            outcome.accepted.len()
        ),
    );
    Ok(())
}

fn both(stack: &Stack) -> Result<BTreeSet<String>> {
    let mut all = stack.containers("web-api")?;
    all.extend(stack.containers("worker")?);
    Ok(all.into_iter().collect())
}

pub(super) fn down_and_up(stack: &mut Stack) -> Result<()> {
    let seen = get(stack, "/api/v1/jobs?limit=100")?;
    stack.run(&["down"])?;
    stack.run(&["up", "--detach"])?;
    all_well(stack, 1)?;
    let ids: Vec<String> = http::texts_in(&seen, "id").map(str::to_owned).collect();
    if ids.len() < 100 {
        return Err(not_so(format!("only {} jobs were listed before", ids.len())));
    }
    load::all_completed(stack.port, &ids, FINISH)?;
    let values = get(stack, "/api/values/current")?;
    if !values.contains(VALUE) {
        return Err(not_so(format!("F(90) is gone from {values}")));
    }
    Ok(())
}

pub(super) fn tls(stack: &mut Stack) -> Result<()> {
    let mut openssl = process::command("openssl");
    openssl.args([
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]);
    openssl.args(["-subj", "/CN=localhost", "-days", "2", "-keyout"]);
    openssl
        .arg(stack.secrets().join("key.pem"))
        .arg("-out")
        .arg(stack.secrets().join("certificate.pem"));
    process::run_quietly(&mut openssl)?;
    // Readable for the container's user, as the documentation tells.
    let key = std::fs::read_to_string(stack.secrets().join("key.pem"))?;
    stack.write_secret("key.pem", key.trim_end())?;
    let files = ["--file", "docker-compose.yml", "--file", "docker-compose.tls.yml"];
    let mut up = files.to_vec();
    up.extend(["up", "--detach", "--no-deps", "nginx"]);
    stack.run(&up)?;
    stack.wait_until_well("nginx", 1, BACK)?;
    let address = format!("https://127.0.0.1:{}", stack.tls_port);
    let mut node = process::command("node");
    let said = process::run_quietly(node.args(["--eval", ASK_BY_HTTP_2, &address]))?;
    if said.trim() != "200 TLSv1.3 max-age=31536000" {
        return Err(not_so(format!("over TLS came {said:?}")));
    }
    index(stack)
}

fn one(stack: &Stack, service: &str) -> Result<String> {
    let first = stack.containers(service)?.into_iter().next();
    first.with_context(|| format!("no container of {service} runs"))
}

fn get(stack: &Stack, path: &str) -> Result<String> {
    ask(stack, &Question::get(path))
}

/// A good answer; a busy machine may need more than one try for what may be done twice.
fn ask(stack: &Stack, question: &Question<'_>) -> Result<String> {
    let end = Instant::now() + BACK;
    loop {
        let answer = http::ask(stack.port, question, ANSWER)?;
        if (200..300).contains(&answer.status) {
            return Ok(answer.body);
        }
        if answer.status != 503 || Instant::now() >= end {
            bail!("{}: {} {}", question.path, answer.status, answer.body);
        }
        interrupt::pause(Duration::from_secs(1))?;
    }
}
