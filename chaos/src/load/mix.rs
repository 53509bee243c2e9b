//! THE list of what is called, one line each: how often, with what input, how it must end and what its output must be.

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
    /// How it ends unless it is called off.
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
pub(crate) const MIX: [Kind; 3] = [
    Kind { function: "fibonacci", share: 60, input: |dice| index(dice, 0, 5_000), ends: JobState::Completed, is_right: is_fibonacci },
    Kind { function: "fibonacci", share: 37, input: |dice| index(dice, 5_000, 20_000), ends: JobState::Completed, is_right: is_fibonacci },
    Kind { function: "fibonacci", share: 3, input: |dice| index(dice, 300_000, 300_400), ends: JobState::Completed, is_right: is_fibonacci },
];

/// The kind of a call, drawn by the shares.
pub(crate) fn draw(dice: &mut StdRng) -> &'static Kind {
    let all: u32 = MIX.iter().map(|kind| kind.share).sum();
    let mut left = dice.random_range(0..all);
    for kind in &MIX {
        if left < kind.share {
            return kind;
        }
        left -= kind.share;
    }
    &MIX[0]
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
    use super::*;

    fn output(text: &str) -> Output {
        Output {
            json: Some(json!(text)),
            length: Some(text.len() as u64),
            preview: text.to_owned(),
        }
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
