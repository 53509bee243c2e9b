//! What Redis keeps of outputs, and for how long: those of jobs for their time, the values of pure functions up to a
//! number of bytes.

use std::time::Duration;

use jobs::job::Envelope;
use jobs::queue::events::Outcome;
use serde_json::json;

use crate::functions::Scripted;
use crate::support::{TestEnv, catalog_of, envelope, eventually, standard_catalog};

fn fibonacci(index: usize) -> Envelope {
    envelope("fibonacci", &json!({ "index": index }))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memo_keeps_to_its_bytes() {
    let mut env = TestEnv::new().await;
    env.settings.redis.memo_max_bytes = 1_000;
    let mut watch = env.watch().await;
    let worker = env.worker(&standard_catalog());
    for index in 1_000..1_020 {
        env.push(&[fibonacci(index)]).await;
        watch.until_finished(index - 999).await;
    }
    // One after the other, so that it is known which are the oldest.
    let listed = env.queues.memo_list(&env.queue, "fibonacci", 100).await.unwrap();
    let bytes: usize = listed.iter().map(|(_, value)| value.get().len()).sum();
    assert!(
        bytes <= 1_000 && listed.len() >= 3,
        "{} values of {bytes} bytes",
        listed.len()
    );
    let mut kept: Vec<usize> = listed.iter().map(|(key, _)| key.parse().unwrap()).collect();
    kept.sort_unstable();
    let newest: Vec<usize> = (1_020 - kept.len()..1_020).collect();
    assert_eq!(kept, newest, "the oldest went");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_larger_than_the_memo_is_returned_and_not_kept() {
    let mut env = TestEnv::new().await;
    env.settings.redis.memo_max_bytes = 1_000;
    let mut watch = env.watch().await;
    let worker = env.worker(&standard_catalog());
    env.push(&[fibonacci(90)]).await;
    watch.until_finished(1).await;
    env.push(&[fibonacci(1_000_000)]).await;
    watch.until_finished(2).await;
    let Outcome::Completed { output } = &watch.finished()[1].outcome else {
        panic!("not completed")
    };
    assert_eq!(output.length(), Some(208_988));
    let kept = env.queues.memo(&env.queue, "fibonacci", "1000000").await.unwrap();
    assert_eq!(kept, None);
    env.push(&[fibonacci(91)]).await;
    watch.until_finished(3).await;
    let kept = env.queues.memo(&env.queue, "fibonacci", "91").await.unwrap();
    assert!(kept.is_some(), "it goes on with what fits");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_is_kept_for_its_time_and_no_longer() {
    let mut env = TestEnv::new().await;
    let ttl = Duration::from_secs(2);
    env.settings.redis.result_ttl = ttl;
    let queues = jobs::queue::Queues::connect(&env.settings.redis).await.unwrap();
    let mut watch = env.watch().await;
    let worker = env.worker(&catalog_of(Scripted::default()));
    let output = async |job: &Envelope| queues.output(&env.queue, job.id).await.unwrap();
    let mut ended = Vec::new();
    for number in 0..3_usize {
        let job = envelope("scripted", &json!({ "output": number }));
        env.push(std::slice::from_ref(&job)).await;
        watch.until_finished(number + 1).await;
        ended.push((job, watch.finished()[number].finished_at));
        // Outputs of one time bucket go together: these are of several.
        tokio::time::sleep(ttl / 10).await;
    }
    for (number, (job, ended)) in ended.iter().enumerate() {
        let found = output(job).await;
        let age = (chrono::Utc::now() - *ended).to_std().unwrap_or_default();
        // However busy the machine is: who looks within the time finds it.
        let kept = found.is_some_and(|text| text == number.to_string().as_bytes());
        assert!(kept || age > ttl, "gone after {age:?}");
    }
    for (job, ended) in &ended {
        eventually("it is gone", || async { output(job).await.is_none() }).await;
        let age = (chrono::Utc::now() - *ended).to_std().unwrap();
        assert!(age >= ttl, "gone after {age:?}");
    }
    let raw = env.raw().await;
    eventually("nothing is left of them", || {
        let mut raw = raw.clone();
        let pattern = env.key("outputs:*");
        async move {
            let keys: Vec<String> = redis::cmd("KEYS")
                .arg(pattern)
                .query_async(&mut raw)
                .await
                .unwrap();
            keys.is_empty()
        }
    })
    .await;
    worker.stop().await;
}

/// The worker that wrote it may be on a machine whose clock is ahead.
#[tokio::test(flavor = "multi_thread")]
async fn an_output_of_the_next_time_bucket_is_found() {
    let env = TestEnv::new().await;
    let job = envelope("scripted", &json!({}));
    let bucket_ms = env.settings.redis.result_ttl.as_millis() / 24;
    let ahead = u128::try_from(chrono::Utc::now().timestamp_millis()).unwrap() / bucket_ms + 1;
    let mut raw = env.raw().await;
    let _: () = redis::cmd("HSET")
        .arg(env.key(&format!("outputs:{ahead}")))
        .arg(job.id.to_string())
        .arg("7")
        .query_async(&mut raw)
        .await
        .unwrap();
    let found = env.queues.output(&env.queue, job.id).await.unwrap();
    assert_eq!(found.unwrap(), "7");
}
