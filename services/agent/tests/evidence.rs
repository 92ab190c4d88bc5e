//! What outlives a job, an agent and a store: certificates, what the drive itself tells, and the events of all changes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::fs::FileExt;

use agent::jobs::checkpoints;
use burnin::device::Geometry;
use common::exchange::{foreign_data, in_step, pause, put_at};
use common::{Bench, LARGE, Loop, Seen, outcome};
use wire::command::{Answer, Command};
use wire::drive::Content;
use wire::event::NewEvent;
use wire::job::{Outcome, Phase, PhaseStatus};
use wire::options::PlanOptions;

/// Of a loop device of [`LARGE`].
const GEOMETRY: Geometry = Geometry {
    sectors: (LARGE << 20) / 512,
    sector: 512,
    physical: 512,
};

#[tokio::test]
async fn a_certificate_is_signed_told_and_revoked_when_the_drive_fails_later() {
    let Some(bench) = Bench::with(&[64], true, &["--rate-drive", "30M"]).await else {
        return;
    };
    let first = bench.job("surface").await;
    let job = bench.server.over(first).await;
    assert_eq!(outcome(&job), Outcome::Passed);
    let info = job.certificate.clone().unwrap();
    let text = bench
        .server
        .until("the certificate", |seen| seen.certificates.get(&first).cloned())
        .await;
    let signed = certificate::Signed::parse(&text).unwrap();
    assert_eq!(signed.info(), info);
    assert_eq!(signed.certificate().job, first);
    assert_eq!(signed.certificate().maker.id, "test-box");

    let second = bench.job("surface").await;
    bench
        .server
        .until("the read-back", |seen| {
            let job = seen.jobs.get(&second)?;
            job.phases
                .iter()
                .find(|state| state.phase == Phase::Verify && state.status == PhaseStatus::Running)
                .map(|_| ())
        })
        .await;
    let file = std::fs::File::options()
        .write(true)
        .open(&bench.drives[0].file)
        .unwrap();
    file.write_all_at(&[0x5a; 4096], 62 << 20).unwrap();
    let job = bench.server.over(second).await;
    assert_eq!(outcome(&job), Outcome::Failed, "{:#?}", job.verdict);
    let event = bench.server.event(first, "certificate.revoked").await;
    assert_eq!(event.data["failed_job"], second.to_string());
    let revoked = bench
        .server
        .until("the revocation", |seen| {
            seen.jobs.get(&first)?.certificate.as_ref()?.revoked.clone()
        })
        .await;
    assert_eq!(revoked.job, second);
    let failed = job.certificate.unwrap();
    assert!(failed.revoked.is_none() && failed.key == info.key, "one key for all");

    // A server that has nothing is told all of it again.
    let bench = bench.with_another_server().await;
    let again = bench
        .server
        .until("the certificate again", |seen| seen.certificates.get(&first).cloned())
        .await;
    assert_eq!(again, text);
    let revoked = bench
        .server
        .until("the revocation again", |seen| {
            seen.jobs.get(&first)?.certificate.as_ref()?.revoked.clone()
        })
        .await;
    assert_eq!(revoked.job, second);
}

fn rules(job: &wire::job::Job) -> (Outcome, Vec<&str>) {
    let verdict = job.verdict.as_ref().unwrap();
    (
        verdict.outcome,
        verdict.rules.iter().map(|rule| rule.id.as_str()).collect(),
    )
}

/// Nobody remembers the first half of a job that goes on from its drive alone.
fn went_on_unremembered(job: &wire::job::Job) {
    let told = (Outcome::Warn, vec!["evidence-lost", "resumed"]);
    assert_eq!(rules(job), told, "{:#?}", job.verdict);
}

/// What so many connections told of jobs that were not over.
async fn unfinished(bench: &Bench, connections: usize) -> Vec<Vec<wire::JobId>> {
    let told = |seen: &Seen| (seen.unfinished.len() >= connections).then(|| seen.unfinished.clone());
    bench.server.until("which jobs are not over", told).await
}

