//! Rate limits per address. Each process counts on its own.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// How many addresses are remembered at the same time, approximately.
const MOST_ADDRESSES: usize = 50_000;
/// The wait for a new address while no more addresses can be remembered.
const FULL: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct RateLimit {
    addresses: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>,
    clock: DefaultClock,
}

impl RateLimit {
    /// Allows `burst` requests at once, and one more after each `next`.
    pub(crate) fn new(burst: u32, next: Duration) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(next).unwrap_or(Quota::per_second(burst));
        let clock = DefaultClock::default();
        Self {
            addresses: RateLimiter::new(
                quota.allow_burst(burst),
                HashMapStateStore::default(),
                clock.clone(),
            ),
            clock,
        }
    }

    pub(crate) fn a_minute(times: u32) -> Self {
        Self::new(times, Duration::from_mins(1) / times.max(1))
    }

    /// Counts one request, or returns how long to wait.
    pub(crate) fn take(&self, address: IpAddr) -> Result<(), Duration> {
        if self.addresses.len() >= MOST_ADDRESSES {
            self.addresses.retain_recent();
            if self.addresses.len() >= MOST_ADDRESSES {
                return Err(FULL);
            }
        }
        self.addresses
            .check_key(&network(address))
            .map_err(|refused| refused.wait_time_from(self.clock.now()))
    }
}

/// The owner of an IPv6 address usually has a /64 network, so the network is counted.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_count() {
        let pace = RateLimit::new(2, Duration::from_hours(1));
        let take = |address: &str| pace.take(address.parse().unwrap());
        assert!(take("192.0.2.1").is_ok() && take("192.0.2.1").is_ok());
        let wait = take("192.0.2.1").unwrap_err();
        assert!(
            wait > Duration::from_mins(59) && wait <= Duration::from_hours(1),
            "{wait:?}"
        );
        assert!(take("192.0.2.2").is_ok());
        assert!(take("2001:db8::1").is_ok() && take("2001:db8::2").is_ok());
        assert!(take("2001:db8::3").is_err(), "the same network");
        assert!(take("2001:db8:0:1::1").is_ok());
    }
}
