//! What kind of machine an address leads to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Is `ip` this machine, also when written as an IPv6 address that stands for an IPv4 one?
pub(crate) fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// Why nothing at `ip` can be a service under test, whoever allows it; none for ordinary addresses.
pub(crate) fn never(ip: IpAddr) -> Option<&'static str> {
    let ip = embedded(ip);
    if ip.is_unspecified() {
        Some("no machine's address: write 127.0.0.1 or [::1]")
    } else if METADATA.contains(&ip) {
        Some("where a cloud gives out its machines' credentials")
    } else if ip.is_multicast() {
        Some("many machines' address at once")
    } else {
        match ip {
            IpAddr::V4(ip) if ip.is_broadcast() => Some("many machines' address at once"),
            IpAddr::V4(ip) if ip.octets()[0] == 0 || ip.octets()[0] >= 240 => Some("nobody's address"),
            IpAddr::V4(ip) if ip.is_link_local() => Some("link-local, where clouds keep their metadata"),
            IpAddr::V6(ip) if ip.is_unicast_link_local() => Some("link-local: good on one cable only"),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        }
    }
}

/// Addresses outside the link-local networks at which clouds answer with credentials: Amazon (IPv6), Google (IPv6),
/// Alibaba, Azure's host, Oracle. From the documentation of each.
const METADATA: [IpAddr; 5] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// The IPv4 address that `ip` leads to when it goes through a translator: mapped, compatible (RFC 4291), NAT64 (RFC
/// 6052) or 6to4 (RFC 3056). Otherwise `ip` itself.
fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip.to_canonical() else { return ip.to_canonical() };
    let pair =
        |high: u16, low: u16| IpAddr::from(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => IpAddr::V6(v6),
        [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => pair(high, low),
        [0x2002, high, low, ..] => pair(high, low),
        _ => IpAddr::V6(v6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_nobody_may_load() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            let found = never(text.parse().unwrap());
            let is_expected = match (found, expected) {
                (Some(found), Some(expected)) => found.contains(expected),
                (found, expected) => found == expected,
            };
            assert!(is_expected, "{text}: {found:?}");
        }
        check("127.0.0.1", None);
        check("::1", None);
        check("10.1.2.3", None);
        check("203.0.113.9", None);
        check("2001:db8::1", None);
        check("fd12:3456::1", None);
        check("0.0.0.0", Some("127.0.0.1"));
        check("::", Some("127.0.0.1"));
        check("::ffff:0.0.0.0", Some("127.0.0.1"));
        check("0.1.2.3", Some("nobody"));
        check("255.255.255.255", Some("many"));
        check("250.1.1.1", Some("nobody"));
        check("224.0.0.1", Some("many"));
        check("ff02::1", Some("many"));
        check("169.254.169.254", Some("link-local"));
        check("::ffff:169.254.169.254", Some("link-local"));
        check("64:ff9b::169.254.169.254", Some("link-local"));
        check("2002:a9fe:a9fe::1", Some("link-local"));
        check("fe80::1", Some("link-local"));
        check("fd00:ec2::254", Some("credentials"));
        check("100.100.100.200", Some("credentials"));
        check("168.63.129.16", Some("credentials"));
    }
}
