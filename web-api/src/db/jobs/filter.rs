//! Which jobs a list or an action is about, and the conditions that say so in SQL. `search` reads it from a text and
//! writes it as one.

use chrono::{DateTime, Utc};
use jobs::{
    job::{JobId, JobState},
    json::decimal::{Decimal, NoDecimal},
};
use sea_orm::{
    ColumnTrait, Condition, DbBackend, EntityTrait, JoinType, QuerySelect, Select,
    sea_query::{
        CaseStatement, Expr, ExprTrait, Func, FunctionCall, Query, SimpleExpr,
        extension::{postgres::PgBinOper, sqlite::SqliteExpr},
    },
};

use super::row::{Column, Entity};
use super::words;
use crate::db::sqlite::NUMBER_COLLATION;
use crate::db::tags::row as job_tag;
use crate::domain::job_filter::{InputTest, JobFilter, Test};
use crate::domain::tag::Tag;

/// `job_tags` once more, beside the one that is joined.
const OTHER_TAG: &str = "other_tags";

/// How the jobs of a filter are found: by the conditions that an index answers, one part after the other in the order
/// of the ids, and by the rest, which is asked of each row.
pub(super) struct Plan {
    pub(super) source: Source,
    /// Of all parts together; a job is in one of them.
    pub(super) parts: Vec<Condition>,
    /// `None` when every row of the parts fits.
    pub(super) rest: Option<Condition>,
}

/// Where the ids come from, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Jobs,
    /// `job_tags`, joined with the jobs. A tag is the most telling thing that a filter can have.
    Tags,
}

impl Source {
    /// The column with the ids. Bounds and order must be of this one: the databases do not carry them over the join.
    pub(super) fn id(self) -> SimpleExpr {
        match self {
            Self::Jobs => Expr::col((Entity, Column::Id)),
            Self::Tags => Expr::col((job_tag::Entity, job_tag::Column::JobId)),
        }
    }

    pub(super) fn jobs(self) -> Select<Entity> {
        let jobs = Entity::find();
        match self {
            Self::Jobs => jobs,
            Self::Tags => jobs.join(
                JoinType::InnerJoin,
                Entity::belongs_to(job_tag::Entity)
                    .from(Column::Id)
                    .to(job_tag::Column::JobId)
                    .into(),
            ),
        }
    }
}

impl JobFilter {
    pub(super) fn plan(&self, backend: DbBackend) -> Plan {
        let mut rest = Vec::new();
        let mut tags = self.tags.iter();
        let tag = tags.next();
        let source = if tag.is_some() { Source::Tags } else { Source::Jobs };
        let mut common = self.ids(source);
        rest.extend(tags.map(has_tag));
        // By the index that is likely to leave the fewest rows; what comes after it is asked of each row.
        let known = [
            tag.map(|tag| job_tag::Column::Tag.eq(tag.as_str())),
            self.batch.map(|id| Column::BatchId.eq(id.to_string())),
            self.schedule.map(|id| Column::ScheduleId.eq(id.to_string())),
            self.failure
                .map(|fingerprint| Column::Failure.eq(fingerprint.to_string())),
            self.function
                .as_ref()
                .map(|name| Column::Function.eq(name.as_str())),
            self.queue.as_ref().map(|name| Column::Queue.eq(name.as_str())),
        ];
        let mut known = known.into_iter().flatten();
        if let Some(first) = known.next() {
            common = common.add(first);
        } else if !self.words.is_empty() && self.states.is_empty() {
            common = common.add(Column::ErrorMessage.is_not_null());
        }
        rest.extend(known);
        // Tags, batches and schedules have no state in their index, and ids need none.
        let by_state =
            self.ids.is_empty() && tag.is_none() && self.batch.is_none() && self.schedule.is_none();
        let parts = if by_state {
            self.states_apart()
                .into_iter()
                .map(|state| common.clone().add(Column::State.eq(state.as_str())))
                .collect()
        } else {
            Vec::new()
        };
        if parts.is_empty() && !self.states.is_empty() {
            rest.push(Column::State.is_in(self.states.iter().map(|state| state.as_str())));
        }
        rest.extend(self.rest(backend));
        let all = |conditions: Vec<SimpleExpr>| conditions.into_iter().fold(Condition::all(), Condition::add);
        Plan {
            source,
            parts: if parts.is_empty() { vec![common] } else { parts },
            rest: (!rest.is_empty()).then(|| all(rest)),
        }
    }

    /// The states that an index has apart, each in the order of the ids.
    fn states_apart(&self) -> Vec<JobState> {
        let first = self.failure.is_some() || self.queue.is_some() && self.function.is_none();
        let states: &[JobState] = if self.states.is_empty() && first {
            &JobState::ALL
        } else {
            &self.states
        };
        states.to_vec()
    }

    /// Ids tell when jobs were made, and no job finishes before that.
    fn ids(&self, source: Source) -> Condition {
        let id = || source.id();
        let bound = |time: DateTime<Utc>| JobId::lower_bound(time).to_string();
        let ids = self.ids.iter().map(JobId::to_string);
        Condition::all()
            .add_option((!self.ids.is_empty()).then(|| id().is_in(ids)))
            .add_option(self.created.from.map(|time| id().gte(bound(time))))
            .add_option(self.created.before.map(|time| id().lt(bound(time))))
            .add_option(self.finished.before.map(|time| id().lt(bound(time))))
    }

