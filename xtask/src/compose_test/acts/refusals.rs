//! What does not start, and says why.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{ANSWER, REFUSED_BY_REDIS, Stack, docker, not_so};
use crate::{interrupt, process};

pub(in crate::compose_test) fn no_token(stack: &mut Stack) -> Result<()> {
    let closed = ["-e", "SPIRAL_INSECURE_OPEN=false"];
    refuses(stack, &closed, &["web-api"], "Set SPIRAL_ADMIN_TOKEN")
}

pub(in crate::compose_test) fn wrong_database_password(stack: &mut Stack) -> Result<()> {
    let wrong = [
        "-e",
        "SPIRAL_DATABASE_PASSWORD_FILE=",
        "-e",
        "SPIRAL_DATABASE_PASSWORD=wrong",
    ];
    refuses(stack, &wrong, &["migrate"], "password authentication failed")?;
    let none = ["-e", "SPIRAL_DATABASE_PASSWORD_FILE=/run/secrets/none"];
    refuses(stack, &none, &["migrate"], "/run/secrets/none cannot be read")?;
    refuses(stack, &none, &["web-api"], "/run/secrets/none cannot be read")
}

pub(in crate::compose_test) fn wrong_redis_password(stack: &mut Stack) -> Result<()> {
    let wrong = [
        "-e",
        "SPIRAL_REDIS_PASSWORD_FILE=",
        "-e",
        "SPIRAL_REDIS_PASSWORD=wrong",
    ];
    refuses(stack, &wrong, &["worker", "healthcheck"], REFUSED_BY_REDIS)?;
    let none = ["-e", "SPIRAL_REDIS_PASSWORD_FILE=/run/secrets/none"];
    refuses(stack, &none, &["worker"], "/run/secrets/none cannot be read")?;
    // The worker itself waits for Redis whatever is wrong with it, and has to say what that is.
    let mut run = vec!["run", "--detach", "--rm", "--no-deps"];
    run.extend(wrong);
    run.push("worker");
    let container = stack.run(&run)?.trim().to_owned();
    let end = Instant::now() + ANSWER;
    let told = loop {
        let logs = process::capture(docker().args(["logs", &container]))?;
        if logs.errors.contains(REFUSED_BY_REDIS) {
            break Ok(());
        }
        if Instant::now() >= end {
            break Err(not_so(format!(
                "the worker does not say what is wrong:\n{}",
                logs.errors
            )));
        }
        interrupt::pause(Duration::from_millis(200))?;
    };
    process::run_quietly(docker().args(["stop", &container]))?;
    told
}

/// A container that is started like this ends by itself, badly, and says so.
fn refuses(stack: &Stack, options: &[&str], command: &[&str], says: &str) -> Result<()> {
    let mut run = vec!["run", "--rm", "--no-deps"];
    run.extend(options);
    run.extend(command);
    let captured = stack.attempt(&run)?;
    let said = format!("{}{}", captured.output, captured.errors);
    if captured.status.success() || !said.contains(says) {
        return Err(not_so(format!(
            "{command:?} should fail and say {says:?}:\n{said}"
        )));
    }
    Ok(())
}
