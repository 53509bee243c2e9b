//! Jobs that SQL keeps are cancelled there, and never come into Redis.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use jobs::{
    catalog::Catalog,
    job::{JobId, Priority, QueueName},
};
use serde_json::{Value, json};
use web_api::db::jobs::dispatch::Lane;
use web_api::db::jobs::{Place, UnfinishedJob};
use web_api::services::dispatcher::window::WindowSettings;

use crate::support::{eventually, on_both_databases, roles::Counted, server::TestServer};

async fn call(server: &TestServer, more: Value) -> JobId {
    let mut body = json!({"input": {"number": 1}});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    server.call("counted", &body).await["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

on_both_databases! {
    async fn in_the_backlog_parked_and_on_the_way_jobs_are_cancelled_and_never_run(database) {
        let counted = Counted::default();
        let catalog = Catalog::empty().with(counted.clone()).unwrap();
        let window = WindowSettings { size: 5, horizon: Duration::from_secs(1), ..WindowSettings::default() };
        let server = TestServer::with_functions(database, catalog, |config| config.server.window = window).await;
        let store = server.database.store().await;
        let place = async |id| store.job_get(id).await.unwrap().unwrap().place;
        let mut ids = Vec::new();
        for _ in 0..20 {
            ids.push(call(&server, json!({})).await);
        }
        let parked = call(&server, json!({"delay_seconds": 3})).await;
        // The window is full.
        server.until_in_redis(5).await;
        // One whose dispatcher died before its push, or is about to push it.
        let lane = Lane { priority: Priority::STANDARD, fairness_key: String::new() };
        let marked = store.job_dispatch(&QueueName::standard(), &lane, None, 1).await.unwrap()[0].id;
        let waiting = ids[19];
        assert_eq!((place(waiting).await, place(parked).await), (Place::Backlog, Place::Parked));
        let off = [waiting, parked, marked];
        let on_its_way: UnfinishedJob = (&store.job_get(marked).await.unwrap().unwrap()).into();
        let arrived = Utc::now() - TimeDelta::seconds(10);
        assert!(store.job_cancel_many(&[on_its_way], arrived).await.unwrap().is_empty());
        for id in off {
            // While a push may be under way nobody can say whether the job runs.
            let answer = eventually("it can be cancelled", || async {
                let answer = server.post(&format!("/api/v1/jobs/{id}/cancel"), "").await;
                (answer.status != 503).then_some(answer)
            })
            .await;
            assert_eq!((answer.status.as_u16(), &answer.json()["state"]), (200, &json!("cancelled")), "{}", answer.text);
        }

        server.start_worker();
        let later = call(&server, json!({"delay_seconds": 4})).await;
        for id in ids.iter().filter(|id| !off.contains(id)).chain([&later]) {
            server.job_in_state(&id.to_string(), "completed").await;
            assert_eq!(counted.runs(*id), 1);
        }
        // The time of the parked one is over by now.
        for id in off {
            assert_eq!(counted.runs(id), 0);
            let job = server.get(&format!("/api/v1/jobs/{id}")).await.json();
            assert_eq!((&job["state"], &job["attempt"]), (&json!("cancelled"), &json!(0)));
        }
    }
}
