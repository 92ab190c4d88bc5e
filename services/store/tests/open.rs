//! Opening: good, absent, truncated, corrupt, foreign, of another schema, in use; each through the real child.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use store::{Check, Error, Options, Table, earlier, open};

const NOTES: Table<u64, String> = Table::new("notes");

fn options() -> Options {
    Options {
        map_size: 16 << 20,
        check: Check::Program(PathBuf::from(env!("CARGO_BIN_EXE_kiln-store"))),
        ..Options::new(&["notes"])
    }
}

/// A store with `count` notes, closed again; the path of its file.
fn filled(dir: &Path, count: u64) -> PathBuf {
    let opened = open(dir, &options()).unwrap();
    assert_eq!(opened.set_aside, None);
    opened
        .store
        .write(move |w| {
            for n in 0..count {
                NOTES.append(w, &format!("note {n} {}", "x".repeat(300)))?;
            }
            Ok(())
        })
        .wait()
        .unwrap();
    let path = opened.store.path().to_owned();
    drop(opened);
    path
}

fn count(dir: &Path) -> u64 {
    let opened = open(dir, &options()).unwrap();
    assert_eq!(opened.set_aside, None);
    opened.store.read(|r| NOTES.len(r)).unwrap()
}

/// Opens a damaged store: it is set aside with a reason, its bytes are kept, and a new one works.
fn expect_set_aside(dir: &Path, damaged: &Path, reason: &str) {
    let bytes = fs::read(damaged).unwrap();
    let opened = open(dir, &options()).unwrap();
    let aside = opened
        .set_aside
        .unwrap_or_else(|| panic!("not set aside; expected: {reason}"));
    assert!(aside.why.contains(reason), "{:?} lacks {reason:?}", aside.why);
    let name = aside.path.file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with("kiln.mdb.bad-2") && name.contains('T') && name.ends_with('Z'),
        "{name}"
    );
    assert_eq!(fs::read(&aside.path).unwrap(), bytes, "the bad file's bytes are kept");
    assert_eq!(
        opened
            .store
            .write(|w| NOTES.append(w, &"new".to_owned()))
            .wait()
            .unwrap(),
        1
    );
    assert_eq!(earlier(dir), [aside], "the banner can be made again after a restart");
}

#[test]
fn a_closed_store_opens_again_with_its_entries() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 500);
    assert_eq!(count(dir.path()), 500);
    assert!(earlier(dir.path()).is_empty());
}

#[test]
fn an_empty_file_counts_as_new() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(store::FILE_NAME), b"").unwrap();
    assert_eq!(count(dir.path()), 0);
}

#[test]
fn a_truncated_file_is_set_aside_at_every_length() {
    let whole = tempfile::tempdir().unwrap();
    let bytes = fs::read(filled(whole.path(), 200)).unwrap();
    for length in [1, 4095, 4096, 8191, 8192, 12_288, bytes.len() / 2, bytes.len() - 4096] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(store::FILE_NAME);
        fs::write(&path, &bytes[..length]).unwrap();
        let reason = if length < 8192 {
            "it ends after"
        } else {
            "it is cut short"
        };
        expect_set_aside(dir.path(), &path, reason);
    }
}

#[test]
fn a_file_of_something_else_is_set_aside() {
    for content in [vec![0; 65_536], b"SQLite format 3\0".repeat(4096)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(store::FILE_NAME);
        fs::write(&path, content).unwrap();
        expect_set_aside(dir.path(), &path, "does not begin like an LMDB file");
    }
}

#[test]
fn one_flipped_bit_in_a_value_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path(), 50);
    let mut bytes = fs::read(&path).unwrap();
    let needle = b"note 17 x";
    let at = bytes.windows(needle.len()).position(|w| w == needle).unwrap();
    bytes[at + 100] ^= 0x10;
    fs::write(&path, bytes).unwrap();
    expect_set_aside(dir.path(), &path, "checksum is wrong");
}

/// Wherever a page is overwritten, opening never crashes this process, and never shows entries that were not stored.
/// A table's name has no checksum of its own; under another one the table would be taken for a new, empty one.
#[test]
fn a_flipped_bit_in_a_tables_name_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path(), 20);
    let mut bytes = fs::read(&path).unwrap();
    // Where it is a key of the root's, behind the upper byte of its length.
    let named: Vec<usize> = bytes
        .windows(6)
        .enumerate()
        .filter(|(_, at)| *at == b"\0notes")
        .map(|(at, _)| at)
        .collect();
    assert!(!named.is_empty());
    for at in named {
        bytes[at + 5] ^= 1 << 2;
    }
    fs::write(&path, bytes).unwrap();
    expect_set_aside(dir.path(), &path, "table notes is not there any more");
}

