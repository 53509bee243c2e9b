//! Does something for every queue at the same time: on a cluster one of them may be away while the others are there.

use std::future::Future;

use futures::future::join_all;

use crate::error::Error;
use crate::job::QueueName;

/// The values of those that succeeded, and an error if one failed.
pub(crate) async fn for_each_queue<'a, T, F: Future<Output = Result<T, Error>>>(
    queues: &'a [QueueName],
    act: impl Fn(&'a QueueName) -> F,
) -> (Vec<T>, Result<(), Error>) {
    let mut done = Vec::with_capacity(queues.len());
    let mut failed = Ok(());
    for result in join_all(queues.iter().map(act)).await {
        match result {
            Ok(value) => done.push(value),
            Err(error) => failed = Err(error),
        }
    }
    (done, failed)
}