    /// What no index answers.
    fn rest(&self, backend: DbBackend) -> Vec<SimpleExpr> {
        let mut rest = Vec::new();
        rest.extend(
            self.priority
                .map(|priority| Column::Priority.eq(i16::from(u8::from(priority)))),
        );
        rest.extend(
            self.worker
                .as_ref()
                .map(|worker| Column::Worker.eq(worker.as_str())),
        );
        rest.extend(self.finished.from.map(|time| Column::FinishedAt.gte(time)));
        rest.extend(self.finished.before.map(|time| Column::FinishedAt.lt(time)));
        rest.extend(self.words.iter().map(|word| has_word(backend, word)));
        rest.extend(self.input.iter().map(|test| test.condition(backend)));
        rest
    }
}

/// Another tag than the one that the jobs are found by.
fn has_tag(tag: &Tag) -> SimpleExpr {
    let mut marked = Query::select();
    marked
        .column(job_tag::Column::JobId)
        .from_as(job_tag::Entity, OTHER_TAG)
        .and_where(Expr::col((OTHER_TAG, job_tag::Column::Tag)).eq(tag.as_str()))
        .and_where(Expr::col((OTHER_TAG, job_tag::Column::JobId)).eq(Expr::col((Entity, Column::Id))));
    Expr::exists(marked)
}

fn has_word(backend: DbBackend, word: &str) -> SimpleExpr {
    let message = Expr::col(Column::ErrorMessage);
    if backend == DbBackend::Postgres {
        message.binary(PgBinOper::Regex, words::regular_expression(word))
    } else {
        message.glob(words::glob(word))
    }
}

impl InputTest {
    fn condition(&self, backend: DbBackend) -> SimpleExpr {
        match &self.test {
            Test::Is(text) => {
                let same = self.text(backend).eq(text.as_str());
                match text.parse::<Decimal>() {
                    // 1 is 1.0, and a text may look like a number.
                    Ok(number) => same.or(self.number(backend).eq(literal(backend, &number))),
                    Err(NoDecimal) => same,
                }
            }
            Test::Above(number) => self.number(backend).gt(literal(backend, number)),
            Test::AtLeast(number) => self.number(backend).gte(literal(backend, number)),
            Test::Below(number) => self.number(backend).lt(literal(backend, number)),
            Test::AtMost(number) => self.number(backend).lte(literal(backend, number)),
        }
    }

    /// The value as a text; nothing when there is none, or it is null. A number is no text to SQLite, which rounds it.
    fn text(&self, backend: DbBackend) -> SimpleExpr {
        if backend == DbBackend::Postgres {
            return self.call("jsonb_extract_path_text", backend).into();
        }
        CaseStatement::new()
            .case(self.kind(backend).is_in(["true", "false"]), self.kind(backend))
            .case(
                self.kind(backend).is_not_in(NUMBERS),
                Expr::from(self.call("json_extract", backend)).cast_as("text"),
            )
            .into()
    }

    /// The value, when it is a number, to its last digit: as PostgreSQL's `numeric`; in SQLite as it is written, which
    /// [`NUMBER_COLLATION`] compares.
    fn number(&self, backend: DbBackend) -> SimpleExpr {
        let value = if backend == DbBackend::Postgres {
            Expr::from(self.call("jsonb_extract_path", backend)).cast_as("numeric")
        } else {
            Expr::col(Column::Input).get_json_field(self.sqlite_path())
        };
        let value: SimpleExpr = CaseStatement::new()
            .case(self.kind(backend).is_in(NUMBERS), value)
            .into();
        if backend == DbBackend::Postgres {
            value
        } else {
            Expr::cust_with_exprs(format!("(? COLLATE {NUMBER_COLLATION})"), [value])
        }
    }

    fn kind(&self, backend: DbBackend) -> SimpleExpr {
        if backend == DbBackend::Postgres {
            let value = self.call("jsonb_extract_path", backend);
            return Func::cust("jsonb_typeof").arg(value).into();
        }
        self.call("json_type", backend).into()
    }

    fn call(&self, function: &'static str, backend: DbBackend) -> FunctionCall {
        let call = Func::cust(function).arg(Expr::col(Column::Input));
        if backend == DbBackend::Postgres {
            let names = self.path.iter().map(|name| Expr::value(name.as_str()));
            return names.fold(call, FunctionCall::arg);
        }
        call.arg(Expr::value(self.sqlite_path()))
    }

    fn sqlite_path(&self) -> String {
        let path: Vec<String> = self.path.iter().map(|name| format!("\"{name}\"")).collect();
        format!("$.{}", path.join("."))
    }
}

/// What the databases call numbers.
const NUMBERS: [&str; 3] = ["number", "integer", "real"];

fn literal(backend: DbBackend, number: &Decimal) -> SimpleExpr {
    let text = Expr::value(number.to_string());
    if backend == DbBackend::Postgres {
        text.cast_as("numeric")
    } else {
        text
    }
}
