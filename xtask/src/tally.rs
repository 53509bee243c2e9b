//! Counts passed and failed tests from the closing lines of the runners.

use std::ops::AddAssign;

/// Passed and failed tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed, and runners that failed without naming a test.
    pub failed: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl Tally {
    /// A runner that ends badly has failed, also when it never got to a test.
    #[must_use]
    pub fn ended(mut self, well: bool) -> Self {
        if !well && self.failed == 0 {
            self.failed = 1;
        }
        self
    }
}

/// `cargo test` closes each binary with `test result: ok. 3 passed; 0 failed; …`.
pub fn cargo(line: &str) -> Tally {
    let line = plain(line);
    match line
        .trim()
        .strip_prefix("test result: ")
        .and_then(|rest| rest.split_once(". "))
    {
        Some((_, counts)) => Tally {
            passed: number_before(counts, "passed"),
            failed: number_before(counts, "failed"),
        },
        None => Tally::default(),
    }
}

/// pytest closes with `1 failed, 12 passed, 1 skipped in 34.5s`; what broke outside a test is an error.
pub fn pytest(line: &str) -> Tally {
    let line = plain(line);
    let line = line.trim().trim_matches(['=', ' ']);
    match line.rsplit_once(" in ") {
        Some((counts, time)) if time.split(' ').next().is_some_and(|time| time.ends_with('s')) => Tally {
            passed: number_before(counts, "passed"),
            failed: number_before(counts, "failed")
                + number_before(counts, "error").max(number_before(counts, "errors")),
        },
        _ => Tally::default(),
    }
}

/// Vitest closes with `Tests  1 failed | 12 passed | 1 skipped (14)`; what broke outside a test is in `Errors`.
pub fn vitest(line: &str) -> Tally {
    let line = plain(line);
    let line = line.trim();
    if let Some(counts) = line.strip_prefix("Tests ") {
        Tally {
            passed: number_before(counts, "passed"),
            failed: number_before(counts, "failed"),
        }
    } else if let Some(counts) = line.strip_prefix("Errors ") {
        Tally {
            passed: 0,
            failed: number_before(counts, "error").max(number_before(counts, "errors")),
        }
    } else {
        Tally::default()
    }
}

/// Playwright closes with a line for each outcome: `1 failed`, `1 flaky`, `2 did not run`, `12 passed (5.1s)`.
/// A test that passes only when it is tried again has failed.
pub fn playwright(line: &str) -> Tally {
    let line = plain(line);
    let mut words = line.trim().splitn(2, ' ');
    let Some(count) = words.next().and_then(|word| word.parse().ok()) else {
        return Tally::default();
    };
    match words.next().unwrap_or_default() {
        "failed" | "flaky" | "interrupted" => Tally {
            passed: 0,
            failed: count,
        },
        outcome if outcome == "passed" || outcome.starts_with("passed (") => Tally {
            passed: count,
            failed: 0,
        },
        _ => Tally::default(),
    }
}

/// `chaos` closes with `12 passed, 1 failed`, a check each.
pub fn chaos(line: &str) -> Tally {
    let line = plain(line);
    let counts = line.trim().strip_suffix(" failed").and_then(|rest| {
        let (passed, failed) = rest.split_once(" passed, ")?;
        Some((passed.parse().ok()?, failed.parse().ok()?))
    });
    counts.map_or_else(Tally::default, |(passed, failed)| Tally { passed, failed })
}

/// The number right before a word, 0 when there is none.
fn number_before(text: &str, word: &str) -> u64 {
    let words: Vec<&str> = text
        .split([' ', ';', '|', ','])
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(2)
        .find_map(|pair| match pair {
            [number, what] if *what == word => number.parse().ok(),
            _ => None,
        })
        .unwrap_or(0)
}

/// Without the colours that a terminal gets.
pub(crate) fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // A colour is `ESC [ numbers letter`.
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64) -> Tally {
        Tally { passed, failed }
    }

    #[test]
    fn cargo_lines() {
        let line = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s\n";
        assert_eq!(cargo(line), tally(12, 0));
        let line = "test result: FAILED. 11 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s";
        assert_eq!(cargo(line), tally(11, 2));
        let line = "test result: \u{1b}[32mok\u{1b}(B\u{1b}[m. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(cargo(line), tally(7, 0));
        assert_eq!(cargo("test worker::counts ... ok"), tally(0, 0));
        assert_eq!(cargo("running 4 tests"), tally(0, 0));
    }

    #[test]
    fn vitest_lines() {
        assert_eq!(vitest("      Tests  10 passed (10)\n"), tally(10, 0));
        assert_eq!(
            vitest("      Tests  1 failed | 12 passed | 1 skipped (14)"),
            tally(12, 1)
        );
        assert_eq!(
            vitest("\u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[32m3 passed\u{1b}[39m\u{1b}[22m (3)"),
            tally(3, 0)
        );
        assert_eq!(
            vitest(" Test Files  1 failed | 2 passed (3)"),
            tally(0, 0),
            "files are not tests"
        );
        assert_eq!(vitest("      Tests  no tests"), tally(0, 0));
        assert_eq!(vitest("     Errors  1 error"), tally(0, 1));
        assert_eq!(vitest("     Errors  2 errors"), tally(0, 2));
    }

    #[test]
    fn pytest_lines() {
        assert_eq!(
            pytest("============ 12 passed in 34.51s ============\n"),
            tally(12, 0)
        );
        assert_eq!(
            pytest("1 failed, 11 passed, 2 skipped, 3 errors in 75.20s (0:01:15)"),
            tally(11, 4)
        );
        assert_eq!(pytest("1 passed, 1 error in 1.00s"), tally(1, 1));
        assert_eq!(pytest("test_release.py::it_goes_back PASSED"), tally(0, 0));
        assert_eq!(pytest("2 passed in the morning"), tally(0, 0));
    }

    #[test]
    fn playwright_lines() {
        assert_eq!(playwright("  12 passed (5.1s)\n"), tally(12, 0));
        assert_eq!(playwright("  1 failed"), tally(0, 1));
        assert_eq!(playwright("  1 flaky"), tally(0, 1));
        assert_eq!(
            playwright("\u{1b}[32m  4 passed\u{1b}[39m\u{1b}[2m (1.2m)\u{1b}[22m"),
            tally(4, 0)
        );
        assert_eq!(playwright("  2 skipped"), tally(0, 0));
        assert_eq!(playwright("  2 did not run"), tally(0, 0));
        assert_eq!(
            playwright("  ✓  1 e2e/form.spec.ts:3:1 › 90 passed through (200ms)"),
            tally(0, 0)
        );
    }

    #[test]
    fn chaos_lines() {
        assert_eq!(chaos("14 passed, 0 failed\n"), tally(14, 0));
        assert_eq!(chaos("12 passed, 2 failed"), tally(12, 2));
        assert_eq!(
            chaos("  12.5 s  kill-worker   2 passed, 1 failed to stop"),
            tally(0, 0)
        );
    }

    #[test]
    fn a_runner_that_dies_counts_as_one_failure() {
        assert_eq!(tally(3, 0).ended(false), tally(3, 1));
        assert_eq!(tally(3, 2).ended(false), tally(3, 2));
        assert_eq!(tally(3, 0).ended(true), tally(3, 0));
    }
}
