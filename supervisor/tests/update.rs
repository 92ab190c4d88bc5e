//! The writer of updates below a root: asked for over the control socket, spoken to over its own, killed and asked for again.
//! The boot partition is a file.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "a failed unwrap is a failed test"
)]

mod lab;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use bundle::env::Env;
use bundle::{Head, Key, KeySet, Manifest, Rotation};
use image::fat32::{self, SECTOR, Source};
use lab::{Init, PATIENCE};
use wire::update::{Answer, Ask, LastUpdate, SlotState, UpdateNeeds, UpdateOutcome};

/// Sectors of the smallest FAT32 of ours.
const SECTORS: u64 = 540_672;

fn key() -> Key {
    Key::from_seed(&[3; 32])
}

fn system(version: &str, fill: u8) -> Vec<(&'static str, Vec<u8>)> {
    let manifest = format!("{{\"version\":\"{version}\"}}").into_bytes();
    vec![
        ("initrd", vec![fill; 1_500_000]),
        ("manifest.json", manifest),
        ("manifest.sig", vec![fill; 10]),
        ("system.erofs", vec![fill ^ 0x55; 2_100_000]),
        ("vmlinuz", vec![9; 40_000]),
    ]
}

/// A root with a boot partition whose slot a has version 1.0.
fn root() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |path: &str, bytes: &[u8]| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    put("kiln/board.toml", b"name = \"x86-64\"\n");
    put(
        "etc/kiln/update-keys.json",
        &KeySet::new(1, 1, vec![key().public()]).unwrap().bytes(),
    );
    put("dev/boot", b"");
    let path = dir.path().join("dev/boot");
    let mut file = File::options().read(true).write(true).open(&path).unwrap();
    file.set_len(SECTORS * SECTOR).unwrap();
    let mut sources: BTreeMap<String, Source> = BTreeMap::new();
    sources.insert("EFI/debian/grubenv".into(), Source::Bytes(Env::fresh().bytes()));
    for (name, bytes) in system("1.0", 1) {
        sources.insert(format!("a/{name}"), Source::Bytes(bytes));
    }
    fat32::write(&mut file, &path, 0, SECTORS, "KILN", &sources).unwrap();
    dir
}

/// A bundle of version 2.0 for this machine.
fn update() -> (Vec<u8>, Vec<u8>) {
    update_to("2.0")
}

fn update_to(version: &str) -> (Vec<u8>, Vec<u8>) {
    let files = system(version, 2);
    let named: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (*n, b.as_slice())).collect();
    let m = Manifest::new(("x86-64", std::env::consts::ARCH), (version, "0"), 1, &named).unwrap();
    let head = Head::sign(m, Vec::new(), &[&key()]).bytes();
    let all = head
        .iter()
        .copied()
        .chain(files.into_iter().flat_map(|(_, b)| b))
        .collect();
    (head, all)
}

struct Talk(BufReader<UnixStream>);

impl Talk {
    /// Asks for the writer and connects to it.
    fn begin(init: &Init) -> Self {
        let begun = Instant::now();
        loop {
            let control = UnixStream::connect(init.path("run/kiln/control.sock"));
            if let Ok(mut c) = control {
                c.write_all(b"{\"update\":{}}\n").unwrap();
            }
            if let Ok(s) = UnixStream::connect(init.path("run/kiln/update.sock")) {
                s.set_read_timeout(Some(PATIENCE)).unwrap();
                return Self(BufReader::new(s));
            }
            assert!(begun.elapsed() < PATIENCE, "the writer does not come");
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
    }

    fn ask(&mut self, ask: &Ask, bytes: &[u8]) -> Answer {
        let mut line = serde_json::to_vec(ask).unwrap();
        line.push(b'\n');
        line.extend(bytes);
        self.0.get_mut().write_all(&line).unwrap();
        let mut text = String::new();
        self.0.read_line(&mut text).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}"))
    }

