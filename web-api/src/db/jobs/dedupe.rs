//! What callers' keys mean for new jobs: which are made, and which calls get the job of an earlier one.
//!
//! The key of a request comes first: it answers for the whole call. Only a call that is new by it looks at its
//! `unique_key`; when that one is taken, the key of the request stands for the job that has it.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use jobs::clock;
use jobs::job::JobId;
use sea_orm::{DatabaseTransaction, DbErr};

use super::NewJob;
use crate::db::job_keys::{self, Hold, Kind, Name};
use crate::db::{Store, StoreError};

/// Nobody can tell a longer time from for ever, and a database could not hold one.
const LONGEST: TimeDelta = TimeDelta::days(36_500);

/// What becomes of a new job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum Verdict {
    /// It is to be made.
    New,
    /// This job is the one that its caller gets.
    Same(JobId),
    /// Its key belongs to another request, whose job this is.
    Reused(JobId),
}

/// Takes the keys of these jobs. Of equal ones among them, the first job has the key.
pub(in crate::db) async fn settle(
    transaction: &DatabaseTransaction,
    jobs: &[NewJob],
    now: DateTime<Utc>,
) -> Result<Vec<Verdict>, DbErr> {
    let mut verdicts = vec![Verdict::New; jobs.len()];
    let requests = wanted(jobs.iter().map(|job| by_request(job, now)));
    let holds = job_keys::claim(transaction, Kind::Idempotency, &requests, now).await?;
    for (job, verdict) in jobs.iter().zip(&mut verdicts) {
        let Some((name, hold)) = by_request(job, now) else {
            continue;
        };
        let (holder, first) = holder(&holds, &name)?;
        if holder != job.id {
            *verdict = if first.request_hash == hold.request_hash {
                Verdict::Same(holder)
            } else {
                Verdict::Reused(holder)
            };
        }
    }

    let new = || {
        jobs.iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| **verdict == Verdict::New)
    };
    let uniques = wanted(new().map(|(job, _)| by_unique_key(job, now)));
    let holds = job_keys::claim(transaction, Kind::Unique, &uniques, now).await?;
    let mut passed_on = BTreeMap::new();
    let mut instead = HashMap::new();
    for (job, verdict) in jobs.iter().zip(&mut verdicts) {
        let Some((name, _)) = by_unique_key(job, now).filter(|_| *verdict == Verdict::New) else {
            continue;
        };
        let (holder, _) = holder(&holds, &name)?;
        if holder != job.id {
            *verdict = Verdict::Same(holder);
            instead.insert(job.id, holder);
            if let Some((name, hold)) = by_request(job, now) {
                let holder = holder.to_string();
                passed_on.insert(name, Hold { holder, ..hold });
            }
        }
    }
    job_keys::transfer(transaction, Kind::Idempotency, &passed_on).await?;
    // Who was sent to a job of this very call may have to go on to another one.
    for verdict in &mut verdicts {
        if let Verdict::Same(id) | Verdict::Reused(id) = verdict {
            *id = instead.get(id).copied().unwrap_or(*id);
        }
    }
    Ok(verdicts)
}

impl Store {
    /// Whether a call like this one gets the job of an earlier one, by one of its keys.
    pub async fn job_is_known(&self, job: &NewJob) -> Result<bool, StoreError> {
        let now = clock::now();
        let keys = [
            (Kind::Idempotency, by_request(job, now)),
            (Kind::Unique, by_unique_key(job, now)),
        ];
        for (kind, key) in keys {
            let Some((name, _)) = key else { continue };
            if self.key_is_held("job_is_known", kind, &name).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether there is a batch with this `Idempotency-Key`.
    pub async fn batch_is_known(&self, key: &str) -> Result<bool, StoreError> {
        let name = job_keys::of_batch(key);
        self.key_is_held("batch_is_known", Kind::Batch, &name).await
    }

    async fn key_is_held(
        &self,
        operation: &'static str,
        kind: Kind,
        name: &Name,
    ) -> Result<bool, StoreError> {
        let looking = async {
            let transaction = self.snapshot().await?;
            job_keys::is_held(&transaction, kind, name, clock::now()).await
        };
        self.bounded(operation, looking).await
    }
}

fn wanted(keys: impl Iterator<Item = Option<(Name, Hold)>>) -> BTreeMap<Name, Hold> {
    let mut wanted = BTreeMap::new();
    for (name, hold) in keys.flatten() {
        wanted.entry(name).or_insert(hold);
    }
    wanted
}

fn by_request(job: &NewJob, now: DateTime<Utc>) -> Option<(Name, Hold)> {
    let idempotency = job.idempotency.as_ref()?;
    let name = (job.function.clone(), idempotency.key.clone());
    Some((name, idempotency.hold(job.id.to_string(), now)))
}

fn by_unique_key(job: &NewJob, now: DateTime<Utc>) -> Option<(Name, Hold)> {
    let unique = job.unique.as_ref()?;
    let hold = Hold {
        holder: job.id.to_string(),
        request_hash: None,
        expires_at: unique.held_for.map(|time| after(now, time)),
    };
    Some(((job.function.clone(), unique.key.clone()), hold))
}

impl super::Idempotency {
    /// As `holder` has the key from now on.
    pub(in crate::db) fn hold(&self, holder: String, now: DateTime<Utc>) -> Hold {
        Hold {
            holder,
            request_hash: Some(self.request_hash.clone()),
            expires_at: Some(after(now, self.held_for)),
        }
    }
}

fn after(now: DateTime<Utc>, time: Duration) -> DateTime<Utc> {
    let time = TimeDelta::from_std(time).unwrap_or(LONGEST).min(LONGEST);
    (now + time).trunc_subsecs(3)
}

fn holder<'a>(holds: &'a HashMap<Name, Hold>, name: &Name) -> Result<(JobId, &'a Hold), DbErr> {
    let hold = holds
        .get(name)
        .ok_or_else(|| DbErr::RecordNotFound(format!("the holder of the key {name:?}")))?;
    let id = hold
        .holder
        .parse()
        .map_err(|error| DbErr::Type(format!("the holder of {name:?}: {error}")))?;
    Ok((id, hold))
}
