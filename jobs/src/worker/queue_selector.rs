//! In which order a worker asks its queues: always the same one, or by chance in proportion to their weights.

use rand::{Rng, RngExt};

use crate::job::QueueName;

/// The queues that a worker serves.
#[derive(Debug, Clone)]
pub(crate) struct QueueSelector {
    names: Vec<QueueName>,
    weights: Vec<u32>,
    strict: bool,
}

impl QueueSelector {
    /// `queues` with their weights, the first ones first if the order is `strict`.
    pub(crate) fn new(queues: Vec<(QueueName, u32)>, strict: bool) -> Self {
        let (names, weights) = queues.into_iter().unzip();
        Self {
            names,
            weights,
            strict,
        }
    }

    pub(crate) fn names(&self) -> &[QueueName] {
        &self.names
    }

    /// Every queue once. Who comes first is served until it has no more or the worker is full.
    ///
    /// By chance without replacement, with the chances of the weights: sorted by `u^(1/weight)` for random `u`
    /// (P. Efraimidis, P. Spirakis, "Weighted random sampling with a reservoir", 2006). Thus no queue starves.
    pub(crate) fn next_round(&self, random: &mut impl Rng) -> Vec<&QueueName> {
        if self.strict || self.names.len() < 2 {
            return self.names.iter().collect();
        }
        let mut drawn: Vec<(f64, &QueueName)> = self
            .names
            .iter()
            .zip(&self.weights)
            .map(|(name, weight)| {
                let lot: f64 = random.random_range(f64::MIN_POSITIVE..1.0);
                (lot.powf(f64::from((*weight).max(1)).recip()), name)
            })
            .collect();
        drawn.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        drawn.into_iter().map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(strict: bool) -> QueueSelector {
        let queue = |name: &str, weight| (name.parse().unwrap(), weight);
        QueueSelector::new(
            vec![queue("critical", 6), queue("default", 3), queue("low", 1)],
            strict,
        )
    }

    #[test]
    fn a_strict_order_is_always_the_same() {
        let selector = selector(true);
        for _ in 0..20 {
            let round = selector.next_round(&mut rand::rng());
            assert_eq!(round[0].as_str(), "critical");
            assert_eq!(round[2].as_str(), "low");
        }
    }

    #[test]
    fn weights_are_chances_to_be_first() {
        let selector = selector(false);
        let mut random = rand::rng();
        let mut first = std::collections::HashMap::<String, u32>::new();
        for _ in 0..10_000 {
            let round = selector.next_round(&mut random);
            assert_eq!(round.len(), 3);
            *first.entry(round[0].to_string()).or_default() += 1;
        }
        // Six standard deviations around 6,000, 3,000 and 1,000.
        for (name, range) in [
            ("critical", 5_700..6_300),
            ("default", 2_720..3_280),
            ("low", 820..1_180),
        ] {
            assert!(range.contains(&first[name]), "{first:?}");
        }
    }
}
