//! Addresses and ranges: whether an address lies in a range and whether two ranges overlap, for IPv4 and IPv6.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// A range of addresses, `10.20.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    base: IpAddr,
    prefix: u8,
}

/// Why a text is not a range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CidrError {
    /// There is no slash.
    #[error("range {0:?} must be written as address/length, such as 10.20.0.0/16")]
    NoLength(String),
    /// The part before the slash.
    #[error("range {range:?}: {address:?} is not an address")]
    Address {
        /// The whole text.
        range: String,
        /// The part that is wrong.
        address: String,
    },
    /// The part behind the slash.
    #[error("range {range:?}: length {length:?} must be a number from 0 to {limit}")]
    Length {
        /// The whole text.
        range: String,
        /// The part that is wrong.
        length: String,
        /// The longest possible length.
        limit: u8,
    },
}

impl Cidr {
    /// Returns the range that an address and a length name, as Mizar's objects hold them apart. Bits of the address
    /// beyond the length are dropped.
    pub fn new(address: &str, length: &str) -> Result<Self, CidrError> {
        let range = || format!("{address}/{length}");
        let base: IpAddr =
            address.trim().parse().map_err(|_| CidrError::Address { range: range(), address: address.to_owned() })?;
        let limit = width(base);
        match length.trim().parse() {
            Ok(prefix) if prefix <= limit => Ok(Self { base: masked(base, prefix), prefix }),
            _ => Err(CidrError::Length { range: range(), length: length.to_owned(), limit }),
        }
    }

    /// Whether the address lies in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        width(self.base) == width(address) && masked(address, self.prefix) == self.base
    }

    /// Whether the text is an address that lies in the range.
    #[must_use]
    pub fn contains_text(&self, address: &str) -> bool {
        address.parse().is_ok_and(|address| self.contains(address))
    }

    /// Returns how many addresses it holds; of the one range that holds too many to count, as many as can be counted.
    #[must_use]
    pub fn size(&self) -> u128 {
        1_u128.checked_shl(u32::from(width(self.base) - self.prefix)).unwrap_or(u128::MAX)
    }

    /// Whether all of the other range lies in this one.
    #[must_use]
    pub fn encloses(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.base)
    }

    /// Whether some address lies in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.encloses(other) || other.encloses(self)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, length) = text.split_once('/').ok_or_else(|| CidrError::NoLength(text.to_owned()))?;
        Self::new(address, length)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.base, self.prefix)
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_knows_which_addresses_lie_in_it() {
        for (cidr, address, inside) in [
            ("10.20.0.0/16", "10.20.0.0", true),
            ("10.20.0.0/16", "10.20.255.255", true),
            ("10.20.0.0/16", "10.21.0.0", false),
            ("20.0.0.0/8", "20.255.1.2", true),
            ("0.0.0.0/0", "192.168.1.1", true),
            ("10.0.0.7/32", "10.0.0.7", true),
            ("10.0.0.7/32", "10.0.0.8", false),
            ("fd00::/64", "fd00::1", true),
            ("fd00::/64", "fd00:0:0:1::1", false),
            ("::/0", "fd00::1", true),
            ("0.0.0.0/0", "fd00::1", false),
        ] {
            assert_eq!(range(cidr).contains_text(address), inside, "{address} in {cidr}");
        }
        assert!(!range("10.0.0.0/8").contains_text("None"), "a text that is no address lies nowhere");
    }

    #[test]
    fn a_range_knows_how_many_addresses_it_holds() {
        for (cidr, size) in [("10.20.0.0/16", 65_536), ("10.0.0.7/32", 1), ("0.0.0.0/0", 1 << 32), ("::/0", u128::MAX)]
        {
            assert_eq!(range(cidr).size(), size, "{cidr}");
        }
    }

    #[test]
    fn ranges_overlap_when_one_holds_the_other() {
        for (left, right, expected) in [
            ("10.20.0.0/16", "10.20.4.0/24", true),
            ("10.96.0.0/12", "10.100.0.0/16", true),
            ("10.20.0.0/16", "10.21.0.0/16", false),
            ("10.20.0.0/16", "10.20.0.0/16", true),
            ("0.0.0.0/0", "::/0", false),
        ] {
            assert_eq!(range(left).overlaps(&range(right)), expected, "{left} and {right}");
            assert_eq!(range(right).overlaps(&range(left)), expected, "{right} and {left}");
        }
    }

    #[test]
    fn bits_beyond_the_length_are_dropped() {
        assert_eq!(range("10.20.7.9/16").to_string(), "10.20.0.0/16");
        assert_eq!(range("10.20.7.9/0").to_string(), "0.0.0.0/0");
    }

    #[test]
    fn wrong_ranges_are_named() {
        for (text, message) in [
            ("10.20.0.0", "range \"10.20.0.0\" must be written as address/length, such as 10.20.0.0/16"),
            ("10.20.0/16", "range \"10.20.0/16\": \"10.20.0\" is not an address"),
            ("10.20.0.0/33", "range \"10.20.0.0/33\": length \"33\" must be a number from 0 to 32"),
            ("fd00::/x", "range \"fd00::/x\": length \"x\" must be a number from 0 to 128"),
        ] {
            assert_eq!(text.parse::<Cidr>().unwrap_err().to_string(), message);
        }
    }
}
