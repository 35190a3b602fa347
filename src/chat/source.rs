//! Sources: the networks that clients come from, in the steps in which shares are counted. Pure.
//!
//! One customer of a provider has one IPv4 address, but whole networks of IPv6: a /64 at least, often a
//! /56, at most a /48. What one customer may hold is therefore counted at each of these steps.

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network that a client comes from: an IPv4 address, or a /64 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    V4(u32),
    /// The upper half of the address.
    V6(u64),
}

/// A network at one of the steps. It is written as its first /64, so that equal networks are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Network {
    first: Source,
    step: Step,
}

/// How wide a network is. An IPv4 address has the narrowest step only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    /// A /48: 65,536 sources.
    Wide,
    /// A /56: 256 sources.
    Middle,
    /// A source itself: a /64, or an IPv4 address.
    Narrow,
}

impl Source {
    /// For tests and benchmarks.
    #[cfg(any(test, feature = "bench"))]
    pub(crate) const SAMPLE: Self = Self::V4(0xcb00_7101);

    /// The source of an address. An IPv4 address that is mapped to IPv6 counts as IPv4.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.to_bits()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments().map(u64::from);
                Self::V6(a << 48 | b << 32 | c << 16 | d)
            }
        }
    }

    /// Whether it is this machine: a program on it, or a proxy whose clients are not known.
    pub(crate) fn is_loopback(self) -> bool {
        match self {
            Self::V4(bits) => Ipv4Addr::from_bits(bits).is_loopback(),
            // The /64 of `::1` belongs to nobody else.
            Self::V6(prefix) => prefix == 0,
        }
    }

    /// The networks that the source is in, the widest first and itself last.
    pub(crate) fn steps(self) -> impl DoubleEndedIterator<Item = Network> {
        let steps: &[Step] = match self {
            Self::V4(_) => &[Step::Narrow],
            Self::V6(_) => &[Step::Wide, Step::Middle, Step::Narrow],
        };
        steps.iter().map(move |step| Network { first: self.first_of(*step), step: *step })
    }

    fn first_of(self, step: Step) -> Self {
        match (self, step) {
            (Self::V6(prefix), Step::Wide) => Self::V6(prefix & (u64::MAX << 16)),
            (Self::V6(prefix), Step::Middle) => Self::V6(prefix & (u64::MAX << 8)),
            (source, _) => source,
        }
    }
}

/// An address of the source.
impl Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4(bits) => Ipv4Addr::from_bits(bits).fmt(f),
            Self::V6(0) => Ipv6Addr::LOCALHOST.fmt(f),
            Self::V6(prefix) => Ipv6Addr::from_bits(u128::from(prefix) << 64).fmt(f),
        }
    }
}

impl Network {
    /// How many times the share of one source the network may hold.
    pub(crate) fn shares(self) -> usize {
        match self.step {
            Step::Narrow => 1,
            Step::Middle => 4,
            Step::Wide => 16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: &str) -> Source {
        Source::of(address.parse().unwrap())
    }

    /// The steps, the widest first, at which both are in the same network.
    fn common(one: &str, other: &str) -> Vec<usize> {
        let steps = source(one).steps().zip(source(other).steps());
        steps.filter(|(a, b)| a == b).map(|(a, _)| a.shares()).collect()
    }

    #[test]
    fn ipv6_has_three_steps_and_ipv4_has_one() {
        assert_eq!(common("2001:db8::1", "2001:db8::2:3:4:5"), [16, 4, 1]);
        assert_eq!(common("2001:db8::1", "2001:db8:0:ff::1"), [16, 4]);
        assert_eq!(common("2001:db8::1", "2001:db8:0:ffff::1"), [16]);
        assert_eq!(common("2001:db8::1", "2001:db8:1::1").len(), 0);
        assert_eq!(common("203.0.113.1", "203.0.113.1"), [1]);
        assert_eq!(common("203.0.113.1", "203.0.113.2").len(), 0);
    }

    #[test]
    fn a_mapped_address_is_the_address_itself() {
        assert_eq!(source("::ffff:203.0.113.1"), source("203.0.113.1"));
        assert_ne!(source("203.0.113.1"), source("::203.0.113.1"));
    }

    #[test]
    fn loopback() {
        for address in ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"] {
            assert!(source(address).is_loopback(), "{address}");
        }
        for address in ["128.0.0.1", "0.0.0.1", "fe80::1", "0:0:0:1::1"] {
            assert!(!source(address).is_loopback(), "{address}");
        }
    }
}
