//! What stands on the sheets, from top to bottom.

use wire::job::Outcome;

use super::font::{self, Face, encode};
use super::sheet::{BAD, BODY, INK, INK_2, LIGHT, LINE, MARGIN, Rgb, Sheet};
use super::{HEIGHT, WIDTH};
use crate::chart::{Chart, Tone, charts};
use crate::qr::Modules;
use crate::report::{HOW, LIMITS, Report, Section, WHOSE};
use crate::signed::Signed;

/// Side of the code with its quiet zone: 44 mm, so that a module is 0.4 mm or more.
const CODE: f32 = 125.0;

pub(super) fn certificate(sheet: &mut Sheet, report: &Report, signed: &Signed) {
    head(sheet, report);
    for chart in charts(signed.certificate()) {
        plot(sheet, &chart);
    }
    for section in &report.sections {
        table(sheet, section);
    }
    foot(sheet, report, &signed.stamp().text());
}

fn head(sheet: &mut Sheet, report: &Report) {
    let right = WIDTH - MARGIN;
    sheet.y -= 14.0;
    let y = sheet.y;
    sheet.put(Face::Bold, 15.0, INK, MARGIN, y, &encode(report.title));
    sheet.put_right(Face::Bold, 10.0, INK, right, y, &encode(&report.id));
    sheet.put_right(Face::Sans, 8.5, INK_2, right, y - 12.0, &encode(&report.made));
    let until = encode(&format!("valid until {}", report.valid_until));
    sheet.put_right(Face::Sans, 8.5, INK_2, right, y - 23.0, &until);
    sheet.y -= 3.0;
    sheet.paragraph(Face::Sans, 8.5, INK_2, MARGIN, BODY - 150.0, &report.maker);
    sheet.y = sheet.y.min(HEIGHT - MARGIN - 42.0) - 8.0;
    sheet.rule(LINE, 0.8);
    sheet.y -= 8.0;
    let top = sheet.y;
    let tail = encode(&report.tail);
    let big = (44.0_f32).min(44.0 * 280.0 / Face::Mono.width(&tail, 44.0).max(1.0));
    sheet.y -= 40.0;
    let y = sheet.y;
    sheet.put(Face::Mono, big, INK, MARGIN, y, &tail);
    sheet.y -= 4.0;
    sheet.paragraph(Face::Bold, 13.0, INK, MARGIN, BODY - 150.0, &report.model);
    sheet.paragraph(Face::Sans, 9.0, INK_2, MARGIN, BODY - 150.0, &report.serial);
    let word = encode(report.outcome.word());
    let center = right - 62.0;
    shape(sheet, report.outcome, center, top - 28.0);
    let half = Face::Bold.width(&word, 16.0) / 2.0;
    sheet.put(Face::Bold, 16.0, tone(report.outcome), center - half, top - 74.0, &word);
    sheet.y = sheet.y.min(top - 82.0) - 6.0;
    sheet.paragraph(Face::Sans, 11.0, INK, MARGIN, BODY, &report.summary);
    sheet.y -= 6.0;
}

fn tone(outcome: Outcome) -> Rgb {
    match outcome {
        Outcome::Passed => (0.114, 0.42, 0.243),
        Outcome::Warn => (0.502, 0.337, 0.0),
        Outcome::Failed => BAD,
        Outcome::Inconclusive => (0.267, 0.341, 0.42),
    }
}

