//! `kiln addon validate` as a contract: 0 valid, 2 flawed, 64 usage; every flaw named.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;

use common::{code, kiln, object};

fn wire_case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/cases").join(name)
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn validate(file: &Path, more: &[&str]) -> Output {
    kiln(&["addon", "validate"]).arg(file).args(more).output().unwrap()
}

#[test]
fn valid_manifests_exit_0() {
    for name in ["manifest-vigil.json", "manifest-full.json"] {
        let output = validate(&wire_case(name), &[]);
        assert_eq!(code(&output), 0, "{output:?}");
        assert!(text(&output).contains("valid; pages: "));
    }
    assert_eq!(
        object(&validate(&wire_case("manifest-vigil.json"), &["--json"]))["valid"],
        true
    );
}

#[test]
fn every_flaw_is_printed_and_the_exit_code_is_2() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("manifest.json");
    let bad = r#"{"name":"","version":"1","pages":[{"id":"p","title":"t","components":[{"type":"gauge","id":"g"}]}]}"#;
    std::fs::write(&file, bad).unwrap();
    let output = validate(&file, &[]);
    assert_eq!(code(&output), 2);
    let told = text(&output);
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(
        told.contains("name: \"\"; expected a text of 1 to 128 characters"),
        "{told}"
    );
    assert!(
        told.contains("pages[0].components[0].type: \"gauge\"; expected one of form, progress"),
        "{told}"
    );
    let json = object(&validate(&file, &["--json"]));
    assert_eq!(json["flaws"][1]["path"], "pages[0].components[0].type");

    for (content, says) in [
        (&b"{"[..], "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (
            b"{\"name\":\"caf\xe9\",\"version\":\"1\",\"pages\":[{\"id\":\"p\",\"title\":\"t\"}]}",
            "at byte 12 no UTF-8",
        ),
        (&[b' '; 262_145], "at most 262144 bytes"),
        (&[b' '; 300_000], "more than 262144 bytes"),
        (
            br#"{"name":"a\u001b[31m","version":"1","pages":[{"id":"p","title":"t"}]}"#,
            "without control characters",
        ),
    ] {
        std::fs::write(&file, content).unwrap();
        let output = validate(&file, &[]);
        assert_eq!(code(&output), 2);
        assert!(text(&output).contains(says), "{output:?}");
    }
}

#[test]
fn what_a_manifest_says_gives_the_terminal_no_commands() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("manifest.json");
    for (manifest, exit) in [
        (
            r#"{"name":"a","version":"1\u001b[31m","pages":[{"id":"p","title":"t"}]}"#,
            0,
        ),
        (
            r#"{"name":"a\u001b[2J","version":"1","pages":[{"id":"p","title":"t"}]}"#,
            2,
        ),
        (
            r#"{"name":"a","version":"1","pages":[{"id":"p","title":"t","components":[{"type":"\u009b2J","id":"x"}]}]}"#,
            2,
        ),
    ] {
        std::fs::write(&file, manifest).unwrap();
        let output = validate(&file, &[]);
        assert_eq!(code(&output), exit, "{output:?}");
        let told = text(&output);
        assert!(
            !told
                .trim_end_matches('\n')
                .contains(|c: char| c.is_control() && c != '\n'),
            "{told:?}"
        );
    }
}

#[test]
fn usage_and_a_missing_file_exit_64() {
    assert_eq!(code(&validate(Path::new("/nonexistent/manifest.json"), &[])), 64);
    assert_eq!(code(&kiln(&["addon", "validate"]).output().unwrap()), 64);
    assert_eq!(code(&kiln(&["addon", "sing"]).output().unwrap()), 64);
    let schema = object(&kiln(&["addon", "schema"]).output().unwrap());
    assert_eq!(schema["title"], "Manifest of an add-on");
}
