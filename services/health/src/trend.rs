//! Where a value goes: a straight line by least squares, how sure it is, and when it crosses a limit.

use serde::Serialize;
use utoipa::ToSchema;
use wire::Time;

use crate::wear::round;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// Farthest date that is foretold, in days: beyond it a straight line means nothing.
const HORIZON: f64 = 20.0 * 365.25;

/// How much a line can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TrendConfidence)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// The slope cannot be told from none.
    None,
    /// Few points, or less than three days.
    Low,
    /// More, but they scatter.
    Medium,
    /// Ten points or more over a week or more, close to the line.
    High,
}

/// A line through points.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = TrendLine)]
pub struct Trend {
    /// Points.
    pub points: usize,
    /// Days from the first to the last.
    pub days: f64,
    /// First and last value.
    pub first: f64,
    /// See `first`.
    pub last: f64,
    /// Change per day.
    pub per_day: f64,
    /// Half the width of the 95 % interval of `per_day`; `None` with two points.
    #[schema(required)]
    pub plus_minus: Option<f64>,
    /// Share of the scatter that the line explains, 0..=1.
    pub r2: f64,
    /// How much it can be trusted.
    pub confidence: Confidence,
    /// `rising`, `falling` or `steady`.
    pub direction: &'static str,
    #[serde(skip)]
    now: f64,
}

/// When a line crosses a limit.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = TrendCrossing)]
pub struct Crossing {
    /// The limit.
    pub limit: f64,
    /// Days from the last point.
    pub days: f64,
    /// The date.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
}

/// Two-sided 95 % points of Student's t for 1, 2, … degrees of freedom. Source: any table of the distribution.
const STUDENT: [f64; 10] = [12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

fn student(freedom: usize) -> f64 {
    match freedom {
        0 => f64::INFINITY,
        1..=10 => STUDENT[freedom - 1],
        11..=30 => 2.1,
        _ => 1.98,
    }
}

/// Fits points of (seconds, value) in order of time; `None` for fewer than two moments.
pub fn fit(points: &[(i64, f64)]) -> Option<Trend> {
    let (first, last) = (points.first()?, points.last()?);
    let days = |at: i64| (at - last.0) as f64 / DAY;
    if last.0 <= first.0 || points.iter().any(|(_, y)| !y.is_finite()) {
        return None;
    }
    let n = points.len() as f64;
    let mean_x = points.iter().map(|(at, _)| days(*at)).sum::<f64>() / n;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (at, y) in points {
        let (dx, dy) = (days(*at) - mean_x, y - mean_y);
        xx += dx * dx;
        xy += dx * dy;
        yy += dy * dy;
    }
    if xx <= 0.0 {
        return None;
    }
    let slope = xy / xx;
    let rest = (yy - slope * xy).max(0.0);
    let r2 = if yy > 0.0 {
        (1.0 - rest / yy).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let freedom = points.len() - 2;
    let plus_minus = (freedom > 0).then(|| student(freedom) * (rest / freedom as f64 / xx).sqrt());
    let span = -days(first.0);
    let clear = slope != 0.0 && plus_minus.is_some_and(|half| half < slope.abs());
    let confidence = match () {
        () if !clear => Confidence::None,
        () if points.len() < 5 || span < 3.0 => Confidence::Low,
        () if points.len() >= 10 && span >= 7.0 && r2 >= 0.9 => Confidence::High,
        () => Confidence::Medium,
    };
    let direction = match confidence {
        Confidence::None => "steady",
        Confidence::Low | Confidence::Medium | Confidence::High if slope > 0.0 => "rising",
        Confidence::Low | Confidence::Medium | Confidence::High => "falling",
    };
    Some(Trend {
        points: points.len(),
        days: round(span, 3),
        first: first.1,
        last: last.1,
        per_day: round(slope, 6),
        plus_minus: plus_minus.map(|half| round(half, 6)),
        r2: round(r2, 4),
        confidence,
        direction,
        now: mean_y - slope * mean_x,
    })
}

impl Trend {
    /// When the line crosses `limit` from where it is now; `None` where it does not, is not sure, or is farther than
    /// twenty years.
    #[expect(clippy::cast_possible_truncation, reason = "seconds of at most twenty years")]
    pub fn crossing(&self, limit: f64, last: Time) -> Option<Crossing> {
        if self.confidence == Confidence::None {
            return None;
        }
        let days = (limit - self.now) / self.per_day;
        let ahead = self.per_day > 0.0 && self.last < limit || self.per_day < 0.0 && self.last > limit;
        if !ahead || !days.is_finite() || !(0.0..=HORIZON).contains(&days) {
            return None;
        }
        let at = last
            .checked_add(jiff::SignedDuration::from_secs((days * DAY) as i64))
            .ok()?;
        Some(Crossing {
            limit,
            days: round(days, 1),
            at,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]
    use super::*;

    const D: i64 = 86_400;

    #[test]
    fn a_straight_line_is_found_and_its_crossing() {
        let points: Vec<(i64, f64)> = (0..20).map(|d| (d * D, 50.0 + 0.5 * d as f64)).collect();
        let trend = fit(&points).unwrap();
        assert_eq!(
            (trend.per_day, trend.r2, trend.confidence),
            (0.5, 1.0, Confidence::High)
        );
        let last = Time::from_second(19 * D).unwrap();
        let crossing = trend.crossing(100.0, last).unwrap();
        assert_eq!(crossing.days, 81.0);
        assert_eq!(crossing.at, Time::from_second(100 * D).unwrap());
        assert_eq!(trend.crossing(10.0, last), None, "it is past that already");
    }

    #[test]
    fn noise_has_no_direction_and_few_points_little_trust() {
        let noise: Vec<(i64, f64)> = (0..12)
            .map(|d| (d * D, 35.0 + if d % 2 == 0 { 2.0 } else { -2.0 }))
            .collect();
        let trend = fit(&noise).unwrap();
        assert_eq!((trend.confidence, trend.direction), (Confidence::None, "steady"));
        assert_eq!(trend.crossing(60.0, Time::UNIX_EPOCH), None);
        let few = fit(&[(0, 1.0), (D, 2.0), (2 * D, 3.0)]).unwrap();
        assert_eq!(few.confidence, Confidence::Low);
        assert_eq!(
            fit(&[(0, 1.0), (D, 2.0)]).unwrap().confidence,
            Confidence::None,
            "two points always fit"
        );
        assert_eq!(fit(&[(5, 1.0), (5, 2.0)]), None);
        assert_eq!(fit(&[]), None);
        assert_eq!(fit(&[(0, 0.0), (D, f64::NAN)]), None);
    }

    #[test]
    fn a_steady_value_never_crosses() {
        let flat: Vec<(i64, f64)> = (0..30).map(|d| (d * D, 7.0)).collect();
        let trend = fit(&flat).unwrap();
        assert_eq!((trend.per_day, trend.direction), (0.0, "steady"));
        assert_eq!(trend.crossing(8.0, Time::UNIX_EPOCH), None);
    }
}
