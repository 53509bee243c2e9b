//! Parses the terms of a search into a filter.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use jobs::job::{JobId, JobState, Priority};
use jobs::json::decimal::Decimal;

use super::near::near;
use super::terms::{Placed, Term, Terms, wrong};
use super::{DEEPEST, LONGEST, MOST_TERMS, NAMES, SearchError, Sign, begins_name, is_of_name};
use crate::domain::job_filter::{InputTest, JobFilter, Span, Test};
use crate::domain::times;

/// The most digits before the point of a number: an input has no larger one.
const MAGNITUDES: RangeInclusive<i64> = -10_000..=309;

impl FromStr for JobFilter {
    type Err = SearchError;

    fn from_str(text: &str) -> Result<Self, SearchError> {
        if text.chars().nth(LONGEST).is_some() {
            return Err(wrong(
                LONGEST,
                format!("a search has at most {LONGEST} characters"),
            ));
        }
        read(text, Names::AsTyped)
    }
}

/// The author of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// A user, who may have mistyped a name.
    AsTyped,
    AsStored,
}

/// Parses a filter that this program printed: it may be longer than the text of the user.
pub(crate) fn stored(text: &str) -> Result<JobFilter, SearchError> {
    read(text, Names::AsStored)
}

fn read(text: &str, names: Names) -> Result<JobFilter, SearchError> {
    let mut terms = Terms::of(text)?;
    let mut filter = JobFilter::default();
    while let Some(term) = terms.next()? {
        take(&mut filter, term, names)?;
    }
    Ok(filter)
}

fn take(filter: &mut JobFilter, term: Term, names: Names) -> Result<(), SearchError> {
    let (name, sign, value) = match term {
        Term::Word(word) => {
            // Users paste ids.
            return match word.text.parse::<JobId>() {
                Ok(id) => {
                    add_id(filter, id);
                    Ok(())
                }
                Err(_) => take_word(filter, word),
            };
        }
        Term::Field { name, sign, value } => (name, sign, value),
    };
    if let "created" | "finished" = name.text.as_str() {
        let span = if name.text == "created" {
            &mut filter.created
        } else {
            &mut filter.finished
        };
        return take_time(span, &name, sign, &value);
    }
    if !NAMES.contains(&name.text.as_str()) || name.text == "input" {
        if let Some(meant) = near(&name.text).filter(|_| names == Names::AsTyped) {
            let message = format!(
                "there is no field {:?}: did you mean {meant}? A value in the input is looked for with input.{}",
                name.text, name.text
            );
            return Err(wrong(name.at - 1, message));
        }
        return take_input(filter, &name, sign, value);
    }
    if sign != Sign::Is {
        let message = format!("{:?} is written with a colon: {}:…", name.text, name.text);
        return Err(wrong(name.at - 1, message));
    }
    match name.text.as_str() {
        "id" => take_ids(filter, &value),
        "state" => take_states(filter, &name, &value),
        "function" => once(&mut filter.function, &name, value.text),
        "failure" => once(&mut filter.failure, &name, parsed(&value)?),
        "queue" => once(&mut filter.queue, &name, parsed(&value)?),
        "tag" => take_tag(filter, &value),
        "priority" => once(&mut filter.priority, &name, priority(&value)?),
        "batch" => once(&mut filter.batch, &name, parsed(&value)?),
        "schedule" => once(&mut filter.schedule, &name, parsed(&value)?),
        "worker" => once(&mut filter.worker, &name, value.text),
        _ => take_word(filter, value),
    }
}

fn once<T>(field: &mut Option<T>, name: &Placed, value: T) -> Result<(), SearchError> {
    if field.is_some() {
        return Err(wrong(name.at - 1, format!("{:?} is there twice", name.text)));
    }
    *field = Some(value);
    Ok(())
}

fn parsed<T>(value: &Placed) -> Result<T, SearchError>
where
    T: FromStr,
    T::Err: Display,
{
    value
        .text
        .parse()
        .map_err(|error: T::Err| wrong(value.at - 1, error.to_string()))
}

fn priority(value: &Placed) -> Result<Priority, SearchError> {
    let number = value.text.parse::<u8>().ok();
    let priority = number.and_then(|number| Priority::try_from(number).ok());
    priority.ok_or_else(|| {
        wrong(
            value.at - 1,
            format!("{:?} is not a priority from 1 to 9", value.text),
        )
    })
}

fn take_ids(filter: &mut JobFilter, value: &Placed) -> Result<(), SearchError> {
    for id in list(value) {
        add_id(filter, parsed(&id)?);
    }
    Ok(())
}