    fn needs(&mut self, head: &[u8]) -> UpdateNeeds {
        let len = u32::try_from(head.len()).unwrap();
        match self.ask(&Ask::Begin { len, downgrade: false }, head) {
            Answer::Begun(needs) => needs,
            other => panic!("{other:?}"),
        }
    }

    fn chunks(&mut self, all: &[u8], needs: &UpdateNeeds, most: usize) {
        for c in needs.need.iter().take(most) {
            let bytes = &all[c.offset as usize..][..c.len as usize];
            let ask = Ask::Chunk {
                number: c.number,
                len: c.len,
            };
            assert_eq!(self.ask(&ask, bytes), Answer::Taken { number: c.number });
        }
    }
}

fn file_of(root: &Path, path: &str) -> Vec<u8> {
    let file = File::open(root.join("dev/boot")).unwrap();
    let reader = fat32::Reader::open(&file, 0).unwrap();
    let entries = reader.walk().unwrap();
    reader
        .read(
            entries
                .iter()
                .find(|e| e.path == path)
                .unwrap_or_else(|| panic!("{entries:?}")),
        )
        .unwrap()
}

#[test]
fn an_update_is_written_over_the_sockets_and_goes_on_after_the_writer_was_killed() {
    let mut init = Init::start_in(root(), &[]);
    let status = init.wait("the slots", |s| s.update.slots.len() == 2);
    assert_eq!(status.update.slots[0].version.as_deref(), Some("1.0"));
    assert_eq!(
        (status.update.slots[0].state, status.update.slots[1].state),
        (SlotState::Good, SlotState::Empty)
    );
    let keys = status.update.keys.unwrap();
    assert_eq!(
        (keys.fingerprints, keys.threshold, keys.version),
        (vec![key().public().fingerprint()], 1, 1)
    );
    let (head, all) = update();

    let mut talk = Talk::begin(&init);
    let needs = talk.needs(&head);
    // The kernel is the running system's.
    assert_eq!((needs.chunks, needs.copied, needs.need.len()), (8, 1, 7));
    talk.chunks(&all, &needs, 3);
    let view = init.wait("how far it is", |s| s.update.writing.is_some());
    assert_eq!(view.update.writing.unwrap().version, "2.0");
    // The writer dies; nobody has to be told where it was.
    let writer = std::process::Command::new("pgrep")
        .args(["-P", &init.pid().to_string()])
        .output()
        .unwrap();
    for pid in String::from_utf8_lossy(&writer.stdout).lines() {
        lab::kill(pid.parse().unwrap(), libc::SIGKILL);
    }
    let _ = std::fs::remove_file(init.path("run/kiln/update.sock"));
    let mut talk = Talk::begin(&init);
    let needs = talk.needs(&head);
    assert_eq!((needs.found, needs.need.len()), (4, 4), "what was written is found");

    // Who needs time says so, and is not answered.
    talk.0.get_mut().write_all(b"\n\n").unwrap();
    // Refusals leave the conversation whole.
    let mut wrong = all[needs.need[0].offset as usize..][..needs.need[0].len as usize].to_vec();
    wrong[0] ^= 1;
    let ask = Ask::Chunk {
        number: needs.need[0].number,
        len: needs.need[0].len,
    };
    assert!(matches!(talk.ask(&ask, &wrong), Answer::Refused { kind, .. } if kind == "chunk"));
    talk.chunks(&all, &needs, usize::MAX);
    assert_eq!(
        talk.ask(&Ask::Finish {}, &[]),
        Answer::Finished {
            slot: "b".into(),
            version: "2.0".into()
        }
    );
    drop(talk);
    let status = init.wait("the new system as the next", |s| {
        s.update.slots.iter().any(|s| s.name == "b" && s.next)
    });
    assert_eq!(status.update.slots[1].state, SlotState::Trying);
    assert_eq!(status.update.last.unwrap().outcome, UpdateOutcome::Written);
    init.stop();
    for (name, bytes) in system("2.0", 2) {
        assert_eq!(file_of(init.dir.path(), &format!("b/{name}")), bytes, "{name}");
    }
    let env = Env::parse(&file_of(init.dir.path(), "EFI/debian/grubenv")).unwrap();
    assert_eq!(
        (env.get("prefer"), env.get("b"), env.get("left")),
        (Some("b"), Some("trying"), Some("3"))
    );
}

