//! How many jobs of each lane go into Redis: pure arithmetic.

/// Jobs that may go into Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share(pub(super) u64);

/// A lane with fewer jobs in Redis than this part of the window gets some even when the window is full.
const ALLOWANCE: u64 = 50;

/// Jobs of one lane that Redis should hold at least.
pub(super) fn allowance(size: u64) -> u64 {
    (size / ALLOWANCE).max(1)
}

/// What each lane with a backlog gets, given the `size` of the window, how many jobs Redis holds, and how
/// many of each lane wait there.
///
/// The free places are shared evenly. Beyond them a lane that has hardly any jobs in Redis is filled up to
/// its allowance; all together no more than a second window.
pub(super) fn shares(size: u64, held: u64, waiting: &[u64]) -> Vec<Share> {
    let lanes = (waiting.len() as u64).max(1);
    let free = size.saturating_sub(held);
    let allowance = allowance(size);
    let mut beyond = (size * 2).saturating_sub(held.max(size));
    // The remainder of the division goes to the first lanes, which are the most urgent.
    let even = |place: u64| free / lanes + u64::from(place < free % lanes);
    waiting
        .iter()
        .zip(0..)
        .map(|(waiting, place)| {
            let even = even(place);
            let extra = allowance.saturating_sub(waiting + even).min(beyond);
            beyond -= extra;
            Share(even + extra)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(shares: Vec<Share>) -> Vec<u64> {
        shares.into_iter().map(|Share(share)| share).collect()
    }

    #[test]
    fn one_lane_gets_all_that_is_free() {
        assert_eq!(numbers(shares(1_000, 400, &[300])), [600]);
        assert_eq!(numbers(shares(1_000, 1_000, &[900])), [0]);
        assert_eq!(numbers(shares(1_000, 5_000, &[900])), [0]);
    }

    #[test]
    fn a_lane_that_has_hardly_any_gets_some_of_a_full_window() {
        assert_eq!(numbers(shares(1_000, 1_000, &[990, 0, 15])), [0, 20, 5]);
    }

    #[test]
    fn free_places_are_shared() {
        assert_eq!(numbers(shares(1_000, 900, &[500, 500, 500])), [34, 33, 33]);
    }

    proptest! {
        #[test]
        fn redis_never_holds_more_than_two_windows(
            size in 1..100_000_u64, held in 0..300_000_u64,
            waiting in prop::collection::vec(0..100_000_u64, 0..64),
        ) {
            let all: u64 = numbers(shares(size, held, &waiting)).iter().sum();
            prop_assert!(all == 0 || held + all <= size * 2, "{all}");
            // All free places are used.
            prop_assert!(waiting.is_empty() || all >= size.saturating_sub(held));
        }
    }
}
