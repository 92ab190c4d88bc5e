//! Another disk behind the name of the one that was armed, as in a dock: nothing is written to it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use agent::jobs::checkpoints;
use agent::record::Record;
use common::exchange::{
    abort, foreign_data, held_smartctl, in_step, is_untouched, let_go, own_playbook, pause, put_at, script, waiting,
};
use common::{Bench, LARGE, Loop, outcome};
use wire::command::{Answer, Command};
use wire::job::{Job, Outcome, Phase, PhaseStatus};
use wire::{Bytes, JobId};

/// Another disk comes into the drive's place; returns what is on it.
fn another_disk(drive: &Loop) -> Vec<u8> {
    let data = foreign_data(std::fs::metadata(&drive.file).unwrap().len());
    drive.exchange_for(&data);
    data
}

/// Takes the job's checkpoint out of the store, changes its record, and forgets the copies in RAM.
fn change(bench: &Bench, job: JobId, checkpoint: impl Fn(&str) -> Option<String>, record: impl Fn(&mut Record)) {
    let options = store::Options {
        check: store::Check::InProcess,
        ..store::Options::new(&agent::jobs::tables())
    };
    let store = store::open(&bench.path().join("data"), &options).unwrap().store;
    let records = store::Table::<String, Record>::new("jobs");
    let key = job.to_string();
    let text = store.read(|r| checkpoints::get(r, &key)).unwrap().unwrap();
    let mut kept = store.read(|r| records.get(r, &key)).unwrap().unwrap();
    record(&mut kept);
    let text = checkpoint(&text);
    let put = store.write(move |w| {
        match &text {
            Some(text) => checkpoints::put(w, &key, text)?,
            None => checkpoints::delete(w, &key)?,
        }
        records.put(w, &key, &kept)
    });
    put.wait().unwrap();
    std::fs::remove_dir_all(bench.path().join("run")).unwrap();
}

#[tokio::test]
async fn a_job_that_has_written_nothing_does_not_begin_on_another_disk() {
    let dir = tempfile::tempdir().unwrap();
    let program = held_smartctl(dir.path());
    let arguments = ["--smartctl", program.to_str().unwrap()];
    let Some(mut bench) = Bench::with(&[64], true, &arguments).await else {
        return;
    };
    with_a_file_system(&bench).await;
    let armed = std::fs::read(&bench.drives[0].file).unwrap();
    let id = bench.job("standard").await;
    in_step(&bench, id, Phase::SmartBefore).await;
    bench.agent.kill();
    let data = another_disk(&bench.drives[0]);
    std::fs::write(dir.path().join("go"), "").unwrap();
    bench.restart();
    let why = waiting(&bench, id).await;
    assert!(why.contains("ext4") && why.contains("arm it again"), "{why}");
    assert!(is_untouched(&bench.drives[0], &data), "another disk was written");

    // The one that was armed comes back: that is the job's.
    bench.agent.kill();
    bench.drives[0].exchange_for(&armed);
    bench.restart();
    let job = bench.server.over(id).await;
    assert_eq!(job.verdict.as_ref().unwrap().verified, job.capacity, "{job:#?}");
}

/// Makes one on the first drive, and waits until the agent has seen it.
async fn with_a_file_system(bench: &Bench) {
    bench.drives[0].mkfs();
    bench
        .server
        .until("the file system", |seen| {
            let drive = seen.drive(&bench.drives[0].id())?;
            matches!(drive.content, wire::drive::Content::Found { .. }).then_some(())
        })
        .await;
}

/// A job stands in SMART before on a drive with a file system; with the directory of its smartctl.
async fn before_its_first_write() -> Option<(Bench, JobId, tempfile::TempDir)> {
    let dir = tempfile::tempdir().unwrap();
    let program = held_smartctl(dir.path());
    let bench = Bench::with(&[64], true, &["--smartctl", program.to_str().unwrap()]).await?;
    with_a_file_system(&bench).await;
    let id = bench.job("standard").await;
    in_step(&bench, id, Phase::SmartBefore).await;
    Some((bench, id, dir))
}

/// Where a file of a file system may lie: it changes no signature.
const AMIDST: u64 = 40 << 20;

/// What is compared at the start was forgotten until the first write, which comes minutes to days later.
#[tokio::test]
async fn what_was_put_on_a_drive_between_its_start_and_the_first_write_is_not_erased() {
    let Some((bench, id, dir)) = before_its_first_write().await else {
        return;
    };
    put_at(&bench.drives[0], AMIDST, &foreign_data(4 << 20));
    let data = std::fs::read(&bench.drives[0].file).unwrap();
    let_go(dir.path());
    let job = bench.server.over(id).await;
    assert!(is_untouched(&bench.drives[0], &data), "it was written");
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
    let summary = job.verdict.unwrap().summary;
    assert!(summary.contains("something wrote to Loop device"), "{summary}");
}