fn forget_checkpoint(bench: &Bench, job: wire::JobId) {
    let options = store::Options {
        check: store::Check::InProcess,
        ..store::Options::new(&agent::jobs::tables())
    };
    let store = store::open(&bench.path().join("data"), &options).unwrap().store;
    let key = job.to_string();
    store.write(move |w| checkpoints::delete(w, &key)).wait().unwrap();
    std::fs::remove_dir_all(bench.path().join("run")).unwrap();
}

#[tokio::test]
async fn a_lost_checkpoint_is_made_anew_from_what_the_drive_tells() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    bench.agent.kill();
    forget_checkpoint(&bench, id);
    bench.restart();
    bench.server.event(id, "job.place_recovered").await;
    let job = bench.server.over(id).await;
    assert_eq!(unfinished(&bench, 2).await, [vec![], vec![id]]);
    // What the lost checkpoint knew beside the findings that were told is not known again.
    went_on_unremembered(&job);
    assert_eq!(job.resumes.len(), 1, "{:?}", job.resumes);
    assert!(job.resumes[0].from.0 > 0 || job.resumes[0].phase == Phase::Verify);
}

/// Waits until the first drive's burn-in is offered.
async fn offered(bench: &Bench) -> NewEvent {
    let drive = bench.drives[0].id();
    let offer = |event: &&NewEvent| event.kind == "job.offered" && event.drive.as_ref() == Some(&drive);
    bench
        .server
        .until("the offer", |seen| seen.events.values().find(offer).cloned())
        .await
}

#[tokio::test]
async fn a_burn_in_of_a_lost_store_is_offered_and_goes_on_only_when_it_is_armed_again() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    bench.agent.kill();
    for lost in ["data", "run"] {
        std::fs::remove_dir_all(bench.path().join(lost)).unwrap();
    }
    bench.restart();
    let offered = offered(&bench).await;
    assert_eq!(offered.drive, Some(bench.drives[0].id()));
    assert_eq!(offered.data["job"], id.to_string());
    assert!(offered.message.contains("does not go on by itself"), "{offered:?}");
    assert_eq!(
        unfinished(&bench, 2).await,
        [[]; 2],
        "the server can end what it has of it"
    );
    assert!(
        bench.agent.workers().is_empty(),
        "nothing is written before a person armed it"
    );

    let again = bench.job("surface").await;
    assert_ne!(again, id);
    let job = bench.server.over(again).await;
    went_on_unremembered(&job);
    assert_eq!(job.resumes.len(), 1, "{:?}", job.resumes);
    assert!(
        job.resumes[0].from.0 > 0 || job.resumes[0].phase == Phase::Verify,
        "it went on where the drive says: {:?}",
        job.resumes
    );
}

/// An md superblock of version 0.90 at the drive's end, where the first write comes last. Source: Linux `include/uapi/linux/raid/md_p.h`.
fn join_an_array(drive: &Loop) {
    let file = std::fs::File::options().write(true).open(&drive.file).unwrap();
    let bytes = file.metadata().unwrap().len();
    let mut words = [0_u32; 1024];
    words[..4].copy_from_slice(&[0xa92b_4efc, 0, 90, 0]);
    // UUID, level, size in KiB, disks.
    (words[5], words[7], words[8]) = (0x1111_1111, 1, u32::try_from(bytes >> 10).unwrap() - 64);
    words[9..11].copy_from_slice(&[2, 2]);
    let sum: u64 = words.iter().map(|word| u64::from(*word)).sum();
    words[38] = u32::try_from(sum).unwrap();
    let superblock: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    file.write_all_at(&superblock, (bytes & !0xffff) - (64 << 10)).unwrap();
}

