#![allow(clippy::unwrap_used, reason = "tests")]
use store::{Check, Options};
use wire::job::JobState;

use super::*;
use crate::record::tests::record;

pub(super) fn open(dir: &Path, copies: &Path) -> Jobs {
    let options = Options {
        check: Check::InProcess,
        ..Options::new(&tables())
    };
    Jobs::new(store::open(dir, &options).unwrap().store, dir, Some(copies))
}

#[test]
fn a_job_and_its_checkpoint_come_back() {
    let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut record = record();
    {
        let jobs = open(dir.path(), ram.path());
        jobs.save(&mut record, None, &[]).wait().unwrap();
        jobs.save(&mut record, Some("one"), &[]).wait().unwrap();
        jobs.save(&mut record, None, &[]).wait().unwrap();
    }
    let kept = open(dir.path(), ram.path()).load().unwrap();
    assert_eq!(
        kept,
        [Kept {
            record,
            checkpoint: Some("one".into())
        }]
    );
}

#[test]
fn a_checkpoint_alone_leaves_the_record_on_the_medium_and_the_copy_has_both() {
    let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut record = record();
    {
        let jobs = open(dir.path(), ram.path());
        jobs.save(&mut record, Some("one"), &[]).wait().unwrap();
        record.job.bad_sectors = 7;
        jobs.save_checkpoint(&mut record, "two", false).wait().unwrap();
    }
    // A power cut takes the copy: the newest checkpoint stands with the record as it was written last.
    let none = tempfile::tempdir().unwrap();
    let kept = open(dir.path(), none.path()).load().unwrap();
    assert_eq!(
        (kept[0].checkpoint.as_deref(), kept[0].record.job.bad_sectors),
        (Some("two"), 0)
    );
    let kept = open(dir.path(), ram.path()).load().unwrap();
    assert_eq!((kept[0].checkpoint.as_deref(), &kept[0].record), (Some("two"), &record));
}

#[test]
fn the_newest_checkpoint_is_read_back_whole_whichever_part_of_it_changed() {
    let (dir, none) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut record = record();
    for text in [
        "one\nstep 1",
        "two\nstep 1",
        "three\nstep 2",
        "three\nstep 3",
        "four",
        "",
        "five\n",
    ] {
        let jobs = open(dir.path(), none.path());
        jobs.save_checkpoint(&mut record, text, false).wait().unwrap();
        jobs.save(&mut record, None, &[]).wait().unwrap();
        drop(jobs);
        fs::remove_dir_all(none.path()).unwrap();
        let kept = open(dir.path(), none.path()).load().unwrap();
        assert_eq!(kept[0].checkpoint.as_deref(), Some(text));
    }
}

/// Bytes that the store's writer had handed to its medium so far, as the kernel counts them of that thread alone. What the file system
/// writes for itself is not in it, and differs with the kernel.
fn written(jobs: &Jobs) -> u64 {
    let asked = jobs
        .store()
        .write(|_| Ok(fs::read_to_string("/proc/thread-self/io").ok()));
    let io = asked.wait().unwrap().unwrap();
    let told = |line: &str| line.strip_prefix("wchar: ")?.parse().ok();
    io.lines().find_map(told).unwrap()
}

/// Twenty-four jobs' checkpoints of a day, by what each has anew: [`burnin::checkpoint`] holds that of a long job below the second of
/// these lengths, and below the third where each checkpoint of each drive has findings, of which one in four at most changes another row. What
/// seldom changes, many times as long, is written once.
#[test]
fn checkpoints_of_twenty_four_drives_cost_a_gigabyte_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        check: Check::InProcess,
        ..Options::new(&tables())
    };
    // Without copies, which lie in RAM in a box.
    let jobs = Jobs::new(store::open(dir.path(), &options).unwrap().store, dir.path(), None);
    let mut records: Vec<Record> = (0..24).map(|_| record()).collect();
    for record in &mut records {
        jobs.save(record, Some("c"), &[]).wait().unwrap();
    }
    let a_day = 86_400 / burnin::worker::Limits::default().checkpoint_s;
    for (letters, finds, most) in [(3_000, 0, 0.4e9), (7_000, 0, 0.7e9), (8_000, 4, 1e9), (11_000, 0, 1e9)] {
        let text = |job: usize, turn: usize| {
            let mut text = format!("head\n{}\n{}", "c".repeat(letters - 6), "s".repeat(40_000));
            for row in 0..if finds > 0 { 150 } else { 0 } {
                let found = row <= turn && (job + row).is_multiple_of(finds);
                text.push_str(&format!("\n{:0799}", u8::from(found)));
            }
            text
        };
        let day = usual_commit(&jobs, &mut records, text) * a_day;
        eprintln!("{letters} bytes anew, a row each {finds}: {day} a day");
        assert!(
            day > 0 && (day as f64) < most,
            "{letters} bytes anew, a row each {finds}: {day} a day"
        );
    }
}

