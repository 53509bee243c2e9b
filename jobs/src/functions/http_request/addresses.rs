//! Which IP addresses belong to the public internet. Pure rules; they know no names and open no connection.
//!
//! After the IANA special-purpose address registries for IPv4 and IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Blocks of IPv4 addresses that a function must not call: first address, length of the prefix, what it is.
const BLOCKS_V4: [(Ipv4Addr, u32, &str); 17] = [
    (Ipv4Addr::UNSPECIFIED, 8, "an unspecified address"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private address"),
    (
        Ipv4Addr::new(100, 64, 0, 0),
        10,
        "an address shared behind a provider's NAT",
    ),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback address"),
    // A public address on paper, and the door to a virtual machine's secrets on Azure.
    (
        Ipv4Addr::new(168, 63, 129, 16),
        32,
        "the address of a cloud's own service",
    ),
    // Where clouds hand out a machine's credentials (169.254.169.254).
    (Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local address"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private address"),
    (
        Ipv4Addr::new(192, 0, 0, 0),
        24,
        "an address reserved for protocols",
    ),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "an address of a tunnel"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private address"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "an address for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "an address for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast address"),
    (Ipv4Addr::BROADCAST, 32, "the broadcast address"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved address"),
];

/// The same for IPv6.
const BLOCKS_V6: [(Ipv6Addr, u32, &str); 14] = [
    (Ipv6Addr::UNSPECIFIED, 128, "an unspecified address"),
    (Ipv6Addr::LOCALHOST, 128, "a loopback address"),
    (
        Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0),
        48,
        "an address translated within a network",
    ),
    (
        Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0),
        64,
        "an address that discards",
    ),
    // Teredo (2001::/32), which wraps IPv4 addresses, is one of these.
    (
        Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0),
        23,
        "an address reserved for protocols",
    ),
    (
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),
        32,
        "an address for documentation",
    ),
    // 6to4, which wraps IPv4 addresses; its public relays are gone.
    (
        Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0),
        16,
        "an address of a tunnel",
    ),
    (
        Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0),
        20,
        "an address for documentation",
    ),
    (
        Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0),
        16,
        "an address within a network",
    ),
    (
        Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0),
        7,
        "a unique local address",
    ),
    (
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0),
        10,
        "a link-local address",
    ),
    (
        Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0),
        10,
        "a private address",
    ),
    (
        Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0),
        8,
        "a multicast address",
    ),
    // The old IPv4-compatible form; never routed.
    (Ipv6Addr::UNSPECIFIED, 96, "an address that wraps an IPv4 address"),
];

/// IPv4 addresses translated at the edge of an IPv6-only network (RFC 6052): as public as what they wrap.
const TRANSLATED: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// All that IANA has given to the public IPv6 internet so far.
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What an address is, if it is none of the public internet.
pub(super) fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => not_public_v4(address),
        IpAddr::V6(address) => not_public_v6(address),
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    BLOCKS_V4
        .iter()
        .find(|(first, length, _)| (address.to_bits() ^ first.to_bits()) >> (32 - length) == 0)
        .map(|(_, _, what)| *what)
}

