//! What was aimed at, what was measured, and whether that is enough. The limits are the only numbers that stand here.

use crate::table::Table;

/// One aim and how it went.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Aim {
    text: String,
    measured: String,
    met: bool,
}

impl Aim {
    /// The measured number should be at least this.
    pub(super) fn at_least(text: impl Into<String>, measured: f64, shown: String, limit: f64) -> Self {
        Self {
            text: text.into(),
            measured: shown,
            met: measured >= limit,
        }
    }

    /// The measured number should be at most this.
    pub(super) fn at_most(text: impl Into<String>, measured: f64, shown: String, limit: f64) -> Self {
        Self {
            text: text.into(),
            measured: shown,
            met: measured <= limit,
        }
    }
}

pub(super) fn print(aims: &[Aim], markdown: bool) {
    println!("What was aimed at\n");
    let mut table = Table::new(&["aim", "measured", ""]);
    for aim in aims {
        let verdict = if aim.met { "met" } else { "missed" };
        table.row([aim.text.clone(), aim.measured.clone(), verdict.to_owned()]);
    }
    table.print(markdown);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_just_reached_is_met_and_no_number_never_is() {
        assert!(Aim::at_least("", 8.0, String::new(), 8.0).met);
        assert!(!Aim::at_least("", 7.99, String::new(), 8.0).met);
        assert!(Aim::at_most("", 0.5, String::new(), 0.5).met);
        assert!(!Aim::at_most("", 0.51, String::new(), 0.5).met);
        assert!(!Aim::at_least("", f64::NAN, String::new(), 8.0).met);
        assert!(!Aim::at_most("", f64::NAN, String::new(), 8.0).met);
    }
}
