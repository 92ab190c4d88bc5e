//! The page and its code: self-contained, escaped, and faithful.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use certificate::qr::Modules;
use certificate::{Revocations, Trust, carrier, check, page};
use common::{failed, passed, sign};
use wire::certificate::Standing;
use wire::job::{Job, SelfTest, SelfTestOutcome};

#[test]
fn it_fetches_and_runs_nothing() {
    for job in [passed(), failed()] {
        let html = page::html(&sign(&job));
        for forbidden in [
            "<script", "src=", "@import", "url(", "http://", "https://", " onload", "style=\"",
        ] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        assert_eq!(html.matches("href=").count(), 1, "the signed file alone");
        let csp = page::csp();
        assert!(
            csp.contains("default-src 'none'") && csp.contains("style-src 'sha256-"),
            "{csp}"
        );
        assert!(html.contains("prefers") || html.contains("color-scheme:light dark"));
        assert!(html.contains("@media print"));
    }
}

#[test]
fn names_cannot_break_out_of_it() {
    let html = page::html(&sign(&failed()));
    assert!(html.contains("Evil&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;"));
    assert!(html.contains("序列号"));
    let mut job = failed();
    job.model = "a\u{202e}DESSAP\u{0}".into();
    job.serial = "\u{1b}[2J\u{200b}\u{ad}\u{9b}".into();
    let html = page::html(&sign(&job));
    assert!(html.contains("a[U+202E]DESSAP[U+0000]"));
    assert!(html.contains("[U+001B][2J[U+200B][U+00AD][U+009B]"));
    assert!(!html.contains(|c| wire::shown::is_hidden(c) && c != '\n'), "{html}");
}

#[test]
fn every_verdict_has_its_shape_and_word() {
    use wire::job::Outcome::{Failed, Inconclusive, Passed, Warn};
    let mut shapes = Vec::new();
    for outcome in [Passed, Warn, Failed, Inconclusive] {
        let mut job = passed();
        job.verdict.as_mut().unwrap().outcome = outcome;
        let html = page::html(&sign(&job));
        assert!(html.contains(&format!("<b>{}</b>", outcome.word())));
        let start = html.find("class=\"shape\"").unwrap();
        shapes.push(html[start..start + 120].to_owned());
    }
    shapes.sort();
    shapes.dedup();
    assert_eq!(shapes.len(), 4);
}

#[test]
fn it_carries_the_signed_file_and_any_change_is_told() {
    let signed = sign(&passed());
    let html = page::html(&signed);
    assert_eq!(carrier::open(html.as_bytes()).unwrap().text, signed.text());
    for (from, to) in [
        ("PASSED", "passed"),
        ("ZRT10W3P", "ZRT10W3Q"),
        ("17906", "106"),
        ("<footer", "<p>x</p><footer"),
    ] {
        let changed = html.replacen(from, to, 1);
        assert_ne!(changed, html, "{from}");
        assert!(carrier::open(changed.as_bytes()).is_err(), "{from}");
    }
    let bare = html.trim_end();
    assert_eq!(
        carrier::open(bare.as_bytes()).unwrap().text,
        signed.text(),
        "a form takes its line end"
    );
    for changed in [format!("{html}\n"), bare.replacen("PASSED", "passed", 1)] {
        assert!(carrier::open(changed.as_bytes()).is_err());
    }
    let now = signed.certificate().made;
    let standing = |text: &str| check(text, &Trust::none(), now, Revocations::Unknown).standing;
    assert_eq!(standing(&html), Standing::UnknownKey);
    assert_eq!(standing(&html.replacen("PASSED", "passed", 1)), Standing::Bad);
    assert_eq!(carrier::open(signed.text().as_bytes()).unwrap().text, signed.text());
    assert!(carrier::open(&[0xff, 0xfe, 0]).is_err());
}

