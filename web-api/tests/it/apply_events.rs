//! What events make of rows: in order, again, out of order, in one batch or in many, and with data that is refused.

use chrono::{SubsecRound, TimeDelta, Utc};
use jobs::{
    job::{JobId, JobState, Priority, QueueName},
    output::{INLINE_MAX, OutputSummary},
    queue::events::{AttemptError, ErrorKind, EventBatch, JobEvent, Outcome, ReturnReason},
};
use serde_json::{Value, json, value::to_raw_value};
use web_api::store::{
    Store,
    job::{Job, NewJob, Place, dispatch::Lane},
};

use crate::{
    store::refuse,
    support::{Database, batch, dispatched, ended, finished, new_job, on_both_databases, unfinished},
};

async fn added(store: &Store) -> JobId {
    let job = new_job(90);
    let id = job.id;
    store.job_insert_many(&[job]).await.unwrap();
    id
}

/// Applies the events one after the other and returns the row.
async fn after(store: &Store, id: JobId, events: &[JobEvent]) -> Job {
    for event in events {
        apply(store, vec![event.clone()]).await;
    }
    store.job_get(id).await.unwrap().unwrap()
}

async fn apply(store: &Store, events: Vec<JobEvent>) {
    let applied = store.job_apply_events(&[batch(events)]).await.unwrap();
    assert!(applied.refused.is_empty(), "{applied:?}");
}

fn started(id: JobId, attempt: u32) -> JobEvent {
    JobEvent::Started {
        id,
        attempt,
        worker: format!("worker-{attempt}"),
        started_at: Utc::now(),
    }
}

fn retrying(id: JobId, attempt: u32) -> JobEvent {
    let run_at = Utc::now() + TimeDelta::seconds(60);
    ended(
        id,
        attempt,
        Outcome::Retrying {
            error: failure(attempt),
            run_at,
            parked: false,
        },
    )
}

fn dead(id: JobId, attempt: u32) -> JobEvent {
    ended(
        id,
        attempt,
        Outcome::Dead {
            error: failure(attempt),
        },
    )
}

/// The same event of another job.
fn renamed(event: &JobEvent, to: JobId) -> JobEvent {
    let mut event = event.clone();
    match &mut event {
        JobEvent::Queued { id, .. }
        | JobEvent::Started { id, .. }
        | JobEvent::Noted { id, .. }
        | JobEvent::Returned { id, .. }
        | JobEvent::Cancelled { id, .. }
        | JobEvent::Promoted { id }
        | JobEvent::Again { id, .. } => *id = to,
        JobEvent::Finished(finished) => finished.id = to,
        JobEvent::QueuedMany { .. } => {}
    }
    event
}

fn failure(attempt: u32) -> AttemptError {
    AttemptError {
        kind: ErrorKind::Error,
        message: format!("attempt {attempt} failed"),
    }
}

fn returned(id: JobId, attempt: u32, reason: ReturnReason) -> JobEvent {
    JobEvent::Returned {
        id,
        attempt,
        reason,
        worker: "w".to_owned(),
    }
}

/// A promotion of a retry whose time, by the row, is a minute ahead: happens that much later.
fn promoted_in_time(id: JobId) -> EventBatch {
    EventBatch {
        at: Utc::now() + TimeDelta::seconds(61),
        ..batch(vec![JobEvent::Promoted { id }])
    }
}

fn summary(job: &Job) -> (JobState, u32, Option<&str>) {
    (
        job.state,
        job.attempt,
        job.error.as_ref().map(|error| error.message.as_str()),
    )
}

