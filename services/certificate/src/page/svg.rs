//! The page's drawings: charts, the verdict's shape, the engraved band.

use wire::job::Outcome;

use super::text;
use crate::certificate::Certificate;
use crate::chart::{Chart, Tone};

/// The mark.
pub(super) const KILN: &str = "<svg class=\"mark\" viewBox=\"0 0 26 28\" aria-hidden=\"true\"><path class=\"wall\" \
    d=\"M2 27V13a11 11 0 0 1 22 0v14z\"/><path class=\"fire\" d=\"M8.5 27v-8a4.5 4.5 0 0 1 9 0v8z\"/></svg>";

/// Width and height of a chart's own units.
const W: f64 = 1000.0;
const H: f64 = 300.0;

/// Verdicts differ by shape as well as by colour and word.
pub(super) fn shape(outcome: Outcome) -> String {
    let (body, glyph) = match outcome {
        Outcome::Passed => ("<circle cx=\"12\" cy=\"12\" r=\"11\"/>", "M7 12.4l3.4 3.4L17 8.8"),
        Outcome::Warn => ("<path d=\"M12 1.6L23.6 22.4H.4z\"/>", "M12 9v5.6M12 18v1"),
        Outcome::Failed => (
            "<path d=\"M7.4 1h9.2L23 7.4v9.2L16.6 23H7.4L1 16.6V7.4z\"/>",
            "M8 8l8 8M16 8l-8 8",
        ),
        Outcome::Inconclusive => (
            "<path d=\"M12 .4L23.6 12 12 23.6.4 12z\"/>",
            "M9.4 9.6c0-3.6 5.4-3.4 5.4-.2 0 2.2-2.8 2.2-2.8 4.6M12 17v1",
        ),
    };
    format!(
        "<svg class=\"shape\" viewBox=\"0 0 24 24\" aria-hidden=\"true\">{body}<path class=\"g\" d=\"{glyph}\"/></svg>"
    )
}

/// A chart: geometry in an SVG that stretches, letters in HTML that do not.
pub(super) fn chart(chart: &Chart) -> String {
    let mut inner = String::new();
    let rows = chart.y.len().saturating_sub(1).max(1);
    for row in 1..=rows {
        let y = H - H * row as f64 / rows as f64;
        inner += &format!("<path class=\"grid\" d=\"M0 {y:.1}H1000\"/>");
    }
    for bar in &chart.bars {
        inner += &format!(
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            bar.x * W,
            H - bar.height * H,
            bar.width * W,
            bar.height * H
        );
    }
    for line in &chart.lines {
        let class = match line.tone {
            Tone::Light => "light",
            Tone::Ink => "ink",
            Tone::Bad => "bad",
        };
        let path: String = line.runs.iter().map(|run| path(run)).collect();
        inner += &format!("<path class=\"{class}\" d=\"{path}\"/>");
    }
    let words = |words: &mut dyn Iterator<Item = &String>| {
        words.map(|w| format!("<span>{}</span>", text(w))).collect::<String>()
    };
    format!(
        "<figure><figcaption><h2>{}</h2><span>{}</span></figcaption><div class=\"plot\"><div class=\"y\">{}</div>\
         <svg viewBox=\"0 0 1000 300\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">{inner}\
         <path class=\"axis\" d=\"M0 300H1000\"/></svg><div class=\"x\">{}</div></div></figure>\n",
        text(chart.title),
        text(&chart.caption),
        words(&mut chart.y.iter().rev()),
        text(&chart.told),
        words(&mut chart.x.iter()),
    )
}

fn path(run: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(run.len() * 12);
    for (index, (x, y)) in run.iter().enumerate() {
        text.push(if index == 0 { 'M' } else { 'L' });
        text += &format!("{:.1} {:.1}", x * W, H - y * H);
    }
    if let [(x, _)] = run {
        // A point alone is drawn as a dot by its round cap.
        text += &format!("H{:.1}", x * W);
    }
    text
}

/// The engraved band: its envelope is this drive's own zone curve, so that no two models look alike.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place from 0 to the number of zones"
)]
pub(super) fn band(c: &Certificate) -> String {
    const LINES: usize = 14;
    const POINTS: usize = 96;
    let zones: Vec<f64> = c
        .surface
        .iter()
        .rev()
        .find(|s| s.zones.iter().any(|z| z.0 > 0))
        .map_or_else(|| vec![1.0], |s| s.zones.iter().map(|z| z.0 as f64).collect());
    let top = zones.iter().copied().fold(1.0, f64::max);
    let mut d = String::with_capacity(LINES * POINTS * 12);
    for line in 0..LINES {
        let phase = std::f64::consts::TAU * line as f64 / LINES as f64;
        for point in 0..=POINTS {
            let x = point as f64 / POINTS as f64;
            let near = zones[((x * zones.len() as f64) as usize).min(zones.len() - 1)] / top;
            let swing = (x * std::f64::consts::TAU * 3.0 + phase).sin() * 0.8 + (x * 31.0 + phase * 2.0).sin() * 0.2;
            d.push(if point == 0 { 'M' } else { 'L' });
            d += &format!("{:.0} {:.1}", x * W, 48.0 + swing * 42.0 * near);
        }
    }
    format!(
        "<svg class=\"band\" viewBox=\"0 0 1000 96\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path d=\"{d}\"/></svg>\n"
    )
}
