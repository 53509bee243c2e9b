//! The client address of a request, as far as it can be trusted.
//!
//! Every proxy appends the address that it saw to `X-Forwarded-For`. Entries further left than the known
//! number of proxies are set by the client and are not trusted.

use std::net::IpAddr;

use salvo::http::HeaderMap;
use salvo::prelude::*;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of a request whose connection has none.
const NOWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

pub(crate) fn of(req: &Request, proxies: usize) -> IpAddr {
    let peer = req.remote_addr().ip().unwrap_or(NOWHERE);
    forwarded(req.headers(), proxies).unwrap_or(peer).to_canonical()
}

/// The address seen by the outermost known proxy.
fn forwarded(headers: &HeaderMap, proxies: usize) -> Option<IpAddr> {
    let lines = headers.get_all(X_FORWARDED_FOR).iter();
    let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    let seen: Vec<&str> = lines
        .iter()
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .collect();
    let place = proxies.checked_sub(1)?;
    // In a chain shorter than expected, the first entry was added by one of the proxies.
    let place = place.min(seen.len().checked_sub(1)?);
    seen[seen.len() - 1 - place].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded_by(text: &str, proxies: usize) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in text.split('|').filter(|line| !line.is_empty()) {
            headers.append(X_FORWARDED_FOR, line.parse().unwrap());
        }
        forwarded(&headers, proxies).map(|address| address.to_string())
    }

    #[test]
    fn only_what_known_proxies_saw_is_believed() {
        assert_eq!(forwarded_by("192.0.2.1", 0), None);
        assert_eq!(forwarded_by("", 1), None);
        assert_eq!(forwarded_by("192.0.2.1", 1).as_deref(), Some("192.0.2.1"));
        assert_eq!(
            forwarded_by("10.9.9.9, 192.0.2.1", 1).as_deref(),
            Some("192.0.2.1")
        );
        assert_eq!(
            forwarded_by("10.9.9.9, 192.0.2.1|198.51.100.7", 2).as_deref(),
            Some("192.0.2.1")
        );
        assert_eq!(forwarded_by("192.0.2.1", 2).as_deref(), Some("192.0.2.1"));
        assert_eq!(forwarded_by("nonsense", 1), None);
        assert_eq!(forwarded_by("2001:db8::1", 1).as_deref(), Some("2001:db8::1"));
    }
}