#[test]
fn who_hangs_up_before_the_last_answer_has_given_the_update_up() {
    let mut init = Init::start_in(root(), &[]);
    let (head, all) = update();
    let mut talk = Talk::begin(&init);
    let needs = talk.needs(&head);
    talk.chunks(&all, &needs, usize::MAX);
    // The end of what is said, not of the line, ends the question: so it has come before anything is compared.
    let stream = talk.0.get_mut();
    stream.write_all(&serde_json::to_vec(&Ask::Finish {}).unwrap()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut text = String::new();
    talk.0.read_line(&mut text).unwrap();
    let answer: Answer = serde_json::from_str(&text).unwrap();
    assert!(
        matches!(answer, Answer::Refused { kind, .. } if kind == "given-up"),
        "{text}"
    );
    let mut talk = Talk::begin(&init);
    let needs = talk.needs(&head);
    assert_eq!((needs.found, needs.need.len()), (8, 0), "it goes on where it was");
    init.stop();
    let env = Env::parse(&file_of(init.dir.path(), "EFI/debian/grubenv")).unwrap();
    assert_eq!(
        (env.get("prefer"), env.get("a"), env.get("b")),
        (Some("a"), Some("good"), Some("bad"))
    );
}

/// What is noted in memory is lost with the start that the trial needs, and without DATA no trial is won.
#[test]
fn while_state_is_in_memory_no_update_is_taken_and_none_is_switched_to() {
    let init = Init::start_in(root(), &[]);
    let (head, all) = update();
    let mut talk = Talk::begin(&init);
    let state = |place: &str| std::fs::write(init.path("run/kiln/state"), format!("{place}\n")).unwrap();
    let begin = Ask::Begin {
        len: u32::try_from(head.len()).unwrap(),
        downgrade: false,
    };
    let refused = |answer: Answer, kind: &str| match answer {
        Answer::Refused { kind: k, text } => assert!(k == kind && text.contains("DATA is not in use"), "{k}: {text}"),
        other => panic!("{other:?}"),
    };
    let slot = || {
        let env = Env::parse(&file_of(init.dir.path(), "EFI/debian/grubenv")).unwrap();
        (env.get("prefer").map(str::to_owned), env.get("b").map(str::to_owned))
    };
    let before = slot();
    state("ram");
    refused(talk.ask(&begin, &head), "no-data");
    assert_eq!(slot(), before, "the other slot is as it was");
    state("disk");
    let needs = talk.needs(&head);
    talk.chunks(&all, &needs, 2);
    // Between two chunks it was pulled; what is put in its place gets none.
    let boot = || std::fs::read(init.path("dev/boot")).unwrap();
    let written = boot();
    state("ram");
    let next = &needs.need[2];
    let ask = Ask::Chunk {
        number: next.number,
        len: next.len,
    };
    let bytes = &all[next.offset as usize..][..next.len as usize];
    refused(talk.ask(&ask, bytes), "medium");
    assert!(boot() == written, "the partition is as it was");
    state("disk");
    assert!(matches!(talk.ask(&ask, bytes), Answer::Refused { kind, .. } if kind == "not-begun"));
    let needs = talk.needs(&head);
    assert_eq!(needs.found, 3, "with the kernel, which the running system has");
    talk.chunks(&all, &needs, usize::MAX);
    // The medium has turned read-only meanwhile, say.
    state("ram");
    refused(talk.ask(&Ask::Finish {}, &[]), "medium");
    assert_eq!(slot(), (Some("a".into()), Some("bad".into())));
    state("disk");
    assert_eq!(talk.needs(&head).need.len(), 0, "it goes on where it was");
    assert!(matches!(talk.ask(&Ask::Finish {}, &[]), Answer::Finished { .. }));
    assert_eq!(slot(), (Some("b".into()), Some("trying".into())));
}

/// What cannot be noted is never switched to; the system to fall back to would be gone for nothing, again with each try.
#[test]
fn where_data_is_full_the_other_slot_stays_as_it_is() {
    let dir = root();
    let notes = dir.path().join("var/lib/kiln/supervisor/update");
    std::fs::create_dir_all(&notes).unwrap();
    let init = Init::start_in(dir, &[]);
    let (head, all) = update();
    let mut talk = Talk::begin(&init);
    let boot = || std::fs::read(init.path("dev/boot")).unwrap();
    let before = boot();
    // A medium without room.
    let full = || std::os::unix::fs::symlink("/dev/full", notes.join("trial.json.new")).unwrap();
    full();
    let ask = |downgrade| Ask::Begin {
        len: u32::try_from(head.len()).unwrap(),
        downgrade,
    };
    match talk.ask(&ask(false), &head) {
        Answer::Refused { kind, text } => {
            assert!(
                kind == "medium" && text.starts_with("DATA is full") && text.contains("Remove"),
                "{kind}: {text}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(boot() == before, "the other slot is as it was");
    // One who goes back notes that, too.
    std::os::unix::fs::symlink("/dev/full", notes.join("floor.json.new")).unwrap();
    assert!(matches!(talk.ask(&ask(true), &head), Answer::Refused { kind, .. } if kind == "medium"));
    assert!(boot() == before, "the other slot is as it was");
    let needs = talk.needs(&head);
    assert!(notes.join("trial.json.new").exists(), "the room is taken");
    talk.chunks(&all, &needs, usize::MAX);
    assert!(matches!(talk.ask(&Ask::Finish {}, &[]), Answer::Finished { .. }));
    assert!(notes.join("trial.json").exists() && !notes.join("trial.json.new").exists());
}

/// Who waits for the restart into 2.0 would take the end of another for its.
#[test]
fn an_update_that_is_refused_says_nothing_of_the_one_that_waits() {
    let dir = root();
    let notes = dir.path().join("var/lib/kiln/supervisor/update");
    std::fs::create_dir_all(&notes).unwrap();
    let mut init = Init::start_in(dir, &[]);
    let full = || std::os::unix::fs::symlink("/dev/full", notes.join("trial.json.new")).unwrap();
    let last = || -> LastUpdate { serde_json::from_slice(&std::fs::read(notes.join("last.json")).unwrap()).unwrap() };
    let mut talk = Talk::begin(&init);
    let refused = |talk: &mut Talk, head: &[u8]| {
        full();
        let len = u32::try_from(head.len()).unwrap();
        let answer = talk.ask(&Ask::Begin { len, downgrade: false }, head);
        assert!(
            matches!(&answer, Answer::Refused { kind, .. } if kind == "medium"),
            "{answer:?}"
        );
    };
    let (head, all) = update();
    refused(&mut talk, &head);
    assert_eq!(
        (last().outcome, last().version.as_deref()),
        (UpdateOutcome::Failed, Some("2.0"))
    );
    let needs = talk.needs(&head);
    talk.chunks(&all, &needs, usize::MAX);
    assert!(matches!(talk.ask(&Ask::Finish {}, &[]), Answer::Finished { .. }));
    assert_eq!(
        (last().outcome, last().version.as_deref()),
        (UpdateOutcome::Written, Some("2.0"))
    );
    refused(&mut talk, &update_to("2.1").0);
    assert_eq!(
        (last().outcome, last().version.as_deref()),
        (UpdateOutcome::Written, Some("2.0"))
    );
    drop(talk);
    let status = init.wait("the new system as the next", |s| {
        s.update.slots.iter().any(|s| s.name == "b" && s.next)
    });
    assert_eq!(status.update.last.unwrap().outcome, UpdateOutcome::Written);
}

#[test]
fn keys_that_a_bundle_brought_are_told_as_the_ones_that_count_from_then_on() {
    let dir = root();
    std::fs::create_dir_all(dir.path().join("var/lib/kiln/supervisor")).unwrap();
    let mut init = Init::start_in(dir, &[]);
    init.wait("the image's own keys", |s| {
        s.update.keys.as_ref().is_some_and(|k| k.version == 1)
    });
    let next = [4, 5, 6].map(|n| Key::from_seed(&[n; 32]));
    let set = KeySet::new(2, 2, next.iter().map(Key::public).collect()).unwrap();
    let rotation = Rotation::new(set.clone(), &[&key(), &next[0], &next[1]]);
    let manifest = Head::parse(&update().0).unwrap().manifest;
    let head = Head::sign(manifest, vec![rotation], &[&next[0], &next[2]]).bytes();
    let mut talk = Talk::begin(&init);
    talk.needs(&head);
    drop(talk);
    let told = |s: &wire::supervisor::Status| {
        let keys = s.update.keys.clone().unwrap_or_else(|| panic!("no keys are told"));
        let fingerprints: Vec<String> = set.keys.iter().map(bundle::Public::fingerprint).collect();
        (keys.version == 2).then(|| assert_eq!((keys.fingerprints, keys.threshold), (fingerprints, 2)))
    };
    init.wait("the keys of the bundle", |s| told(s).is_some());
}

#[test]
fn what_is_not_meant_for_this_box_is_refused_and_a_request_that_is_none_ends_the_conversation() {
    let init = Init::start_in(root(), &[]);
    let mut talk = Talk::begin(&init);
    let (head, _) = update();
    let mut ask = |bytes: &[u8]| {
        let len = u32::try_from(bytes.len()).unwrap();
        match talk.ask(&Ask::Begin { len, downgrade: false }, bytes) {
            Answer::Refused { kind, text } => (kind, text),
            other => panic!("{other:?}"),
        }
    };
    let stranger = Head::parse(&head).unwrap().manifest;
    let stranger = Head::sign(stranger, Vec::new(), &[&Key::from_seed(&[8; 32])]).bytes();
    assert_eq!(ask(&stranger).0, "wrong-key");
    assert!(matches!(talk.ask(&Ask::Finish {}, &[]), Answer::Refused { kind, .. } if kind == "not-begun"));
    let stream = talk.0.get_mut();
    stream
        .write_all(b"{\"begin\":{\"len\":4000000000,\"downgrade\":false}}\n")
        .unwrap();
    let mut text = String::new();
    talk.0.read_line(&mut text).unwrap();
    assert!(text.contains("at most"), "{text}");
    text.clear();
    assert_eq!(talk.0.read_line(&mut text).unwrap(), 0, "what follows may be anything");
}

#[test]
fn an_environment_block_that_is_garbage_or_missing_is_told_with_what_is_wrong_with_it() {
    for (block, told) in [
        (Some(vec![0; 1024]), "all its bytes are zero"),
        (Some(vec![b'x'; 1024]), "it begins with \"xxxx"),
        (
            Some(b"# GRUB Environment Block\nprefer=a\n".to_vec()),
            "is cut short: it has 34 bytes, expected 1024",
        ),
        (None, "no environment block"),
    ] {
        let dir = root();
        let path = dir.path().join("dev/boot");
        let mut sources: BTreeMap<String, Source> = BTreeMap::new();
        sources.extend(block.map(|b| ("EFI/debian/grubenv".to_owned(), Source::Bytes(b))));
        sources.extend(
            system("1.0", 1)
                .into_iter()
                .map(|(n, b)| (format!("a/{n}"), Source::Bytes(b))),
        );
        let mut file = File::options().read(true).write(true).open(&path).unwrap();
        // The writer leaves what it does not need as it is: blank.
        file.set_len(0).unwrap();
        file.set_len(SECTORS * SECTOR).unwrap();
        fat32::write(&mut file, &path, 0, SECTORS, "KILN", &sources).unwrap();
        let mut init = Init::start_in(dir, &[]);
        init.wait(told, |s| s.banners.iter().any(|b| b.text.contains(told)));
    }
}
