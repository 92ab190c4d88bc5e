//! Every recorded smartctl document of a real drive, with the verdict that it must lead to (`golden_verdicts.toml`).
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use burnin::Evidence;
use burnin::device::Geometry;
use burnin::playbook::plain;
use burnin::verdict::{Case, Profile, judge};
use drive::smart::parse;
use wire::Bytes;
use wire::job::{Outcome, Phase, PhaseStatus};

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    used: Outcome,
    used_rules: BTreeSet<String>,
    new: Outcome,
    new_rules: BTreeSet<String>,
    why: String,
}

/// A run over the whole surface of a drive of so many bytes, in which nothing was seen.
fn clean(bytes: u64) -> Evidence {
    let geometry = Geometry {
        sectors: bytes / 512,
        sector: 512,
        physical: 512,
    };
    let mut evidence = Evidence::new(geometry, &plain(&[Phase::Write, Phase::Verify]));
    for record in &mut evidence.phases {
        record.status = PhaseStatus::Done;
        record.rounds = 1;
        record.total = Bytes(geometry.bytes());
        record.done = record.total;
    }
    evidence
}

#[test]
fn every_recorded_document_leads_to_its_verdict() {
    let dir = std::env::var_os("KILN_GOLDEN").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden"),
        PathBuf::from,
    );
    let dir = dir.join("smart");
    let expected: BTreeMap<String, Expected> = toml::from_str(include_str!("golden_verdicts.toml")).unwrap();
    let Ok(entries) = std::fs::read_dir(&dir) else {
        use std::io::Write;
        let line = format!("\nNOT RUN: golden SMART documents are not at {}\n", dir.display());
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    };
    let files: BTreeSet<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    let known: BTreeSet<String> = expected.keys().cloned().collect();
    assert_eq!(
        files, known,
        "a document without a verdict, or a verdict without a document"
    );
    let mut wrong = Vec::new();
    for (file, want) in &expected {
        let told = parse(&std::fs::read(dir.join(file)).unwrap()).ok();
        let evidence = clean(told.as_ref().and_then(|told| told.capacity).unwrap_or(512 << 20));
        for (profile, outcome, rules) in [
            (Profile::Used, want.used, &want.used_rules),
            (Profile::New, want.new, &want.new_rules),
        ] {
            let verdict = judge(&Case {
                wants_smart: true,
                before: told.as_ref(),
                after: told.as_ref(),
                profile,
                ..Case::new(&evidence)
            });
            let hits = verdict.rules.iter().filter(|hit| hit.outcome != Outcome::Passed);
            let hits: BTreeSet<String> = hits.map(|hit| hit.id.clone()).collect();
            if (verdict.outcome, &hits) != (outcome, rules) {
                let why = &want.why;
                wrong.push(format!(
                    "{file}, {profile:?}: {:?} {hits:?}, not {outcome:?} {rules:?}: {why}",
                    verdict.outcome
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