/// An md superblock of version 1.2, 4 KiB behind the drive's beginning, where `mdadm --create` puts it by default and leaves what stands
/// before it. Source: Linux `include/uapi/linux/raid/md_p.h`.
fn join_a_new_array(drive: &Loop) {
    let file = std::fs::File::options().write(true).open(&drive.file).unwrap();
    let sectors = file.metadata().unwrap().len() >> 9;
    let mut block = vec![0_u8; 4096];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &0xa92b_4efc_u32.to_le_bytes());
    put(4, &1_u32.to_le_bytes());
    put(16, &[0x22; 16]);
    // Level, sectors of each disk, disks; where data begin, how long, and where this stands.
    put(72, &1_u32.to_le_bytes());
    put(80, &(sectors - 2048).to_le_bytes());
    put(92, &2_u32.to_le_bytes());
    put(128, &2048_u64.to_le_bytes());
    put(136, &(sectors - 2048).to_le_bytes());
    put(144, &8_u64.to_le_bytes());
    let words = block[..256].as_chunks::<4>().0;
    let sum: u64 = words.iter().map(|word| u64::from(u32::from_le_bytes(*word))).sum();
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    block[216..220].copy_from_slice(&u32::try_from(sum).unwrap().to_le_bytes());
    file.write_all_at(&block, 4096).unwrap();
}

/// Waits until the first drive is told as a member of an array.
async fn member(bench: &Bench) {
    bench
        .server
        .until("the membership", |seen| {
            let refused = seen.drive(&bench.drives[0].id())?.refused.as_ref()?;
            (refused.kind == "md-member").then_some(())
        })
        .await;
}

/// What a person chooses who gives the memberships of all drives up.
fn giving_up(bench: &Bench) -> PlanOptions {
    PlanOptions {
        give_up: bench.ids(),
        ..PlanOptions::default()
    }
}

async fn surface(bench: &Bench, options: PlanOptions) -> wire::JobId {
    let drive = [bench.drives[0].id()];
    bench.server.start_jobs_with(&drive, "surface", options).await[0]
}

/// A burn-in of the first drive, as member of an array, whose box or store is lost in the middle.
async fn lost_of_a_member(bench: &mut Bench) -> wire::JobId {
    member(bench).await;
    let id = surface(bench, giving_up(bench)).await;
    bench.in_the_middle(id).await;
    lose(bench);
    id
}

/// Ends the agent and takes all that it kept.
fn lose(bench: &mut Bench) {
    bench.agent.kill();
    for lost in ["data", "run"] {
        std::fs::remove_dir_all(bench.path().join(lost)).unwrap();
    }
}

/// Its membership was given up, and stands at its end until the first write comes there.
#[tokio::test]
async fn a_lost_burn_in_of_an_arrays_former_disk_is_offered_and_goes_on() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    join_an_array(&bench.drives[0]);
    let id = lost_of_a_member(&mut bench).await;
    bench.restart();
    assert_eq!(offered(&bench).await.data["job"], id.to_string());
    member(&bench).await;
    let again = surface(&bench, giving_up(&bench)).await;
    let job = bench.server.over(again).await;
    went_on_unremembered(&job);
}

/// The mark stood where the first write began: nothing is left to be given up.
#[tokio::test]
async fn a_lost_burn_in_whose_first_write_took_the_mark_goes_on_with_nothing_given_up() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    join_a_new_array(&bench.drives[0]);
    let id = lost_of_a_member(&mut bench).await;
    bench.restart();
    assert_eq!(offered(&bench).await.data["job"], id.to_string());
    let again = surface(&bench, PlanOptions::default()).await;
    let job = bench.server.over(again).await;
    went_on_unremembered(&job);
}

/// It came after the first write, and what the array wrote would be read back as faults of the drive.
#[tokio::test]
async fn a_lost_burn_in_begins_anew_over_a_new_arrays_mark_at_the_drives_beginning() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    join_an_array(&bench.drives[0]);
    let id = lost_of_a_member(&mut bench).await;
    join_a_new_array(&bench.drives[0]);
    put_at(&bench.drives[0], 2 << 20, &foreign_data(64 << 10));
    bench.restart();
    assert_eq!(offered(&bench).await.data["job"], id.to_string());
    member(&bench).await;
    let again = surface(&bench, giving_up(&bench)).await;
    bench.server.event(again, "job.not_gone_on").await;
    let job = bench.server.over(again).await;
    assert_eq!(rules(&job), (Outcome::Passed, vec![]), "{:#?}", job.verdict);
    assert!(job.resumes.is_empty(), "{:?}", job.resumes);
}

