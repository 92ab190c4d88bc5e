//! Another disk in a drive's place, and what waits meanwhile.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use wire::JobId;
use wire::command::{Answer, Command};
use wire::job::{JobState, Phase, PhaseStatus};

use super::{Bench, Loop};

/// A smartctl that answers nothing, and only once `go` lies beside it.
pub(crate) fn held_smartctl(dir: &Path) -> PathBuf {
    let go = dir.join("go");
    script(
        dir,
        &format!("while [ ! -e {} ]; do sleep 0.1; done\nexit 1", go.display()),
    )
}

/// Lets [`held_smartctl`] go on.
pub(crate) fn let_go(dir: &Path) {
    std::fs::write(dir.join("go"), "").unwrap();
}

/// A bench of one drive of 64 MiB, whose smartctl is held, with `text` as the playbook `mine`; `None` where there is none here.
pub(crate) async fn held(dir: &Path, text: &str) -> Option<Bench> {
    let program = held_smartctl(dir);
    let books = own_playbook(dir, text);
    let arguments = ["--smartctl", program.to_str().unwrap(), "--playbooks", &books];
    Bench::with(&[64], true, &arguments).await
}

/// One pass between two looks at SMART.
pub(crate) const SMART_AROUND: &str = r#"
name = "mine"
about = "SMART around one pass"
[[step]]
do = "smart_before"
[[step]]
do = "write"
[[step]]
do = "verify"
[[step]]
do = "smart_after"
"#;

/// "ann" pauses a job, and is told that it is.
pub(crate) async fn pause(bench: &Bench, job: JobId) {
    let actor = "ann".to_owned();
    let answer = bench.server.call(Command::Pause { job, actor }).await;
    assert!(matches!(answer, Ok(Answer::Done { .. })), "{answer:?}");
}

/// "bob" ends a job, and is told that it is.
pub(crate) async fn abort(bench: &Bench, job: JobId) {
    let actor = "bob".to_owned();
    let answer = bench.server.call(Command::Abort { job, actor }).await;
    assert_eq!(answer, Ok(Answer::Aborted));
}

pub(crate) fn script(dir: &Path, text: &str) -> PathBuf {
    let program = dir.join("smartctl");
    let script = format!("#!/bin/sh\n{text}\n");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    program
}

/// Bytes of a raw database or a bare dm-crypt: without any signature, and nowhere zero.
pub(crate) fn foreign_data(length: u64) -> Vec<u8> {
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

pub(crate) async fn waiting(bench: &Bench, id: JobId) -> String {
    bench
        .server
        .until("the job to wait", |seen| match &seen.jobs.get(&id)?.state {
            JobState::Waiting { why } if why != "the agent stops" && !why.starts_with("taken up again") => {
                Some(why.clone())
            }
            state => {
                assert!(!state.is_over(), "{:#?}", seen.jobs[&id]);
                None
            }
        })
        .await
}

pub(crate) fn is_untouched(drive: &Loop, data: &[u8]) -> bool {
    std::fs::read(&drive.file).unwrap() == data
}

/// A playbook of a person's own, below the bench's directory.
pub(crate) fn own_playbook(dir: &Path, text: &str) -> String {
    let books = dir.join("books");
    std::fs::create_dir(&books).unwrap();
    std::fs::write(books.join("mine.toml"), text).unwrap();
    books.to_str().unwrap().to_owned()
}

/// Puts other data below a drive whose worker has it open.
pub(crate) fn put_below(drive: &Loop, data: &[u8]) {
    write_below(drive, data).sync_all().unwrap();
}

/// Puts data at one place of a drive, from this byte on, by whatever way: what stood there.
pub(crate) fn put_at(drive: &Loop, at: u64, data: &[u8]) -> Vec<u8> {
    use std::os::unix::fs::FileExt;

    let disk = std::fs::File::options()
        .read(true)
        .write(true)
        .open(&drive.file)
        .unwrap();
    let mut before = vec![0; data.len()];
    disk.read_exact_at(&mut before, at).unwrap();
    disk.write_all_at(data, at).unwrap();
    disk.sync_all().unwrap();
    before
}

/// The same, and does not wait for the disk below: what reads the file afterwards gets it all the same.
pub(crate) fn write_below(drive: &Loop, data: &[u8]) -> std::fs::File {
    let mut disk = std::fs::File::options().write(true).open(&drive.file).unwrap();
    std::io::Write::write_all(&mut disk, data).unwrap();
    disk
}

/// Waits until nothing is under way on the drive, nor begun for some looks.
pub(crate) async fn standstill(drive: &Loop) {
    let name = drive.node.file_name().unwrap().to_str().unwrap();
    let path = format!("/sys/block/{name}/stat");
    let (mut before, mut still): (Vec<String>, u32) = (Vec::new(), 0);
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(90);
    while still < 4 {
        assert!(std::time::Instant::now() < limit, "it is still written: {before:?}");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let told = std::fs::read_to_string(&path).unwrap();
        // Source: Documentation/block/stat.rst, the fifth to eighth are of writes, "in_flight" is the ninth. The agent goes on
        // to look at what stands on the drive, so reads tell nothing.
        let words: Vec<&str> = told.split_ascii_whitespace().collect();
        let idle = words.get(8) == Some(&"0");
        let now: Vec<String> = words[4..8].iter().map(ToString::to_string).collect();
        still = if idle && now == before { still + 1 } else { 0 };
        before = now;
    }
}

/// Whether another box would find a burn-in on it to go on with.
pub(crate) fn offers_a_job(drive: &Loop) -> bool {
    let file = std::fs::File::open(&drive.node).unwrap();
    let sectors = std::fs::metadata(&drive.file).unwrap().len() / 512;
    let io = burnin::worker::Io {
        backend: burnin::worker::Backend::Sync,
        ..burnin::worker::Io::default()
    };
    let (mut device, _) = burnin::device::open(file, io).unwrap();
    // What a loop device tells of its sectors depends on what lies below it.
    [512, 4096].into_iter().any(|physical| {
        let geometry = burnin::device::Geometry {
            sectors,
            sector: 512,
            physical,
        };
        burnin::header::find(device.as_mut(), geometry).is_some()
    })
}

pub(crate) async fn in_step(bench: &Bench, id: JobId, wanted: Phase) {
    step_is(bench, id, wanted, PhaseStatus::Running).await;
}

/// Whoever has a drive open for writing keeps its partition waiting for a while.
pub(crate) fn kept_waiting(node: &Path) -> std::fs::File {
    std::fs::File::options().read(true).write(true).open(node).unwrap()
}

/// Waits until a step of a job that goes on has come so far.
pub(crate) async fn step_is(bench: &Bench, id: JobId, wanted: Phase, status: PhaseStatus) {
    bench
        .server
        .until("the step", |seen| {
            let job = seen.jobs.get(&id)?;
            assert!(!job.state.is_over(), "{job:#?}");
            let mut phases = job.phases.iter();
            phases
                .find(|state| state.phase == wanted && state.status == status)
                .map(|_| ())
        })
        .await;
}
