//! A node that neither answers nor closes its connections slows the queues that lie on it, and no others.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_answer_does_not_slow_the_queues_of_the_others() {
    let env = ClusterEnv::new().await;
    // Full, so that nothing but its heartbeats keeps its job for it.
    let full = WorkerSettings {
        concurrency: 1,
        ..env.settings.clone()
    };
    let gated = Scripted::gated();
    let holder = TestWorker::start(&env.catalog(&gated), full);
    let held = job(1);
    env.push(1, std::slice::from_ref(&held)).await;
    eventually("it is held", async || gated.runs() == 1).await;
    let scripted = Scripted::default();
    let worker = env.worker(&scripted);
    let mut watch = Watch::begin(&env.queues, &env.names[1..]).await;
    for number in 0..3 {
        env.push(number, &jobs(number, 1)).await;
    }
    eventually("all queues are in use", async || scripted.runs() == 3).await;
    watch.until_finished(2).await;

    let stopped = &env.cluster.masters[0];
    stopped.signal("STOP");
    let mut finished = 2;
    let mut waits = Vec::new();
    // Longer than the lease, and than a call that is not answered.
    let until = Instant::now() + env.settings.lease * 4;
    while Instant::now() < until {
        for number in 1..3 {
            let begin = Instant::now();
            env.push(number, &jobs(number, 1)).await;
            finished += 1;
            watch.until_finished(finished).await;
            waits.push(begin.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    waits.sort();
    let median = waits[waits.len() / 2];
    // Calls to the node that is stopped take two seconds and more.
    assert!(
        median < Duration::from_millis(500),
        "half of the jobs took {median:?}: {waits:?}"
    );
    assert_eq!(watch.story(held.id), [""; 0], "its lease was not renewed");

    let begin = Instant::now();
    let cancelled = env.queues.cancel(&env.names[1], &[held.id]).await.unwrap();
    assert_eq!(cancelled, [Cancelled::Marked]);
    finished += 1;
    watch.until_finished(finished).await;
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(2), "it took {took:?} to stop a job");

    stopped.signal("CONT");
    eventually("the queue is served again", async || {
        env.queues.push(&env.names[0], &jobs(0, 1)).await.is_ok()
    })
    .await;
    eventually("it runs", async || {
        env.queues
            .depth(&env.names[0])
            .await
            .is_ok_and(|depth| depth.queued + depth.running == 0)
    })
    .await;
    holder.stop().await;
    worker.stop().await;
}