/// Another version renames a row: nothing that such a page or PDF shows is believed, and whose it is stays known.
#[test]
fn whose_it_is_can_be_told_of_what_another_version_made() {
    let signed = sign(&passed());
    let (html, pdf) = (page::html(&signed), certificate::pdf::pdf(&signed));
    let changed = |bytes: &[u8], from: &str, to: &str| {
        let at = bytes.windows(from.len()).position(|part| part == from.as_bytes());
        let (before, rest) = bytes.split_at(at.unwrap());
        [before, to.as_bytes(), &rest[from.len()..]].concat()
    };
    let inside = |bytes: &[u8]| carrier::inside(bytes).map(|inside| inside.text().to_owned());
    assert_eq!(inside(signed.text().as_bytes()).as_deref(), Some(signed.text()));
    for (bytes, row, title) in [
        (html.as_bytes(), ">The signed file<", "<title>Certificate "),
        (&pdf[..], "/Creator (Kiln)", "(Burn-in certificate "),
    ] {
        let renamed = changed(bytes, row, "");
        assert!(carrier::open(&renamed).is_err(), "{row}");
        for bytes in [bytes, &renamed] {
            assert_eq!(inside(bytes).as_deref(), Some(signed.text()), "{row}");
        }
        assert_eq!(inside(&changed(bytes, title, "(My thesis on ")), None, "{title}");
    }
    let damaged = changed(html.as_bytes(), "base64,", "base64,e30=\"");
    assert_eq!(inside(&damaged), None);
}

/// The code's modules as a picture, read by a decoder that shares nothing with the encoder.
#[test]
fn the_code_is_read_by_another_decoder_and_checked_without_the_file() {
    for job in [passed(), failed()] {
        let signed = sign(&job);
        let modules = Modules::of(&signed.stamp().text()).unwrap();
        let scale = 4;
        let side = (modules.side + 8) * scale;
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| {
            let (x, y) = ((x / scale).wrapping_sub(4), (y / scale).wrapping_sub(4));
            if modules.is_dark(x, y) { 0 } else { 255 }
        });
        let (_, read) = image.detect_grids()[0].decode().unwrap();
        assert_eq!(read, signed.stamp().text());
        let now = signed.certificate().made;
        let result = check(&read, &Trust::none(), now, Revocations::Unknown);
        assert_eq!(result.standing, Standing::UnknownKey);
        assert_eq!(result.says.unwrap().digest, signed.digest());
    }
}

/// The page's words beside each row of that name.
fn rows(job: &Job, name: &str) -> Vec<String> {
    let (html, begin) = (page::html(&sign(job)), format!("<dt>{name}</dt><dd>"));
    let rows = html.split(&begin).skip(1);
    rows.map(|row| row.split("</dd>").next().unwrap().to_owned()).collect()
}

