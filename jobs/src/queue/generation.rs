//! Whether Redis is still the one that it was: a random text that goes with its data.

use std::collections::BTreeMap;

use futures::future::join_all;
use redis::pipe;
use ulid::Ulid;

use super::{Queues, scripts};
use crate::error::Error;
use crate::job::QueueName;

/// Those of the queues whose node answers.
pub(super) async fn of_all(
    queues: &Queues,
    names: &[QueueName],
) -> Result<BTreeMap<QueueName, String>, Error> {
    if !queues.connection.is_apart() {
        let mut together = pipe();
        for name in names {
            together.get(queues.keys(name).instance());
        }
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let known: Vec<Option<String>> = queues.connection.pipeline(&together).await?;
        let mut instances = BTreeMap::new();
        for (name, known) in names.iter().zip(known) {
            let instance = match known {
                Some(instance) => instance,
                None => of(queues, name).await?,
            };
            instances.insert(name.clone(), instance);
        }
        return Ok(instances);
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
    let mut call = scripts::INSTANCE.call(&queues.keys(queue).of_queue());
    call.arg("fresh_text", &fresh);
    queues.connection.script(&call).await
}