/// A job has one id, so several mean one of them.
fn add_id(filter: &mut JobFilter, id: JobId) {
    if !filter.ids.contains(&id) {
        filter.ids.push(id);
    }
}

/// The parts between commas, each with its place.
fn list(value: &Placed) -> impl Iterator<Item = Placed> {
    value.text.split(',').scan(value.at, |next, text| {
        let at = *next;
        *next += text.chars().count() + 1;
        Some(Placed {
            text: text.to_owned(),
            at,
        })
    })
}

fn take_states(filter: &mut JobFilter, name: &Placed, value: &Placed) -> Result<(), SearchError> {
    if !filter.states.is_empty() {
        let message = "\"state\" is there twice; several states are written with commas: state:dead,retrying";
        return Err(wrong(name.at - 1, message));
    }
    let named: Result<Vec<JobState>, _> = list(value).map(|state| parsed(&state)).collect();
    filter.states = in_order(&named?);
    Ok(())
}

/// In the order of their declaration, without repetitions.
pub(crate) fn in_order(named: &[JobState]) -> Vec<JobState> {
    JobState::ALL
        .into_iter()
        .filter(|state| named.contains(state))
        .collect()
}

fn take_tag(filter: &mut JobFilter, value: &Placed) -> Result<(), SearchError> {
    not_too_many(filter.tags.len(), value)?;
    let tag = parsed(value)?;
    if !filter.tags.contains(&tag) {
        filter.tags.push(tag);
    }
    Ok(())
}

fn take_word(filter: &mut JobFilter, word: Placed) -> Result<(), SearchError> {
    not_too_many(filter.words.len(), &word)?;
    filter.words.push(word.text);
    Ok(())
}

fn not_too_many(terms: usize, next: &Placed) -> Result<(), SearchError> {
    if terms < MOST_TERMS {
        return Ok(());
    }
    Err(wrong(
        next.at - 1,
        format!("there are more than {MOST_TERMS} of these terms"),
    ))
}

fn take_time(span: &mut Span, name: &Placed, sign: Sign, value: &Placed) -> Result<(), SearchError> {
    let bound = match sign {
        Sign::Above => &mut span.from,
        Sign::Below => &mut span.before,
        Sign::Is | Sign::AtLeast | Sign::AtMost => {
            let message = format!(
                "{0:?} is written as {0}>TIME (from then on) or {0}<TIME (before)",
                name.text
            );
            return Err(wrong(name.at - 1, message));
        }
    };
    let time = times::read(&value.text).ok_or_else(|| {
        let message = format!("{:?} is not a time such as {}", value.text, times::EXAMPLE);
        wrong(value.at - 1, message)
    })?;
    once(bound, name, time)
}

/// Within the powers of ten that the inputs of jobs have.
fn number(text: &str) -> Option<Decimal> {
    let number = text.parse::<Decimal>().ok()?;
    MAGNITUDES.contains(&number.magnitude()).then_some(number)
}

