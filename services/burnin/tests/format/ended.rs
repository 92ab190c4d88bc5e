//! A format that does not end by itself: a drive that answers no write, a child that waits, and a program that goes on.

use super::*;

/// A drive that reads and answers no write: its file lies on a file system that is frozen, until this is dropped.
struct Hangs {
    drive: Option<Loop>,
    below: std::path::PathBuf,
    _dir: tempfile::TempDir,
}

impl Hangs {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (image, below) = (dir.path().join("image"), dir.path().join("below"));
        File::create(&image).unwrap().set_len(192 << 20).unwrap();
        fs::create_dir(&below).unwrap();
        let (image, at) = (image.to_str().unwrap(), below.to_str().unwrap());
        for call in [vec!["mkfs.ext4", "-q", image], vec!["mount", "-o", "loop", image, at]] {
            let done = Command::new(call[0]).args(&call[1..]).output();
            if !done.as_ref().is_ok_and(|done| done.status.success()) {
                not_run(&format!("no drive that hangs: {call:?}: {done:?}"));
                return None;
            }
        }
        let mut hangs = Self {
            drive: None,
            below,
            _dir: dir,
        };
        let file = hangs.below.join("drive");
        File::create(&file).unwrap().set_len(64 << 20).unwrap();
        hangs.drive = Some(Loop::of(&file, 64 << 20, 512)?);
        output("fsfreeze", &["--freeze", hangs.below.to_str().unwrap()]);
        Some(hangs)
    }

    /// Waits until a write is under way.
    fn wait(&self) {
        let node = &self.drive.as_ref().unwrap().node;
        let stat = format!("/sys/block/{}/stat", node.trim_start_matches("/dev/"));
        let under_way = || {
            let told = fs::read_to_string(&stat).unwrap();
            told.split_whitespace().nth(8).unwrap() != "0"
        };
        let limit = std::time::Instant::now() + Duration::from_mins(1);
        while !under_way() {
            assert!(std::time::Instant::now() < limit, "nothing was written");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Hangs {
    fn drop(&mut self) {
        let below = self.below.to_str().unwrap();
        let _thawed = Command::new("fsfreeze").args(["--unfreeze", below]).status();
        self.drive = None;
        // What hung in it ends only now.
        let end = std::time::Instant::now() + Duration::from_secs(20);
        let umount = |how: &[&str]| Command::new("umount").args(how).arg(below).output();
        while !umount(&[]).is_ok_and(|done| done.status.success()) {
            if std::time::Instant::now() > end {
                let _later = umount(&["--lazy"]);
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn a_drive_that_answers_no_write_is_given_up_and_another_ones_format_goes_on() {
    let (Some(beside), Some(hangs)) = (Loop::new(64 << 20, 512), Hangs::new()) else {
        return;
    };
    let wanted = request(FileSystem::Ext4, Table::Gpt, 0, "x");
    let access = Duration::from_secs(4);
    std::thread::scope(|scope| {
        let hung = scope.spawn(|| {
            let drive = hangs.drive.as_ref().unwrap();
            let longest = Longest { access, ..LONGEST };
            drive.format_within(&wanted, longest, &mut || Ok(()))
        });
        hangs.wait();
        assert_eq!(beside.format(&wanted).problem, None);
        let (formatted, said) = hung.join().unwrap();
        let problem = formatted.problem.unwrap();
        assert!(problem.contains("answered nothing for 4 s"), "{problem}");
        assert_eq!(
            (formatted.table, said),
            (Table::Auto, vec![Said::Ready]),
            "no table stands"
        );
    });
}

/// A child that waits for something other than its drive.
#[test]
fn a_partition_that_is_not_laid_in_its_time_is_told_as_that() {
    let order = Order {
        node: "/dev/null".into(),
        capacity: 1 << 20,
        sector: 512,
        request: request(FileSystem::Ext4, Table::Auto, 0, ""),
        key: KEY,
    };
    let longest = Longest {
        start: Duration::from_secs(1),
        ..LONGEST
    };
    let ties = Ties {
        identity: &mut || Ok(()),
        tell: &mut |_| {},
        cancel: &mut || None,
    };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "sleep 300"]);
    let formatted = run(&mut command, tempfile::tempfile().unwrap(), &order, longest, ties);
    let problem = formatted.problem.unwrap();
    assert!(problem.contains("was not laid out within 1 s"), "{problem}");
}

/// What a slow mkfs is seen as: a child that says that it began, and its own child that goes on for minutes.
#[test]
fn a_formatter_that_is_ended_takes_the_program_along_that_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let written = dir.path().join("pid");
    let said = serde_json::to_string(&Said::At { what: "mkfs".into() }).unwrap();
    let script = format!("sleep 300 & echo $! > {}; echo '{said}'; wait", written.display());
    let order = Order {
        node: "/dev/null".into(),
        capacity: 1 << 20,
        sector: 512,
        request: request(FileSystem::Ext4, Table::Auto, 0, ""),
        key: KEY,
    };
    let began = std::cell::Cell::new(false);
    let mut identity = || Ok(());
    let ties = Ties {
        identity: &mut identity,
        tell: &mut |_| began.set(true),
        cancel: &mut || began.get().then(|| "aborted by ann".to_owned()),
    };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script]);
    let drive = tempfile::tempfile().unwrap();
    let formatted = run(&mut command, drive, &order, within(Duration::from_secs(280)), ties);
    let problem = formatted.problem.unwrap();
    assert!(began.get() && problem.contains("aborted by ann"), "{problem}");
    let pid = fs::read_to_string(&written).unwrap();
    let gone = || {
        // Whoever takes over orphans may not reap them.
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.rsplit(") ")
            .next()
            .is_none_or(|rest| rest.is_empty() || rest.starts_with(['Z', 'X']))
    };
    let limit = std::time::Instant::now() + Duration::from_mins(1);
    while !gone() {
        assert!(std::time::Instant::now() < limit, "the program goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
}
