//! Which part of the connections may be used for what, so that none of the three stops the others: requests, the
//! searches and long lists among them, and the background roles.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a connection is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum Share {
    Requests,
    /// Lists, counts, statistics: what may look at many rows.
    Searches,
    Roles,
}

/// The places of each share. All clones share them.
#[derive(Clone)]
pub(in crate::db) struct Shares {
    requests: Arc<Semaphore>,
    searches: Arc<Semaphore>,
    roles: Arc<Semaphore>,
}

/// Held while a connection is used.
pub(in crate::db) struct Permit {
    _places: [Option<OwnedSemaphorePermit>; 2],
}

impl Shares {
    pub(in crate::db) fn of(connections: u32, searches: u32) -> Self {
        let [requests, searches, roles] = sizes(connections, searches);
        let places = |count: u32| Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(usize::MAX)));
        Self {
            requests: places(requests),
            searches: places(searches),
            roles: places(roles),
        }
    }

    /// Waits for a place, at most this long; `None` when there was none.
    pub(in crate::db) async fn take(&self, share: Share, longest: Duration) -> Option<Permit> {
        let taking = async {
            let acquire = |places: &Arc<Semaphore>| Arc::clone(places).acquire_owned();
            // They are never closed.
            let places = match share {
                Share::Requests => [acquire(&self.requests).await.ok(), None],
                // In this order: who waits for a place of a search keeps none from other requests.
                Share::Searches => {
                    let search = acquire(&self.searches).await.ok();
                    [search, acquire(&self.requests).await.ok()]
                }
                Share::Roles => [acquire(&self.roles).await.ok(), None],
            };
            Permit { _places: places }
        };
        tokio::time::timeout(longest, taking).await.ok()
    }
}

/// How many of the connections requests, searches and roles may use at the same time. Requests leave some to the roles,
/// and searches and roles together leave some to the other requests, as far as there are enough.
fn sizes(connections: u32, searches: u32) -> [u32; 3] {
    let all = connections.max(1);
    let requests = (all * 7 / 10).clamp(1, all);
    let roles = (all / 2).max(1);
    let searches = searches.clamp(1, all.saturating_sub(roles + 1).max(1));
    [requests, searches, roles]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_can_take_all_connections_from_the_others() {
        for connections in 3..=200 {
            for searches in [0, 1, connections / 2, connections, u32::MAX] {
                let [requests, searches, roles] = sizes(connections, searches);
                assert!(requests >= 1 && searches >= 1 && roles >= 1);
                assert!(
                    requests < connections,
                    "{connections}: some are left to the roles"
                );
                assert!(
                    searches + roles < connections,
                    "{connections}: some are left to requests"
                );
            }
        }
        assert_eq!(sizes(10, 4), [7, 4, 5]);
        assert_eq!(sizes(1, 1), [1, 1, 1]);
    }

    #[tokio::test]
    async fn searches_that_take_long_leave_places_to_others() {
        let shares = Shares::of(10, 4);
        let soon = Duration::from_millis(20);
        let mut held = Vec::new();
        while let Some(place) = shares.take(Share::Searches, soon).await {
            held.push(place);
        }
        assert_eq!(held.len(), 4);
        for share in [Share::Requests, Share::Roles] {
            assert!(shares.take(share, soon).await.is_some(), "{share:?}");
        }
        held.pop();
        assert!(shares.take(Share::Searches, soon).await.is_some());
    }
}
