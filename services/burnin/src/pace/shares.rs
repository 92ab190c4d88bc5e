//! Who may have how much: max-min fair shares under three limits.
//!
//! Everybody's rate rises alike until a limit is met; who that limit holds stays there, the others go on rising. A drive
//! that cannot use its share (a slow one, a hanging one) is held at what it uses, and the rest goes to the others.
//! What nobody is known to use is handed out as well, so a limit never slows a drive without need.
//! Source: progressive filling, Bertsekas and Gallager, Data Networks, §6.5.2.

use serde::{Deserialize, Serialize};

/// Limits in bytes a second; `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Of each drive.
    pub drive: Option<u64>,
    /// Of all drives behind one controller, USB root or expander.
    pub controller: Option<u64>,
    /// Of all drives.
    pub total: Option<u64>,
}

impl Limits {
    /// Whether there is none.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What one drive claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<C> {
    /// Which controller it shares with others.
    pub controller: C,
    /// What it can use at most, in bytes a second, as far as that is known.
    pub wants: Option<u64>,
}

/// The share of each claim, in their order, in bytes a second; `None`: as fast as it goes.
pub fn share<C: Ord>(claims: &[Claim<C>], limits: &Limits) -> Vec<Option<u64>> {
    if limits.are_none() {
        return vec![None; claims.len()];
    }
    let mut filling = Filling {
        claims,
        limits,
        rates: vec![0; claims.len()],
    };
    let own = limits.drive.unwrap_or(u64::MAX);
    filling.fill(|claim| own.min(claim.wants.unwrap_or(u64::MAX)));
    filling.fill(|_| own);
    // Without a limit that holds it, a drive has risen to "no limit".
    let unlimited = |rate| (rate < UNLIMITED).then_some(rate);
    filling.rates.into_iter().map(unlimited).collect()
}

/// Above this a rate counts as no limit: an exabyte a second.
const UNLIMITED: u64 = 1_000_000_000_000_000_000;

struct Filling<'a, C> {
    claims: &'a [Claim<C>],
    limits: &'a Limits,
    rates: Vec<u64>,
}

