//! Which addresses are the public internet's, by the IANA registries of special-purpose addresses (RFC 6890): every range there
//! that is not reachable from everywhere, or that stands for another address, is refused, and so is all of IPv6
//! outside of 2000::/3, from which alone public addresses are given out. Within, what was not given out leads nowhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of IPv4: an address, how many of its bits count, and what lies there.
#[rustfmt::skip]
const V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::new(0, 0, 0, 0),         8, "this network (RFC 791)"),
    (Ipv4Addr::new(10, 0, 0, 0),        8, "a private network (RFC 1918)"),
    (Ipv4Addr::new(100, 64, 0, 0),     10, "a carrier's shared network (RFC 6598)"),
    (Ipv4Addr::new(127, 0, 0, 0),       8, "the machine itself (RFC 1122)"),
    (Ipv4Addr::new(169, 254, 0, 0),    16, "link-local (RFC 3927)"),
    (Ipv4Addr::new(172, 16, 0, 0),     12, "a private network (RFC 1918)"),
    (Ipv4Addr::new(192, 0, 0, 0),      24, "kept for protocols (RFC 6890)"),
    (Ipv4Addr::new(192, 0, 2, 0),      24, "kept for documentation (RFC 5737)"),
    (Ipv4Addr::new(192, 88, 99, 0),    24, "a relay of 6to4 (RFC 7526)"),
    (Ipv4Addr::new(192, 168, 0, 0),    16, "a private network (RFC 1918)"),
    (Ipv4Addr::new(198, 18, 0, 0),     15, "kept for benchmarks (RFC 2544)"),
    (Ipv4Addr::new(198, 51, 100, 0),   24, "kept for documentation (RFC 5737)"),
    (Ipv4Addr::new(203, 0, 113, 0),    24, "kept for documentation (RFC 5737)"),
    (Ipv4Addr::new(224, 0, 0, 0),       4, "multicast (RFC 5771)"),
    (Ipv4Addr::new(240, 0, 0, 0),       4, "reserved (RFC 1112)"),
];

/// The same of IPv6. The first that fits names it.
#[rustfmt::skip]
const V6: &[(Ipv6Addr, u32, &str)] = &[
    (Ipv6Addr::UNSPECIFIED,                              128, "no address (RFC 4291)"),
    (Ipv6Addr::LOCALHOST,                                128, "the machine itself (RFC 4291)"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0),          96, "IPv4 mapped into IPv6 (RFC 4291)"),
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0),          96, "IPv4 translated into IPv6 (RFC 2765)"),
    (Ipv6Addr::UNSPECIFIED,                               96, "IPv4 written as IPv6 (RFC 4291)"),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0),       96, "IPv4 behind NAT64 (RFC 6052)"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0),       48, "IPv4 behind NAT64 (RFC 8215)"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0),           64, "where packets are discarded (RFC 6666)"),
    (Ipv6Addr::new(0x100, 0, 0, 1, 0, 0, 0, 0),           64, "a dummy (RFC 9780)"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0),          32, "IPv4 behind Teredo (RFC 4380)"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0),          23, "kept for protocols (RFC 2928)"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),      32, "kept for documentation (RFC 3849)"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0),          16, "IPv4 behind 6to4 (RFC 3056)"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0),          20, "kept for documentation (RFC 9637)"),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0),          16, "segment identifiers (RFC 9602)"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0),           7, "a private network (RFC 4193)"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0),          10, "link-local (RFC 4291)"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0),          10, "site-local (RFC 3879)"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0),           8, "multicast (RFC 4291)"),
];

