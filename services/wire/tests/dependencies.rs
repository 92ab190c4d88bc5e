//! Dependencies between our packages point one way; `cargo metadata` is the witness.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Which of our packages each may use outside its tests. `server` never links `drive` or `burnin`;
/// `supervisor` and `image` know nothing but `wire` and `bundle`, and `image` the words of its own test probe.
const ALLOWED: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("settings", &[]),
    ("link", &["wire"]),
    ("descriptors", &[]),
    ("store", &["wire", "descriptors"]),
    ("smart", &["wire"]),
    ("health", &["wire", "store", "smart"]),
    ("certificate", &["wire"]),
    ("bundle", &[]),
    ("notify", &["wire", "store", "link"]),
    ("drive", &["wire", "smart"]),
    ("burnin", &["wire", "drive", "descriptors"]),
    (
        "agent",
        &["wire", "settings", "link", "store", "certificate", "drive", "burnin"],
    ),
    (
        "server",
        &[
            "wire",
            "settings",
            "link",
            "store",
            "certificate",
            "notify",
            "bundle",
            "health",
        ],
    ),
    (
        "cli",
        &["wire", "link", "store", "certificate", "drive", "burnin", "bundle"],
    ),
    ("host-load", &["wire", "link"]),
    ("supervisor", &["wire", "bundle"]),
    ("image", &["wire", "bundle", "probe"]),
    ("played", &[]),
    ("probe", &["wire"]),
    ("packaging", &["image"]),
    ("rig", &[]),
];

/// What `cargo metadata` tells of our packages.
fn packages() -> Vec<serde_json::Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn our_packages_depend_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in &packages() {
        let name = package["name"].as_str().unwrap();
        let Some(may) = allowed.get(name) else {
            wrong.push(format!("{name} stands in no row of this test"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            let ours = allowed.contains_key(other) && dependency["path"].is_string();
            if ours && dependency["kind"].is_null() && !may.contains(&other) {
                wrong.push(format!("{name} uses {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// One that nothing uses is looked up, updated and explained for nothing.
#[test]
fn what_the_workspace_names_is_used() {
    let workspace = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml")).unwrap();
    let table = workspace.split("[workspace.dependencies]").nth(1).unwrap();
    let named = table.lines().take_while(|line| !line.starts_with('['));
    let named: BTreeSet<&str> = named.filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
    assert!(named.len() > 50, "{named:?}");
    let used: BTreeSet<String> = packages()
        .iter()
        .flat_map(|package| package["dependencies"].as_array().unwrap().clone())
        .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
        .collect();
    let unused: Vec<&&str> = named.iter().filter(|name| !used.contains(**name)).collect();
    assert!(unused.is_empty(), "no package uses {unused:?}");
}
