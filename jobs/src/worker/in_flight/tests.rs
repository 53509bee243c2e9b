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
    let in_flight = InFlight::new(10);
    assert_eq!(in_flight.room(), 10);
    for _ in 0..200 {
        in_flight.ran(Duration::from_micros(100));
    }
    let room = in_flight.room();
    assert!((190..=210).contains(&room), "{room}");
    for _ in 0..10 {
        in_flight.ran(Duration::from_secs(5));
    }
    assert_eq!(in_flight.room(), 10);
}

fn ago(milliseconds: u64) -> Instant {
    Instant::now()
        .checked_sub(Duration::from_millis(milliseconds))
        .unwrap()
}

/// Of ten, with one place, the first has been running for so long, after many short ones.
fn ten_of_which_one_runs(milliseconds: u64) -> (InFlight, Vec<JobId>, Arc<InFlightJob>) {
    let in_flight = InFlight::new(1);
    for _ in 0..200 {
        in_flight.ran(Duration::from_micros(100));
    }
    let ids: Vec<JobId> = (0..10).map(|_| JobId::new()).collect();
    let jobs: Vec<_> = ids.iter().map(|id| in_flight.add(&claim(*id, 1))).collect();
    assert!(jobs[0].begins(ago(milliseconds)));
    (in_flight, ids, Arc::clone(&jobs[0]))
}

fn returning(in_flight: &InFlight) -> Vec<JobId> {
    let returning = in_flight.returning(&QueueName::standard()).into_iter();
    returning.map(|(id, _)| id).collect()
}

#[test]
fn what_will_not_begin_soon_goes_back_in_order() {
    let (in_flight, _, _) = ten_of_which_one_runs(0);
    in_flight.return_surplus(false);
    assert!(
        returning(&in_flight).is_empty(),
        "they are short, as far as anybody knows"
    );
    // Within a tenth of a second one more begins, and no more if this machine is busy.
    let (in_flight, ids, _) = ten_of_which_one_runs(60);
    in_flight.return_surplus(false);
    assert!(returning(&in_flight).ends_with(&ids[2..]));
    let (in_flight, ids, _) = ten_of_which_one_runs(200);
    in_flight.return_surplus(false);
    assert_eq!(returning(&in_flight), ids[1..]);
    assert_eq!(
        in_flight.room(),
        0,
        "the running one is long, whatever was before"
    );
}

#[test]
fn at_the_order_to_stop_all_that_has_not_begun_goes_back() {
    let (in_flight, ids, first) = ten_of_which_one_runs(0);
    in_flight.return_surplus(true);
    assert_eq!(returning(&in_flight), ids[1..]);
    assert!(first.has_begun());
}

#[test]
fn one_job_whose_worker_vanished_is_in_hand_until_it_has_proven_harmless() {
    let in_flight = InFlight::new(10);
    assert!(in_flight.may_take_suspect());
    let id = JobId::new();
    let job = in_flight.add(&Claim {
        suspect: true,
        ..claim(id, 1)
    });
    assert!(!in_flight.may_take_suspect());
    assert!(job.begins(ago(1_000)));
    assert!(in_flight.may_take_suspect(), "it has been running for a while");
    in_flight.remove(id, 1);
    let another = in_flight.add(&Claim {
        suspect: true,
        ..claim(id, 2)
    });
    assert!(another.begins(Instant::now()) && !in_flight.may_take_suspect());
    in_flight.remove(id, 2);
    assert!(in_flight.may_take_suspect());
}

#[test]
fn a_few_places_are_not_worth_a_call_while_there_is_work_in_hand() {
    let in_flight = InFlight::new(10);
    for _ in 0..200 {
        in_flight.ran(Duration::from_micros(100));
    }
    let ids: Vec<JobId> = (0..in_flight.room()).map(|_| JobId::new()).collect();
    for id in &ids {
        in_flight.add(&claim(*id, 1));
    }
    in_flight.remove_all(ids[..50].iter().map(|id| (*id, 1)));
    assert_eq!(in_flight.room(), 0);
    in_flight.remove_all(ids[50..150].iter().map(|id| (*id, 1)));
    assert_eq!(in_flight.room(), 150);
}

#[test]
fn a_newer_attempt_stops_the_older_one_and_keeps_its_place() {
    let in_flight = InFlight::new(10);
    let id = JobId::new();
    let first = in_flight.add(&claim(id, 1));
    let second = in_flight.add(&claim(id, 2));
    assert!(first.stop.is_cancelled() && !second.stop.is_cancelled());
    in_flight.remove(id, 1);
    assert_eq!(in_flight.len(), 1);
    in_flight.remove(id, 2);
    assert_eq!(in_flight.room(), 10);
}

#[tokio::test]
async fn who_waits_for_room_is_woken_when_a_job_leaves() {
    let in_flight = Arc::new(InFlight::new(1));
    let id = JobId::new();
    in_flight.add(&claim(id, 1));
    let waiting = tokio::spawn({
        let in_flight = Arc::clone(&in_flight);
        async move { in_flight.wait_for_room().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    in_flight.remove(id, 1);
    tokio::time::timeout(Duration::from_secs(5), waiting)
        .await
        .unwrap()
        .unwrap();
}

#[test]
fn an_attempt_is_announced_once_and_only_when_it_goes_on() {
    let in_flight = InFlight::new(10);
    let job = in_flight.add(&claim(JobId::new(), 1));
    assert!(
        in_flight.news(&QueueName::standard()).is_empty(),
        "it has not begun"
    );
    let now_ms = now().timestamp_millis();
    in_flight.begins(&job, now_ms + 1_000);
    assert!(
        in_flight.news(&QueueName::standard()).is_empty(),
        "it has just begun"
    );
    in_flight.begins(&job, now_ms - 1_000);
    let mut news = in_flight.news(&QueueName::standard());
    assert_eq!(news.len(), 1);
    assert_eq!(news[0].report.2, Some(now_ms - 1_000));
    assert!(in_flight.news(&QueueName::standard()).is_empty());

    news.remove(0).put_back();
    assert_eq!(
        in_flight.news(&QueueName::standard()).len(),
        1,
        "it could not be told, and is news again"
    );
    job.progress_log.line("half-way");
    let news = in_flight.news(&QueueName::standard());
    assert!(news[0].report.2.is_none() && news[0].report.3.is_some());
}