/// Where clouds tell machines their secrets. Some of it lies in public space, and none of it may be opened by `FETCH_ALLOW`.
const METADATA: &[IpAddr] = &[
    // Amazon, Google, Azure, DigitalOcean, Oracle and others.
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    // The roles of Amazon's containers and pods.
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    // Azure's wire server.
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    // Tencent's.
    IpAddr::V4(Ipv4Addr::new(169, 254, 0, 23)),
    // Scaleway's.
    IpAddr::V4(Ipv4Addr::new(169, 254, 42, 42)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42)),
    // OpenStack's.
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Why `address` is not one that everybody can reach; `None` if it is.
pub fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => {
            let fits = |(network, bits, _): &&(Ipv4Addr, u32, _)| {
                (address.to_bits() ^ network.to_bits()).leading_zeros() >= *bits
            };
            V4.iter().find(fits).map(|(.., what)| *what)
        }
        IpAddr::V6(address) => {
            let fits = |(network, bits, _): &&(Ipv6Addr, u32, _)| {
                (address.to_bits() ^ network.to_bits()).leading_zeros() >= *bits
            };
            if let Some((.., what)) = V6.iter().find(fits) {
                return Some(what);
            }
            let [first, _, _, _, fifth, sixth, _, _] = address.segments();
            if first >> 13 != 1 {
                return Some("given out to nobody (RFC 4291)");
            }
            is_isatap(fifth, sixth).then_some("IPv4 behind ISATAP (RFC 5214)")
        }
    }
}

/// Whether a cloud's machines are told their secrets there, in whatever form the address is written.
pub fn is_metadata(address: IpAddr) -> bool {
    forms(address).iter().any(|form| METADATA.contains(form))
}

/// `address`, and every IPv4 address that it may stand for.
pub fn forms(address: IpAddr) -> Vec<IpAddr> {
    let inner = embedded(address).into_iter().chain(translated(address));
    std::iter::once(address).chain(inner.map(IpAddr::V4)).collect()
}

/// Whether an interface of that name stands for an IPv4 address.
const fn is_isatap(fifth: u16, sixth: u16) -> bool {
    sixth == 0x5efe && fifth & !0x0200 == 0
}

/// The IPv4 address that an IPv6 address stands for.
pub fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let [a, b, c, _, e, f, g, h] = address.segments();
    let of =
        |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match (a, b, c) {
        _ if address.is_unspecified() || address.is_loopback() => None,
        (0, 0, 0) | (0x64, 0xff9b, _) => of(g, h),
        (0x2002, ..) => of(b, c),
        // Teredo hides it: every bit turned round.
        (0x2001, 0, _) => of(!g, !h),
        _ if is_isatap(e, f) => of(g, h),
        _ => None,
    }
}

