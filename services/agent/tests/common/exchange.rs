//! Another disk in a drive's place, and what waits meanwhile.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use wire::JobId;
use wire::job::{JobState, Phase, PhaseStatus};

use super::{Bench, Loop};

/// A smartctl that answers nothing, and only once `go` lies beside it.
pub fn held_smartctl(dir: &Path) -> PathBuf {
    let go = dir.join("go");
    script(
        dir,
        &format!("while [ ! -e {} ]; do sleep 0.1; done\nexit 1", go.display()),
    )
}

pub fn script(dir: &Path, text: &str) -> PathBuf {
    let program = dir.join("smartctl");
    let script = format!("#!/bin/sh\n{text}\n");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    program
}

/// Bytes of a raw database or a bare dm-crypt: without any signature, and nowhere zero.
pub fn foreign_data(length: u64) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut data = Vec::new();
    while (data.len() as u64) < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        data.extend_from_slice(&(state | 1).to_le_bytes());
    }
    data
}

pub async fn waiting(bench: &Bench, id: JobId) -> String {
    bench
        .server
        .until("the job to wait", |seen| match &seen.jobs.get(&id)?.state {
            JobState::Waiting { why } if why != "the agent stops" => Some(why.clone()),
            state => {
                assert!(!state.is_over(), "{:#?}", seen.jobs[&id]);
                None
            }
        })
        .await
}

pub fn is_untouched(drive: &Loop, data: &[u8]) -> bool {
    std::fs::read(&drive.file).unwrap() == data
}

/// A playbook of a person's own, below the bench's directory.
pub fn own_playbook(dir: &Path, text: &str) -> String {
    let books = dir.join("books");
    std::fs::create_dir(&books).unwrap();
    std::fs::write(books.join("mine.toml"), text).unwrap();
    books.to_str().unwrap().to_owned()
}

/// Puts other data below a drive whose worker has it open.
pub fn put_below(drive: &Loop, data: &[u8]) {
    let mut disk = std::fs::File::options().write(true).open(&drive.file).unwrap();
    std::io::Write::write_all(&mut disk, data).unwrap();
    disk.sync_all().unwrap();
}

pub async fn in_step(bench: &Bench, id: JobId, wanted: Phase) {
    bench
        .server
        .until("the step", |seen| {
            let job = seen.jobs.get(&id)?;
            assert!(!job.state.is_over(), "{job:#?}");
            let mut phases = job.phases.iter();
            phases
                .find(|state| state.phase == wanted && state.status == PhaseStatus::Running)
                .map(|_| ())
        })
        .await;
}
