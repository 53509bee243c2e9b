//! The queues that the settings declare: `critical:6,default:3,low`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::job::{ParseError, QueueName};

/// Queues in their order, with their weights: how often a worker asks one first, compared with the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeclaredQueues {
    queues: Vec<(QueueName, u32)>,
}

/// A queue without a weight has this one.
const STANDARD_WEIGHT: u32 = 1;
const MOST_WEIGHT: u32 = 1_000;
/// A worker asks each of its queues in turn.
const MOST_QUEUES: usize = 100;

impl DeclaredQueues {
    /// These queues, then those of `named` that are not among them, by name.
    pub(super) fn and(&self, named: impl Iterator<Item = QueueName>) -> Vec<(QueueName, u32)> {
        let mut others: BTreeSet<QueueName> = named.collect();
        for (queue, _) in &self.queues {
            others.remove(queue);
        }
        let others = others.into_iter().map(|queue| (queue, STANDARD_WEIGHT));
        self.queues.iter().cloned().chain(others).collect()
    }
}

impl FromStr for DeclaredQueues {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let expected =
            "a list of up to 100 different queues such as critical:6,default:3,low (weights from 1 to 1000)";
        let wrong = || ParseError::new(text, expected);
        let mut queues = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, weight) = match part.split_once(':') {
                None => (part, STANDARD_WEIGHT),
                Some((name, weight)) => {
                    let weight = weight.trim().parse().ok();
                    let weight = weight.filter(|weight| (1..=MOST_WEIGHT).contains(weight));
                    (name.trim(), weight.ok_or_else(wrong)?)
                }
            };
            let name: QueueName = name.parse()?;
            if queues.iter().any(|(other, _)| *other == name) || queues.len() == MOST_QUEUES {
                return Err(wrong());
            }
            queues.push((name, weight));
        }
        Ok(Self { queues })
    }
}

impl fmt::Display for DeclaredQueues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, weight)) in self.queues.iter().enumerate() {
            let separator = if at == 0 { "" } else { "," };
            write!(f, "{separator}{name}:{weight}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<QueueName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn declared_queues_come_first_and_keep_their_weights() {
        let declared: DeclaredQueues = "critical:6, default:3,low".parse().unwrap();
        assert_eq!(declared.to_string(), "critical:6,default:3,low:1");
        let all = declared.and(named(&["mail", "default", "aged"]).into_iter());
        let text: Vec<String> = all
            .iter()
            .map(|(name, weight)| format!("{name} {weight}"))
            .collect();
        assert_eq!(text, ["critical 6", "default 3", "low 1", "aged 1", "mail 1"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in ["a:0", "a:1001", "a:x", "a:-1", "A", "a,a", "a b", "a:1:2"] {
            assert!(bad.parse::<DeclaredQueues>().is_err(), "{bad:?}");
        }
        assert_eq!("".parse(), Ok(DeclaredQueues::default()));
    }
}
