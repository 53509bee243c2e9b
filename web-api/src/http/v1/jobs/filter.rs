//! The filter parameters of lists of jobs and of bulk actions.

use std::str::FromStr;

use ::jobs::job::{JobState, ParseError};

use crate::domain::job_filter::JobFilter;
use crate::domain::search;
use crate::http::extract::query::Query;

/// One state, or several separated by commas.
struct States(Vec<JobState>);

impl FromStr for States {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let states: Result<Vec<JobState>, _> = text.split(',').map(str::parse).collect();
        Ok(Self(search::in_order(&states?)))
    }
}

/// Reads a search and the parameters beside it. A filter that is in both is an error, since neither takes
/// precedence.
pub(crate) fn read(query: &mut Query) -> JobFilter {
    let mut filter = query.parsed::<JobFilter>("q").unwrap_or_default();
    let mut states = (!filter.states.is_empty()).then(|| filter.states.clone());
    let asked = query.parsed::<States>("state").map(|States(states)| states);
    put(query, "state", &mut states, asked);
    filter.states = states.unwrap_or_default();
    let asked = query.words("function");
    put(query, "function", &mut filter.function, asked);
    let asked = query.parsed("failure");
    put(query, "failure", &mut filter.failure, asked);
    let asked = query.parsed("queue");
    put(query, "queue", &mut filter.queue, asked);
    if let Some(tag) = query.parsed("tag")
        && !filter.tags.contains(&tag)
    {
        filter.tags.push(tag);
    }
    let asked = query.parsed("schedule");
    put(query, "schedule", &mut filter.schedule, asked);
    let asked = query.parsed("batch");
    put(query, "batch", &mut filter.batch, asked);
    let asked = query.words("worker");
    put(query, "worker", &mut filter.worker, asked);
    let asked = query.time("created_from");
    put(query, "created_from", &mut filter.created.from, asked);
    let asked = query.time("created_before");
    put(query, "created_before", &mut filter.created.before, asked);
    let asked = query.time("finished_from");
    put(query, "finished_from", &mut filter.finished.from, asked);
    let asked = query.time("finished_before");
    put(query, "finished_before", &mut filter.finished.before, asked);
    filter.words.extend(query.words("error"));
    filter
}

fn put<T>(query: &mut Query, name: &'static str, said: &mut Option<T>, asked: Option<T>) {
    if said.is_some() && asked.is_some() {
        query.wrong(name, "is said in q as well");
    } else if asked.is_some() {
        *said = asked;
    }
}
