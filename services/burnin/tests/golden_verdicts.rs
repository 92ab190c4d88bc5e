//! Every recorded smartctl document of a real drive, with the verdict that it must lead to (`golden_verdicts.toml`).
#![allow(clippy::unwrap_used, reason = "tests")]

mod recorded;

use std::collections::{BTreeMap, BTreeSet};

use burnin::job::heading;
use burnin::verdict::{Case, Profile, judge};
use drive::smart::parse;
use recorded::{clean, documents};
use wire::job::Outcome;

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    used: Outcome,
    used_rules: BTreeSet<String>,
    new: Outcome,
    new_rules: BTreeSet<String>,
    why: String,
}

#[test]
fn every_recorded_document_leads_to_its_verdict() {
    let expected: BTreeMap<String, Expected> = toml::from_str(include_str!("golden_verdicts.toml")).unwrap();
    let documents = documents();
    if documents.is_empty() {
        return;
    }
    let files: BTreeSet<String> = documents.keys().cloned().collect();
    let known: BTreeSet<String> = expected.keys().cloned().collect();
    assert_eq!(
        files, known,
        "a document without a verdict, or a verdict without a document"
    );
    let mut wrong = Vec::new();
    for (file, want) in &expected {
        let told = parse(&documents[file]).ok();
        let evidence = clean(told.as_ref().and_then(|told| told.capacity).unwrap_or(512 << 20));
        let nothing = burnin::Evidence::new(evidence.geometry, &[]);
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
            let early = heading(&Case {
                before: told.as_ref(),
                profile,
                ..Case::new(&nothing)
            });
            let early: BTreeSet<&str> = early.iter().map(|hit| hit.id.as_str()).collect();
            // A write may clear what waits, and what is missing is known at the end.
            let at_the_end = |id: &str| {
                id.ends_with("-after")
                    || [
                        "smart-unreadable",
                        "smart-without-counters",
                        "smart-without-verdict",
                        "new-unknown",
                    ]
                    .contains(&id)
            };
            let of_before = |hit: &&wire::job::RuleHit| {
                matches!(hit.outcome, Outcome::Warn | Outcome::Failed) && !at_the_end(&hit.id)
            };
            let due: BTreeSet<&str> = verdict
                .rules
                .iter()
                .filter(of_before)
                .map(|hit| hit.id.as_str())
                .collect();
            if told.is_some() && early != due {
                wrong.push(format!("{file}, {profile:?}: heading for {early:?}, not {due:?}"));
            }
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