fn take_input(filter: &mut JobFilter, name: &Placed, sign: Sign, value: Placed) -> Result<(), SearchError> {
    not_too_many(filter.input.len(), name)?;
    let (path, at) = match name.text.strip_prefix("input.") {
        Some(path) => (path, name.at + "input.".len()),
        None => (name.text.as_str(), name.at),
    };
    let path: Vec<String> = path.split('.').map(str::to_owned).collect();
    let good = |name: &String| name.starts_with(begins_name) && name.chars().all(is_of_name);
    if name.text == "input" || !path.iter().all(good) {
        let message = format!(
            "{:?} is no path to a value in the input, such as user.name",
            name.text
        );
        return Err(wrong(at - 1, message));
    }
    if path.len() > DEEPEST {
        return Err(wrong(at - 1, format!("a path has at most {DEEPEST} names")));
    }
    let test = if sign == Sign::Is {
        Test::Is(value.text)
    } else {
        let test = number(&value.text).and_then(|number| sign.number(number));
        test.ok_or_else(|| wrong(value.at - 1, format!("{:?} is not a number", value.text)))?
    };
    filter.input.push(InputTest { path, test });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> JobFilter {
        text.parse::<JobFilter>().unwrap()
    }

    #[test]
    fn every_term_is_read() {
        let (id, batch) = (JobId::new(), JobId::new());
        let filter = read(&format!(
            "state:dead,queued function:fibonacci queue:mail tag:customer:17 tag:a tag:a priority:1 batch:{batch} schedule:{batch} worker:w-1 {id} \
             created>2026-01-02T03:04:05.678Z finished<2026-01-03T00:00:00+01:00 \
             \"timed \\\"out\" error:refused index>1000 user.name:\"Anna K\" input.state<=-2.5"
        ));
        assert_eq!(filter.ids, [id]);
        assert_eq!(filter.states, [JobState::Queued, JobState::Dead]);
        assert_eq!(filter.function.as_deref(), Some("fibonacci"));
        assert_eq!(filter.queue.unwrap().as_str(), "mail");
        assert_eq!(filter.tags, ["customer:17", "a"].map(|tag| tag.parse().unwrap()));
        assert_eq!(filter.priority, Some(Priority::FIRST));
        assert_eq!(filter.batch.unwrap().to_string(), batch.to_string());
        assert_eq!(filter.schedule.unwrap().to_string(), batch.to_string());
        assert_eq!(filter.worker.as_deref(), Some("w-1"));
        assert_eq!(filter.created.from, times::read("2026-01-02T03:04:05.678Z"));
        assert_eq!(filter.finished.before, times::read("2026-01-02T23:00:00Z"));
        assert_eq!(filter.words, ["timed \"out", "refused"]);
        let tests: Vec<(String, Test)> = filter
            .input
            .into_iter()
            .map(|test| (test.path.join("/"), test.test))
            .collect();
        let expected = [
            ("index".to_owned(), Test::Above("1000".parse().unwrap())),
            ("user/name".to_owned(), Test::Is("Anna K".to_owned())),
            ("state".to_owned(), Test::AtMost("-2.5".parse().unwrap())),
        ];
        assert_eq!(tests, expected);
        let other = JobId::new();
        for several in [format!("id:{id},{other} {id}"), format!("{id} {other}")] {
            assert_eq!(read(&several).ids, [id, other]);
        }
        assert_eq!(read("  "), JobFilter::default());
    }

    #[test]
    fn a_field_of_the_input_may_have_nearly_the_name_of_a_term() {
        let filter = read("input.satte:dead stage.name:x");
        assert_eq!(filter.input[0].path, ["satte"]);
        // A stored filter, also of an older version with fewer checks.
        assert_eq!(stored(&filter.to_string()).unwrap(), filter);
        assert_eq!(read(&filter.to_string()), filter);
        assert_eq!(stored("stage:prod").unwrap().input[0].path, ["stage"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, at, says) in [
            ("state:done", 7, "is not a state"),
            ("ok state:dead,x", 15, "is not a state"),
            ("state:dead state:dead", 12, "twice"),
            ("function:a function:b", 12, "twice"),
            ("über \"quoted", 6, "do not end"),
            ("\"\"", 1, "nothing"),
            ("\"a\"b", 4, "blank"),
            ("\"a\\n\"", 4, "only"),
            ("index>", 7, "missing"),
            ("index>ten", 7, "is not a number"),
            ("index>inf", 7, "is not a number"),
            ("index>1e999", 7, "is not a number"),
            ("state>dead", 1, "colon"),
            ("created:2026-01-01T00:00:00Z", 1, "created>TIME"),
            ("created>yesterday", 9, "is not a time"),
            ("created<99999-01-01T00:00:00Z", 9, "is not a time"),
            ("created<2026-12-31T23:59:60Z", 9, "is not a time"),
            ("priority:0", 10, "from 1 to 9"),
            ("queue:Mail", 7, "queue name"),
            ("tag:a tag:b,c", 11, "not a tag"),
            (
                "ok satte:dead",
                4,
                "did you mean state? A value in the input is looked for with input.satte",
            ),
            ("prioirty>3", 1, "did you mean priority?"),
            ("id:x", 4, "job id"),
            ("failure:x", 9, "fingerprint"),
            ("a..b:1", 1, "no path"),
            ("input.:1", 7, "no path"),
            ("a.0:1", 1, "no path"),
            ("a.b.c.d.e.f.g.h.i:1", 1, "at most 8"),
            ("a \0", 3, "U+0000"),
        ] {
            let error = text.parse::<JobFilter>().unwrap_err();
            assert_eq!(error.at, at, "{text}: {error}");
            assert!(error.message.contains(says), "{text}: {error}");
        }
        let long = "a".repeat(LONGEST + 1);
        assert!(long.parse::<JobFilter>().unwrap_err().message.contains("2000"));
        let many = "a ".repeat(MOST_TERMS + 1);
        assert!(
            many.parse::<JobFilter>()
                .unwrap_err()
                .message
                .contains("more than")
        );
    }
}
