//! ustar archives (POSIX.1-1988), every entry root's and of the year 1970, in the order of their names.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A folder, with its permission bits.
    Folder(u32),
    /// A file's bytes, with its permission bits.
    File(Vec<u8>, u32),
    /// A symbolic link.
    Link(String),
}

/// Entries by their path, without a slash at either end.
pub type Tree = BTreeMap<String, Entry>;

/// Adds the folders above `path` that are not there yet.
pub fn folders(tree: &mut Tree, path: &str) {
    for (at, _) in path.match_indices('/') {
        tree.entry(path[..at].to_owned()).or_insert(Entry::Folder(0o755));
    }
}

/// The archive's bytes.
///
/// # Errors
/// Names the path that no ustar head can hold.
pub fn write(tree: &Tree) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    for (path, entry) in tree {
        let name = match entry {
            Entry::Folder(_) => format!("{path}/"),
            Entry::File(..) | Entry::Link(_) => path.clone(),
        };
        out.extend_from_slice(&head(&name, entry).with_context(|| format!("the path {path:?}"))?);
        if let Entry::File(bytes, _) = entry {
            out.extend_from_slice(bytes);
            out.resize(out.len().next_multiple_of(512), 0);
        }
    }
    // Two empty blocks end it.
    out.resize(out.len() + 1024, 0);
    Ok(out)
}

fn head(name: &str, entry: &Entry) -> anyhow::Result<[u8; 512]> {
    let mut head = [0; 512];
    let mut put = |at: usize, text: &[u8]| head[at..at + text.len()].copy_from_slice(text);
    let (prefix, base) = split(name)?;
    put(0, base.as_bytes());
    put(345, prefix.as_bytes());
    let (mode, size, kind, link) = match entry {
        Entry::Folder(mode) => (*mode, 0, b'5', ""),
        Entry::File(bytes, mode) => (*mode, bytes.len(), b'0', ""),
        Entry::Link(to) => (0o777, 0, b'2', to.as_str()),
    };
    if link.len() > 100 {
        bail!("its target is longer than 100 bytes");
    }
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    put(265, b"root");
    put(297, b"root");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(head)
}

/// Prefix and name of a path: at most 155 and 100 bytes, divided at a slash.
fn split(name: &str) -> anyhow::Result<(&str, &str)> {
    if name.len() <= 100 {
        return Ok(("", name));
    }
    let divided = name.match_indices('/').map(|(at, _)| (&name[..at], &name[at + 1..]));
    let mut fits = divided.filter(|(prefix, base)| prefix.len() <= 155 && !base.is_empty() && base.len() <= 100);
    fits.next().context("it is too long for a ustar archive")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_same_tree_gives_the_same_bytes_in_whatever_order_it_was_made() {
        let entries = [
            ("b", Entry::File(b"x".to_vec(), 0o644)),
            ("a", Entry::Folder(0o755)),
            ("a/l", Entry::Link("../b".into())),
        ];
        let one: Tree = entries.clone().into_iter().map(|(n, e)| (n.to_owned(), e)).collect();
        let other: Tree = entries.into_iter().rev().map(|(n, e)| (n.to_owned(), e)).collect();
        assert_eq!(write(&one).unwrap(), write(&other).unwrap());
        assert_eq!(write(&one).unwrap().len() % 512, 0);
    }

    #[test]
    fn a_long_path_is_divided_and_a_longer_one_refused() {
        let long = format!("{}/{}", "d".repeat(150), "f".repeat(90));
        assert_eq!(
            split(&long).unwrap(),
            ("d".repeat(150).as_str(), "f".repeat(90).as_str())
        );
        assert!(split(&"x".repeat(101)).is_err());
        assert!(write(&Tree::from([("l".into(), Entry::Link("t".repeat(101)))])).is_err());
    }

    #[test]
    fn folders_above_are_made_once() {
        let mut tree = Tree::from([("usr".into(), Entry::Folder(0o700))]);
        folders(&mut tree, "usr/local/bin/x");
        assert_eq!(tree.keys().collect::<Vec<_>>(), ["usr", "usr/local", "usr/local/bin"]);
        assert_eq!(tree["usr"], Entry::Folder(0o700));
    }
}