/// Whoever armed it agreed to erase that.
#[tokio::test]
async fn a_lost_burn_in_begins_anew_on_a_drive_that_was_put_to_use_since_it_was_offered() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    bench.job_in_the_middle("surface").await;
    lose(&mut bench);
    bench.restart();
    offered(&bench).await;
    let mut table = [0; 512];
    table[440..444].copy_from_slice(&[1, 2, 3, 4]);
    table[446..462].copy_from_slice(&[0, 0x20, 0x21, 0, 0x83, 0x29, 0x28, 8, 0, 8, 0, 0, 0, 0x40, 0, 0]);
    table[510..].copy_from_slice(&[0x55, 0xaa]);
    put_at(&bench.drives[0], 0, &table);
    // Of loop devices the list is a moment old, and a plan that differs from it is void.
    let ids = bench.ids();
    let is_listed = |seen: &Seen| seen.drive(&ids[0])?.content.words().contains("MBR").then_some(());
    bench.server.until("the table to be listed", is_listed).await;
    let again = bench.job("surface").await;
    bench.server.event(again, "job.not_gone_on").await;
    let job = bench.server.over(again).await;
    assert_eq!(rules(&job), (Outcome::Passed, vec![]), "{:#?}", job.verdict);
}

/// The reset of a link, or a drive that spins up.
#[tokio::test]
async fn a_lost_burn_in_is_offered_once_its_drive_can_be_read() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    lose(&mut bench);
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(&bench.drives[0].file)
        .unwrap();
    let ids = bench.ids();
    let mut data = vec![0; usize::try_from(LARGE << 20).unwrap()];
    file.read_exact_at(&mut data, 0).unwrap();
    file.set_len(0).unwrap();
    bench.restart();
    let unreadable = |seen: &Seen| matches!(seen.drive(&ids[0])?.content, Content::Unreadable { .. }).then_some(());
    bench.server.until("the drive to be unreadable", unreadable).await;
    // It is looked at once the agent has settled.
    tokio::time::sleep(std::time::Duration::from_secs(22)).await;
    file.write_all_at(&data, 0).unwrap();
    bench.server.plan(&ids, "surface").await;
    assert_eq!(offered(&bench).await.data["job"], id.to_string());
}

