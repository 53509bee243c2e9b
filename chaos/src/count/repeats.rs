//! What happened twice that should happen once, and when that is nobody's fault: Redis may come back with less than it
//! had, and what it has forgotten it does again.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::job::JobId;

use crate::stack::redis::{Loss, LossKind};
use crate::verdict::Offence;
use crate::witness::stream::{Again, Seen};

/// A Redis that is killed forgets at most what it did in the last two seconds; a busy machine makes them longer.
const FORGETS: TimeDelta = TimeDelta::seconds(5);
/// An outcome that is written while somebody who has just looked pushes the job may come too late for them.
const MEANWHILE: TimeDelta = TimeDelta::seconds(2);

/// Ends beyond the first, of all jobs.
pub(super) fn ended_again(seen: &Seen) -> usize {
    seen.jobs
        .values()
        .map(|story| story.ends.len().saturating_sub(1))
        .sum()
}

/// Jobs that ended once more although Redis knew of the first end.
pub(super) fn twice_in_one_life(seen: &Seen, losses: &[Loss]) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (id, story) in &seen.jobs {
        for pair in story.ends.windows(2) {
            if !forgotten(losses, pair[0], pair[1]) {
                let what = format!("it ended at {} and at {}", pair[0], pair[1]);
                offences.push(Offence::of(*id, what));
            }
        }
    }
    offences
}

/// Jobs that were put in again, and run, after their outcome was in the database. A Redis that came back with its log
/// may not know that a job has ended, and runs it; one that came back empty is told only what is unfinished.
pub(super) fn ran_again(
    seen: &Seen,
    losses: &[Loss],
    recorded: &HashMap<JobId, DateTime<Utc>>,
) -> Vec<Offence> {
    let latest: Vec<Loss> = losses
        .iter()
        .copied()
        .filter(|loss| loss.kind == LossKind::Latest)
        .collect();
    let mut offences = Vec::new();
    for (id, story) in &seen.jobs {
        let Some(recorded) = recorded.get(id) else {
            continue;
        };
        for (ended, again) in story.ends.iter().zip(&story.again) {
            if again.pushed > *recorded + MEANWHILE && !forgotten(&latest, *ended, again.started) {
                let Again { pushed, started } = again;
                let what = format!(
                    "recorded at {recorded}, put in again at {pushed}, an attempt began at {started}"
                );
                offences.push(Offence::of(*id, what));
            }
        }
    }
    offences
}

/// Whether Redis can have forgotten by `later` what it did at `time`.
fn forgotten(losses: &[Loss], time: DateTime<Utc>, later: DateTime<Utc>) -> bool {
    losses.iter().any(|loss| {
        let between = time <= loss.at && loss.at <= later;
        between
            && match loss.kind {
                LossKind::Everything => true,
                LossKind::Latest => loss.at - time <= FORGETS,
            }
    })
}

#[cfg(test)]
mod tests {
    use crate::witness::stream::Story;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap()
    }

    fn seen(id: JobId, ends: &[i64], again: &[i64]) -> Seen {
        let again = again.iter().map(|second| Again {
            pushed: at(*second),
            started: at(*second),
        });
        let mut story = Story::default();
        story.ends.extend(ends.iter().map(|second| at(*second)));
        story.again.extend(again);
        let mut seen = Seen::default();
        seen.jobs.insert(id, story);
        seen
    }

    fn loss(second: i64, kind: LossKind) -> [Loss; 1] {
        [Loss { at: at(second), kind }]
    }

    #[test]
    fn a_second_end_needs_a_redis_that_forgot_the_first() {
        let id = JobId::new();
        let twice = seen(id, &[10, 20], &[19]);
        assert_eq!(ended_again(&twice), 1);
        assert_eq!(twice_in_one_life(&twice, &[]).len(), 1);
        assert!(twice_in_one_life(&twice, &loss(15, LossKind::Everything)).is_empty());
        assert_eq!(
            twice_in_one_life(&twice, &loss(25, LossKind::Everything)).len(),
            1
        );
        assert!(twice_in_one_life(&twice, &loss(11, LossKind::Latest)).is_empty());
        // What was done long before the kill is in the log.
        assert_eq!(twice_in_one_life(&twice, &loss(18, LossKind::Latest)).len(), 1);
        assert!(twice_in_one_life(&seen(id, &[10], &[]), &[]).is_empty());
    }

    #[test]
    fn a_recorded_job_runs_again_only_from_an_old_log() {
        let id = JobId::new();
        let recorded = HashMap::from([(id, at(11))]);
        let again = seen(id, &[10, 20], &[19]);
        assert_eq!(ran_again(&again, &[], &recorded).len(), 1);
        assert_eq!(
            ran_again(&again, &loss(15, LossKind::Everything), &recorded).len(),
            1
        );
        assert!(ran_again(&again, &loss(12, LossKind::Latest), &recorded).is_empty());
        assert!(ran_again(&seen(id, &[10], &[]), &[], &recorded).is_empty());
    }
}
