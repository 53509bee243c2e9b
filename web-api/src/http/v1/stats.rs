//! Statistics over time.

use std::fmt::{self, Display};
use std::str::FromStr;

use ::jobs::clock;
use ::jobs::job::QueueName;
use chrono::{DateTime, TimeDelta, Utc};
use salvo::oapi::endpoint;
use salvo::prelude::*;

use crate::db::stats::{Counters, StatFilter, Step};
use crate::http::dto::pattern::{PointStep, QueueText};
use crate::http::dto::problems::Problem;
use crate::http::dto::scalar::Timestamp;
use crate::http::dto::stats::{StatPoint, Stats};
use crate::http::error::ApiError;
use crate::http::extract::query::Query;
use crate::http::response::ApiResponse;
use crate::http::state::AppState;

/// The most points of one response.
const MOST_POINTS: i64 = 1_500;
/// The number of points that suits a chart; used when the caller sets no step.
const GOOD_POINTS: i64 = 120;

/// The length of a point. Only a few are allowed, so that the points of two responses align.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PointLength(i64);

impl PointLength {
    const ALL: [(&str, i64); 7] = [
        ("1m", 60),
        ("5m", 300),
        ("15m", 900),
        ("1h", 3_600),
        ("3h", 10_800),
        ("6h", 21_600),
        ("1d", 86_400),
    ];

    /// The shortest length that gives at most [`GOOD_POINTS`] points.
    fn fitting(time: TimeDelta, finest: i64) -> Self {
        let fits = |seconds: i64| seconds >= finest && time.num_seconds() <= seconds * GOOD_POINTS;
        let fitting = Self::ALL.iter().find(|(_, seconds)| fits(*seconds));
        Self(fitting.map_or(86_400, |(_, seconds)| *seconds))
    }

    fn begin(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let seconds = at.timestamp();
        DateTime::from_timestamp(seconds - seconds.rem_euclid(self.0), 0).unwrap_or(at)
    }

    /// The stored resolution from which such points are summed.
    fn kept(self) -> Step {
        if self.0 < 3_600 { Step::Minute } else { Step::Hour }
    }
}

#[derive(Debug)]
struct NoLength(String);

impl Display for NoLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "must be one of 1m, 5m, 15m, 1h, 3h, 6h and 1d, not {:?}",
            self.0
        )
    }
}

impl FromStr for PointLength {
    type Err = NoLength;

    fn from_str(text: &str) -> Result<Self, NoLength> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found
            .map(|(_, seconds)| Self(*seconds))
            .ok_or_else(|| NoLength(text.to_owned()))
    }
}

/// Read statistics over time
///
/// New jobs, completed jobs, failed attempts, dead jobs, queue times and run times, step by step. Minutes are
/// kept for a day, hours for 90 days; a response has at most 1,500 points. Each outcome is counted once, in
/// the minute in which it happened, even when it is recorded later.
#[endpoint(
    operation_id = "read_stats",
    tags("monitoring"),
    parameters(
        ("from" = Option<Timestamp>, Query, description = "The start; default: an hour before the end."),
        ("to" = Option<Timestamp>, Query, description = "The end; default: now."),
        ("step" = Option<PointStep>, Query, example = json!("5m"),
            description = "The length of a point: `1m`, `5m`, `15m`, `1h`, `3h`, `6h` or `1d`; the default \
                gives about a hundred points. Less than `1h` is allowed only within the last day."),
        ("queue" = Option<QueueText>, Query, description = "Only jobs of this queue."),
        ("function" = Option<String>, Query, description = "Only jobs of this function."),
    ),
    responses(
        (status_code = 200, description = "The statistics.", body = Stats),
        (status_code = 400, description = "A parameter is not valid.", body = Problem,
            content_type = "application/problem+json"),
        (status_code = 503, description = "The statistics cannot be read at the moment.", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub async fn read(req: &mut Request, depot: &mut Depot) -> Result<ApiResponse, ApiError> {
    let state = AppState::of(depot)?;
    let now = clock::now();
    let mut query = Query::of(req);
    let to = query.time("to").unwrap_or(now);
    let from = query.time("from").unwrap_or(to - TimeDelta::hours(1));
    let length = query.parsed::<PointLength>("step");
    let queue = query.parsed::<QueueName>("queue");
    let function = query.words("function");
    let span = to - from;
    if span <= TimeDelta::zero() {
        query.wrong("from", "must be before the end");
    }
    let minutes_are_kept = from >= now - Step::Minute.kept_for();
    let finest = if minutes_are_kept { 60 } else { 3_600 };
    let length = length.unwrap_or_else(|| PointLength::fitting(span, finest));
    if length.0 < finest {
        query.wrong(
            "step",
            "must be 1h or longer: minutes are kept for a day, and this begins earlier",
        );
    }
    if span.num_seconds() / length.0 > MOST_POINTS {
        query.wrong(
            "step",
            "must be longer: an answer has at most 1,500 points, and this would have more",
        );
    }
    query.finish()?;

    let from = length.begin(from);
    let filter = StatFilter {
        step: length.kept(),
        from,
        until: to,
        queue,
        function,
    };
    let sums = state.store.stat_sums(&filter, |at| length.begin(at)).await?;
    let mut total = Counters::default();
    for counters in sums.values() {
        total.add(counters);
    }
    let nothing = Counters::default();
    let mut points = Vec::new();
    let mut at = from;
    while at < to {
        points.push(StatPoint::new(at.into(), sums.get(&at).unwrap_or(&nothing)));
        at += TimeDelta::seconds(length.0);
    }
    ApiResponse::ok(&Stats {
        from: from.into(),
        to: to.into(),
        step_seconds: length.0,
        total: StatPoint::new(from.into(), &total),
        points,
    })
}
