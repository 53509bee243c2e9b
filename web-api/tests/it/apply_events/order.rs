//! Events that come late, again, at once or in pieces.

use chrono::{SubsecRound, TimeDelta, Utc};
use jobs::job::{JobId, JobState};
use jobs::queue::events::{EventBatch, JobEvent, Outcome, ReturnReason};
use web_api::db::jobs::Job;

use super::{added, after, apply, dead, failure, promoted_in_time, renamed, retrying, returned, started};
use crate::support::{Database, batch, ended, finished, on_both_databases};

on_both_databases! {
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
