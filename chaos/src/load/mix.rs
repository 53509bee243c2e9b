//! THE list of what is called, one line each: how often, with what input, how it must end and what its output must be.
//! What a build does not know (`--worker-binary` may be an old one, and so may the API) is left out, and said.

use std::collections::BTreeMap;

use jobs::job::JobState;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

/// One kind of call.
pub(crate) struct Kind {
    pub(crate) function: &'static str,
    /// How many of a hundred calls are of this kind.
    pub(crate) share: u32,
    pub(crate) input: fn(&mut StdRng) -> Value,
    /// How it ends unless it is cancelled.
    pub(crate) ends: JobState,
    pub(crate) is_right: fn(&Value, &Output) -> bool,
}

/// What a row says of a job's output.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Output {
    /// The whole value, when it is small.
    pub(crate) json: Option<Value>,
    /// Characters, when it is a text.
    pub(crate) length: Option<u64>,
    /// Text, shortened in the middle.
    pub(crate) preview: String,
}

#[rustfmt::skip]
pub(crate) const KINDS: [Kind; 8] = [
    Kind { function: "fibonacci", share: 39, input: |dice| index(dice, 0, 5_000), ends: JobState::Completed, is_right: is_fibonacci },
    Kind { function: "fibonacci", share: 24, input: |dice| index(dice, 5_000, 20_000), ends: JobState::Completed, is_right: is_fibonacci },
    Kind { function: "fibonacci", share: 3, input: |dice| index(dice, 300_000, 300_400), ends: JobState::Completed, is_right: is_fibonacci },
    Kind { function: "echo", share: 12, input: |dice| json!({ "echo": dice.random::<u32>() }), ends: JobState::Completed, is_right: |input, output| is_json(output, input) },
    // As large as the API takes it.
    Kind { function: "echo", share: 1, input: large, ends: JobState::Completed, is_right: |input, output| output.length == input.as_str().map(|text| text.len() as u64) },
    Kind { function: "sleep", share: 11, input: |dice| json!({ "seconds": thousandths(dice, 20, 1_500) }), ends: JobState::Completed, is_right: |input, output| is_json(output, &input["seconds"]) },
    // Longer than a worker's grace: these are given back.
    Kind { function: "sleep", share: 1, input: |dice| json!({ "seconds": thousandths(dice, 3_500, 6_000) }), ends: JobState::Completed, is_right: |input, output| is_json(output, &input["seconds"]) },
    Kind { function: "flaky", share: 9, input: |dice| json!({ "failures": dice.random_range(1..=3), "output": dice.random::<u32>() }), ends: JobState::Completed, is_right: |input, output| is_json(output, &input["output"]) },
];

/// The kinds that can be called, and which are not because there is no such function.
#[derive(Clone)]
pub(crate) struct Mix(Vec<&'static Kind>);

impl Mix {
    /// Those whose function is one of these.
    pub(crate) fn of(functions: &[String]) -> Self {
        let there = |kind: &&Kind| functions.iter().any(|function| function == kind.function);
        Self(KINDS.iter().filter(there).collect())
    }

    /// The functions that are called, and how many of a hundred calls are theirs.
    pub(crate) fn shares(&self) -> BTreeMap<&'static str, u32> {
        let mut shares = BTreeMap::<_, u32>::new();
        for kind in &self.0 {
            *shares.entry(kind.function).or_default() += kind.share;
        }
        for share in shares.values_mut() {
            *share = (*share * 100 + self.sum() / 2) / self.sum();
        }
        shares
    }

    fn sum(&self) -> u32 {
        self.0.iter().map(|kind| kind.share).sum::<u32>().max(1)
    }

    /// The kind of a call, drawn by the shares. There has to be one.
    pub(crate) fn draw(&self, dice: &mut StdRng) -> &'static Kind {
        let mut left = dice.random_range(0..self.sum());
        for kind in &self.0 {
            if left < kind.share {
                return kind;
            }
            left -= kind.share;
        }
        &KINDS[0]
    }
}