/// Bytes that one commit of all these jobs' checkpoints has written, the median of five.
fn usual_commit(jobs: &Jobs, records: &mut [Record], text: impl Fn(usize, usize) -> String) -> u64 {
    let mut all = Vec::new();
    for turn in 0..5 {
        let (before, commits) = (written(jobs), jobs.store().health().commits);
        let saved: Vec<_> = records
            .iter_mut()
            .enumerate()
            .map(|(job, record)| jobs.save_checkpoint(record, &text(job, turn), true))
            .collect();
        // As a heartbeat would.
        jobs.store().touch().wait().unwrap();
        for saved in saved {
            saved.wait().unwrap();
        }
        assert_eq!(jobs.store().health().commits, commits + 1, "one commit for all");
        all.push(written(jobs) - before);
    }
    all.sort_unstable();
    all[2]
}

#[test]
fn a_job_without_a_checkpoint_has_a_copy_too() {
    let (dir, empty, ram) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let mut record = record();
    let jobs = open(dir.path(), ram.path());
    jobs.save(&mut record, None, &[]).wait().unwrap();
    drop(jobs);
    assert_eq!(
        open(empty.path(), ram.path()).load().unwrap(),
        [Kept {
            record,
            checkpoint: None
        }]
    );
}

#[test]
fn a_pulled_medium_costs_no_job_and_a_stale_copy_wins_nothing() {
    let (dir, empty, ram) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let mut record = record();
    let jobs = open(dir.path(), ram.path());
    jobs.save(&mut record, Some("one"), &[]).wait().unwrap();
    drop(jobs);
    let jobs = open(empty.path(), ram.path());
    let kept = jobs.load().unwrap();
    assert_eq!(
        kept,
        [Kept {
            record: record.clone(),
            checkpoint: Some("one".into())
        }]
    );
    // It is in the new store now, too.
    jobs.store().touch().wait().unwrap();
    drop(jobs);
    let jobs = open(empty.path(), tempfile::tempdir().unwrap().path());
    assert_eq!(jobs.load().unwrap(), kept);
    drop(jobs);

    let jobs = open(dir.path(), tempfile::tempdir().unwrap().path());
    jobs.save(&mut record, Some("two"), &[]).wait().unwrap();
    drop(jobs);
    let kept = open(dir.path(), ram.path()).load().unwrap();
    assert_eq!(
        kept[0].checkpoint.as_deref(),
        Some("two"),
        "the older copy in RAM is not taken"
    );
}

#[test]
fn the_end_takes_checkpoint_and_copy_and_the_oldest_finished_jobs() {
    let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let jobs = open(dir.path(), ram.path());
    let mut first = record();
    first.job.state = JobState::Finished;
    jobs.save(&mut first, Some("c"), &[]).wait().unwrap();
    jobs.finish(&mut first, Ended::default()).wait().unwrap();
    jobs.ended(first.job.id);
    assert_eq!(fs::read_dir(ram.path()).unwrap().count(), 0);
    let mut running = record();
    jobs.save(&mut running, Some("r"), &[]).wait().unwrap();
    let mut gone = Vec::new();
    for _ in 0..JOBS_MAX {
        let mut more = record();
        more.job.state = JobState::Finished;
        gone.extend(jobs.finish(&mut more, Ended::default()).wait().unwrap().gone);
        jobs.ended(more.job.id);
    }
    assert_eq!(gone.first(), Some(&first.job.id));
    assert_eq!(gone.len(), 2);
    let kept = jobs.load().unwrap();
    assert_eq!(kept.len(), JOBS_MAX);
    assert_eq!(
        kept.iter().filter(|kept| kept.checkpoint.is_some()).count(),
        1,
        "the running job keeps its own"
    );
}