#[tokio::test]
async fn what_was_put_on_a_drive_while_its_agent_was_away_before_the_first_write_is_not_erased() {
    let Some((mut bench, id, dir)) = before_its_first_write().await else {
        return;
    };
    bench.agent.kill();
    let before = put_at(&bench.drives[0], AMIDST, &foreign_data(4 << 20));
    let data = std::fs::read(&bench.drives[0].file).unwrap();
    let_go(dir.path());
    bench.restart();
    let why = waiting(&bench, id).await;
    assert!(
        why.contains("something wrote to") && why.contains("arm it again"),
        "{why}"
    );
    assert!(is_untouched(&bench.drives[0], &data), "it was written");

    // As it was armed it is the job's.
    bench.agent.kill();
    put_at(&bench.drives[0], AMIDST, &before);
    bench.restart();
    let job = bench.server.over(id).await;
    assert_eq!(job.verdict.as_ref().unwrap().verified, job.capacity, "{job:#?}");
}

/// It had been told that nothing of it is erased, and to abort the job.
#[tokio::test]
async fn a_job_that_waits_behind_somebodys_file_system_leaves_it_when_it_is_aborted() {
    let Some(mut bench) = Bench::new(&[512]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    bench.agent.kill();
    bench.drives[0].mkfs_beside();
    let data = std::fs::read(&bench.drives[0].file).unwrap();
    bench.restart();
    let why = waiting(&bench, id).await;
    assert!(why.contains("ext4") && why.contains("nothing of it is erased"), "{why}");
    abort(&bench, id).await;
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
    assert!(is_untouched(&bench.drives[0], &data), "it was marked");
}

/// Two blank disks of one size in one dock: neither name nor content tells them apart, the kernel's count of media does.
#[tokio::test]
async fn a_job_that_has_written_nothing_does_not_begin_on_a_disk_that_is_counted_anew() {
    let dir = tempfile::tempdir().unwrap();
    let program = held_smartctl(dir.path());
    let arguments = ["--smartctl", program.to_str().unwrap()];
    let Some(mut bench) = Bench::counted(64, &arguments).await else {
        return;
    };
    let id = bench.job("standard").await;
    in_step(&bench, id, Phase::SmartBefore).await;
    bench.agent.kill();
    std::fs::write(dir.path().join("go"), "").unwrap();
    // The next agent reads the kernel's own count.
    bench.restart();
    let why = waiting(&bench, id).await;
    assert!(
        why.contains("exchanged or reset since") && why.contains("arm it again"),
        "{why}"
    );
    assert!(bench.drives[0].is_blank(), "it was written");
}

/// Where its headers have given way to a constant a blank disk looks like the job's: it gets no partition and no verdict.
#[tokio::test]
async fn a_blank_disk_is_not_what_a_job_of_zeros_left() {
    let text = r#"
name = "mine"
about = "zeros, a self-test, a partition"
[[step]]
do = "probe"
[[step]]
do = "write"
pattern = "00"
[[step]]
do = "verify"
[[step]]
do = "self_test_short"
[[step]]
do = "partition"
"#;
    for is_exchanged in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let program = held_smartctl(dir.path());
        let books = own_playbook(dir.path(), text);
        let arguments = ["--smartctl", program.to_str().unwrap(), "--playbooks", &books];
        // The next agent reads the kernel's own count.
        let bench = match is_exchanged {
            true => Bench::counted(64, &arguments).await,
            false => Bench::with(&[64], true, &arguments).await,
        };
        let Some(mut bench) = bench else { return };
        let id = bench.job("mine").await;
        in_step(&bench, id, Phase::SelfTestShort).await;
        bench.agent.kill();
        let zeros = vec![0; 64 << 20];
        if is_exchanged {
            bench.drives[0].exchange_for(&zeros);
        }
        let_go(dir.path());
        bench.restart();
        if is_exchanged {
            let why = waiting(&bench, id).await;
            assert!(why.contains("exchanged or reset since"), "{why}");
            assert!(is_untouched(&bench.drives[0], &zeros), "another disk was written");
        } else {
            let job = bench.server.over(id).await;
            assert_eq!(job.verdict.as_ref().unwrap().verified, job.capacity, "{job:#?}");
            assert!(!is_untouched(&bench.drives[0], &zeros), "it has no partition");
        }
    }
}

/// A record as it is before the first checkpoint.
fn never_kept(record: &mut Record) {
    record.saved = false;
    for state in &mut record.job.phases {
        state.status = PhaseStatus::Pending;
        state.bytes = Bytes(0);
    }
}

