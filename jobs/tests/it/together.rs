//! Short jobs that share a task: each has an end of its own, and none takes a place that others have.

use std::sync::Arc;

use jobs::catalog::{Catalog, FunctionSettings};
use jobs::context::JobContext;
use jobs::function::{Function, JobError};
use jobs::job::Envelope;
use jobs::queue::events::{ErrorKind, Outcome};
use serde_json::json;

use crate::functions::Scripted;
use crate::support::{TestEnv, catalog_of, envelope, eventually};

/// Panics where its input is read for the memo, before it runs.
struct Fragile;

impl Function for Fragile {
    const NAME: &'static str = "fragile";
    const DESCRIPTION: &'static str = "Panics.";
    type Input = u32;
    type Output = u32;

    fn memo_key(&self, number: &u32) -> Option<String> {
        assert!(!number.is_multiple_of(7), "{number} is too much");
        None
    }

    async fn run(&self, _context: JobContext, number: u32) -> Result<u32, JobError> {
        Ok(number)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_falls_over_before_it_runs_harms_no_other_job() {
    let env = TestEnv::new().await;
    let mut watch = env.watch().await;
    // Enough that the last ones share their tasks.
    let jobs: Vec<Envelope> = (1..=700_u32)
        .map(|number| Envelope {
            max_attempts: 1,
            ..envelope("fragile", &json!(number))
        })
        .collect();
    env.push(&jobs).await;
    let _worker = env.worker(&catalog_of(Fragile));
    watch.until_finished(jobs.len()).await;
    let mut dead = 0;
    for finished in watch.finished() {
        match &finished.outcome {
            Outcome::Completed { .. } => {}
            Outcome::Dead { error } => {
                assert_eq!(error.kind, ErrorKind::Panic);
                assert!(error.message.contains("is too much (at "), "{}", error.message);
                dead += 1;
            }
            Outcome::Retrying { .. } | Outcome::Cancelled => panic!("{finished:?}"),
        }
    }
    assert_eq!(dead, 100);
    env.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_jobs_run_at_the_same_time_than_the_worker_has_places() {
    let mut env = TestEnv::new().await;
    env.settings.concurrency = 2;
    let mut watch = env.watch().await;
    let scripted = Scripted::gated();
    let catalog = Catalog::new(&FunctionSettings::default()).unwrap();
    let _worker = env.worker(&Arc::new(catalog.with(scripted.clone()).unwrap()));
    // So that the worker believes in short jobs: it fetches many, and has several share a task.
    let short: Vec<Envelope> = (0..500).map(|number| envelope("echo", &json!(number))).collect();
    env.push(&short).await;
    watch.until_finished(short.len()).await;
    let long: Vec<Envelope> = (0..50).map(|_| envelope("scripted", &json!({}))).collect();
    env.push(&long).await;
    for done in 0..10 {
        eventually("two of them run", async || scripted.runs() == done + 2).await;
        scripted.open(1);
        watch.until_finished(short.len() + done as usize + 1).await;
    }
    scripted.open(long.len());
    watch.until_finished(short.len() + long.len()).await;
    env.assert_clean().await;
}