/// Circle ✓, triangle !, octagon ✕, diamond ?: told apart without colour.
fn shape(sheet: &mut Sheet, outcome: Outcome, x: f32, y: f32) {
    const R: f32 = 27.0;
    let color = tone(outcome);
    let corners = match outcome {
        Outcome::Passed => 48,
        Outcome::Warn => 3,
        Outcome::Failed => 8,
        Outcome::Inconclusive => 4,
    };
    let turn = if outcome == Outcome::Failed { 0.5 } else { 0.0 };
    let page = &mut sheet.page;
    page.set_fill_rgb(color.0, color.1, color.2);
    for corner in 0..corners {
        let angle = std::f32::consts::TAU * (corner as f32 + turn) / corners as f32 + std::f32::consts::FRAC_PI_2;
        let (px, py) = (x + R * angle.cos(), y + R * angle.sin());
        if corner == 0 {
            page.move_to(px, py);
        } else {
            page.line_to(px, py);
        }
    }
    page.close_path().fill_nonzero();
    page.set_stroke_rgb(1.0, 1.0, 1.0).set_line_width(4.5);
    match outcome {
        Outcome::Passed => {
            page.move_to(x - 12.0, y - 1.0)
                .line_to(x - 3.0, y - 10.0)
                .line_to(x + 13.0, y + 9.0)
                .stroke();
        }
        Outcome::Failed => {
            page.move_to(x - 9.0, y - 9.0).line_to(x + 9.0, y + 9.0);
            page.move_to(x - 9.0, y + 9.0).line_to(x + 9.0, y - 9.0).stroke();
        }
        Outcome::Warn | Outcome::Inconclusive => {
            let glyph = if outcome == Outcome::Warn { "!" } else { "?" };
            let half = Face::Bold.width(glyph.as_bytes(), 26.0) / 2.0;
            sheet.put(Face::Bold, 26.0, (1.0, 1.0, 1.0), x - half, y - 9.0, glyph.as_bytes());
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "parts of the plot, 0 to 1, at the precision that a PDF has"
)]
fn plot(sheet: &mut Sheet, chart: &Chart) {
    const H: f32 = 84.0;
    /// Side of what stands for a measurement without a neighbour: twice a line's width.
    const DOT: f32 = 1.6;
    sheet.need(H + 44.0);
    sheet.y -= 18.0;
    let title = encode(chart.title);
    let y = sheet.y;
    sheet.put(Face::Bold, 10.0, INK, MARGIN, y, &title);
    let beside = MARGIN + Face::Bold.width(&title, 10.0) + 8.0;
    sheet.put(Face::Sans, 8.0, INK_2, beside, y, &encode(&chart.caption));
    let labels: Vec<Vec<u8>> = chart.y.iter().map(|w| encode(w)).collect();
    let wide = labels.iter().map(|l| Face::Sans.width(l, 7.5)).fold(0.0, f32::max);
    let (left, width) = (MARGIN + wide + 6.0, BODY - wide - 6.0);
    let base = y - 10.0 - H;
    let rows = labels.len().saturating_sub(1).max(1) as f32;
    for (row, label) in labels.iter().enumerate() {
        let at = base + H * row as f32 / rows;
        sheet.put_right(Face::Sans, 7.5, INK_2, left - 5.0, at - 2.5, label);
        let color = if row == 0 { INK_2 } else { LINE };
        let page = &mut sheet.page;
        page.set_stroke_rgb(color.0, color.1, color.2).set_line_width(0.5);
        page.move_to(left, at).line_to(left + width, at).stroke();
    }
    let page = &mut sheet.page;
    for bar in &chart.bars {
        page.set_fill_rgb(LIGHT.0, LIGHT.1, LIGHT.2)
            .rect(
                left + bar.x as f32 * width,
                base,
                bar.width as f32 * width,
                bar.height as f32 * H,
            )
            .fill_nonzero();
    }
    for line in &chart.lines {
        let color = match line.tone {
            Tone::Light => LIGHT,
            Tone::Ink => INK,
            Tone::Bad => BAD,
        };
        page.set_stroke_rgb(color.0, color.1, color.2).set_line_width(0.8);
        let place = |(x, y): &(f64, f64)| (round(left + *x as f32 * width), round(base + *y as f32 * H));
        for run in &line.runs {
            if let [alone] = run.as_slice() {
                // A path of one point has no length: a stroke paints nothing of it (ISO 32000-1 §8.5.3.2).
                let (px, py) = place(alone);
                page.set_fill_rgb(color.0, color.1, color.2)
                    .rect(round(px - DOT / 2.0), round(py - DOT / 2.0), DOT, DOT)
                    .fill_nonzero();
                continue;
            }
            for (index, point) in run.iter().enumerate() {
                let (px, py) = place(point);
                if index == 0 {
                    page.move_to(px, py);
                } else {
                    page.line_to(px, py);
                }
            }
            page.stroke();
        }
    }
    let last = chart.x.len().saturating_sub(1).max(1) as f32;
    for (index, word) in chart.x.iter().enumerate() {
        let word = encode(word);
        let share = index as f32 / last;
        let x = left + width * share - Face::Sans.width(&word, 7.5) * share;
        sheet.put(Face::Sans, 7.5, INK_2, x, base - 10.0, &word);
    }
    sheet.y = base - 14.0;
}

/// Hundredths of a point: more would only make the file longer.
fn round(value: f32) -> f32 {
    (value * 100.0).round() / 100.0
}

fn table(sheet: &mut Sheet, section: &Section) {
    const NAME: f32 = 170.0;
    const SIZE: f32 = 8.5;
    sheet.need(48.0);
    sheet.y -= 20.0;
    let y = sheet.y;
    sheet.put(Face::Bold, 10.0, INK, MARGIN, y, &encode(section.title));
    sheet.y -= 5.0;
    for (name, value) in &section.rows {
        let names = font::wrap(Face::Sans, SIZE, name, NAME);
        let values = font::wrap(Face::Sans, SIZE, value, BODY - NAME - 12.0);
        let lines = names.len().max(values.len());
        sheet.need(lines.min(40) as f32 * 11.0 + 4.0);
        sheet.rule(LINE, 0.5);
        for line in 0..lines {
            sheet.need(12.0);
            sheet.y -= 11.0;
            let y = sheet.y;
            if let Some(name) = names.get(line) {
                sheet.put(Face::Sans, SIZE, INK_2, MARGIN, y, name);
            }
            if let Some(value) = values.get(line) {
                sheet.put(Face::Sans, SIZE, INK, MARGIN + NAME + 12.0, y, value);
            }
        }
        sheet.y -= 4.0;
    }
}

fn foot(sheet: &mut Sheet, report: &Report, stamp: &str) {
    sheet.need(CODE + 40.0);
    sheet.y -= 16.0;
    sheet.rule(INK, 1.4);
    sheet.y -= 4.0;
    let top = sheet.y;
    if let Some(modules) = Modules::of(stamp) {
        // Four modules of quiet zone on each side.
        let module = CODE / (modules.side + 8) as f32;
        sheet.page.set_fill_rgb(0.0, 0.0, 0.0);
        for (x, y, length) in modules.runs() {
            let (x, y) = (MARGIN + (x + 4) as f32 * module, top - (y + 5) as f32 * module);
            sheet.page.rect(x, y, length as f32 * module, module);
        }
        sheet.page.fill_nonzero();
    }
    let (x, width) = (MARGIN + CODE + 14.0, BODY - CODE - 14.0);
    sheet.y -= 2.0;
    sheet.paragraph(Face::Bold, 9.0, INK, x, width, "Check it yourself.");
    sheet.paragraph(Face::Sans, 8.5, INK, x, width, HOW);
    sheet.paragraph(Face::Mono, 8.0, INK, x, width, &report.command);
    sheet.paragraph(Face::Sans, 8.5, INK, x, width, WHOSE);
    sheet.paragraph(Face::Sans, 8.0, INK_2, x, width, "Ed25519 key, fingerprint");
    sheet.paragraph(Face::Mono, 7.2, INK, x, width, &report.fingerprint);
    sheet.paragraph(Face::Sans, 8.0, INK_2, x, width, "SHA-256 of what was signed");
    sheet.paragraph(Face::Mono, 7.2, INK, x, width, &report.digest);
    sheet.paragraph(Face::Sans, 8.0, INK_2, x, width, LIMITS);
    sheet.y = sheet.y.min(top - CODE);
}