/// A box that was off for eight days in the middle of two minutes of work: neither the row nor the axis tells a buyer of a long test.
#[test]
fn what_the_box_was_off_for_is_no_work_of_the_drive() {
    let mut job = passed();
    let (started, off) = (job.started.as_second(), 8 * 86_400);
    let time = |second| wire::Time::from_second(started + second).unwrap();
    job.phases = vec![job.phases[3].clone(), job.phases[4].clone()];
    (job.phases[0].seconds, job.phases[1].seconds) = (88.0, 50.0);
    job.ended = Some(time(off + 145));
    let point = |(second, step): (i64, u16)| wire::job::TimePoint {
        at: time(second),
        step,
        temperature: Some(wire::Celsius(31)),
        ..job.timeline[0].clone()
    };
    let points = [(3, 0), (8, 0), (off + 29, 0), (off + 90, 1), (off + 140, 1)];
    job.timeline = points.map(point).to_vec();
    assert_eq!(
        rows(&job, "Took"),
        ["2 min 18 s at work; by the box’s clock off or waiting for another 192 h 0 min"]
    );
    let html = page::html(&sign(&job));
    let heat = html.split("Temperature and errors").nth(1).unwrap();
    assert!(heat.contains("<span>2.4 min</span>"), "{heat}");
    assert!(heat.contains("faint: off or waiting"), "{heat}");
    let line = heat
        .split("class=\"ink\" d=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert_eq!(line.matches('M').count(), 2, "{line}");
}

#[test]
fn of_a_scan_it_says_that_all_was_read_and_nothing_of_a_burn_in() {
    use wire::Bytes;
    use wire::job::{FaultKind, Outcome, Phase};
    let mut job = passed();
    job.phases = vec![job.phases[0].clone(), job.phases[4].clone()];
    job.phases[1].phase = Phase::Scan;
    let html = page::html(&sign(&job));
    assert!(html.contains("<h1>Read scan</h1>") && !html.contains("Burn-in certificate"));
    assert_eq!(
        rows(&job, "Sectors read"),
        ["all, 12 TB (12\u{a0}000\u{a0}138\u{a0}625\u{a0}024 bytes); nothing was written"]
    );
    assert!(rows(&job, "Verified, equal").is_empty());
    // Rounds are no sectors, and whose they were nobody knows of what proves nothing.
    job.phases[1].bytes = Bytes(job.phases[1].bytes.0 * 8);
    assert!(rows(&job, "Sectors read")[0].starts_with("all, 12 TB"));
    let verdict = job.verdict.as_mut().unwrap();
    let before = std::mem::replace(&mut verdict.outcome, Outcome::Inconclusive);
    assert!(rows(&job, "Sectors read").is_empty());
    job.verdict.as_mut().unwrap().outcome = before;
    job.findings = failed().findings;
    job.findings[0].kind = FaultKind::ReadError;
    assert_eq!(
        rows(&job, "Sectors read"),
        ["not all without a finding; nothing was written"]
    );
}

/// A job with a short test before and one behind its pass, and what came of tests: each with its step, and words.
fn tested_twice(results: &[(Option<u16>, SelfTestOutcome, &str)]) -> Job {
    let mut job = passed();
    job.phases.push(job.phases[1].clone());
    let result = |(step, outcome, told): &(Option<u16>, SelfTestOutcome, &str)| SelfTest {
        step: *step,
        outcome: *outcome,
        told: (*told).to_owned(),
        ..job.self_tests[0].clone()
    };
    job.self_tests = results.iter().map(result).collect();
    job
}

#[test]
fn each_self_test_has_its_own_word() {
    use SelfTestOutcome::{Aborted, Failed, Passed};
    let (first, second, foreign) = (Some(1), Some(8), None);
    for (results, words) in [
        (
            vec![(first, Passed, "A"), (second, Failed, "B")],
            ["passed: A, ", "FAILED: B, "],
        ),
        // Whatever came before the job, or was done again in it.
        (
            vec![(foreign, Failed, "X"), (second, Passed, "B"), (first, Passed, "A")],
            ["passed: A, ", "passed: B, "],
        ),
        (
            vec![(first, Passed, "A"), (second, Failed, "B"), (second, Passed, "C")],
            ["passed: A, ", "FAILED: B, passed: C, "],
        ),
        // As older versions told it, also of the first half alone.
        (
            vec![(None, Passed, "A"), (None, Aborted, "X"), (None, Failed, "B")],
            ["passed: A, ", "FAILED: B, "],
        ),
        (
            vec![(None, Passed, "A"), (second, Failed, "B")],
            ["passed: A, ", "FAILED: B, "],
        ),
    ] {
        let told = rows(&tested_twice(&results), "Short self-test");
        assert_eq!(told.len(), 2, "{told:?}");
        for (told, words) in told.iter().zip(words) {
            assert!(told.starts_with(words) && !told.contains('X'), "{results:?}: {told:?}");
        }
    }
}

/// A playbook has up to 64 steps, and a table fewer rows.
#[test]
fn what_a_long_playbook_came_to_is_told() {
    let short = passed();
    let mut long = short.clone();
    while long.phases.len() < 64 {
        long.phases.insert(5, short.phases[4].clone());
    }
    for name in ["Verified, equal", "Slowest answer in the sweeps", "Hottest", "Engine"] {
        let told = rows(&long, name);
        assert_eq!(told.len(), 1, "{name}");
        assert_eq!(told, rows(&short, name));
    }
    assert_eq!(rows(&long, "Read back and verify").len(), 36);
    assert_eq!(rows(&long, "24 more"), ["in the signed file"]);
}

/// Each step looked through all before it, and through all self-tests for each of those: minutes for one that somebody forged.
#[test]
fn thousands_of_steps_and_self_tests_are_drawn_at_once() {
    let mut job = passed();
    job.timeline.clear();
    let (step, test) = (job.phases[1].clone(), job.self_tests[0].clone());
    job.phases = vec![step; 2_000];
    job.self_tests = vec![SelfTest { step: None, ..test }; 1_200];
    let signed = sign(&job);
    let began = std::time::Instant::now();
    let html = page::html(&signed);
    assert!(began.elapsed().as_secs() < 3, "{:?}", began.elapsed());
    assert!(html.contains("1960 more"));
}

/// A certificate carries the zones of twelve steps, of which the page draws a write and a read-back.
#[test]
fn steps_that_are_not_drawn_take_no_room_from_those_that_are() {
    let charts = |job: &Job| {
        let html = page::html(&sign(job));
        ["Speed over the surface", "How long answers took"].map(|title| html.contains(title))
    };
    let carried = |job: &Job| {
        let signed = sign(job);
        let with_zones = |surface: &&wire::job::Surface| !surface.zones.is_empty();
        let steps = signed.certificate().surface.iter().filter(with_zones);
        steps.map(|surface| surface.step).collect::<Vec<u16>>()
    };
    let mut job = passed();
    let add = |job: &mut Job, phase| {
        let step = job.surface.last().unwrap().step + 1;
        let surface = job.surface[0].clone();
        job.surface.push(wire::job::Surface { phase, step, ..surface });
    };
    for _ in 0..12 {
        add(&mut job, wire::job::Phase::Seek);
    }
    assert_eq!(charts(&job), [true; 2]);
    assert_eq!(carried(&job), [3, 4].into_iter().chain(7..=16).collect::<Vec<_>>());
    // Reads that come later neither take the write's place nor come behind seeks.
    for _ in 0..12 {
        add(&mut job, wire::job::Phase::Verify);
    }
    assert_eq!(charts(&job), [true; 2]);
    assert_eq!(carried(&job), std::iter::once(3).chain(18..=28).collect::<Vec<_>>());
    // A step that was cut off before it measured anything is none to draw.
    add(&mut job, wire::job::Phase::Write);
    job.surface.last_mut().unwrap().zones.clear();
    assert_eq!(carried(&job)[0], 3);
}

#[test]
fn where_a_self_test_failed_is_told() {
    let mut job = tested_twice(&[(Some(1), SelfTestOutcome::Failed, "read failure")]);
    job.self_tests[0].lba = Some(wire::Lba(12_345));
    let told = rows(&job, "Short self-test");
    assert!(
        told[0].starts_with("FAILED: read failure, first at LBA 12345, "),
        "{told:?}"
    );
}

/// Signed before self-tests had the numbers of their steps.
#[test]
fn an_older_certificate_stays_good_and_is_read() {
    let text = include_str!("../fuzz/seeds/certificate/passed.json");
    let certificate: certificate::Certificate = serde_json::from_str(text).unwrap();
    assert_eq!(certificate.self_tests[0].step, None);
    let signed = certificate::Signed::sign(&certificate, &common::key()).unwrap();
    assert!(
        signed.text().contains(text.trim()),
        "what was signed is written otherwise now"
    );
}

#[test]
fn a_job_without_any_figures_still_makes_a_page_and_a_pdf() {
    let mut job = passed();
    job.surface.clear();
    job.timeline.clear();
    job.smart.clear();
    job.phases.clear();
    job.serial = "x".into();
    let signed = sign(&job);
    assert!(page::html(&signed).contains("Burn-in certificate"));
    assert!(certificate::pdf::pdf(&signed).starts_with(b"%PDF-"));
}
