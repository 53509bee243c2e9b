//! `fibonacci`: the exact value of F(n), the demo that Spiral grew out of.

use rug::{Complete, Integer};
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::context::JobContext;
use crate::function::{Function, JobError, Policy};

/// Below this index the value takes less time than handing it to another thread: about 0.1 ms at F(20,000).
const COMPUTE_IN_PLACE_BELOW: u64 = 10_000;

pub struct Fibonacci {
    /// The largest index that is accepted.
    pub max_index: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FibonacciInput {
    /// Which number of the sequence 0, 1, 1, 2, 3, 5, 8, … to compute, counted from 0.
    pub index: u64,
}

/// The value in decimal digits.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct FibonacciOutput(String);

impl Function for Fibonacci {
    const NAME: &'static str = "fibonacci";
    const DESCRIPTION: &'static str =
        "Computes the exact value of a Fibonacci number, however many digits it has.";

    type Input = FibonacciInput;
    type Output = FibonacciOutput;

    fn policy(&self) -> Policy {
        Policy {
            max_attempts: 3,
            ..Policy::default()
        }
    }

    fn input_schema(&self) -> Schema {
        let mut schema = schema_for!(FibonacciInput);
        if let Some(index) = schema
            .pointer_mut("/properties/index")
            .and_then(|index| index.as_object_mut())
        {
            index.insert("maximum".to_owned(), json!(self.max_index));
        }
        schema
    }

    fn memo_key(&self, input: &FibonacciInput) -> Option<String> {
        Some(input.index.to_string())
    }

    async fn run(&self, context: JobContext, input: FibonacciInput) -> Result<FibonacciOutput, JobError> {
        let FibonacciInput { index } = input;
        if index > self.max_index {
            return Err(JobError::fatal(format!(
                "the index {index} is above the limit of {}",
                self.max_index
            )));
        }
        let index = u32::try_from(index)?;
        let digits = if u64::from(index) < COMPUTE_IN_PLACE_BELOW {
            fibonacci(index)
        } else {
            context.compute(move || fibonacci(index)).await?
        };
        Ok(FibonacciOutput(digits))
    }
}

/// F(`index`) in decimal, by GMP's `mpz_fib_ui` (doubling by F(2k-1) and F(2k+1), GMP manual section 15.7.5).
fn fibonacci(index: u32) -> String {
    Integer::fibonacci(index).complete().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, by addition: an independent way to the same number.
    fn by_addition(index: u32) -> Integer {
        let (mut a, mut b) = (Integer::new(), Integer::from(1));
        for _ in 0..index {
            a += &b;
            std::mem::swap(&mut a, &mut b);
        }
        a
    }

    /// F(index) modulo `modulus` by fast doubling on machine words: independent of GMP.
    fn modulo(index: u64, modulus: u128) -> u128 {
        let (mut a, mut b) = (0_u128, 1 % modulus);
        for bit in (0..64 - index.leading_zeros()).rev() {
            let double = a * ((2 * b + modulus - a) % modulus) % modulus;
            let next = (a * a + b * b) % modulus;
            (a, b) = if index >> bit & 1 == 1 {
                (next, (double + next) % modulus)
            } else {
                (double, next)
            };
        }
        a
    }

    #[test]
    fn the_first_values_are_the_sequence() {
        let values: Vec<String> = (0..11).map(fibonacci).collect();
        assert_eq!(
            values,
            ["0", "1", "1", "2", "3", "5", "8", "13", "21", "34", "55"]
        );
        assert_eq!(fibonacci(90), "2880067194370816120");
    }

    #[test]
    fn values_equal_the_sum_of_their_two_predecessors() {
        for index in [100, 1_000, 9_999, 10_000, 50_000] {
            assert_eq!(fibonacci(index), by_addition(index).to_string(), "F({index})");
        }
    }

    #[test]
    fn large_values_have_the_right_digits() {
        for (index, length) in [(1_000_000, 208_988), (10_000_000, 2_089_877)] {
            let digits = fibonacci(index);
            assert_eq!(digits.len(), length);
            // The last 18 digits, and the whole number modulo the prime 2^61 - 1, leave no room for a wrong digit.
            let last: u128 = digits[length - 18..].parse().unwrap();
            assert_eq!(last, modulo(index.into(), 1_000_000_000_000_000_000));
            let prime = (1_u128 << 61) - 1;
            let residue = digits
                .bytes()
                .fold(0, |rest, digit| (rest * 10 + u128::from(digit - b'0')) % prime);
            assert_eq!(residue, modulo(index.into(), prime));
        }
    }

    #[test]
    fn the_schema_carries_the_limit() {
        let schema = Fibonacci { max_index: 77 }.input_schema();
        let index = schema.pointer("/properties/index").unwrap();
        assert_eq!((&index["minimum"], &index["maximum"]), (&json!(0), &json!(77)));
        assert_eq!(schema.get("additionalProperties"), Some(&json!(false)));
    }
}