/// So many seconds, to the thousandth.
fn thousandths(dice: &mut StdRng, from: u32, to: u32) -> f64 {
    f64::from(dice.random_range(from..to)) / 1_000.0
}

/// A text of about a megabyte, which the API takes as a whole.
fn large(dice: &mut StdRng) -> Value {
    let word = format!("{:016x}", dice.random::<u64>());
    Value::String(word.repeat(62_500))
}

fn is_json(output: &Output, expected: &Value) -> bool {
    output.json.as_ref() == Some(expected)
}

fn index(dice: &mut StdRng, from: u64, to: u64) -> Value {
    json!({ "index": dice.random_range(from..to) })
}

/// Looks at the number of digits and at the last nine of them, found in another way than the function does.
fn is_fibonacci(input: &Value, output: &Output) -> bool {
    let Some(index) = input["index"].as_u64() else {
        return false;
    };
    let whole = output.json.as_ref().and_then(Value::as_str);
    let text = whole.unwrap_or(&output.preview);
    let last = format!("{:09}", fibonacci_modulo(index, 1_000_000_000));
    let ending = if index < 40 {
        last.trim_start_matches('0')
    } else {
        &last
    };
    output.length == Some(digits(index)) && text.ends_with(ending)
}

/// F(n) mod m by doubling: F(2k) = F(k) (2 F(k+1) - F(k)), F(2k+1) = F(k)² + F(k+1)².
fn fibonacci_modulo(n: u64, m: u64) -> u64 {
    let (mut a, mut b) = (0, 1);
    for bit in (0..u64::BITS - n.leading_zeros()).rev() {
        let even = a * ((2 * b + m - a) % m) % m;
        let odd = (a * a + b * b) % m;
        (a, b) = if (n >> bit) & 1 == 1 {
            (odd, (even + odd) % m)
        } else {
            (even, odd)
        };
    }
    a
}

/// How many digits F(n) has.
fn digits(n: u64) -> u64 {
    if n < 2 {
        return 1;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a small positive number"
    )]
    let digits = (n as f64 * 0.208_987_640_249_978_73 - 0.349_485_002_168_009_4).floor() as u64 + 1;
    digits
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn output(text: &str) -> Output {
        Output {
            json: Some(json!(text)),
            length: Some(text.len() as u64),
            preview: text.to_owned(),
        }
    }

    #[test]
    fn kinds_without_their_function_are_left_out() {
        let all = Mix::of(&["fibonacci", "echo", "sleep", "flaky"].map(str::to_owned));
        assert_eq!(all.sum(), 100);
        assert_eq!(all.shares().len(), 4);
        let one = Mix::of(&["fibonacci".to_owned(), "other".to_owned()]);
        assert_eq!(one.shares(), BTreeMap::from([("fibonacci", 100)]));
        let mut dice = StdRng::seed_from_u64(1);
        assert!((0..200).all(|_| one.draw(&mut dice).function == "fibonacci"));
    }

    #[test]
    fn right_values_are_right_and_wrong_ones_are_not() {
        let known = [
            (0, "0"),
            (1, "1"),
            (2, "1"),
            (6, "8"),
            (7, "13"),
            (39, "63245986"),
            (40, "102334155"),
            (90, "2880067194370816120"),
        ];
        for (index, value) in known {
            let input = json!({ "index": index });
            assert!(is_fibonacci(&input, &output(value)), "{index}");
            assert!(!is_fibonacci(&input, &output(&format!("{value}4"))), "{index}");
            assert!(!is_fibonacci(&input, &Output::default()), "{index}");
        }
        assert!(!is_fibonacci(
            &json!({ "index": 90 }),
            &output("2880067194370816121")
        ));
    }

    #[test]
    fn a_long_value_is_known_by_its_length_and_its_end() {
        // The last digits of F(1,000) and its length, from a table.
        let long = Output {
            json: None,
            length: Some(209),
            preview: "43466557686937456435…849228875".to_owned(),
        };
        assert!(is_fibonacci(&json!({ "index": 1_000 }), &long));
        let short = Output {
            length: Some(208),
            ..long
        };
        assert!(!is_fibonacci(&json!({ "index": 1_000 }), &short));
    }
}