on_both_databases! {
    async fn a_job_that_succeeds_at_once(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let id = added(&store).await;

        let before = Utc::now().trunc_subsecs(3);
        let job = after(&store, id, &[started(id, 1)]).await;
        assert_eq!(summary(&job), (JobState::Running, 1, None));
        assert_eq!(job.worker.as_deref(), Some("worker-1"));
        assert!(job.started_at.unwrap() >= before && job.finished_at.is_none());

        let job = after(&store, id, &[finished(id, 1)]).await;
        assert_eq!(summary(&job), (JobState::Completed, 1, None));
        let output = job.output.unwrap();
        assert_eq!((output.size, output.length), (21, Some(19)));
        assert_eq!(output.json, Some(json!("2880067194370816120")));
        assert_eq!(output.preview, "2880067194370816120");
        assert!(job.finished_at.unwrap() >= job.started_at.unwrap());
    }

    async fn a_job_that_fails_succeeds_and_forgets_its_error(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let id = added(&store).await;

        let job = after(&store, id, &[started(id, 1), retrying(id, 1)]).await;
        assert_eq!(summary(&job), (JobState::Retrying, 1, Some("attempt 1 failed")));
        assert!(job.run_at.unwrap() > Utc::now() && job.finished_at.is_none());

        store.job_apply_events(&[promoted_in_time(id)]).await.unwrap();
        let job = after(&store, id, &[]).await;
        assert_eq!(summary(&job), (JobState::Queued, 1, Some("attempt 1 failed")));

        let job = after(&store, id, &[started(id, 2)]).await;
        assert_eq!(summary(&job), (JobState::Running, 2, Some("attempt 1 failed")));
        let job = after(&store, id, &[finished(id, 2)]).await;
        assert_eq!(summary(&job), (JobState::Completed, 2, None));
    }

    async fn a_job_that_gives_up_keeps_its_last_error(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let id = added(&store).await;
        let job = after(&store, id, &[started(id, 1), retrying(id, 1), started(id, 2), dead(id, 2)]).await;
        assert_eq!(summary(&job), (JobState::Dead, 2, Some("attempt 2 failed")));
        assert_eq!(job.error.unwrap().kind, "error");
        assert!(job.output.is_none() && job.finished_at.is_some());

        let id = added(&store).await;
        let job = after(&store, id, &[started(id, 1), retrying(id, 1), ended(id, 1, Outcome::Cancelled)]).await;
        assert_eq!(summary(&job), (JobState::Cancelled, 1, Some("attempt 1 failed")));
    }

    async fn a_scheduled_job_is_promoted_when_it_is_due(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new = NewJob { run_at: Some(Utc::now() + TimeDelta::seconds(60)), ..new_job(1) };
        let id = new.id;
        store.job_insert_many(&[new]).await.unwrap();
        let job = after(&store, id, &[JobEvent::Promoted { id }]).await;
        assert_eq!(job.state, JobState::Scheduled, "a promotion of long ago");
        store.job_apply_events(&[promoted_in_time(id)]).await.unwrap();
        let job = after(&store, id, &[]).await;
        assert_eq!(summary(&job), (JobState::Queued, 0, None));
    }

    async fn a_job_that_is_given_back_waits_again(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let id = added(&store).await;
        // A worker that stops in order gives the attempt back with the job.
        let job = after(&store, id, &[started(id, 1), returned(id, 0, ReturnReason::Stopped)]).await;
        assert_eq!(summary(&job), (JobState::Queued, 0, None));
        let job = after(&store, id, &[started(id, 1)]).await;
        assert_eq!(summary(&job), (JobState::Running, 1, None));
        // One that vanishes has used it up.
        let job = after(&store, id, &[returned(id, 1, ReturnReason::Orphaned)]).await;
        assert_eq!(summary(&job), (JobState::Queued, 1, None));
        let job = after(&store, id, &[started(id, 2)]).await;
        assert_eq!(summary(&job), (JobState::Running, 2, None));
    }

    async fn final_states_never_change(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        for end in [finished, dead, |id, attempt| ended(id, attempt, Outcome::Cancelled)] {
            let id = added(&store).await;
            let job = after(&store, id, &[started(id, 1), end(id, 1)]).await;
            let others = [
                finished(id, 1), finished(id, 9), dead(id, 9), ended(id, 9, Outcome::Cancelled), started(id, 9),
                retrying(id, 9), returned(id, 9, ReturnReason::Orphaned), JobEvent::Promoted { id },
            ];
            assert_eq!(after(&store, id, &others).await, job);
            assert!(store.job_apply_events(&[batch(others.into())]).await.unwrap().changes.is_empty());
        }
    }

    async fn what_came_before_changes_nothing_when_it_comes_late(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let id = added(&store).await;

        let running = after(&store, id, &[started(id, 2)]).await;
        let late = [started(id, 1), started(id, 2), retrying(id, 1), returned(id, 1, ReturnReason::Orphaned),
                    returned(id, 0, ReturnReason::Stopped), JobEvent::Promoted { id }];
        assert_eq!(after(&store, id, &late).await, running);

        let retried = after(&store, id, &[retrying(id, 2)]).await;
        let late = [started(id, 2), retrying(id, 1), retrying(id, 2), returned(id, 2, ReturnReason::Orphaned),
                    // The retry is a minute away: this promotion was of the one before.
                    JobEvent::Promoted { id }];
        assert_eq!(after(&store, id, &late).await, retried);

        store.job_apply_events(&[promoted_in_time(id)]).await.unwrap();
        let queued = after(&store, id, &[]).await;
        assert_eq!(queued.state, JobState::Queued);
        assert_eq!(after(&store, id, &[started(id, 2), retrying(id, 2), started(id, 1)]).await, queued);
    }

    /// The recorder may read a job's whole life at once, or event by event: the row is the same.
    async fn one_batch_or_many_come_to_the_same(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let lives: [fn(JobId) -> Vec<JobEvent>; 8] = [
            |id| vec![started(id, 1), finished(id, 1)],
            |id| vec![started(id, 1), retrying(id, 1), started(id, 2), dead(id, 2)],
            |id| vec![started(id, 1), retrying(id, 1), started(id, 2), finished(id, 2)],
            |id| vec![started(id, 1), returned(id, 0, ReturnReason::Stopped), started(id, 1)],
            |id| vec![started(id, 1), returned(id, 1, ReturnReason::Orphaned), started(id, 2), retrying(id, 2)],
            |id| vec![started(id, 1), returned(id, 0, ReturnReason::Stopped)],
            |id| vec![started(id, 1), returned(id, 1, ReturnReason::Orphaned)],
            |id| vec![finished(id, 1), started(id, 1), dead(id, 2)],
        ];
        for (number, life) in lives.iter().enumerate() {
            let (at_once, one_by_one) = (added(&store).await, added(&store).await);
            // The same events, so that times are the same too.
            let events = life(at_once);
            let same: Vec<JobEvent> = events.iter().map(|event| renamed(event, one_by_one)).collect();
            let at = Utc::now();
            store.job_apply_events(&[EventBatch { at, ..batch(events) }]).await.unwrap();
            for event in same {
                store.job_apply_events(&[EventBatch { at, ..batch(vec![event]) }]).await.unwrap();
            }
            let first = store.job_get(at_once).await.unwrap().unwrap();
            let second = store.job_get(one_by_one).await.unwrap().unwrap();
            let second = Job { id: first.id, created_at: first.created_at, ..second };
            assert_eq!(first, second, "life number {number}");
        }
    }

    /// The stream brings events at least once: a recorder that crashes before it acknowledges is given them again, cut
    /// into other batches. Whatever the cuts, the row is the one that the events make one by one.
    async fn any_cuts_and_repeats_come_to_the_same(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        for seed in 0..60 {
            let mut dice = Dice(seed);
            let (in_order, cut) = (added(&store).await, added(&store).await);
            let life = dice.life(in_order);
            for event in &life {
                store.job_apply_events(std::slice::from_ref(event)).await.unwrap();
            }
            let mut done = 0;
            while done < life.len() {
                let from = done - dice.below(done + 1);
                let to = (from + 1 + dice.below(life.len())).min(life.len());
                let batches: Vec<EventBatch> = life[from..to]
                    .iter()
                    .map(|one| EventBatch { events: vec![renamed(&one.events[0], cut)], ..one.clone() })
                    .collect();
                store.job_apply_events(&batches).await.unwrap();
                done = to;
            }
            let expected = store.job_get(in_order).await.unwrap().unwrap();
            let row = store.job_get(cut).await.unwrap().unwrap();
            let row = Job { id: expected.id, created_at: expected.created_at, ..row };
            assert_eq!(row, expected, "seed {seed}: {life:#?}");
        }
    }

    /// What a vanished recorder had in hand comes late, when others have gone on.
    async fn a_promotion_of_long_ago_takes_no_start_along(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let id = added(&store).await;
        let error = failure(1);
        // A retry that is due almost at once.
        let retrying = ended(id, 1, Outcome::Retrying { error, run_at: Utc::now() + TimeDelta::milliseconds(20), parked: false });
        let row = after(&store, id, &[started(id, 1), retrying]).await;
        apply(&store, vec![JobEvent::Promoted { id }, started(id, 1)]).await;
        assert_eq!(store.job_get(id).await.unwrap().unwrap(), row);
    }

    async fn a_batch_is_split_over_statements_and_unknown_jobs_do_not_matter(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        let new: Vec<NewJob> = (0..1_100).map(new_job).collect();
        store.job_insert_many(&new).await.unwrap();
        let known = new.iter().map(|job| finished(job.id, 1));
        let unknown = (0..100).map(|_| finished(JobId::new(), 1));
        let events: Vec<JobEvent> = known.chain(unknown).collect();
        let applied = store.job_apply_events(&[batch(events.clone())]).await.unwrap();
        assert_eq!(applied.changes.len(), new.len());
        assert!(unfinished(&store, None).await.is_empty());
        let again = store.job_apply_events(&[batch(events)]).await.unwrap();
        assert!(again.changes.is_empty(), "what is counted is counted once");
    }

    async fn outputs_of_every_shape_are_kept(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        for output in [
            json!(null), json!(0), json!(-1.5), json!(""), json!("\u{0} nul \\u0000 ä 🦀"), json!([1, {"a": "\u{0}"}]),
            json!({"b": 1, "a": [true]}), json!("7".repeat(INLINE_MAX)), json!("9".repeat(100_000)),
        ] {
            let id = added(&store).await;
            let summary = OutputSummary::of(to_raw_value(&output).unwrap());
            let whole = summary.json().is_some();
            let job = after(&store, id, &[ended(id, 1, Outcome::Completed { output: summary.clone() })]).await;
            assert_eq!(job.state, JobState::Completed);
            let stored = job.output.unwrap();
            assert_eq!((stored.size, stored.length), (summary.size(), summary.length()));
            assert_eq!(stored.preview, summary.preview().replace('\0', "\u{fffd}"));
            // The character that PostgreSQL's JSON cannot hold, on either database; the queue has that output.
            let nul = output.to_string().contains("\\u0000");
            assert_eq!(stored.json, (whole && !nul).then_some(output));
        }
    }

    async fn refused_data_costs_its_job_the_data_and_its_neighbours_nothing(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        refuse(&database, kind, "BEFORE UPDATE", "error_message", "poison").await;
        let new: Vec<NewJob> = (0..600).map(new_job).collect();
        store.job_insert_many(&new).await.unwrap();
        let events = new.iter().enumerate().map(|(at, job)| {
            let message = if at % 250 == 3 { "poison" } else { "plain" }.to_owned();
            ended(job.id, 1, Outcome::Dead { error: AttemptError { kind: ErrorKind::Error, message } })
        });
        let applied = store.job_apply_events(&[batch(events.collect())]).await.unwrap();
        let mut refused: Vec<JobId> = applied.refused.iter().map(|(id, _)| *id).collect();
        refused.sort_unstable();
        assert_eq!(refused, [new[3].id, new[253].id, new[503].id]);
        assert_eq!(applied.changes.len(), 597);
        // Were its state refused too, the reconciler would run it again and again.
        assert!(unfinished(&store, None).await.is_empty());
        let job = store.job_get(new[3].id).await.unwrap().unwrap();
        assert_eq!(summary(&job), (JobState::Dead, 1, Some("the database refused the message")));
    }

    async fn jobs_that_the_queue_has_lost_wait_again(kind) {
        let database = Database::new(kind).await;
        let store = database.store().await;
        // Of three attempts: queued, running the first, running the last, waiting for a retry, done.
        let new: Vec<NewJob> = (0..5).map(|index| dispatched(new_job(index))).collect();
        store.job_insert_many(&new).await.unwrap();
        let ids: Vec<JobId> = new.iter().map(|job| job.id).collect();
        apply(&store, vec![started(ids[1], 1), started(ids[2], 3), started(ids[3], 1), retrying(ids[3], 1),
                           finished(ids[4], 1)]).await;
        let read = async || {
            let mut jobs = store.job_get_many(&ids).await.unwrap();
            jobs.sort_by_key(|job| job.id);
            jobs
        };
        let before = Utc::now() - TimeDelta::minutes(1);
        assert_eq!(store.job_take_back(&ids, before).await.unwrap(), 4);
        let after = read().await;
        let states: Vec<_> = after.iter().map(|job| (job.state, job.attempt)).collect();
        assert_eq!(states, [
            (JobState::Queued, 0),
            (JobState::Queued, 1),
            // The attempt that was lost with the queue is given back, or none would be left.
            (JobState::Queued, 2),
            (JobState::Retrying, 1),
            (JobState::Completed, 1),
        ]);
        for job in &after[..4] {
            assert_eq!(job.envelope().unwrap().attempt, job.attempt);
            assert_eq!(job.place, Place::Backlog);
        }
        // The next attempt is a new one for the row.
        apply(&store, vec![started(ids[1], 2), started(ids[2], 3)]).await;
        assert!(read().await[1..3].iter().all(|job| job.state == JobState::Running));
        // Rows that have been dispatched again meanwhile stay.
        let lane = Lane { priority: Priority::STANDARD, fairness_key: String::new() };
        let again = store.job_dispatch(&QueueName::standard(), &lane, 10).await.unwrap();
        assert_eq!(again.len(), 4);
        assert_eq!(store.job_take_back(&ids, before).await.unwrap(), 0);
    }
}

