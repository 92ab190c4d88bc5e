//! Which points of a history are kept: dense when young, sparse when old, none when too old.
//!
//! | age | one point for each |
//! |---|---|
//! | up to a day | 15 minutes |
//! | up to a week | 2 hours |
//! | up to 400 days | day |
//! | more | none |
//!
//! That is at most 96 + 84 + 400 points a drive. The newest of each stretch stays.

/// Age in seconds up to which, and width in seconds of the stretches.
const LEVELS: [(i64, i64); 3] = [(86_400, 900), (7 * 86_400, 7200), (400 * 86_400, 86_400)];

/// Most points a drive that the table above can leave, with one more for each border.
pub const MOST: usize = 96 + 84 + 400 + 3;

/// The moments (seconds, rising) that go, seen from `now`. The newest point of all always stays.
pub fn gone(moments: &[i64], now: i64) -> Vec<i64> {
    let stretch = |at: i64| {
        let age = now.saturating_sub(at).max(0);
        LEVELS
            .iter()
            .position(|(up_to, _)| age <= *up_to)
            .map(|level| (level, at.div_euclid(LEVELS[level].1)))
    };
    let mut gone = Vec::new();
    for pair in moments.windows(2) {
        let (this, next) = (stretch(pair[0]), stretch(pair[1]));
        if this.is_none() || this == next {
            gone.push(pair[0]);
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_each_minute_for_two_years_stays_bounded() {
        // Thinned as it grows, an hour at a time.
        let mut kept: Vec<i64> = Vec::new();
        let mut most = 0;
        let mut now = 1_700_000_000;
        for _ in 0..(2 * 365 * 24) {
            kept.extend((0..4).map(|quarter| now + quarter * 900));
            now += 3600;
            let gone = gone(&kept, now);
            kept.retain(|at| !gone.contains(at));
            most = most.max(kept.len());
        }
        assert!(most <= MOST, "{most}");
        assert!(kept.windows(2).all(|pair| pair[0] < pair[1]));
        let oldest = now - kept[0];
        assert!((399 * 86_400..=401 * 86_400).contains(&oldest), "{oldest}");
        assert!(kept.len() > 500, "{}", kept.len());
    }

    #[test]
    fn the_newest_point_stays_however_old() {
        assert_eq!(gone(&[1, 2], i64::MAX), [1]);
        assert_eq!(gone(&[], 5), Vec::<i64>::new());
    }
}
