//! Counts: what the callers know, what the rows say, what the witnesses saw, what Redis still holds. Every check names
//! the jobs that it is about.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Utc};
use jobs::job::JobId;
use jobs::queue::{Queues, RedisSettings};
use xtask::say;

use crate::load::Outcome;
use crate::load::ledger::Oddity;
use crate::logs;
use crate::settle::Settled;
use crate::stack::Stack;
use crate::verdict::{Offence, Verdict};
use crate::witness::LastWords;
use crate::witness::stream::Seen;

mod repeats;
mod rows;

use rows::Rows;

/// Everything that is known at the end.
pub(crate) struct Known<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) outcome: &'a Outcome,
    pub(crate) words: &'a LastWords,
    pub(crate) settled: &'a Settled,
}

/// Judges the jobs. PostgreSQL and Redis still run.
pub(crate) async fn jobs(known: &Known<'_>) -> Result<Verdict> {
    let settings = RedisSettings {
        url: known.stack.redis.url(),
        ..RedisSettings::default()
    };
    let queues = Queues::connect(&settings).await?;
    let audit = &known.words.audit;
    let rows = rows::walk(audit, &queues, known.outcome).await?;
    let recorded = Recorded {
        ends: audit.ends().await?,
        changed: audit.changed_after_the_end().await?,
        times: audit.times().await?,
    };
    let mut verdict = Verdict::default();
    figures(&mut verdict, known, &rows, &recorded);
    checks(&mut verdict, known, rows, &recorded);
    Ok(verdict)
}

/// What the trigger noted.
struct Recorded {
    ends: HashMap<JobId, DateTime<Utc>>,
    changed: Vec<JobId>,
    times: [f64; 3],
}

fn figures(verdict: &mut Verdict, known: &Known<'_>, rows: &Rows, recorded: &Recorded) {
    let Known { outcome, settled, .. } = known;
    let seen = &known.words.seen;
    let list = |counts: &BTreeMap<&'static str, u64>| {
        let words: Vec<String> = counts
            .iter()
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        let sum: u64 = counts.values().sum();
        if words.is_empty() {
            sum.to_string()
        } else {
            format!("{sum} ({})", words.join(", "))
        }
    };

    verdict.figure("calls", outcome.entries.len().to_string());
    verdict.figure("accepted", outcome.accepted().count().to_string());
    verdict.figure(
        "finished, of the accepted",
        rows.accepted_and_finished.to_string(),
    );
    verdict.figure("rows", list(&rows.states));
    verdict.figure("tries that came to nothing, made again", list(&outcome.failures));
    verdict.figure(
        "taken over from a worker that was gone",
        seen.orphaned.to_string(),
    );
    verdict.figure("given back by a worker that stopped", seen.given_back.to_string());
    verdict.figure("attempts that failed and were repeated", seen.retried.to_string());
    verdict.figure(
        "results that came too late, since Redis was last emptied",
        settled.depth.stale_results.to_string(),
    );
    verdict.figure(
        "ended once more, as Redis had forgotten the end or not",
        repeats::ended_again(seen).to_string(),
    );
    verdict.figure(
        "ends that the follower of the events saw",
        format!("{} of {}", ends_seen(seen, recorded), recorded.ends.len()),
    );
    let [half, most, all] = recorded.times;
    verdict.figure(
        "from the row to the outcome: half, 99 of a hundred, longest",
        format!("{half:.2} s, {most:.1} s, {all:.1} s"),
    );
    verdict.figure(
        "APIs that came up without a database, started again",
        known.stack.starts_in_vain.to_string(),
    );
    verdict.figure(
        "time from the last fault to the last outcome",
        say::time(settled.took),
    );
}

/// Jobs of which the database and the follower both know an end.
fn ends_seen(seen: &Seen, recorded: &Recorded) -> usize {
    let saw_end = |id: &&JobId| seen.jobs.get(id).is_some_and(|story| !story.ends.is_empty());
    recorded.ends.keys().filter(saw_end).count()
}

fn checks(verdict: &mut Verdict, known: &Known<'_>, rows: Rows, recorded: &Recorded) {
    let Known { outcome, stack, .. } = known;
    let seen = &known.words.seen;
    let losses = stack.redis.losses();

    verdict.check("calls that were never accepted", {
        let calls = (0_u32..).zip(&outcome.entries);
        calls
            .filter(|(_, entry)| entry.job.is_none())
            .map(|(number, _)| Offence::general(format!("call {number}")))
            .collect()
    });
    verdict.check(
        "answers that are neither an acceptance nor 503",
        oddities(&outcome.odd_answers),
    );
    verdict.check("lost: accepted, and there is no row", rows.lost);
    verdict.check("stuck: without an outcome", rows.stuck);
    verdict.check("one key became two jobs", {
        let mut offences = oddities(&outcome.doubles);
        offences.extend(rows.doubles);
        offences
    });
    verdict.check("outcome recorded twice, seen in the database", {
        let changed = recorded.changed.iter();
        changed
            .map(|id| Offence::of(*id, "its row was changed after it had ended"))
            .collect()
    });
    verdict.check(
        "outcome told twice, seen in the events",
        repeats::twice_in_one_life(seen, losses),
    );
    verdict.check(
        "ran again though its outcome was recorded",
        repeats::ran_again(seen, losses, &recorded.ends),
    );
    verdict.check("ended otherwise than it had to", rows.wrong_ends);
    verdict.check("completed with a wrong output", rows.wrong_outputs);
    verdict.check("ended, and Redis still holds it", rows.left_in_redis);
    // Without the follower the checks that go by the events would hold whatever happened.
    verdict.check("ends that the follower of the events missed, past a tenth", {
        let (seen, all) = (ends_seen(seen, recorded), recorded.ends.len());
        let too_few = seen * 10 < all * 9;
        too_few
            .then(|| Offence::general(format!("it saw {seen} of {all}")))
            .into_iter()
            .collect()
    });
}

/// Judges the processes, when they have been told to end.
pub(crate) fn processes(verdict: &mut Verdict, stack: &Stack, folder: &Path) -> Result<()> {
    verdict.check("processes that ended by themselves, or not in good order", {
        let ends = stack.bad_ends.iter();
        ends.map(|end| Offence::general(end.0.clone())).collect()
    });
    let panics = logs::lines(folder, 100, |line| line.contains("panicked at"))?;
    verdict.check("panics in the logs", {
        let panics = panics.into_iter();
        panics
            .map(|line| Offence::general(format!("{}: {}", line.source, line.text)))
            .collect()
    });
    Ok(())
}

fn oddities(oddities: &[Oddity]) -> Vec<Offence> {
    oddities
        .iter()
        .map(|oddity| Offence {
            job: oddity.job,
            what: format!("call {}: {}", oddity.number, oddity.what),
        })
        .collect()
}