/// A dock that hides the drive's name: its own burn-in waits for it in vain.
#[tokio::test]
async fn a_drive_that_carries_a_waiting_burn_in_by_another_name_is_told() {
    let Some(mut bench) = Bench::new(&[LARGE, LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    pause(&bench, id).await;
    bench.agent.kill();
    let data = std::fs::read(&bench.drives[0].file).unwrap();
    bench.drives[1].exchange_for(&data);
    bench.restart();
    let other = bench.drives[1].id();
    let told = |event: &&NewEvent| event.kind == "job.offered" && event.drive.as_ref() == Some(&other);
    let event = bench
        .server
        .until("the other name", |seen| seen.events.values().find(told).cloned())
        .await;
    assert_eq!(event.data["job"], id.to_string());
    assert!(event.message.contains("by the name that it has elsewhere"), "{event:?}");
}

/// A verdict is an end: no other box, and not this one after the loss of its store, goes on with an aborted burn-in.
#[tokio::test]
async fn an_aborted_burn_in_is_marked_on_its_drive_and_never_offered() {
    let Some(bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    let look = || agent::job::read_header(std::fs::File::open(&bench.drives[0].file).unwrap(), GEOMETRY);
    assert_eq!(look().unwrap().note.job, id.to_string());
    let abort = Command::Abort {
        job: id,
        actor: "ann".into(),
    };
    assert_eq!(bench.server.call(abort).await, Ok(Answer::Aborted));
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Inconclusive, "{:#?}", job.verdict);
    assert_eq!(look(), None, "it is offered");
}

/// Also where the agent was begun anew meanwhile and holds no drive.
#[tokio::test]
async fn a_paused_burn_in_that_is_aborted_after_a_restart_is_marked_on_its_drive() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    let actor = || "ann".to_owned();
    let pause = Command::Pause {
        job: id,
        actor: actor(),
    };
    bench.server.call(pause).await.unwrap();
    bench.agent.kill();
    bench.restart_and_wait().await;
    let abort = Command::Abort {
        job: id,
        actor: actor(),
    };
    assert_eq!(bench.server.call(abort).await, Ok(Answer::Aborted));
    bench.server.over(id).await;
    let drive = std::fs::File::open(&bench.drives[0].file).unwrap();
    assert_eq!(agent::job::read_header(drive, GEOMETRY), None, "it is offered");
}

/// What was told as found stands in the verdict also where no worker and no checkpoint tells it any more.
#[tokio::test]
async fn what_was_found_stands_where_a_job_is_ended_before_its_drive_is_asked_again() {
    let Some(mut bench) = Bench::with(&[64], true, &["--rate-drive", "6M"]).await else {
        return;
    };
    let id = bench.job("surface").await;
    in_step(&bench, id, Phase::Verify).await;
    let disk = std::fs::File::options()
        .write(true)
        .open(&bench.drives[0].file)
        .unwrap();
    disk.write_all_at(&[0x5a; 4096], 40 << 20).unwrap();
    bench
        .server
        .until("the finding", |seen| {
            (!seen.jobs.get(&id)?.findings.is_empty()).then_some(())
        })
        .await;
    let told = bench.server.event(id, "job.failing").await;
    assert_eq!(told.data["lba"], (40 << 20) / 512, "{told:?}");
    assert!(told.message.contains("Read back and verify, at "), "{}", told.message);
    let actor = || "ann".to_owned();
    let pause = Command::Pause {
        job: id,
        actor: actor(),
    };
    bench.server.call(pause).await.unwrap();
    bench.agent.kill();
    forget_checkpoint(&bench, id);
    bench.restart_and_wait().await;
    let abort = Command::Abort {
        job: id,
        actor: actor(),
    };
    assert_eq!(bench.server.call(abort).await, Ok(Answer::Aborted));
    let job = bench.server.over(id).await;
    assert_eq!(outcome(&job), Outcome::Failed, "{:#?}", job.verdict);
    assert_eq!(job.findings[0].lba.unwrap().0, (40 << 20) / 512);
    let told = bench.server.look(|seen| {
        let kinds = seen.events.values().map(|event| event.kind.as_str());
        kinds.filter(|kind| *kind == "job.failing").count()
    });
    assert_eq!(told, 1, "once a job, whatever interrupts it");
}

#[tokio::test]
async fn kills_at_any_moment_leave_as_many_events_as_changes() {
    let Some(mut bench) = Bench::new(&[LARGE]).await else {
        return;
    };
    let id = bench.job_in_the_middle("surface").await;
    for round in 1..=4_usize {
        bench.agent.kill();
        bench.restart();
        // The moment that the resumption is seen is the moment of the next kill: before, while or after it is committed.
        bench
            .server
            .until("it to go on", |seen| {
                let job = seen.jobs.get(&id)?;
                (job.resumes.len() >= round.min(2) || job.state.is_over()).then_some(())
            })
            .await;
    }
    let job = bench.server.over(id).await;
    bench.server.event(id, "job.passed").await;
    let told = bench.server.look(|seen| {
        let resumed = seen.events.values().filter(|event| event.kind == "job.resumed");
        resumed.count()
    });
    assert_eq!(
        told,
        job.resumes.len(),
        "each resumption that is kept is told, and no other"
    );
}
