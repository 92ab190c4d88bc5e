//! Addresses from which a password was right.
//!
//! On an IPv6 network wrong passwords are counted for all its hosts together, or each of its 2^64 addresses had tries of its
//! own. So that one of them does not lock out the others, an address from which somebody has logged in has a count of its own.
//! Pure, in memory alone: after a start the first login makes it known again.

use std::collections::VecDeque;
use std::net::IpAddr;

/// Most addresses remembered; past it the one that was right longest ago is forgotten, and counts with its network again.
const MOST: usize = 64;

/// Those addresses.
#[derive(Clone, Debug, Default)]
pub struct Known(VecDeque<IpAddr>);

impl Known {
    /// Whether a password was right from there.
    pub fn knows(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// A password was right from there just now.
    pub fn remember(&mut self, address: IpAddr) {
        self.0.retain(|known| *known != address);
        self.0.push_back(address);
        while self.0.len() > MOST {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_right_last_is_known_longest() {
        let address = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]);
        let mut known = Known::default();
        for n in 0..64 {
            known.remember(address(n));
        }
        known.remember(address(0));
        known.remember(address(64));
        assert!(known.knows(address(0)) && known.knows(address(64)) && !known.knows(address(1)));
        assert_eq!(known.0.len(), MOST);
    }
}
