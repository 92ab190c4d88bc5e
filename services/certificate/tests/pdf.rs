//! The PDF, read by programs that are not ours: qpdf, poppler, zbar.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use certificate::{Revocations, Trust, carrier, check, pdf};
use common::{failed, passed, run, sign};
use wire::Bytes;
use wire::certificate::Standing;
use wire::job::Job;

/// Runs a reader; `None`, told, where it is not installed.
fn reader(program: &str, args: &[&str]) -> Option<Output> {
    run(Command::new(program).args(args))
}

struct File {
    dir: tempfile::TempDir,
    path: PathBuf,
}

fn file(bytes: &[u8]) -> File {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("certificate.pdf");
    fs::write(&path, bytes).unwrap();
    File { dir, path }
}

#[test]
fn it_is_a_sound_pdf_of_the_same_bytes_each_time() {
    for job in [passed(), failed()] {
        let signed = sign(&job);
        let bytes = pdf::pdf(&signed);
        assert_eq!(bytes, pdf::pdf(&signed), "deterministic");
        let file = file(&bytes);
        let Some(output) = reader("qpdf", &["--check", file.path.to_str().unwrap()]) else {
            return;
        };
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(told.contains("No syntax or stream encoding errors"), "{told}");
    }
}

#[test]
fn its_text_says_what_was_signed() {
    for job in [passed(), failed()] {
        let signed = sign(&job);
        let file = file(&pdf::pdf(&signed));
        let Some(output) = reader("pdftotext", &["-layout", file.path.to_str().unwrap(), "-"]) else {
            return;
        };
        let text = String::from_utf8(output.stdout).unwrap();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let verdict = job.verdict.as_ref().unwrap();
        for part in [
            signed.certificate().id.as_str(),
            verdict.outcome.word(),
            &job.model[..4],
            "12 TB",
            "19 November 2026, 14:22 UTC",
            "kiln-bench-2 <Ångström & Söhne>",
            "Read back and verify",
            "Reallocated Sector Ct",
            "Speed over the surface",
            "Temperature and errors over time",
            "9223372036854775807",
        ] {
            assert!(words.contains(part), "{part:?} is not in {words}");
        }
        for group in signed.key().fingerprint().groups().split(' ') {
            assert!(words.contains(group), "{group} is not in {words}");
        }
    }
    let file = file(&pdf::pdf(&sign(&failed())));
    if let Some(output) = reader("pdftotext", &[file.path.to_str().unwrap(), "-"]) {
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("[U+5E8F]"), "what the font has not is named: {text}");
        assert!(text.contains("<script>alert(1)"), "it is text, nothing runs");
        assert!(text.contains("verify-mismatch"), "{text}");
        assert!(text.contains("red: what was found"), "its places are marked: {text}");
    }
}

#[test]
fn its_code_is_read_by_another_program() {
    // Readers guess the letters of names that are no ASCII, unless they are told.
    let strange = ["Seagaté", "Größe", "日本語", "a\u{200b}b", "\u{fffd}"].map(|model| Job {
        model: model.to_owned(),
        ..passed()
    });
    for job in [passed(), failed()].into_iter().chain(strange) {
        let signed = sign(&job);
        let file = file(&pdf::pdf(&signed));
        let stem = file.dir.path().join("page");
        let (pdf, stem) = (file.path.to_str().unwrap(), stem.to_str().unwrap());
        let Some(_) = reader("pdftoppm", &["-r", "150", "-gray", "-png", pdf, stem]) else {
            return;
        };
        let mut found = false;
        for page in fs::read_dir(file.dir.path()).unwrap().map(|e| e.unwrap().path()) {
            if page.extension().is_none_or(|e| e != "png") {
                continue;
            }
            let Some(output) = reader("zbarimg", &["--raw", "-q", page.to_str().unwrap()]) else {
                return;
            };
            found |= String::from_utf8_lossy(&output.stdout).trim_end() == signed.stamp().text();
        }
        assert!(
            found,
            "{}: no page shows the code, printed at 150 dots an inch",
            job.model
        );
    }
}

#[test]
fn the_signed_file_hangs_on_it() {
    let signed = sign(&passed());
    let bytes = pdf::pdf(&signed);
    assert_eq!(carrier::open(&bytes).unwrap().text, signed.text());
    let file = file(&bytes);
    let out = file.dir.path().join("out.json");
    let args = ["-save", "1", "-o", out.to_str().unwrap(), file.path.to_str().unwrap()];
    if reader("pdfdetach", &args).is_some() {
        assert_eq!(fs::read_to_string(out).unwrap(), signed.text());
    }
}

/// A drive that dies in its first zone, and one that tells its temperature at every second look.
#[test]
fn what_was_measured_without_a_neighbour_is_drawn() {
    let mut job = failed();
    for surface in &mut job.surface {
        surface.zones.iter_mut().skip(1).for_each(|zone| *zone = Bytes(0));
        surface.latencies.clear();
    }
    for point in &mut job.timeline {
        point.bad_sectors = 0;
    }
    for point in job.timeline.iter_mut().skip(1).step_by(2) {
        point.temperature = None;
    }
    let file = file(&pdf::pdf(&sign(&job)));
    let plain = file.dir.path().join("plain.pdf");
    let args = [
        "--qdf",
        "--object-streams=disable",
        file.path.to_str().unwrap(),
        plain.to_str().unwrap(),
    ];
    if reader("qpdf", &args).is_none() {
        return;
    }
    let plain = String::from_utf8_lossy(&fs::read(plain).unwrap()).into_owned();
    let dots = plain.lines().filter(|line| line.ends_with(" 1.6 1.6 re")).count();
    assert_eq!(dots, 2 + 200, "two surfaces, half of 400 temperatures");
}

/// As the web page of a box sends it.
#[test]
fn it_is_checked_as_text_too() {
    let signed = sign(&passed());
    let url = |bytes: &[u8]| format!("data:application/pdf;base64,{}", STANDARD.encode(bytes));
    let now = signed.certificate().made;
    let told = |text: &str| check(text, &Trust::none(), now, Revocations::Unknown);
    let bytes = pdf::pdf(&signed);
    assert_eq!(told(&url(&bytes)), told(signed.text()));
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 1;
    for bad in [
        &url(&changed),
        "data:application/pdf;base64,%",
        &url(b"%PDF-1.7"),
        &url(signed.text().as_bytes()),
    ] {
        assert_eq!(told(bad).standing, Standing::Bad, "{bad}");
    }
    // It is neither damaged nor forged.
    let read_as_text = told(&String::from_utf8_lossy(&bytes));
    assert!(read_as_text.told.starts_with("This is a PDF"), "{}", read_as_text.told);
}

#[test]
fn a_changed_pdf_is_told() {
    let bytes = pdf::pdf(&sign(&passed()));
    for at in (0..bytes.len()).step_by(bytes.len() / 150) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(
            carrier::open(&changed).is_err() || !changed.starts_with(b"%PDF-"),
            "byte {at}"
        );
    }
    assert!(carrier::open(b"%PDF-1.7\nnothing").is_err());
}
