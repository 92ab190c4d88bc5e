//! Charts as geometry: lines and bars in the unit square, with the words at their axes.
//!
//! Page (SVG) and PDF draw the same [`Chart`]; y grows upwards, 0 is the axis.

use std::collections::BTreeSet;

use wire::Bytes;
use wire::course::Course;
use wire::job::{Surface, TimePoint};

use crate::certificate::Certificate;
use crate::report::{is_drawn, microseconds};

/// One chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Its heading.
    pub title: &'static str,
    /// What the tones mean, and the unit.
    pub caption: String,
    /// In words, for who cannot see it.
    pub told: String,
    /// Curves, drawn in order.
    pub lines: Vec<Line>,
    /// Bars from the axis up.
    pub bars: Vec<Bar>,
    /// Words under the axis, from left to right, evenly spread.
    pub x: Vec<String>,
    /// Words beside it, from bottom to top, evenly spread.
    pub y: Vec<String>,
}

/// One curve; a break where nothing was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// How it is drawn.
    pub tone: Tone,
    /// Runs of points, each `(x, y)` in 0–1.
    pub runs: Vec<Vec<(f64, f64)>>,
}

/// One bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Left edge, 0–1.
    pub x: f64,
    /// Width, 0–1.
    pub width: f64,
    /// Height, 0–1.
    pub height: f64,
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// The first one: light.
    Light,
    /// The one to look at: ink.
    Ink,
    /// Errors: red.
    Bad,
}

/// All charts of a certificate; one without data is left out.
pub fn charts(c: &Certificate) -> Vec<Chart> {
    let course = Course::of(&c.timeline, &c.phases, (c.started, c.ended));
    [speed(c), latency(c), heat(&c.timeline, &course)]
        .into_iter()
        .flatten()
        .collect()
}

/// The last surface of each phase that is drawn: what was written, and what was read back.
fn drawn(c: &Certificate) -> Vec<&Surface> {
    let mut last: Vec<&Surface> = Vec::new();
    for surface in c.surface.iter().filter(|s| is_drawn(s.phase) && !s.zones.is_empty()) {
        last.retain(|other| other.phase != surface.phase);
        last.push(surface);
    }
    last.truncate(2);
    last
}

fn speed(c: &Certificate) -> Option<Chart> {
    let surfaces = drawn(c);
    let top = surfaces
        .iter()
        .flat_map(|s| &s.zones)
        .map(|z| z.0)
        .max()
        .filter(|top| *top > 0)?;
    let (top, step) = round_up(top as f64 / 1e6);
    let line = |surface: &Surface, tone| {
        let count = surface.zones.len() as f64;
        let mut runs = vec![Vec::new()];
        for (index, zone) in surface.zones.iter().enumerate() {
            if zone.0 == 0 {
                runs.push(Vec::new());
            } else if let Some(run) = runs.last_mut() {
                run.push(((index as f64 + 0.5) / count, zone.0 as f64 / 1e6 / top));
            }
        }
        runs.retain(|run| !run.is_empty());
        Line { tone, runs }
    };
    let tones = if surfaces.len() == 1 {
        [Tone::Ink; 2]
    } else {
        [Tone::Light, Tone::Ink]
    };
    let words: Vec<String> = surfaces
        .iter()
        .map(|s| {
            let known = s.zones.iter().filter(|z| z.0 > 0);
            let (low, high) = (known.clone().min().copied(), known.max().copied());
            format!(
                "{} {} to {}/s",
                s.phase.label(),
                low.unwrap_or(Bytes(0)),
                high.unwrap_or(Bytes(0))
            )
        })
        .collect();
    // What a limit or heat made a drive wait is in the mean of its phase, and not here.
    let caption = match surfaces.as_slice() {
        [one] => format!("MB/s without pauses, {}", one.phase.label().to_lowercase()),
        // True on paper as on a dark screen, where the strong line is the bright one.
        [faint, strong, ..] => format!(
            "MB/s without pauses, faint: {}, strong: {}",
            faint.phase.label().to_lowercase(),
            strong.phase.label().to_lowercase()
        ),
        [] => String::new(),
    };
    let capacity = c.drive.capacity.0;
    let mut lines: Vec<Line> = surfaces.iter().zip(tones).map(|(s, tone)| line(s, tone)).collect();
    let mut caption = caption;
    let runs = marks(c);
    if !runs.is_empty() {
        caption += "; red: what was found";
        lines.push(Line { tone: Tone::Bad, runs });
    }
    Some(Chart {
        title: "Speed over the surface",
        caption,
        told: words.join("; "),
        lines,
        bars: Vec::new(),
        x: vec![
            "first sector".into(),
            Bytes(capacity / 2).to_string(),
            Bytes(capacity).to_string(),
        ],
        y: axis(top, step),
    })
}

/// Widths that a mark is told from its neighbours by: more would be drawn over each other.
const MARKS: u128 = 200;

