//! A slot on its way from one node to another, with calls that come in the middle of it.

use super::*;

/// A queue that holds nothing moves while a push waits; what can be asked of one key is answered meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn calls_go_through_while_an_empty_queue_moves() {
    let env = ClusterEnv::new().await;
    let scripted = Scripted::default();
    let name = &env.names[0];
    let slot = env.cluster.slot_of(name.as_str());
    env.cluster.begin_move(slot, 0, 1);
    // All keys are missing where the slot is, so that another node is named, which lacks the script as well.
    let before = env.queues.now(name).await.unwrap();
    env.queues.announce_many(name, 100).await.unwrap();
    env.queues.ping().await.unwrap();
    assert!(env.queues.now(name).await.unwrap() >= before);
    let events: u64 = env.cluster.masters[1]
        .ask(&["EXISTS", &format!("test:{{{name}}}:events")])
        .unwrap_or_default();
    assert_eq!(
        events, 0,
        "without ASKING nobody gets to the keys of a slot on its way"
    );

    let pushed = jobs(0, 3);
    let pushing = {
        let (queues, name, pushed) = (env.queues.clone(), name.clone(), pushed.clone());
        tokio::spawn(async move { queues.push(&name, &pushed).await })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    env.cluster.end_move(slot, 0, 1);
    // The keys of a script are never all there on either side; it waits for the end of the move.
    assert_eq!(pushing.await.unwrap().unwrap().pushed, 3);
    let worker = env.worker(&scripted);
    eventually("they have run", async || scripted.runs() == 3).await;
    env.assert_done(0).await;
    let left: u64 = env.cluster.masters[0].ask(&["DBSIZE"]).unwrap();
    assert_eq!(left, 0, "something was written to the old node");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_waits_for_the_end_of_a_move_of_a_full_queue() {
    let env = ClusterEnv::new().await;
    let gated = Scripted::gated();
    let worker = env.worker(&gated);
    let mut watch = env.watch().await;
    let mut recorder = env.queues.recorder(&env.names, "a");
    let first = jobs(0, 100);
    env.push(0, &first).await;
    eventually("some run", async || gated.runs() == 20).await;
    gated.open(1_000);
    let slot = env.cluster.slot_of(env.names[0].as_str());
    let mut all: Vec<Envelope> = first;
    // There and back again, with a push in the middle of each.
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        let late = jobs(0, 5);
        let mut pushing = None;
        env.cluster
            .move_slot(slot, from, to, async || {
                let (queues, name, late) = (env.queues.clone(), env.names[0].clone(), late.clone());
                pushing = Some(tokio::spawn(async move { queues.push(&name, &late).await }));
                tokio::time::sleep(Duration::from_millis(50)).await;
            })
            .await;
        match pushing {
            Some(pushing) => {
                let result = pushing.await.unwrap();
                // A machine that is busy may take longer for a move than a call waits.
                if result.is_err() {
                    env.queues.push(&env.names[0], &late).await.unwrap();
                }
            }
            None => panic!("nothing was there to be moved"),
        }
        all.extend(late);
    }
    let all = ids(&all);
    watch.until_finished(all.len()).await;
    finished_once(&watch, &all);
    record(&mut recorder, &all).await;
    env.assert_done(0).await;
    assert_eq!(gated.runs() as usize, all.len(), "a job ran twice");
    worker.stop().await;
}