/// Random numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        // The constants of Knuth's MMIX.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    /// What may happen to a job, an event a second.
    fn life(&mut self, id: JobId) -> Vec<EventBatch> {
        let mut at = Utc::now().trunc_subsecs(3);
        let mut life = Vec::new();
        let (mut state, mut attempt) = (JobState::Queued, 0);
        while !state.is_final() && life.len() < 3 + self.below(10) {
            let event;
            (event, state, attempt) = match state {
                JobState::Queued => (started(id, attempt + 1), JobState::Running, attempt + 1),
                JobState::Running => match self.below(6) {
                    0 => (finished(id, attempt), JobState::Completed, attempt),
                    1 => (dead(id, attempt), JobState::Dead, attempt),
                    2 => (
                        returned(id, attempt - 1, ReturnReason::Stopped),
                        JobState::Queued,
                        attempt - 1,
                    ),
                    3 => (
                        returned(id, attempt, ReturnReason::Orphaned),
                        JobState::Queued,
                        attempt,
                    ),
                    _ => {
                        let run_at = at + TimeDelta::milliseconds(500);
                        let outcome = Outcome::Retrying {
                            error: failure(attempt),
                            run_at,
                            parked: false,
                        };
                        (ended(id, attempt, outcome), JobState::Retrying, attempt)
                    }
                },
                JobState::Retrying => (JobEvent::Promoted { id }, JobState::Queued, attempt),
                JobState::Scheduled | JobState::Completed | JobState::Dead | JobState::Cancelled => {
                    panic!("no life goes on from {state}")
                }
            };
            life.push(EventBatch {
                at,
                ..batch(vec![event])
            });
            at += TimeDelta::seconds(1);
        }
        life
    }
}

#[test]
fn an_envelope_carries_the_input_as_it_is() {
    let input = json!({"b": [1, 2.5, "ä"], "a": null});
    let job = NewJob {
        input: input.clone(),
        ..new_job(1)
    }
    .into_job(Utc::now());
    let envelope = job.envelope().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(envelope.input.get()).unwrap(),
        input
    );
    assert_eq!(
        (envelope.id, envelope.timeout_ms, envelope.max_attempts),
        (job.id, 300_000, 3)
    );
}
