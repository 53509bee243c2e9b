//! Whether Redis is still the one that it was: a random text that goes with its data.

use std::collections::BTreeMap;

use futures::future::join_all;
use redis::{Cmd, cmd, pipe};
use ulid::Ulid;

use super::Queues;
use crate::error::Error;
use crate::job::QueueName;

/// Those of the queues whose node answers.
pub(super) async fn of_all(
    queues: &Queues,
    names: &[QueueName],
) -> Result<BTreeMap<QueueName, String>, Error> {
    if !queues.connection.is_apart() {
        let mut together = pipe();
        let fresh = Ulid::generate().to_string();
        for name in names {
            together.add_command(question(queues, name, &fresh));
        }
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let before: Vec<Option<String>> = queues.connection.pipeline(&together).await?;
        let instances = before
            .into_iter()
            .map(|before| before.unwrap_or_else(|| fresh.clone()));
        return Ok(names.iter().cloned().zip(instances).collect());
    }
    let mut found = BTreeMap::new();
    let mut failed = None;
    let asked = names.iter().map(|queue| of(queues, queue));
    for (queue, instance) in names.iter().zip(join_all(asked).await) {
        match instance {
            Ok(instance) => {
                found.insert(queue.clone(), instance);
            }
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if found.is_empty() => Err(error),
        Some(_) | None => Ok(found),
    }
}

async fn of(queues: &Queues, queue: &QueueName) -> Result<String, Error> {
    let fresh = Ulid::generate().to_string();
    let before: Option<String> = queues
        .connection
        .command(&question(queues, queue, &fresh))
        .await?;
    Ok(before.unwrap_or(fresh))
}

/// What it is, or `fresh` from now on.
fn question(queues: &Queues, queue: &QueueName, fresh: &str) -> Cmd {
    let mut set = cmd("SET");
    set.arg(queues.keys(queue).instance())
        .arg(fresh)
        .arg("NX")
        .arg("GET");
    set
}