impl<C: Ord> Filling<'_, C> {
    /// Lets everybody's rate rise alike, each up to its `cap`, as far as the limits allow.
    fn fill(&mut self, cap: impl Fn(&Claim<C>) -> u64) {
        let caps: Vec<u64> = self.claims.iter().map(|claim| cap(claim).min(UNLIMITED)).collect();
        let mut open: Vec<usize> = (0..caps.len()).filter(|n| self.rates[*n] < caps[*n]).collect();
        while !open.is_empty() {
            let room = |n: usize, open: &[usize]| (caps[n] - self.rates[n]).min(self.room(n, open));
            let step = open.iter().map(|n| room(*n, &open)).min().unwrap_or(0);
            for n in &open {
                self.rates[*n] += step;
            }
            // Whoever held the step has no room left now, so this ends after as many turns as there are drives.
            let now = open.clone();
            open.retain(|n| (caps[*n] - self.rates[*n]).min(self.room(*n, &now)) > 0);
        }
    }

    /// How far `drive` and all other open drives may rise alike under the limits that hold it.
    fn room(&self, drive: usize, open: &[usize]) -> u64 {
        let own = &self.claims[drive].controller;
        let left = |limit: Option<u64>, shared: &dyn Fn(usize) -> bool| {
            let Some(limit) = limit else { return u64::MAX };
            let used = (0..self.rates.len()).filter(|n| shared(*n)).map(|n| self.rates[n]);
            let used = used.fold(0_u64, u64::saturating_add);
            let sharing = open.iter().filter(|n| shared(**n)).count().max(1) as u64;
            limit.saturating_sub(used) / sharing
        };
        let controller = left(self.limits.controller, &|n| self.claims[n].controller == *own);
        controller.min(left(self.limits.total, &|_| true))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MB: u64 = 1_000_000;

    fn claims(of: &[(u8, Option<u64>)]) -> Vec<Claim<u8>> {
        let claim = |(controller, wants): &(u8, Option<u64>)| Claim {
            controller: *controller,
            wants: wants.map(|mb| mb * MB),
        };
        of.iter().map(claim).collect()
    }

    fn mb(rates: &[Option<u64>]) -> Vec<Option<u64>> {
        rates.iter().map(|rate| rate.map(|rate| rate / MB)).collect()
    }

    #[test]
    fn shares_are_fair_and_what_a_slow_drive_leaves_goes_to_the_others() {
        let limits = |drive: Option<u64>, controller: Option<u64>, total: Option<u64>| Limits {
            drive: drive.map(|mb| mb * MB),
            controller: controller.map(|mb| mb * MB),
            total: total.map(|mb| mb * MB),
        };
        let any = (0, None);
        for (of, limits, want) in [
            (vec![any, any], limits(None, None, None), vec![None, None]),
            (
                vec![any, any],
                limits(Some(100), None, None),
                vec![Some(100), Some(100)],
            ),
            (vec![any, any, any], limits(None, None, Some(300)), vec![Some(100); 3]),
            // The slow one wants 20: the others get 140 each.
            (
                vec![(0, Some(20)), any, any],
                limits(None, None, Some(300)),
                vec![Some(20), Some(140), Some(140)],
            ),
            // Nobody wants it: it is handed out all the same, evenly.
            (
                vec![(0, Some(20)), (0, Some(30))],
                limits(None, None, Some(300)),
                vec![Some(145), Some(155)],
            ),
            // A full controller does not hold the drive behind another.
            (
                vec![(1, None), (1, None), (2, None)],
                limits(None, Some(200), None),
                vec![Some(100), Some(100), Some(200)],
            ),
            (
                vec![(1, None), (1, None), (2, None)],
                limits(Some(150), Some(200), Some(330)),
                vec![Some(100), Some(100), Some(130)],
            ),
        ] {
            assert_eq!(mb(&share(&claims(&of), &limits)), want, "{of:?} {limits:?}");
        }
    }

    #[test]
    fn no_drives_no_shares_and_a_limit_of_nothing_is_nothing() {
        let none: Vec<Claim<u8>> = Vec::new();
        let limits = Limits {
            total: Some(0),
            ..Limits::default()
        };
        assert!(share(&none, &limits).is_empty());
        assert_eq!(share(&claims(&[(0, None), (1, None)]), &limits), [Some(0), Some(0)]);
    }

    proptest! {
        #[test]
        fn no_limit_is_passed_nothing_is_left_and_nobody_is_behind_without_a_reason(
            of in prop::collection::vec((0_u8..4, prop::option::of(0_u64..400)), 1..30),
            drive in prop::option::of(1_u64..500), controller in prop::option::of(1_u64..900),
            total in prop::option::of(1_u64..3000),
        ) {
            let limits = Limits {
                drive: drive.map(|mb| mb * MB),
                controller: controller.map(|mb| mb * MB),
                total: total.map(|mb| mb * MB),
            };
            let claims = claims(&of);
            let shares = share(&claims, &limits);
            prop_assert_eq!(shares.len(), claims.len());
            if limits.are_none() {
                prop_assert!(shares.iter().all(Option::is_none));
                return Ok(());
            }
            let rate = |n: usize| shares[n].unwrap_or(UNLIMITED);
            let sum = |of: &dyn Fn(usize) -> bool| (0..claims.len()).filter(|n| of(*n)).map(rate).fold(0, u64::saturating_add);
            // Rounding leaves less than a byte a second for each drive.
            let grain = claims.len() as u64;
            for n in 0..claims.len() {
                prop_assert!(limits.drive.is_none_or(|limit| rate(n) <= limit));
                let mates = |m: usize| claims[m].controller == claims[n].controller;
                prop_assert!(limits.controller.is_none_or(|limit| sum(&mates) <= limit));
                prop_assert!(limits.total.is_none_or(|limit| sum(&|_| true) <= limit));
                // Each drive is held by one of its limits: nothing is left over that it could have had.
                let at_drive = limits.drive.is_some_and(|limit| rate(n) == limit);
                let at_controller = limits.controller.is_some_and(|limit| limit - sum(&mates) < grain);
                let at_total = limits.total.is_some_and(|limit| limit - sum(&|_| true) < grain);
                prop_assert!(at_drive || at_controller || at_total || shares[n].is_none());
                // Who has less than it wants is held by a full limit under which nobody has more.
                if rate(n) < claims[n].wants.unwrap_or(UNLIMITED) && !at_drive {
                    let first = |of: &dyn Fn(usize) -> bool| (0..claims.len()).filter(|m| of(*m)).all(|m| rate(m) <= rate(n) + grain);
                    prop_assert!(at_controller && first(&mates) || at_total && first(&|_| true));
                }
            }
        }
    }
}
