//! A function that notes in which order its jobs begin.

use std::sync::{Arc, Mutex};

use jobs::{
    catalog::Catalog,
    context::JobContext,
    function::{Function, JobError},
    job::JobId,
    worker::{self, WorkerSettings},
};
use serde_json::Value;
use web_api::db::jobs::NewJob;

use super::{TestEnv, new_job, roles::Role};

#[derive(Clone, Default)]
pub(crate) struct Noted(Arc<Mutex<Vec<JobId>>>);

impl Function for Noted {
    const NAME: &'static str = "noted";
    const DESCRIPTION: &'static str = "Notes the order of its jobs.";
    type Input = Value;
    type Output = ();

    async fn run(&self, context: JobContext, _: Value) -> Result<(), JobError> {
        self.0.lock().unwrap().push(context.id);
        Ok(())
    }
}

impl Noted {
    pub(crate) fn job(tenant: Option<&str>) -> NewJob {
        NewJob {
            function: Self::NAME.to_owned(),
            fairness_key: tenant.map(str::to_owned),
            ..new_job(0)
        }
    }

    /// One job at a time.
    pub(crate) fn worker(&self, env: &TestEnv) -> Role {
        let settings = WorkerSettings {
            redis: env.redis.settings(),
            concurrency: 1,
            ..WorkerSettings::default()
        };
        let catalog = Arc::new(Catalog::empty().with(self.clone()).unwrap());
        Role::start(async move |stop| worker::run(settings, catalog, stop).await.unwrap())
    }

    pub(crate) fn order(&self) -> Vec<JobId> {
        self.0.lock().unwrap().clone()
    }

    /// How many jobs began before this one.
    pub(crate) fn place(&self, id: JobId) -> usize {
        self.order().iter().position(|other| *other == id).unwrap()
    }
}
