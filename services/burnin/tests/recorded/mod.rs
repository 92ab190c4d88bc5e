//! The recorded smartctl documents of real drives, and a run in which nothing but SMART can tell anything.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burnin::Evidence;
use burnin::device::Geometry;
use burnin::playbook::plain;
use wire::Bytes;
use wire::job::{Phase, PhaseStatus};

/// Each document's bytes by its file's name; empty, and told, where they are not there.
pub(crate) fn documents() -> BTreeMap<String, Vec<u8>> {
    let golden = std::env::var_os("KILN_GOLDEN").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden"),
        PathBuf::from,
    );
    let dir = golden.join("smart");
    let Ok(entries) = std::fs::read_dir(&dir) else {
        rig::not_run(&format!("golden SMART documents are not at {}", dir.display()));
        return BTreeMap::new();
    };
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let bytes = std::fs::read(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), bytes)
        })
        .collect()
}

/// A run over the whole surface of a drive of so many bytes, in which nothing was seen.
pub(crate) fn clean(bytes: u64) -> Evidence {
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
