//! Whether Redis is still the one that it was: a random text that goes with its data.

use std::collections::BTreeMap;

use futures::future::join_all;
use redis::pipe;
use ulid::Ulid;

use super::{Queues, scripts};
use crate::error::Error;
use crate::job::QueueName;

impl Queues {
    /// For each of these queues a random text that stays the same as long as Redis keeps its data. Another one means
    /// that Redis came back empty, and that everything unfinished has to be pushed again. A queue whose node of a
    /// cluster is away is left out.
    ///
    /// # Errors
    /// When Redis fails for all of them.
    pub async fn instance(&self, names: &[QueueName]) -> Result<BTreeMap<QueueName, String>, Error> {
        if !self.connection.is_apart() {
            let mut together = pipe();
            for name in names {
                together.get(self.keys(name).instance());
            }
            if names.is_empty() {
                return Ok(BTreeMap::new());
            }
            let known: Vec<Option<String>> = self.connection.pipeline(&together).await?;
            let mut instances = BTreeMap::new();
            for (name, known) in names.iter().zip(known) {
                let instance = match known {
                    Some(instance) => instance,
                    None => self.instance_of(name).await?,
                };
                instances.insert(name.clone(), instance);
            }
            return Ok(instances);
        }
        let mut found = BTreeMap::new();
        let mut failed = None;
        let asked = names.iter().map(|queue| self.instance_of(queue));
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

    async fn instance_of(&self, queue: &QueueName) -> Result<String, Error> {
        let fresh = Ulid::generate().to_string();
        let mut call = scripts::INSTANCE.call(&self.keys(queue).of_queue());
        call.arg("fresh_text", &fresh);
        self.connection.script(&call).await
    }
}