/// An upright line at each place where something was found.
fn marks(c: &Certificate) -> Vec<Vec<(f64, f64)>> {
    let sectors = u128::from((c.drive.capacity.0 / u64::from(c.drive.sector.max(1))).max(1));
    let place = |lba: u64| u128::from(lba) * MARKS / sectors;
    let found = c
        .findings
        .listed
        .iter()
        .filter_map(|found| Some((found.lba?.0, found.sectors.max(1))));
    let places: BTreeSet<u128> = found
        .flat_map(|(first, count)| place(first)..=place(first.saturating_add(count - 1)).min(MARKS))
        .filter(|place| *place < MARKS)
        .collect();
    let x = |place: u128| place as f64 / MARKS as f64;
    places
        .into_iter()
        .map(|place| vec![(x(place), 0.0), (x(place), 1.0)])
        .collect()
}

/// Longest bucket of a latency histogram: 2^40 µs are twelve days.
const BUCKETS: usize = 40;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the power of ten above a count is 1 to 20"
)]
fn latency(c: &Certificate) -> Option<Chart> {
    let surface = drawn(c).into_iter().next_back()?;
    let counts = surface.latencies.get(..BUCKETS).unwrap_or(&surface.latencies);
    let first = counts.iter().position(|n| *n > 0)?;
    let last = counts.iter().rposition(|n| *n > 0)?;
    let counts = &counts[first..=last];
    // Rare slow answers are the point: the scale is logarithmic, one more than the count, so that 1 is seen.
    let log = |n: u64| (n as f64 + 1.0).log10();
    let top = counts.iter().copied().map(log).fold(1.0, f64::max).ceil();
    let width = 1.0 / counts.len() as f64;
    Some(Chart {
        title: "How long answers took",
        caption: format!(
            "answers of each length, {}, both scales logarithmic",
            surface.phase.label().to_lowercase()
        ),
        told: format!(
            "half within {}, 99\u{a0}% within {}, longest {}",
            microseconds(surface.p50_us),
            microseconds(surface.p99_us),
            microseconds(surface.max_us)
        ),
        lines: Vec::new(),
        bars: counts
            .iter()
            .enumerate()
            .filter(|(_, n)| **n > 0)
            .map(|(index, n)| Bar {
                x: index as f64 * width + width * 0.06,
                width: width * 0.88,
                height: log(*n) / top,
            })
            .collect(),
        x: vec![microseconds(1 << first), microseconds(1 << (last + 1))],
        y: (0..=top as u32)
            .map(|power| {
                if power == 0 {
                    "0".to_owned()
                } else {
                    Bytes(10_u64.saturating_pow(power)).0.to_string()
                }
            })
            .collect(),
    })
}

