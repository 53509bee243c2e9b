//! A Redis that is emptied: the pause of a queue holds from its first moment on.

use jobs::catalog::Catalog;
use serde_json::json;

use crate::support::roles::Counted;
use crate::support::server::TestServer;
use crate::support::{eventually, on_both_databases};

on_both_databases! {
    async fn nothing_of_a_paused_queue_runs_in_an_emptied_redis(kind) {
        let counted = Counted::default();
        let catalog = Catalog::empty().with(counted.clone()).unwrap();
        let server = TestServer::with_functions(kind, catalog, |_| ()).await;
        server.start_worker();
        server.wait_until_ready().await;
        let first = server.call("counted", &json!({ "input": { "number": 1 } })).await;
        server.job_in_state(first["id"].as_str().unwrap(), "completed").await;
        let paused = server.post("/api/v1/queues/default/pause", "").await;
        assert_eq!(paused.status, 200, "{}", paused.text);
        let queues = server.queues().await;
        let queue = jobs::job::QueueName::standard();
        let mut ids = Vec::new();
        for number in 0..5 {
            server.redis.ask("FLUSHALL");
            let job = server.call("counted", &json!({ "input": { "number": number } })).await;
            ids.push(job["id"].as_str().unwrap().to_owned());
            eventually("the limits are there again", async || {
                queues.limits_if_set(&queue).await.unwrap().filter(|limits| limits.paused).map(drop)
            })
            .await;
        }
        let ran = ids.iter().filter(|id| counted.runs(id.parse().unwrap()) > 0).count();
        assert_eq!(ran, 0, "some ran though their queue is paused");
        server.post("/api/v1/queues/default/resume", "").await;
        for id in ids {
            server.job_in_state(&id, "completed").await;
        }
    }
}
