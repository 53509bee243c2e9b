//! A node is away, a queue moves, a replica takes over.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_queues_on_other_nodes_go_on_while_one_is_away() {
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
    let mut recorder = env.queues.recorder(&env.names, "a");
    let mut all = BTreeSet::new();
    for number in 0..3 {
        let pushed = jobs(number, 5);
        env.push(number, &pushed).await;
        all.extend(ids(&pushed));
    }
    record(&mut recorder, &all).await;
    let before = env.queues.instance(&env.names).await.unwrap();
    env.queues.ping().await.unwrap();
    let mut tail = env.queues.tail(&env.names, None);
    tail.begin().await.unwrap();
    let back = || env.queues.tail(&env.names, Some(tail.position().clone()));

    env.cluster.masters[0].kill();
    let begin = Instant::now();
    let error = env.queues.push(&env.names[0], &[job(0)]).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(begin.elapsed() < env.settings.redis.timeout * 3);
    let error = env.queues.ping().await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    // "Nothing new" would be a lie to who comes back to a position.
    let error = back().next(Duration::from_millis(1)).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    // Longer than the lease: it is renewed all the same where it can be.
    let until = Instant::now() + env.settings.lease * 2;
    let mut meanwhile = BTreeSet::new();
    while Instant::now() < until {
        for number in 1..3 {
            let pushed = jobs(number, 2);
            env.push(number, &pushed).await;
            record(&mut recorder, &ids(&pushed)).await;
            meanwhile.extend(ids(&pushed));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    all.extend(&meanwhile);
    let reachable = env.queues.instance(&env.names).await.unwrap();
    assert_eq!(
        reachable.keys().cloned().collect::<BTreeSet<_>>(),
        env.names[1..].iter().cloned().collect()
    );

    // It comes back empty, which shows in its queue alone.
    env.cluster.masters[0].wipe();
    let after = jobs(0, 5);
    eventually("the queue is there again", async || {
        env.queues.push(&env.names[0], &after).await.is_ok()
    })
    .await;
    record(&mut recorder, &ids(&after)).await;
    all.extend(ids(&after));
    env.queues.ping().await.unwrap();
    let mut late = back();
    let error = loop {
        match late.next(BLOCK).await {
            // What happened meanwhile in the other queues.
            Ok(batches) => assert!(
                !batches.is_empty(),
                "it takes a stream that began anew for its own"
            ),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Expired), "{error:?}");
    let now = env.queues.instance(&env.names).await.unwrap();
    let others: Vec<_> = env
        .names
        .iter()
        .filter(|name| now[*name] != before[*name])
        .collect();
    assert_eq!(others, [&env.names[0]]);

    gated.open(1);
    record(&mut recorder, &ids([&held])).await;
    for number in 0..3 {
        env.assert_done(number).await;
    }
    let runs = scripted.runs() as usize;
    assert_eq!(runs, all.len(), "a job ran twice, or not at all");
    holder.stop().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_moves_to_another_node_while_its_jobs_run() {
    let env = ClusterEnv::new().await;
    let gated = Scripted::gated();
    let worker = env.worker(&gated);
    let mut watch = env.watch().await;
    let mut recorder = env.queues.recorder(&env.names, "a");
    let pushed = jobs(0, 100);
    env.push(0, &pushed).await;
    eventually("some run", async || gated.runs() == 20).await;
    gated.open(10);
    watch.until_finished(10).await;

    let slot = env.cluster.slot_of(env.names[0].as_str());
    let halfway = async || {
        // What cannot be done on either side fails fast, as when Redis is away, and is done later.
        let error = env.queues.push(&env.names[0], &[job(0)]).await.unwrap_err();
        assert!(error.is_unavailable(), "{error:?}");
        gated.open(10);
    };
    env.cluster.move_slot(slot, 0, 1, halfway).await;
    gated.open(1_000);
    let more = jobs(0, 10);
    env.push(0, &more).await;
    let all = ids(pushed.iter().chain(&more));
    watch.until_finished(all.len()).await;
    finished_once(&watch, &all);
    record(&mut recorder, &all).await;
    env.assert_done(0).await;
    let left: u64 = env.cluster.masters[0].ask(&["DBSIZE"]).unwrap();
    assert_eq!(left, 0, "something was written to the old node");
    assert_eq!(gated.runs() as usize, all.len(), "a job ran twice");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_follow_a_queue_to_the_replica_that_took_over() {
    let env = ClusterEnv::new().await;
    let master = &env.cluster.masters[0];
    let replica = env.cluster.replica_of(master).await;
    let gated = Scripted::gated();
    let worker = env.worker(&gated);
    let mut watch = env.watch().await;
    let mut recorder = env.queues.recorder(&env.names, "a");
    let pushed = jobs(0, 60);
    env.push(0, &pushed).await;
    eventually("some run", async || gated.runs() == 20).await;
    eventually("the replica has it all", async || {
        let offset = |node: &crate::support::nodes::ServerNode| -> Option<u64> {
            let text: String = node.ask(&["INFO", "replication"]).ok()?;
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("master_repl_offset:"));
            line?.trim().parse().ok()
        };
        // Asked in this order: the worker's heartbeats go on meanwhile.
        let there = offset(master);
        there.is_some() && offset(&replica) >= there
    })
    .await;
    master.kill();
    gated.open(1_000);
    let more = jobs(0, 10);
    eventually("the replica serves", async || {
        env.queues.push(&env.names[0], &more).await.is_ok()
    })
    .await;
    let all = ids(pushed.iter().chain(&more));
    record(&mut recorder, &all).await;
    watch
        .until("every job has ended", |watch| {
            let ended: BTreeSet<JobId> = watch.finished().iter().map(|end| end.id).collect();
            all.is_subset(&ended)
        })
        .await;
    env.assert_done(0).await;
    assert!(replica.says(&["INFO", "replication"], "role:master"));
    worker.stop().await;
}