/// Readers never touch it, and whoever wrote next was killed, at each start again.
#[test]
fn a_damaged_list_of_free_pages_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path(), 200);
    let bytes = fs::read(&path).unwrap();
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let half = |at: usize| usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()));
    // Source: lmdb's mdb.c: `struct MDB_page` (16 bytes), `MDB_meta` (24 bytes, then two `MDB_db` of 48, whose last field is the
    // root, the last used page, the transaction), `MDB_node` (8 bytes, then key and data).
    let [first, second] = [0, 4096].map(|meta| (number(meta + 144), number(meta + 80)));
    let (_, root) = first.max(second);
    assert_ne!(root, u64::MAX, "there are no free pages");
    let page = usize::try_from(root).unwrap() * 4096;
    let nodes = (half(page + 12) - 16) / 2;
    assert!(nodes > 0, "there are no free pages");
    let mut set_aside = 0;
    for node in 0..nodes {
        let mut damaged = bytes.clone();
        // How many pages the list has: a million more.
        damaged[page + half(page + 16 + 2 * node) + 16 + 2] ^= 0x10;
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(store::FILE_NAME), damaged).unwrap();
        let opened = open(dir.path(), &options()).unwrap();
        set_aside += u32::from(opened.set_aside.is_some());
        let written = opened.store.write(|w| NOTES.append(w, &"new".to_owned())).wait();
        written.unwrap();
    }
    assert!(set_aside > 0);
}

#[test]
fn a_page_of_garbage_never_reaches_the_reader() {
    let whole = tempfile::tempdir().unwrap();
    let bytes = fs::read(filled(whole.path(), 200)).unwrap();
    let mut set_aside = 0;
    for page in 0..bytes.len() / 4096 {
        for fill in [0x00, 0xFF] {
            let dir = tempfile::tempdir().unwrap();
            let mut damaged = bytes.clone();
            damaged[page * 4096..][..4096].fill(fill);
            fs::write(dir.path().join(store::FILE_NAME), damaged).unwrap();
            let opened = open(dir.path(), &options()).unwrap();
            let notes = opened.store.read(|r| NOTES.all(r)).unwrap();
            match opened.set_aside {
                Some(_) => set_aside += 1,
                // A page that the last commit does not use: the free list's past, or the older meta page.
                None => assert!(notes.len() == 200 || notes.is_empty(), "{} notes", notes.len()),
            }
        }
    }
    assert!(set_aside > 20, "only {set_aside} damaged files were found");
}

/// LMDB would map as much as the file asks for, and no memory for that is not the machine's fault.
#[test]
fn a_damaged_map_size_does_not_keep_the_store_shut() {
    let whole = tempfile::tempdir().unwrap();
    let bytes = fs::read(filled(whole.path(), 200)).unwrap();
    for size in [u64::MAX, 1 << 62, 0] {
        let dir = tempfile::tempdir().unwrap();
        let mut damaged = bytes.clone();
        for meta in 0..2 {
            damaged[meta * 4096 + 32..][..8].copy_from_slice(&size.to_ne_bytes());
        }
        fs::write(dir.path().join(store::FILE_NAME), damaged).unwrap();
        assert_eq!(count(dir.path()), 200, "{size:#x}");
    }
}

#[test]
fn a_damaged_page_size_is_set_aside() {
    let whole = tempfile::tempdir().unwrap();
    let bytes = fs::read(filled(whole.path(), 200)).unwrap();
    for (meta, reason) in [(0, "does not begin like an LMDB file"), (1, "differ in the page size")] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(store::FILE_NAME);
        let mut damaged = bytes.clone();
        damaged[meta * 4096 + 40..][..4].copy_from_slice(&(1_u32 << 31).to_ne_bytes());
        fs::write(&path, damaged).unwrap();
        expect_set_aside(dir.path(), &path, reason);
    }
}

#[test]
fn another_schema_is_set_aside_with_both_numbers() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 3);
    let opened = open(dir.path(), &Options { schema: 7, ..options() }).unwrap();
    let aside = opened.set_aside.unwrap();
    assert!(
        aside.why.contains("schema 1") && aside.why.contains("schema 7"),
        "{}",
        aside.why
    );
    assert_eq!(aside.path, dir.path().join("kiln.mdb.schema-1"));
    assert!(earlier(dir.path()).is_empty(), "it is not damaged");
}

/// An update changes the schema, the box falls back to the system of before, and is updated again: each finds what it has left.
#[test]
fn a_store_is_there_again_for_the_schema_that_wrote_it() {
    let dir = tempfile::tempdir().unwrap();
    let of = |schema| Options { schema, ..options() };
    let notes = |schema| {
        let opened = open(dir.path(), &of(schema)).unwrap();
        let notes = opened.store.read(|r| NOTES.len(r)).unwrap();
        let aside = opened.set_aside.map(|aside| aside.path.file_name().unwrap().to_owned());
        (notes, aside.map(|name| name.into_string().unwrap()))
    };
    let add = |schema| {
        let opened = open(dir.path(), &of(schema)).unwrap();
        opened
            .store
            .write(|w| NOTES.append(w, &"one more".to_owned()))
            .wait()
            .unwrap();
    };
    let put_aside = |schema| Some(format!("kiln.mdb.schema-{schema}"));
    filled(dir.path(), 5);
    assert_eq!(notes(2), (0, put_aside(1)));
    add(2);
    assert_eq!(notes(1), (5, put_aside(2)));
    add(1);
    assert_eq!(notes(2), (1, put_aside(1)));
    assert_eq!(notes(2), (1, None));
    // The power went between the two names.
    fs::rename(dir.path().join("kiln.mdb"), dir.path().join("kiln.mdb.schema-2")).unwrap();
    assert_eq!(notes(1), (6, None));
    assert!(earlier(dir.path()).is_empty());
}

