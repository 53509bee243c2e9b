//! Plain apalis code pushes to Spiral's queue and waits for the results.

use std::sync::Arc;
use std::time::Duration;

use apalis_core::backend::finalize::Durable;
use apalis_core::backend::{Filter, ListTasks, TaskSink, WaitForCompletion};
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::status::Status;
use apalis_core::task::task_id::TaskId;
use futures::StreamExt;
use jobs::apalis_queue::FunctionQueue;
use jobs::catalog::{Catalog, FunctionSettings};

use crate::support::TestEnv;
use plain_apalis::{Greet, greet_all};

#[expect(dead_code, reason = "its main function needs a Redis at a known place")]
#[path = "../../examples/plain_apalis.rs"]
mod plain_apalis;

fn catalog() -> Arc<Catalog> {
    let catalog = Catalog::new(&FunctionSettings::default()).unwrap();
    Arc::new(catalog.with(Greet).unwrap())
}

fn new_id() -> TaskId {
    FunctionQueue::<Greet>::new_task_id()
}

fn tasks(names: &[&str]) -> Vec<(TaskId, String)> {
    names.iter().map(|name| (new_id(), (*name).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_gets_each_result() {
    let env = TestEnv::new().await;
    let worker = env.worker(&catalog());
    let mut backend = FunctionQueue::new(env.queues.clone(), &Greet);
    let mut results = greet_all(&mut backend, tasks(&["Ada", "", "Grace"]))
        .await
        .unwrap();
    results.sort();
    let expected = [
        Ok("Hello, Ada!".to_owned()),
        Ok("Hello, Grace!".to_owned()),
        Err("nobody to greet".to_owned()),
    ];
    assert_eq!(results, expected);
    worker.stop().await;
    env.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_listed_until_it_has_ended_and_then_has_a_result() {
    let env = TestEnv::new().await;
    let mut backend = FunctionQueue::new(env.queues.clone(), &Greet);
    let (now, later) = (new_id(), new_id());
    let task = TaskBuilder::new("Ada".to_owned()).task_id(now.clone());
    let task = task.max_attempts(7).priority(1);
    TaskSink::<String, Durable>::push_task(&mut backend, task.build())
        .await
        .unwrap();
    let task = TaskBuilder::new("Grace".to_owned()).task_id(later.clone());
    let task = task.run_after(Duration::from_hours(1)).build();
    TaskSink::<String, Durable>::push_task(&mut backend, task)
        .await
        .unwrap();

    let filter = |status| Filter {
        status,
        page: 1,
        page_size: None,
    };
    assert_eq!(backend.list_tasks(&filter(None)).await.unwrap().len(), 2);
    let queued = backend.list_tasks(&filter(Some(Status::Queued))).await.unwrap();
    assert_eq!(queued.len(), 1);
    let context = queued[0].ctx();
    assert_eq!((context.task_id(), context.max_attempts()), (Some(&now), Some(7)));
    assert_eq!(queued[0].args.get(), "\"Ada\"");
    let pending = backend.list_tasks(&filter(Some(Status::Pending))).await.unwrap();
    assert_eq!(pending[0].ctx().task_id(), Some(&later));
    let known = WaitForCompletion::<String>::check_status(&mut backend, [now.clone()]);
    assert!(known.await.unwrap().is_empty());

    let worker = env.worker(&catalog());
    let mut results = WaitForCompletion::<String>::wait_for_single(&mut backend, now.clone());
    let result = results.next().await.unwrap().unwrap();
    assert_eq!(
        (&result.task_id, &result.status, result.attempt),
        (&now, &Status::Done, 1)
    );
    assert!(results.next().await.is_none());
    // The events are gone, and the output is still there.
    let _deleted: u64 = env.ask(&["DEL", &env.key("events")]).await;
    let known = WaitForCompletion::<String>::check_status(&mut backend, [now, later]);
    let known = known.await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].result.as_deref(), Ok("Hello, Ada!"));
    assert_eq!(backend.list_tasks(&filter(None)).await.unwrap().len(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_no_job_id_is_refused() {
    let env = TestEnv::new().await;
    let mut backend = FunctionQueue::new(env.queues.clone(), &Greet);
    let id = TaskId::from_string("7");
    let task = TaskBuilder::new("Ada".to_owned()).task_id(id.clone()).build();
    assert!(
        TaskSink::<String, Durable>::push_task(&mut backend, task)
            .await
            .is_err()
    );
    let mut results = WaitForCompletion::<String>::wait_for_single(&mut backend, id);
    assert!(results.next().await.unwrap().is_err());
    assert!(results.next().await.is_none());
}