/// Hundreds of long jobs with their certificates are more than the store has room for: the newest results are kept.
#[test]
fn a_store_that_gets_full_lets_the_oldest_jobs_go_and_keeps_each_that_ends() {
    let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let small = Options {
        map_size: 4 << 20,
        check: Check::InProcess,
        ..Options::new(&tables())
    };
    let jobs = Jobs::new(
        store::open(dir.path(), &small).unwrap().store,
        dir.path(),
        Some(ram.path()),
    );
    let mut gone = 0;
    for number in 0..200 {
        let mut record = record();
        record.job.state = JobState::Finished;
        let end = Ended {
            certificate: Some("c".repeat(60_000)),
            ..Ended::default()
        };
        let ended = jobs.finish(&mut record, end).wait();
        gone += ended.unwrap_or_else(|error| panic!("job {number}: {error}")).gone.len();
        jobs.ended(record.job.id);
        assert!(jobs.newest(record.job.id).unwrap().is_some());
    }
    let kept = jobs.load().unwrap().len();
    assert_eq!(kept + gone, 200);
    assert!(kept > 20, "{kept}");
}

/// Each of them is asked while the store is full; the first few make room for all.
#[test]
fn jobs_that_end_together_let_no_more_go_than_make_room() {
    let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let small = Options {
        map_size: 8 << 20,
        check: Check::InProcess,
        ..Options::new(&tables())
    };
    let store = store::open(dir.path(), &small).unwrap().store;
    let jobs = Jobs::new(store, dir.path(), Some(ram.path()));
    let end = |letters: usize| {
        let mut record = record();
        record.job.state = JobState::Finished;
        let end = Ended {
            certificate: Some("c".repeat(letters)),
            ..Ended::default()
        };
        jobs.finish(&mut record, end)
    };
    for _ in 0..40 {
        assert_eq!(end(60_000).wait().unwrap().gone, []);
    }
    let mut others = 0;
    while !full::is_full(&jobs.store().room().unwrap()) {
        others += 1;
        let key = format!("other {others}");
        let write = move |w: &mut store::Write<'_, '_>| checkpoints::put(w, &key, &"c".repeat(60_000));
        jobs.store().write(write).wait().unwrap();
    }
    let together: Vec<_> = (0..24).map(|_| end(1_000)).collect();
    let gone: usize = together.into_iter().map(|ended| ended.wait().unwrap().gone.len()).sum();
    assert!((1..=8).contains(&gone), "{gone}");
    assert!(!full::is_full(&jobs.store().room().unwrap()));
}

#[test]
fn a_job_whose_end_was_not_written_down_stays_ended() {
    let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let small = Options {
        map_size: 1 << 20,
        check: Check::InProcess,
        ..Options::new(&tables())
    };
    let store = store::open(dir.path(), &small).unwrap().store;
    let jobs = Jobs::new(store, dir.path(), Some(ram.path()));
    let mut record = record();
    jobs.save(&mut record, Some("c"), &[]).wait().unwrap();
    record.job.state = JobState::Finished;
    record.too_hot = Some("more than the map takes".repeat(100_000));
    let end = Ended {
        told: vec![crate::events::ended(&record.job)],
        ..Ended::default()
    };
    assert!(jobs.finish(&mut record, end).wait().is_err());
    drop(jobs);
    // Nor does it take it at the next start, which tries on.
    let store = store::open(dir.path(), &small).unwrap().store;
    let jobs = Jobs::new(store, dir.path(), Some(ram.path()));
    assert_eq!(jobs.load().unwrap()[0].record.job.state, JobState::Finished);
    let unwritten = jobs.unwritten();
    assert_eq!((unwritten.len(), unwritten[0].1.told.len()), (1, 1));
    drop(jobs);
    let jobs = open(dir.path(), ram.path());
    let kept = jobs.load().unwrap().remove(0);
    assert_eq!((kept.record.job.state, kept.checkpoint), (JobState::Finished, None));
    jobs.store().touch().wait().unwrap();
    drop(jobs);
    // And the medium has it now.
    let jobs = open(dir.path(), tempfile::tempdir().unwrap().path());
    assert_eq!(jobs.load().unwrap()[0].record.job.state, JobState::Finished);
    assert!(
        jobs.store()
            .read(|r| Ok(checkpoints::ANEW.is_empty(r)? && checkpoints::ROWS.is_empty(r)?))
            .unwrap()
    );
}

