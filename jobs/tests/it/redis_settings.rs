//! What the engine says of a Redis that is set up to lose jobs.

use jobs::queue::{ServerWarning, ServerWarningKind};
use redis::cmd;

use crate::support::TestEnv;

async fn set(env: &TestEnv, name: &str, value: &str) {
    let mut redis = env.raw().await;
    let set: String = cmd("CONFIG")
        .arg(&["SET", name, value])
        .query_async(&mut redis)
        .await
        .unwrap();
    assert_eq!(set, "OK");
}

async fn kinds(env: &TestEnv) -> Vec<ServerWarningKind> {
    let warnings = env.queues.server_warnings().await.unwrap();
    warnings
        .into_iter()
        .map(|ServerWarning { kind, .. }| kind)
        .collect()
}

#[tokio::test]
async fn a_redis_that_may_lose_jobs_is_warned_of_until_it_is_set_right() {
    let env = TestEnv::alone().await;
    assert_eq!(kinds(&env).await, []);
    set(&env, "maxmemory-policy", "allkeys-lru").await;
    let evicts = ServerWarningKind::Evicts {
        policy: "allkeys-lru".to_owned(),
    };
    assert_eq!(kinds(&env).await, std::slice::from_ref(&evicts));
    set(&env, "appendonly", "no").await;
    assert_eq!(kinds(&env).await, [evicts, ServerWarningKind::KeepsNoLog]);
    set(&env, "maxmemory-policy", "noeviction").await;
    set(&env, "appendonly", "yes").await;
    assert_eq!(kinds(&env).await, []);
}
