//! A native journal datagram, a line of output and a kernel record: what they become are well-formed entries, and no
//! trusted field comes from outside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use supervisor::journal::entry::{Entry, Moment, Sender, fields};

/// Reads an entry back, as strictly as it was written: names and whether each may be trusted.
fn names(entry: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = entry;
    loop {
        let end = rest.iter().position(|b| *b == b'\n').expect("every entry ends");
        let line = &rest[..end];
        rest = &rest[end + 1..];
        if line.is_empty() {
            assert!(rest.is_empty(), "one entry is one entry");
            return names;
        }
        let name = match line.iter().position(|b| *b == b'=') {
            Some(at) => &line[..at],
            None => {
                let length = u64::from_le_bytes(rest[..8].try_into().expect("eight bytes"));
                let length = usize::try_from(length).expect("a length");
                assert_eq!(rest[8 + length], b'\n');
                rest = &rest[8 + length + 1..];
                line
            }
        };
        names.push(String::from_utf8(name.to_vec()).expect("names are text"));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let sender = Sender {
        pid: 42,
        uid: 7,
        unit: Some("some".into()),
    };
    for f in fields(bytes).0 {
        assert!(!f.0.starts_with('_'));
    }
    for entry in Entry::native(bytes, &sender) {
        assert_eq!(names(&entry.0).iter().filter(|n| *n == "_PID").count(), 1);
    }
    if !bytes.contains(&b'\n') {
        assert!(names(&Entry::line(bytes, &sender).0).contains(&"MESSAGE".to_owned()));
    }
    names(&Entry::kernel(bytes, Moment::now(), 0).0.0);
});