fn heat(points: &[TimePoint], course: &Course) -> Option<Chart> {
    let span = course.lasts.max(1) as f64;
    let degrees: Vec<i32> = points.iter().filter_map(|p| p.temperature.map(|t| t.0)).collect();
    let bad = points.iter().map(|p| p.bad_sectors).max().unwrap_or(0);
    if degrees.is_empty() && bad == 0 {
        return None;
    }
    let x = |seconds: i64| seconds as f64 / span;
    let hottest = degrees.iter().max().copied().unwrap_or(0);
    let top = (f64::from(hottest.max(10)) / 10.0).ceil() * 10.0;
    let mut runs: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
    for (index, (point, at)) in points.iter().zip(&course.at).enumerate() {
        if course.cuts.contains(&index) {
            runs.push(Vec::new());
        }
        match (point.temperature, runs.last_mut()) {
            (Some(t), Some(run)) => run.push((x(*at), (f64::from(t.0) / top).clamp(0.0, 1.0))),
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    // On a long axis the break itself is too narrow to be seen.
    let upright = |cut: &usize| course.at.get(*cut).map_or(span, |at| *at as f64) / span;
    let cuts: Vec<_> = course
        .cuts
        .iter()
        .map(upright)
        .map(|x| vec![(x, 0.0), (x, 1.0)])
        .collect();
    let broken = if cuts.is_empty() { "" } else { "; faint: off or waiting" };
    let mut lines = Vec::new();
    if !cuts.is_empty() {
        lines.push(Line {
            tone: Tone::Light,
            runs: cuts,
        });
    }
    if !runs.is_empty() {
        lines.push(Line { tone: Tone::Ink, runs });
    }
    if bad > 0 {
        // In steps: what a point tells was not so before it.
        let mut run = Vec::new();
        let mut before = 0.0;
        for (point, at) in points.iter().zip(&course.at) {
            let share = point.bad_sectors as f64 / bad as f64;
            run.extend([(x(*at), before), (x(*at), share)]);
            before = share;
        }
        run.dedup();
        lines.push(Line {
            tone: Tone::Bad,
            runs: vec![run],
        });
    }
    let errors = if bad > 0 {
        format!("; red: bad sectors, {bad} at the top")
    } else {
        String::new()
    };
    // Where no sensor told a temperature, the axis is that of what is drawn.
    let (title, caption, told, y) = match degrees.iter().min() {
        Some(low) => (
            "Temperature and errors over time",
            format!("°C{errors}{broken}"),
            format!("{low} to {hottest} °C; {bad} bad sectors"),
            axis(top, top / 2.0),
        ),
        None => (
            "Errors over time",
            format!("bad sectors; no sensor told a temperature{broken}"),
            format!("no temperature known; {bad} bad sectors"),
            axis(bad as f64, bad as f64),
        ),
    };
    let hours = |at: f64| match span {
        3600.0.. => format!("{:.1} h", span * at / 3600.0),
        120.0.. => format!("{:.1} min", span * at / 60.0),
        _ => format!("{:.0} s", span * at),
    };
    Some(Chart {
        title,
        caption,
        told,
        lines,
        bars: Vec::new(),
        x: vec!["start".into(), hours(0.5), hours(1.0)],
        y,
    })
}

/// A round number not below `top`, and the step of its axis: three to six steps.
fn round_up(top: f64) -> (f64, f64) {
    let power = 10_f64.powf(top.max(1e-3).log10().floor());
    let step = [0.2, 0.25, 0.5, 1.0, 2.0]
        .into_iter()
        .map(|s| s * power)
        .find(|step| top / step <= 5.0)
        .unwrap_or(power * 2.0);
    ((top / step).ceil() * step, step)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an axis has six steps at most"
)]
fn axis(top: f64, step: f64) -> Vec<String> {
    let steps = (top / step).round() as usize;
    let decimals = match step {
        _ if step.fract() == 0.0 => 0,
        _ if step >= 1.0 => 1,
        _ => 3,
    };
    (0..=steps).map(|i| format!("{:.decimals$}", i as f64 * step)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    #![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tests")]
    use super::*;

    /// The chart of a line that begins and ends with its job, whose only step was at work all along.
    fn heat(line: &[TimePoint]) -> Option<Chart> {
        super::heat(line, &Course::of(line, &[], (line[0].at, line[line.len() - 1].at)))
    }

    /// As of a box without a clock of its own, which hears the time in the middle of a job.
    #[test]
    fn a_clock_that_was_set_stretches_no_axis() {
        let at = |seconds: i64, degrees: i32| TimePoint {
            at: wire::Time::from_second(seconds).unwrap(),
            step: 0,
            temperature: Some(wire::Celsius(degrees)),
            rate: Bytes(1),
            bad_sectors: 0,
        };
        let years = 10 * 365 * 24 * 3600;
        for set in [years, -years / 100] {
            let mut line: Vec<TimePoint> = (0..10).map(|n| at(1_700_000_000 + n * 60, 30)).collect();
            line.extend((10..20).map(|n| at(1_700_000_000 + set + n * 60, 40)));
            let chart = heat(&line).unwrap();
            assert_eq!(chart.x, ["start", "9.0 min", "18.1 min"], "{set}");
            let run = &chart.lines[0].runs[0];
            assert!(run.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{run:?}");
            assert!((run[9].0 - 0.5).abs() < 0.01, "{run:?}");
        }
    }

    /// As in many a USB dock: without a temperature.
    fn at(second: i64, bad_sectors: u64) -> TimePoint {
        TimePoint {
            at: wire::Time::from_second(second).unwrap(),
            step: 0,
            temperature: None,
            rate: Bytes(1),
            bad_sectors,
        }
    }

    #[test]
    fn without_a_sensor_no_degrees_are_drawn() {
        let chart = heat(&[at(0, 0), at(60, 8)]).unwrap();
        assert_eq!(
            (chart.title, chart.y.as_slice()),
            ("Errors over time", &["0".to_owned(), "8".to_owned()][..])
        );
        assert!(!chart.caption.contains('°'), "{}", chart.caption);
        assert!(
            matches!(chart.lines[..], [Line { tone: Tone::Bad, .. }]),
            "{:?}",
            chart.lines
        );
        assert!(heat(&[at(0, 0), at(60, 0)]).is_none());
    }

    /// A slope would tell of sectors that went bad one after another all along.
    #[test]
    fn errors_are_drawn_where_they_were_told() {
        let chart = heat(&[at(0, 0), at(30, 0), at(60, 2), at(90, 2)]).unwrap();
        let x = |second: f64| second / 90.0;
        assert_eq!(
            chart.lines[0].runs[0],
            [
                (0.0, 0.0),
                (x(30.0), 0.0),
                (x(60.0), 0.0),
                (x(60.0), 1.0),
                (x(90.0), 1.0)
            ]
        );
        assert_eq!(chart.x, ["start", "45 s", "90 s"]);
    }

    #[test]
    fn axes_end_on_a_round_number_above_the_data() {
        for top in [0.004, 0.9, 1.0, 2.2, 11.9, 38.0, 111.0, 131.0, 270.0, 999.0, 7_040.0] {
            let (end, step) = round_up(top);
            let steps = end / step;
            assert!(
                end >= top - 1e-9 && (1.0..=5.01).contains(&steps),
                "{top}: {end} by {step}"
            );
            let told = axis(end, step);
            assert_eq!(told.len(), steps.round() as usize + 1);
            for (at, told) in told.iter().enumerate() {
                let off = told.parse::<f64>().unwrap() - at as f64 * step;
                assert!(off.abs() < 1e-9, "{top}: {told} at {at} of {step}");
            }
        }
        assert_eq!(axis(300.0, 100.0), ["0", "100", "200", "300"]);
    }
}