#[test]
fn a_bad_checkpoint_is_set_aside_under_a_dated_name() {
    let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let jobs = open(dir.path(), ram.path());
    let mut record = record();
    jobs.save(&mut record, Some("garbage"), &[]).wait().unwrap();
    let path = jobs
        .set_checkpoint_aside(record.job.id, "garbage", Time::UNIX_EPOCH)
        .unwrap();
    assert!(path.to_string_lossy().ends_with(".bad-19700101T000000Z"), "{path:?}");
    assert_eq!(fs::read_to_string(path).unwrap(), "garbage");
    jobs.store().touch().wait().unwrap();
    assert_eq!(jobs.load().unwrap()[0].checkpoint, None);
    assert!(
        jobs.set_checkpoint_aside(record.job.id, "x", Time::UNIX_EPOCH).is_err(),
        "nothing is written over"
    );
}

/// Every state that a kill or a power cut can leave is a commit, and a reader sees nothing else.
#[test]
fn no_cut_leaves_a_change_of_a_job_without_its_event() {
    let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let jobs = open(dir.path(), ram.path());
    let mut record = record();
    jobs.save(&mut record, None, &[]).wait().unwrap();
    let (key, first) = (record.job.id.to_string(), record.revision);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut looks = 0;
            while !over.load(std::sync::atomic::Ordering::Acquire) {
                let (revision, told) = jobs
                    .store()
                    .read(|r| Ok((JOBS.get(r, &key)?.unwrap().revision, SPOOL.len(r)?)))
                    .unwrap();
                assert_eq!(revision - first, told, "as many events as changes, at every moment");
                looks += 1;
            }
            looks
        });
        for _ in 0..100 {
            let told = [crate::events::started(&record.job)];
            let before = jobs.store().health().commits;
            jobs.save(&mut record, None, &told).wait().unwrap();
            assert_eq!(jobs.store().health().commits, before + 1, "one commit for both");
        }
        let told = [crate::events::ended(&record.job)];
        jobs.finish(
            &mut record,
            Ended {
                told: told.to_vec(),
                ..Ended::default()
            },
        )
        .wait()
        .unwrap();
        over.store(true, std::sync::atomic::Ordering::Release);
        assert!(looking.join().unwrap() > 0);
    });
}

#[test]
fn a_copy_that_the_medium_never_had_brings_its_events() {
    let (dir, ram) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut record = record();
    let event = |record: &Record| vec![crate::events::started(&record.job)];
    let spooled = |jobs: &Jobs| jobs.store().read(|r| SPOOL.len(r)).unwrap();
    let jobs = open(dir.path(), ram.path());
    let told = event(&record);
    jobs.save(&mut record, None, &told).wait().unwrap();
    // As a kill leaves it between copy and commit.
    record.revision += 1;
    jobs.copies.write(&record, None, &event(&record));
    drop(jobs);
    let jobs = open(dir.path(), ram.path());
    assert_eq!(jobs.load().unwrap()[0].record, record);
    jobs.store().touch().wait().unwrap();
    assert_eq!(spooled(&jobs), 2, "the one that the medium has is not told twice");
    jobs.load().unwrap();
    jobs.store().touch().wait().unwrap();
    assert_eq!(spooled(&jobs), 2);
}
