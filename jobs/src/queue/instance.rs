//! Whether Redis is still the one that it was: a random text that goes with its data.

use std::collections::BTreeMap;

use futures::future::join_all;
use redis::cmd;
use ulid::Ulid;

use super::Queues;
use crate::error::Error;
use crate::job::QueueName;

/// Those of the queues whose node answers.
pub(super) async fn of_all(
    queues: &Queues,
    names: &[QueueName],
) -> Result<BTreeMap<QueueName, String>, Error> {
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
    let mut set = cmd("SET");
    set.arg(queues.keys(queue).instance())
        .arg(&fresh)
        .arg("NX")
        .arg("GET");
    let before: Option<String> = queues.connection.command(&set).await?;
    Ok(before.unwrap_or(fresh))
}