fn not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    let within =
        |(first, length): (Ipv6Addr, u32)| (address.to_bits() ^ first.to_bits()) >> (128 - length) == 0;
    // The operating system connects to the IPv4 address within.
    if let Some(inner) = address.to_ipv4_mapped() {
        return not_public_v4(inner);
    }
    if within(TRANSLATED) {
        let [.., a, b, c, d] = address.octets();
        return not_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    let block = BLOCKS_V6
        .iter()
        .find(|(first, length, _)| within((*first, *length)));
    match block {
        Some((_, _, what)) => Some(what),
        None if within(PUBLIC_V6) => None,
        None => Some("an address outside the public internet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_public_internet_may_be_called() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db7:ffff::1",
            "2001:db9::1",
            "2003::1",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "3ffe:ffff::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(not_public(public.parse().unwrap()), None, "{public}");
        }
    }

    #[test]
    fn all_other_addresses_are_named_for_what_they_are() {
        for (address, what) in [
            ("0.0.0.0", "an unspecified address"),
            ("0.255.255.255", "an unspecified address"),
            ("10.0.0.0", "a private address"),
            ("10.255.255.255", "a private address"),
            ("100.64.0.0", "an address shared behind a provider's NAT"),
            // Alibaba's place for a machine's credentials.
            ("100.100.100.200", "an address shared behind a provider's NAT"),
            ("100.127.255.255", "an address shared behind a provider's NAT"),
            ("127.0.0.1", "a loopback address"),
            ("127.255.255.255", "a loopback address"),
            ("168.63.129.16", "the address of a cloud's own service"),
            ("169.254.0.0", "a link-local address"),
            ("169.254.169.254", "a link-local address"),
            ("169.254.255.255", "a link-local address"),
            ("172.16.0.0", "a private address"),
            ("172.31.255.255", "a private address"),
            ("192.0.0.192", "an address reserved for protocols"),
            ("192.0.2.1", "an address for documentation"),
            ("192.88.99.1", "an address of a tunnel"),
            ("192.168.0.0", "a private address"),
            ("192.168.255.255", "a private address"),
            ("198.18.0.0", "an address for benchmarks"),
            ("198.19.255.255", "an address for benchmarks"),
            ("198.51.100.7", "an address for documentation"),
            ("203.0.113.255", "an address for documentation"),
            ("224.0.0.1", "a multicast address"),
            ("239.255.255.255", "a multicast address"),
            ("240.0.0.1", "a reserved address"),
            ("255.255.255.254", "a reserved address"),
            ("255.255.255.255", "the broadcast address"),
            ("::", "an unspecified address"),
            ("::1", "a loopback address"),
            ("::2", "an address that wraps an IPv4 address"),
            ("::127.0.0.1", "an address that wraps an IPv4 address"),
            ("::8.8.8.8", "an address that wraps an IPv4 address"),
            ("::ffff:127.0.0.1", "a loopback address"),
            ("::ffff:10.1.2.3", "a private address"),
            ("::ffff:169.254.169.254", "a link-local address"),
            ("::ffff:0:127.0.0.1", "an address outside the public internet"),
            ("64:ff9b::127.0.0.1", "a loopback address"),
            ("64:ff9b::192.168.1.1", "a private address"),
            ("64:ff9b:1::8.8.8.8", "an address translated within a network"),
            ("64:ff9b:2::8.8.8.8", "an address outside the public internet"),
            ("100::1", "an address that discards"),
            ("200::1", "an address outside the public internet"),
            ("1fff:ffff::1", "an address outside the public internet"),
            ("2001::7f00:1", "an address reserved for protocols"),
            (
                "2001:0:4136:e378:8000:63bf:80ff:fffe",
                "an address reserved for protocols",
            ),
            ("2001:1ff:ffff::1", "an address reserved for protocols"),
            ("2001:db8::1", "an address for documentation"),
            ("2001:db8:ffff::1", "an address for documentation"),
            ("2002:7f00:1::1", "an address of a tunnel"),
            ("2002:a00:1::", "an address of a tunnel"),
            ("3fff:fff::1", "an address for documentation"),
            ("4000::1", "an address outside the public internet"),
            ("5f00::1", "an address within a network"),
            ("fbff::1", "an address outside the public internet"),
            ("fc00::1", "a unique local address"),
            // Amazon's place for a machine's credentials.
            ("fd00:ec2::254", "a unique local address"),
            ("fe80::1", "a link-local address"),
            ("febf::1", "a link-local address"),
            ("fec0::1", "a private address"),
            ("ff02::1", "a multicast address"),
        ] {
            assert_eq!(not_public(address.parse().unwrap()), Some(what), "{address}");
        }
    }
}
