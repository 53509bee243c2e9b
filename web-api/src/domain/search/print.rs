//! Prints a filter as a search text: terms in a fixed order, and quotes where they are needed.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use jobs::job::JobId;
use jobs::json::decimal::Decimal;

use super::near::near;
use super::{NAMES, Sign};
use crate::domain::job_filter::{InputTest, JobFilter, Span, Test};

impl fmt::Display for JobFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut terms = Vec::new();
        let mut term = |name: &str, value: Option<String>| {
            terms.extend(value.map(|value| format!("{name}:{}", quoted(&value))));
        };
        let states: Vec<&str> = self.states.iter().map(|state| state.as_str()).collect();
        let ids: Vec<String> = self.ids.iter().map(ToString::to_string).collect();
        term("id", (!ids.is_empty()).then(|| ids.join(",")));
        term("state", (!states.is_empty()).then(|| states.join(",")));
        term("function", self.function.clone());
        term("failure", self.failure.map(|fingerprint| fingerprint.to_string()));
        term("queue", self.queue.as_ref().map(ToString::to_string));
        for tag in &self.tags {
            term("tag", Some(tag.to_string()));
        }
        term(
            "priority",
            self.priority.map(|priority| u8::from(priority).to_string()),
        );
        term("batch", self.batch.map(|id| id.to_string()));
        term("schedule", self.schedule.map(|id| id.to_string()));
        term("worker", self.worker.clone());
        terms.extend(span("created", self.created));
        terms.extend(span("finished", self.finished));
        terms.extend(self.words.iter().map(|word| as_word(word)));
        terms.extend(self.input.iter().map(input));
        f.write_str(&terms.join(" "))
    }
}

fn span(name: &str, span: Span) -> impl Iterator<Item = String> {
    let term = |sign: char, time: DateTime<Utc>| {
        format!(
            "{name}{sign}{}",
            time.to_rfc3339_opts(SecondsFormat::Millis, true)
        )
    };
    let from = span.from.map(|time| term('>', time));
    from.into_iter().chain(span.before.map(|time| term('<', time)))
}

fn input(InputTest { path, test }: &InputTest) -> String {
    let name = path.join(".");
    let reserved = path.first().is_some_and(|first| first == "input") || NAMES.contains(&name.as_str())
        // The name is near that of a term.
        || near(&name).is_some();
    let prefix = if reserved { "input." } else { "" };
    let number = |sign: Sign, number: &Decimal| {
        let written = Sign::ALL.into_iter().find(|(_, same)| *same == sign);
        format!("{}{number}", written.map_or("", |(written, _)| written))
    };
    let test = match test {
        Test::Is(text) => format!(":{}", quoted(text)),
        Test::Above(limit) => number(Sign::Above, limit),
        Test::AtLeast(limit) => number(Sign::AtLeast, limit),
        Test::Below(limit) => number(Sign::Below, limit),
        Test::AtMost(limit) => number(Sign::AtMost, limit),
    };
    format!("{prefix}{name}{test}")
}

/// A word that could be taken for something else is written as the value that it is.
fn as_word(word: &str) -> String {
    let looks_like_a_term = word.contains([':', '<', '>']) || word.parse::<JobId>().is_ok();
    if looks_like_a_term {
        format!("error:{}", quoted(word))
    } else {
        quoted(word)
    }
}

fn quoted(text: &str) -> String {
    if text.is_empty() || text.starts_with('"') || text.contains(char::is_whitespace) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text.to_owned()
    }
}