/// Its headers prove nothing where the drive was reset while they were written, and are marked all the same: another box would offer to
/// go on with them.
#[tokio::test]
async fn a_job_in_doubt_that_is_aborted_after_a_restart_is_marked_on_its_drive() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    pause(&bench, id).await;
    bench.agent.kill();
    let in_doubt = |record: &mut Record| {
        never_kept(record);
        record.doubted = true;
    };
    change(&bench, id, |_| None, in_doubt);
    bench.restart_and_wait().await;
    abort(&bench, id).await;
    bench.server.over(id).await;
    let geometry = burnin::device::Geometry {
        sectors: (LARGE << 20) / 512,
        sector: 512,
        physical: 512,
    };
    let drive = std::fs::File::open(&bench.drives[0].file).unwrap();
    assert_eq!(agent::job::read_header(drive, geometry), None, "it is offered");
}

#[tokio::test]
async fn a_job_whose_first_checkpoint_was_never_kept_goes_on_by_its_own_header_alone() {
    let Some(mut bench) = Bench::new(&[512]).await else {
        return;
    };
    with_a_file_system(&bench).await;
    let id = bench.job_in_the_middle("surface").await;
    bench.agent.kill();
    change(&bench, id, |_| None, never_kept);
    bench.restart();
    let job = bench.server.over(id).await;
    // It goes on from what the drive tells, and how that was written nobody knows any more.
    assert_eq!(outcome(&job), Outcome::Warn, "{:#?}", job.verdict);
    let verdict = job.verdict.unwrap();
    assert_eq!(verdict.rules[0].id, "evidence-lost");
    assert_eq!(verdict.verified, job.capacity);
}

#[tokio::test]
async fn a_lost_or_damaged_checkpoint_lets_nothing_be_written_to_another_disk() {
    for damaged in [true, false] {
        let Some(mut bench) = Bench::new(&[512]).await else {
            return;
        };
        let id = bench.job_in_the_middle("surface").await;
        bench.agent.terminate().await;
        let cut = |text: &str| damaged.then(|| text[..text.len() - 7].to_owned());
        change(&bench, id, cut, |_| {});
        let data = another_disk(&bench.drives[0]);
        bench.restart();
        let job: Job = bench.server.over(id).await;
        assert!(is_untouched(&bench.drives[0], &data), "damaged {damaged}: written");
        assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
        let summary = job.verdict.unwrap().summary;
        assert!(summary.contains("no header of this job"), "{summary}");
    }
}

#[tokio::test]
async fn a_drive_that_smartctl_calls_another_one_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let other = r#"printf '{"smartctl":{"exit_status":0,"version":[7,4]},"device":{"name":"x","type":"sat","protocol":"ATA"},"serial_number":"SOMEBODY-ELSES","smart_status":{"passed":true},"ata_smart_attributes":{"table":[{"id":5,"name":"Reallocated_Sector_Ct","value":100,"worst":100,"thresh":10,"flags":{"prefailure":true},"raw":{"value":0,"string":"0"}}]}}'"#;
    let program = script(dir.path(), other);
    let arguments = ["--smartctl", program.to_str().unwrap()];
    // One that asks for SMART first, and one whose first question is the start of a self-test.
    for playbook in ["standard", "thorough"] {
        let Some(bench) = Bench::with(&[64], true, &arguments).await else {
            return;
        };
        let id = bench.job(playbook).await;
        let job = bench.server.over(id).await;
        assert!(bench.drives[0].is_blank(), "{playbook}: written");
        assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
        let summary = job.verdict.unwrap().summary;
        assert!(
            summary.contains("SOMEBODY-ELSES") && summary.contains("arm it again"),
            "{summary}"
        );
    }
}

/// A pause is when a person opens the dock. The worker stays with its descriptor meanwhile, and the dock goes on to answer
/// with its own name.
#[tokio::test]
async fn a_disk_that_comes_into_its_place_during_a_pause_is_not_written() {
    let Some(bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    let actor = || "ann".to_owned();
    let paused = bench
        .server
        .call(Command::Pause {
            job: id,
            actor: actor(),
        })
        .await;
    assert!(matches!(paused, Ok(Answer::Done { .. })), "{paused:?}");
    assert_eq!(waiting(&bench, id).await, "paused by ann");
    // What was under way when it was held ends.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let file = &bench.drives[0].file;
    let data = foreign_data(std::fs::metadata(file).unwrap().len());
    let mut disk = std::fs::File::options().write(true).open(file).unwrap();
    std::io::Write::write_all(&mut disk, &data).unwrap();
    disk.sync_all().unwrap();
    drop(disk);
    let resumed = bench
        .server
        .call(Command::Resume {
            job: id,
            actor: actor(),
        })
        .await;
    assert!(matches!(resumed, Ok(Answer::Done { .. })), "{resumed:?}");
    let job = bench.server.over(id).await;
    assert!(
        is_untouched(&bench.drives[0], &data),
        "the other disk was written: {job:#?}"
    );
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
    let summary = job.verdict.unwrap().summary;
    assert!(summary.contains("another drive"), "{summary}");
}
