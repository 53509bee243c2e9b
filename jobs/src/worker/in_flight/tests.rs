//! What the table of held jobs decides, without Redis.

use crate::worker::in_flight::*;

fn claim(id: JobId, attempt: u32) -> Claim {
    Claim {
        queue: QueueName::standard(),
        id,
        attempt,
        envelope: Err(String::new()),
        bytes: 0,
        suspect: false,
        asked_at: Instant::now(),
    }
}

#[test]
fn short_jobs_are_fetched_ahead_and_long_ones_are_not() {
    let held = Held::new(10);
    assert_eq!(held.room(), 10);
    for _ in 0..200 {
        held.ran(Duration::from_micros(100));
    }
    let room = held.room();
    assert!((190..=210).contains(&room), "{room}");
    for _ in 0..10 {
        held.ran(Duration::from_secs(5));
    }
    assert_eq!(held.room(), 10);
}

fn ago(milliseconds: u64) -> Instant {
    Instant::now()
        .checked_sub(Duration::from_millis(milliseconds))
        .unwrap()
}

/// Of ten, with one place, the first has been running for so long, after many short ones.
fn ten_of_which_one_runs(milliseconds: u64) -> (Held, Vec<JobId>, Arc<HeldJob>) {
    let held = Held::new(1);
    for _ in 0..200 {
        held.ran(Duration::from_micros(100));
    }
    let ids: Vec<JobId> = (0..10).map(|_| JobId::new()).collect();
    let jobs: Vec<_> = ids.iter().map(|id| held.add(&claim(*id, 1))).collect();
    assert!(jobs[0].begins(ago(milliseconds)));
    (held, ids, Arc::clone(&jobs[0]))
}

fn returning(held: &Held) -> Vec<JobId> {
    let returning = held.returning(&QueueName::standard()).into_iter();
    returning.map(|(id, _)| id).collect()
}

#[test]
fn what_will_not_begin_soon_goes_back_in_order() {
    let (held, _, _) = ten_of_which_one_runs(0);
    held.turn_back_surplus(false);
    assert!(
        returning(&held).is_empty(),
        "they are short, as far as anybody knows"
    );
    // Within a tenth of a second one more begins, and no more if this machine is busy.
    let (held, ids, _) = ten_of_which_one_runs(60);
    held.turn_back_surplus(false);
    assert!(returning(&held).ends_with(&ids[2..]));
    let (held, ids, _) = ten_of_which_one_runs(200);
    held.turn_back_surplus(false);
    assert_eq!(returning(&held), ids[1..]);
    assert_eq!(held.room(), 0, "the running one is long, whatever was before");
}

#[test]
fn at_the_order_to_stop_all_that_has_not_begun_goes_back() {
    let (held, ids, first) = ten_of_which_one_runs(0);
    held.turn_back_surplus(true);
    assert_eq!(returning(&held), ids[1..]);
    assert!(first.has_begun());
}

#[test]
fn one_job_whose_worker_vanished_is_in_hand_until_it_has_proven_harmless() {
    let held = Held::new(10);
    assert!(held.may_take_suspect());
    let id = JobId::new();
    let job = held.add(&Claim {
        suspect: true,
        ..claim(id, 1)
    });
    assert!(!held.may_take_suspect());
    assert!(job.begins(ago(1_000)));
    assert!(held.may_take_suspect(), "it has been running for a while");
    held.remove(id, 1);
    let another = held.add(&Claim {
        suspect: true,
        ..claim(id, 2)
    });
    assert!(another.begins(Instant::now()) && !held.may_take_suspect());
    held.remove(id, 2);
    assert!(held.may_take_suspect());
}

#[test]
fn a_few_places_are_not_worth_a_call_while_there_is_work_in_hand() {
    let held = Held::new(10);
    for _ in 0..200 {
        held.ran(Duration::from_micros(100));
    }
    let ids: Vec<JobId> = (0..held.room()).map(|_| JobId::new()).collect();
    for id in &ids {
        held.add(&claim(*id, 1));
    }
    held.remove_all(ids[..50].iter().map(|id| (*id, 1)));
    assert_eq!(held.room(), 0);
    held.remove_all(ids[50..150].iter().map(|id| (*id, 1)));
    assert_eq!(held.room(), 150);
}

#[test]
fn a_newer_attempt_stops_the_older_one_and_keeps_its_place() {
    let held = Held::new(10);
    let id = JobId::new();
    let first = held.add(&claim(id, 1));
    let second = held.add(&claim(id, 2));
    assert!(first.stop.is_cancelled() && !second.stop.is_cancelled());
    held.remove(id, 1);
    assert_eq!(held.len(), 1);
    held.remove(id, 2);
    assert_eq!(held.room(), 10);
}

#[tokio::test]
async fn who_waits_for_room_is_woken_when_a_job_leaves() {
    let held = Arc::new(Held::new(1));
    let id = JobId::new();
    held.add(&claim(id, 1));
    let waiting = tokio::spawn({
        let held = Arc::clone(&held);
        async move { held.wait_for_room().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    held.remove(id, 1);
    tokio::time::timeout(Duration::from_secs(5), waiting)
        .await
        .unwrap()
        .unwrap();
}

#[test]
fn an_attempt_is_announced_once_and_only_when_it_goes_on() {
    let held = Held::new(10);
    let job = held.add(&claim(JobId::new(), 1));
    assert!(held.news(&QueueName::standard()).is_empty(), "it has not begun");
    let now_ms = now().timestamp_millis();
    held.begins(&job, now_ms + 1_000);
    assert!(held.news(&QueueName::standard()).is_empty(), "it has just begun");
    held.begins(&job, now_ms - 1_000);
    let mut news = held.news(&QueueName::standard());
    assert_eq!(news.len(), 1);
    assert_eq!(news[0].report.2, Some(now_ms - 1_000));
    assert!(held.news(&QueueName::standard()).is_empty());

    news.remove(0).put_back();
    assert_eq!(
        held.news(&QueueName::standard()).len(),
        1,
        "it could not be told, and is news again"
    );
    job.notebook.line("half-way");
    let news = held.news(&QueueName::standard());
    assert!(news[0].report.2.is_none() && news[0].report.3.is_some());
}