#[test]
fn what_was_kept_for_a_schema_is_checked_and_never_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kiln.mdb.schema-1");
    // Of the schema that its name says, but damaged: set aside, and the box begins anew.
    fs::write(&kept, b"SQLite format 3\0".repeat(4096)).unwrap();
    let opened = open(dir.path(), &options()).unwrap();
    assert!(
        opened
            .set_aside
            .unwrap()
            .why
            .contains("does not begin like an LMDB file")
    );
    drop(opened.store);
    assert_eq!((kept.exists(), earlier(dir.path()).len()), (false, 1));
    // The name is taken, by whatever a person has put there.
    fs::write(&kept, b"a person's").unwrap();
    let opened = open(dir.path(), &Options { schema: 2, ..options() }).unwrap();
    let aside = opened.set_aside.unwrap();
    assert!(
        aside.why.contains("schema 1") && aside.path.exists() && aside.path != kept,
        "{aside:?}"
    );
    assert_eq!(fs::read(&kept).unwrap(), b"a person's");
}

#[test]
fn a_second_opener_is_refused_and_the_first_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path(), &options()).unwrap();
    assert!(matches!(open(dir.path(), &options()), Err(Error::InUse(_))));
    assert_eq!(
        first.store.write(|w| NOTES.append(w, &String::new())).wait().unwrap(),
        1
    );
}

#[test]
fn a_torn_lock_file_does_not_keep_the_store_shut() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5);
    fs::write(dir.path().join("kiln.mdb-lock"), b"torn").unwrap();
    assert_eq!(count(dir.path()), 5);
}

/// A medium that has filled up since takes no new block, and a map that lacks one is a SIGBUS.
#[test]
fn the_lock_file_keeps_its_blocks_and_has_them_before_it_is_mapped() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5);
    let (lock, same) = (dir.path().join("kiln.mdb-lock"), dir.path().join("same"));
    fs::hard_link(&lock, &same).unwrap();
    let opened = open(dir.path(), &options()).unwrap();
    let (now, before) = (fs::metadata(&lock).unwrap(), fs::metadata(&same).unwrap());
    assert_eq!(now.ino(), before.ino(), "it was taken away, and its blocks with it");
    // As long as LMDB wants it, so that none of it comes to be by a map.
    assert!(
        now.blocks() * 512 >= now.len(),
        "{} blocks of {} bytes",
        now.blocks(),
        now.len()
    );
    drop(opened);
    // With holes, and of another length.
    for length in [8192, 3, 1 << 20] {
        fs::remove_file(&lock).unwrap();
        fs::File::create(&lock).unwrap().set_len(length).unwrap();
        let opened = open(dir.path(), &options()).unwrap();
        let now = fs::metadata(&lock).unwrap();
        // At least what LMDB asks for on x86-64, and nothing of what lay there beyond.
        assert!((8192..1 << 20).contains(&now.len()), "{} of {length}", now.len());
        assert!(now.blocks() * 512 >= now.len(), "of {length}");
        drop(opened);
    }
}

/// A script to be run. Written by another process: a child that some other test starts meanwhile would have a file that is open
/// for writing here open, too, and for as long the kernel runs no such program.
fn script(dir: &Path, text: &str) -> PathBuf {
    let file = dir.join("script");
    let made = std::process::Command::new("/bin/sh")
        .args([
            "-c",
            r#"printf '#!/bin/sh\n%s\n' "$1" >"$2" && chmod 755 "$2""#,
            "sh",
            text,
        ])
        .arg(&file)
        .status();
    assert!(made.unwrap().success());
    file
}

#[test]
fn a_check_that_cannot_run_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path(), 5);
    let before = fs::read(&path).unwrap();
    for program in ["/bin/true", "/no/such/program"] {
        let options = Options {
            check: Check::Program(program.into()),
            ..options()
        };
        assert!(
            matches!(open(dir.path(), &options), Err(Error::Check { .. })),
            "{program}"
        );
    }
    // One that may not read it, say: nothing is set aside for that.
    let says = r#"echo '{"finding":"unknown","why":"it cannot be read"}'"#;
    let helpless = Options {
        check: Check::Program(script(dir.path(), says)),
        ..options()
    };
    let why = open(dir.path(), &helpless).unwrap_err().to_string();
    assert!(why.contains("it cannot be read"), "{why}");
    let slow = Options {
        check: Check::Program(script(dir.path(), "exec sleep 60")),
        check_deadline: Duration::from_millis(200),
        ..options()
    };
    assert!(matches!(open(dir.path(), &slow), Err(Error::Check { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(count(dir.path()), 5);
}