/// What else an address behind a network's own NAT64 may stand for: only there is known how long its prefix is, and prefixes of
/// 48, 56 and 64 bits have the IPv4 address around the ninth byte (RFC 6052).
fn translated(address: IpAddr) -> Vec<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return Vec::new() };
    let [0x64, 0xff9b, 1, ..] = address.segments() else { return Vec::new() };
    let [_, _, _, _, _, _, p, q, _, r, s, t, u, ..] = address.octets();
    [[p, q, r, s], [q, r, s, t], [r, s, t, u]].map(Ipv4Addr::from).to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn special_of(text: &str) -> Option<&'static str> {
        special(text.parse().unwrap())
    }

    #[test]
    fn every_special_range_is_refused_from_its_first_to_its_last_address() {
        for (first, last, what) in [
            ("0.0.0.0", "0.255.255.255", "RFC 791"),
            ("10.0.0.0", "10.255.255.255", "RFC 1918"),
            ("100.64.0.0", "100.127.255.255", "RFC 6598"),
            ("127.0.0.0", "127.255.255.255", "RFC 1122"),
            ("169.254.0.0", "169.254.255.255", "RFC 3927"),
            ("172.16.0.0", "172.31.255.255", "RFC 1918"),
            ("192.0.0.0", "192.0.0.255", "RFC 6890"),
            ("192.0.2.0", "192.0.2.255", "RFC 5737"),
            ("192.88.99.0", "192.88.99.255", "RFC 7526"),
            ("192.168.0.0", "192.168.255.255", "RFC 1918"),
            ("198.18.0.0", "198.19.255.255", "RFC 2544"),
            ("198.51.100.0", "198.51.100.255", "RFC 5737"),
            ("203.0.113.0", "203.0.113.255", "RFC 5737"),
            ("224.0.0.0", "239.255.255.255", "RFC 5771"),
            ("240.0.0.0", "255.255.255.255", "RFC 1112"),
            ("::", "::", "no address"),
            ("::1", "::1", "itself"),
            ("::2", "::ffff:ffff", "written as IPv6"),
            ("::7f00:1", "::a9fe:a9fe", "written as IPv6"),
            ("::ffff:0.0.0.0", "::ffff:255.255.255.255", "mapped"),
            ("::ffff:0:0:0", "::ffff:0:ffff:ffff", "translated"),
            ("64:ff9b::", "64:ff9b::ffff:ffff", "RFC 6052"),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "RFC 8215"),
            ("100::", "100::ffff:ffff:ffff:ffff", "RFC 6666"),
            ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", "RFC 9780"),
            ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo"),
            ("2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "RFC 2928"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "RFC 3849"),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "RFC 9637"),
            ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "RFC 9602"),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "RFC 4193"),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"),
            ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local"),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"),
            ("1::", "1fff:ffff::", "nobody"),
            ("4000::", "5eff::", "nobody"),
            ("6000::", "fbff::", "nobody"),
        ] {
            for address in [first, last] {
                let found = special_of(address).unwrap_or_else(|| panic!("{address} is public"));
                assert!(found.contains(what), "{address}: {found}");
            }
        }
    }

    #[test]
    fn what_lies_beside_a_special_range_is_public() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "8.8.8.8",
            "2001:200::",
            "2001:4860:4860::8888",
            "2001:db7:ffff::",
            "2001:db9::",
            "2003::",
            "2606:4700::1111",
            "2a00:1450::1",
            "3ffe::",
            "3fff:1000::",
        ] {
            assert_eq!(special_of(address), None, "{address}");
        }
    }

    #[test]
    fn metadata_is_known_in_every_form() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::169.254.169.254",
            "::ffff:169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::169.254.169.254",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:a9:fe:a9fe::",
            "64:ff9b:1:0:a9:fea9:fe00:0",
            "169.254.0.23",
            "169.254.42.42",
            "fd00:42::42",
            "fe80::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "2001:0:1:2:3:4:5601:5601",
            "2a00::5efe:a9fe:a9fe",
        ] {
            assert!(is_metadata(address.parse().unwrap()), "{address}");
        }
        for address in ["169.254.169.253", "8.8.8.8", "2a00::a9fe:a9fe"] {
            assert!(!is_metadata(address.parse().unwrap()), "{address}");
        }
    }

    proptest! {
        /// Whatever stands for an IPv4 address is refused, also where that one is public.
        #[test]
        fn no_ipv4_comes_through_ipv6(bits in 2u32.., local: u32, prefix in 0u16..0x1000) {
            let [high, low] = [bits >> 16, bits & 0xffff].map(|half| u16::try_from(half).unwrap());
            let [port, flags] =
                [local >> 16, local & 0xffff].map(|half| u16::try_from(half).unwrap());
            for segments in [
                [0, 0, 0, 0, 0, 0, high, low],
                [0, 0, 0, 0, 0, 0xffff, high, low],
                [0, 0, 0, 0, 0xffff, 0, high, low],
                [0x64, 0xff9b, 0, 0, 0, 0, high, low],
                [0x64, 0xff9b, 1, port, flags, 0, high, low],
                [0x2002, high, low, port, flags, 0, 0, 1],
                [0x2001, 0, port, flags, 0, port, !high, !low],
                [0x2a00 + prefix, port, flags, 0, 0, 0x5efe, high, low],
                [0x2a00 + prefix, port, flags, 0, 0x0200, 0x5efe, high, low],
            ] {
                let address = Ipv6Addr::from(segments);
                prop_assert!(special(IpAddr::V6(address)).is_some(), "{address}");
                prop_assert_eq!(embedded(IpAddr::V6(address)), Some(Ipv4Addr::from_bits(bits)));
            }
        }

        /// The standard library knows fewer ranges: what it calls special, so do we.
        #[test]
        fn what_the_standard_library_refuses_is_refused(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let known = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_broadcast() || address.is_documentation()
                || address.is_multicast() || address.is_unspecified();
            prop_assert!(!known || special(IpAddr::V4(address)).is_some(), "{address}");
        }
    }
}
