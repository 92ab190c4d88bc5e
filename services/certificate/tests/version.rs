//! The version tells apart what is made of other sources, and nothing else.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../version.rs"]
#[allow(dead_code, reason = "build scripts call the rest")]
mod version;

use std::fs;
use std::path::Path;

const FILES: [(&str, &str); 3] = [
    ("burnin/src/verdict/rules.toml", "limit = 1"),
    ("burnin/src/lib.rs", "mod verdict;"),
    ("Cargo.lock", "version = 4"),
];

fn sum<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    version::sum(dir.path(), &["burnin/src", "Cargo.lock"]).unwrap()
}

#[test]
fn it_changes_with_each_source_and_with_nothing_else() {
    let own = sum(FILES);
    assert_eq!(own, "01381e72", "wherever and whenever it is built");
    assert_eq!(sum(FILES.into_iter().rev()), own, "in whatever order they were made");
    assert_eq!(sum(FILES.into_iter().chain([("burnin/src/.lib.rs.swp", "x")])), own);
    assert_eq!(sum(FILES.into_iter().chain([("burnin/tests/faults.rs", "x")])), own);
    let mut other = vec![own];
    for (at, (name, content)) in FILES.into_iter().enumerate() {
        let mut changed = FILES;
        changed[at] = (name, "limit = 2");
        other.push(sum(changed));
        // What moves from one file to the next is another version, too.
        changed[at] = (name, &content[1..]);
        other.push(sum(changed));
    }
    other.push(sum(FILES.into_iter().chain([("burnin/src/heat.rs", "")])));
    let all = other.len();
    other.sort();
    other.dedup();
    assert_eq!(other.len(), all, "{other:?}");
    let told = version::sum(Path::new("/nowhere"), &["burnin/src"]).unwrap_err();
    assert!(told.starts_with("burnin/src: "), "{told}");
}

#[test]
fn what_is_signed_carries_it() {
    let number = concat!("kiln ", env!("CARGO_PKG_VERSION"), "+");
    let digits = certificate::SOFTWARE.strip_prefix(number).unwrap();
    assert!(
        digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit()),
        "{digits}"
    );
}
