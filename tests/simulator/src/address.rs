//! Addresses as Mizar deals them out: ranges, gateways, the order of pod addresses, link names and MACs.
//!
//! Which object gets which address is decided by the operator and the daemons.

use std::{collections::BTreeSet, net::Ipv4Addr};

use uuid::Uuid;

/// An IPv4 range, given by its base and prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    base: u32,
    prefix: u32,
}

impl Range {
    /// Reads a range from the texts of a specification; `None` if they are not one.
    pub(crate) fn parse(ip: &str, prefix: &str) -> Option<Self> {
        let ip: Ipv4Addr = ip.parse().ok()?;
        let prefix: u32 = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
        let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
        Some(Self { base: u32::from(ip) & mask, prefix })
    }

    /// Returns the first host, which Mizar uses as the gateway.
    pub(crate) fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(self.base.saturating_add(1))
    }

    fn contains(self, address: Ipv4Addr) -> bool {
        u64::from(u32::from(address)).wrapping_sub(u64::from(self.base)) < self.size()
    }

    fn size(self) -> u64 {
        1 << (32 - self.prefix)
    }
}

/// Deals out the addresses of one subnet in rising order, and never one that is marked as taken.
///
/// A returned address comes round again only when the range has been used up once, as seen on the real operator.
#[derive(Clone, Debug)]
pub(crate) struct AddressPool {
    range: Range,
    next: u64,
    taken: BTreeSet<Ipv4Addr>,
}

impl AddressPool {
    /// Starts behind the gateway, with nothing taken.
    pub(crate) fn new(range: Range) -> Self {
        Self { range, next: 2, taken: BTreeSet::new() }
    }

    /// Takes the next free address; `None` when the range is used up.
    pub(crate) fn allocate(&mut self) -> Option<Ipv4Addr> {
        let hosts = self.range.size().saturating_sub(3);
        for _ in 0..hosts {
            let offset = self.next;
            self.next = if offset + 2 >= self.range.size() { 2 } else { offset + 1 };
            let address = Ipv4Addr::from(self.range.base.wrapping_add(u32::try_from(offset).ok()?));
            if self.taken.insert(address) {
                return Some(address);
            }
        }
        None
    }

    /// Marks an address as taken, if it lies in the range.
    pub(crate) fn mark(&mut self, address: Ipv4Addr) {
        if self.range.contains(address) {
            self.taken.insert(address);
        }
    }

    /// Gives an address back.
    pub(crate) fn release(&mut self, address: Ipv4Addr) {
        self.taken.remove(&address);
    }
}

/// Returns the eight hexadecimal digits that name the links of a pod's interface: always the same for the same pod.
pub(crate) fn link_digits(pod: &str, namespace: &str, interface: &str) -> String {
    let name = format!("{pod}-{namespace}--{interface}");
    let mut digits = Uuid::new_v3(&Uuid::NAMESPACE_URL, name.as_bytes()).simple().to_string();
    digits.truncate(8);
    digits
}

/// Returns the MAC of a node's network card, derived from its address.
pub(crate) fn node_mac(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// Returns the MAC that a daemon gives to a link, derived from the link's owner.
pub(crate) fn link_mac(owner: &str) -> String {
    let id = Uuid::new_v3(&Uuid::NAMESPACE_OID, owner.as_bytes());
    let digits = id.simple().to_string();
    let pairs: Vec<&str> = (0..5).map(|pair| &digits[2 * pair..2 * pair + 2]).collect();
    format!("be:{}", pairs.join(":"))
}

/// The chance in a run: random placement, object names and network identifiers.
///
/// A seed makes a run repeatable in unit tests.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    #[cfg(test)]
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a chance that differs from run to run.
    pub(crate) fn fresh() -> Self {
        Self(Uuid::new_v4().as_u64_pair().0)
    }

    // Splitmix64: small, and good enough to spread objects over nodes.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Picks one of the items; `None` if there is none.
    pub(crate) fn pick<'a, T>(&mut self, items: impl IntoIterator<Item = &'a T>) -> Option<&'a T> {
        let items: Vec<_> = items.into_iter().collect();
        let count = u64::try_from(items.len()).ok().filter(|count| *count > 0)?;
        usize::try_from(self.next() % count).ok().map(|index| items[index])
    }

    pub(crate) fn uuid(&mut self) -> String {
        Uuid::from_u64_pair(self.next(), self.next()).to_string()
    }

    /// Returns a network identifier of 24 bits, in decimal.
    pub(crate) fn network_identifier(&mut self) -> String {
        (self.next() & 0x00ff_ffff).max(2).to_string()
    }

    /// Returns the MAC of a scaled endpoint.
    pub(crate) fn scaled_mac(&mut self) -> String {
        let [a, b, c, ..] = self.next().to_be_bytes();
        format!("a5:5b:00:{a:02x}:{b:02x}:{c:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(ip: &str, prefix: &str) -> AddressPool {
        AddressPool::new(Range::parse(ip, prefix).unwrap())
    }

    fn take(pool: &mut AddressPool) -> String {
        pool.allocate().unwrap().to_string()
    }

    #[test]
    fn pod_addresses_start_behind_the_gateway() {
        let mut pool = pool("10.20.0.0", "16");
        assert_eq!([take(&mut pool), take(&mut pool)], ["10.20.0.2", "10.20.0.3"]);
    }

    #[test]
    fn a_freed_address_is_not_handed_out_soon() {
        let mut pool = pool("10.20.0.0", "16");
        let first = pool.allocate().unwrap();
        pool.release(first);
        assert_eq!(take(&mut pool), "10.20.0.3");
    }

    #[test]
    fn a_marked_address_is_skipped() {
        let mut pool = pool("10.20.0.0", "16");
        pool.mark("10.20.0.2".parse().unwrap());
        pool.mark("192.168.0.9".parse().unwrap());
        assert_eq!(take(&mut pool), "10.20.0.3");
    }

    #[test]
    fn a_small_range_runs_out_and_a_freed_address_comes_round() {
        let mut pool = pool("10.1.0.0", "29");
        let dealt: Vec<_> = std::iter::from_fn(|| pool.allocate()).collect();
        assert_eq!(dealt.len(), 5);
        pool.release(dealt[0]);
        assert_eq!(pool.allocate(), Some(dealt[0]));
        assert_eq!(pool.allocate(), None);
    }

    #[test]
    fn the_gateway_is_the_first_host() {
        assert_eq!(Range::parse("10.30.5.9", "16").unwrap().gateway().to_string(), "10.30.0.1");
        assert_eq!(Range::parse("10.30.5.9", "33"), None);
        assert_eq!(Range::parse("", "16"), None);
    }

    #[test]
    fn the_same_pod_gets_the_same_link_names_again() {
        assert_eq!(link_digits("web-1", "default", "eth0"), link_digits("web-1", "default", "eth0"));
        assert_ne!(link_digits("web-1", "default", "eth0"), link_digits("web-2", "default", "eth0"));
        assert_eq!(link_digits("web-1", "default", "eth0").len(), 8);
    }
}
