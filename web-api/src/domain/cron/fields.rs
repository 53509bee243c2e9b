//! Checks each field of a cron expression before the cron library does: to report which field is wrong, and
//! to refuse what the library reads in a surprising way (an empty list never matches, and takes it a minute
//! of searching through three thousand years; `*/100` is read as `0`; `JAN` in a day field is read as 1).

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

struct Field {
    noun: &'static str,
    low: u32,
    high: u32,
    /// Words for the values from `low` on.
    names: &'static [&'static str],
    /// What else one item may be.
    special: fn(&str) -> bool,
}

const FIELDS: [Field; 6] = [
    plain("second", 0, 59, &[]),
    plain("minute", 0, 59, &[]),
    plain("hour", 0, 23, &[]),
    Field {
        special: |item| {
            item == "L" || item == "LW" || item.strip_suffix('W').is_some_and(|day| is_within(day, 1, 31))
        },
        ..plain("day of the month", 1, 31, &[])
    },
    plain("month", 1, 12, &MONTHS),
    Field {
        special: |item| {
            let weekday = |text| is_within(text, 0, 7) || WEEKDAYS.contains(&text);
            item.strip_suffix('L').is_some_and(weekday)
                || item
                    .split_once('#')
                    .is_some_and(|(day, nth)| weekday(day) && is_within(nth, 1, 5))
        },
        ..plain("day of the week", 0, 7, &WEEKDAYS)
    },
];

const fn plain(noun: &'static str, low: u32, high: u32, names: &'static [&'static str]) -> Field {
    Field {
        noun,
        low,
        high,
        names,
        special: |_| false,
    }
}

/// Checks the six fields, the seconds first, in capital letters.
///
/// # Errors
/// What is wrong with the first bad one, in words that follow "cron: ".
pub(super) fn check(fields: &[&str; 6]) -> Result<(), String> {
    fields
        .iter()
        .zip(&FIELDS)
        .try_for_each(|(text, field)| field.check(text))
}

impl Field {
    fn check(&self, text: &str) -> Result<(), String> {
        // `?` is Quartz's notation for "any day", alone and in the two day fields.
        if text == "*" || text == "?" && self.noun.starts_with("day") {
            return Ok(());
        }
        text.split(',').try_for_each(|item| self.check_item(item))
    }

    fn check_item(&self, item: &str) -> Result<(), String> {
        let noun = self.noun;
        if item.is_empty() {
            return Err(format!("the list for the {noun} has an empty place"));
        }
        if (self.special)(item) {
            return Ok(());
        }
        let Some((range, step)) = item.split_once('/') else {
            return if item.contains('-') {
                self.check_range(item)
            } else {
                self.value(item).map(|_| ())
            };
        };
        let span = self.high - self.low;
        if !is_within(step, 1, span) {
            return Err(format!(
                "the step of the {noun} must be 1 to {span}, not {step:?}"
            ));
        }
        match range {
            "*" => Ok(()),
            _ if range.contains('-') => self.check_range(range),
            _ => Err(format!(
                "a step of the {noun} follows * or a range, as in */{step}, not {range:?}"
            )),
        }
    }

    fn check_range(&self, range: &str) -> Result<(), String> {
        let noun = self.noun;
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let first = self.value(first)?;
        let end = self.value(last)?;
        // A week may end with Sunday; the library reads SUN-SUN as the whole week.
        let end = if last == "SUN" && first > 0 { 7 } else { end };
        if first <= end && (first, last) != (0, "SUN") {
            Ok(())
        } else {
            Err(format!("the range {range:?} of the {noun} goes backwards"))
        }
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let Self { noun, low, high, .. } = self;
        if is_within(text, *low, *high) {
            return Ok(text.parse().unwrap_or(*low));
        }
        if let Some(place) = (*low..).zip(self.names).find(|(_, name)| **name == text) {
            return Ok(place.0);
        }
        let names = match self.names {
            [first, .., last] => format!(", or {first} to {last}"),
            _ => String::new(),
        };
        Err(format!("the {noun} must be {low} to {high}{names}, not {text:?}"))
    }
}

fn is_within(text: &str, low: u32, high: u32) -> bool {
    (1..=2).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text
            .parse::<u32>()
            .is_ok_and(|number| (low..=high).contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<(), String> {
        let fields: Vec<&str> = text.split(' ').collect();
        check(&fields.try_into().unwrap())
    }

    #[test]
    fn what_cron_knows_passes() {
        for text in [
            "* * * * * *",
            "0 0 8 * * *",
            "0 */15 9-17 * * MON-FRI",
            "0,30 59 23 31 12 7",
            "0 0 0 1,15 JAN,JUL ?",
            "0 0 0 L * *",
            "0 0 0 LW * *",
            "0 0 0 15W * *",
            "0 0 0 ? * FRI#2",
            "0 0 0 * * 5L",
            "0 0 0 * * SAT-SUN",
            "0 10-50/20 * * FEB-NOV *",
        ] {
            assert_eq!(checked(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        for (text, message) in [
            ("0 60 * * * *", "the minute must be 0 to 59, not \"60\""),
            ("0 0 24 * * *", "the hour must be 0 to 23, not \"24\""),
            ("0 0 0 0 * *", "the day of the month must be 1 to 31, not \"0\""),
            (
                "0 0 0 * 13 *",
                "the month must be 1 to 12, or JAN to DEC, not \"13\"",
            ),
            (
                "0 0 0 * * 8",
                "the day of the week must be 0 to 7, or SUN to SAT, not \"8\"",
            ),
            (
                "0 0 0 JAN * *",
                "the day of the month must be 1 to 31, not \"JAN\"",
            ),
            (
                "0 0 0 1JAN * *",
                "the day of the month must be 1 to 31, not \"1JAN\"",
            ),
            ("0 , * * * *", "the list for the minute has an empty place"),
            ("0 1,,2 * * * *", "the list for the minute has an empty place"),
            (
                "0 1--100000000 * * * *",
                "the minute must be 0 to 59, not \"-100000000\"",
            ),
            (
                "0 */100 * * * *",
                "the step of the minute must be 1 to 59, not \"100\"",
            ),
            (
                "0 */0 * * * *",
                "the step of the minute must be 1 to 59, not \"0\"",
            ),
            (
                "0 5/10 * * * *",
                "a step of the minute follows * or a range, as in */10, not \"5\"",
            ),
            (
                "0 30-10 * * * *",
                "the range \"30-10\" of the minute goes backwards",
            ),
            (
                "0 0 0 * * SUN-SUN",
                "the range \"SUN-SUN\" of the day of the week goes backwards",
            ),
            ("0 ? * * * *", "the minute must be 0 to 59, not \"?\""),
            (
                "0 0 0 32W * *",
                "the day of the month must be 1 to 31, not \"32W\"",
            ),
            (
                "0 0 0 * * L",
                "the day of the week must be 0 to 7, or SUN to SAT, not \"L\"",
            ),
            (
                "0 0 0 * * MON#6",
                "the day of the week must be 0 to 7, or SUN to SAT, not \"MON#6\"",
            ),
            (
                "0 0 0 * * +MON",
                "the day of the week must be 0 to 7, or SUN to SAT, not \"+MON\"",
            ),
            ("0 0 0 *,5 * *", "the day of the month must be 1 to 31, not \"*\""),
        ] {
            assert_eq!(checked(text), Err(message.to_owned()), "{text}");
        }
    }
}
