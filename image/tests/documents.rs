//! Documents name files and folders of the tree; each has to be there, so that a move cannot make them stale.
#![allow(
    clippy::unwrap_used,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::path::Path;

/// Endings of what a document names of the tree. Others (`kiln.toml`, `system.erofs`) are of the box as a rule.
const KINDS: [&str; 7] = [".rs", ".md", ".ts", ".tsx", ".py", ".css", ".sh"];

/// Everything below a folder, by its path from the root of the tree, but what is built or comes from elsewhere.
fn below(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if name.starts_with('.') || ["target", "node_modules"].contains(&name.as_str()) {
            continue;
        }
        found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        if entry.file_type().unwrap().is_dir() {
            below(&path, root, found);
        }
    }
}

/// The path in backticks that a word is: a file of those kinds, or a folder in a folder. `NAME/x.rs` stands for many.
fn named(word: &str) -> Option<&str> {
    let parts: Vec<&str> = word.trim_end_matches('/').split('/').collect();
    let plain = |part: &&str| {
        // A `NAME.tsx` is no file.
        let stem = part.split('.').next().unwrap_or_default();
        part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            && (part.ends_with(".md") || stem.contains(|c: char| c.is_ascii_lowercase()))
    };
    let is_path = match word.ends_with('/') {
        true => parts.len() > 1,
        false => KINDS.iter().any(|kind| word.ends_with(kind)),
    };
    (is_path && parts.iter().all(plain)).then(|| word.trim_end_matches('/'))
}

/// Whether a document in `folder` that says `path` means something: by its bare name something of its own folder; else what
/// ends so anywhere, as `drive/tests/guard_loop.rs`.
fn is_there(path: &str, folder: &str, tree: &BTreeSet<String>) -> bool {
    let bare = !path.contains('/');
    tree.iter().any(|there| {
        let ends = there
            .strip_suffix(path)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
        ends && (!bare || there.starts_with(folder))
    })
}

/// Paths that a document names in backticks outside its blocks, and where its links lead to; with their lines.
fn said(text: &str) -> Vec<(usize, bool, &str)> {
    let mut found = Vec::new();
    let mut block = false;
    for (n, line) in text.lines().enumerate() {
        block ^= line.starts_with("```");
        if block {
            continue;
        }
        let words = line.split('`').skip(1).step_by(2).filter_map(named);
        found.extend(words.map(|path| (n + 1, false, path)));
        let links = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next());
        let here = |to: &&str| !to.is_empty() && !to.starts_with('/') && !to.contains(':');
        found.extend(links.filter(here).map(|to| (n + 1, true, to)));
    }
    found
}

#[test]
fn what_documents_name_of_the_tree_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut tree = BTreeSet::new();
    below(root, root, &mut tree);
    let mut gone = Vec::new();
    for document in tree.iter().filter(|path| path.ends_with(".md")) {
        let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        for (line, is_link, path) in said(&text) {
            let there = match is_link {
                true => root.join(folder).join(path).exists(),
                false => is_there(path, folder, &tree),
            };
            if !there {
                gone.push(format!("{document}:{line}: {path}"));
            }
        }
    }
    assert!(gone.is_empty(), "not in the tree:\n{}", gone.join("\n"));
}

#[test]
fn each_top_folder_says_what_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for entry in std::fs::read_dir(root).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            assert!(path.join("README.md").is_file(), "{name} has no README.md");
        }
    }
}

#[test]
fn a_word_is_a_path_of_the_tree_only_where_it_looks_like_one() {
    for path in ["src/boot/", "ladder.rs", "src/gate/PROTOCOL.md", "a/b/style.css"] {
        assert_eq!(named(path), Some(path.trim_end_matches('/')));
    }
    for other in [
        "EFI/",
        "EFI/BOOT/",
        "NAME/card.tsx",
        "view/NAME.tsx",
        "kiln.toml",
        "/run/kiln/",
        "a b.rs",
        "*.rs",
        ".html",
        "a::b",
    ] {
        assert_eq!(named(other), None, "{other}");
    }
    let text = "see `one.rs`\n```sh\ncat `two.rs`\n```\n[this](docs/three.md#part), [that](https://example.org)\n";
    assert_eq!(said(text), [(1, false, "one.rs"), (5, true, "docs/three.md")]);
    let tree = ["agent/src/one.rs", "drive/two.rs"].map(str::to_owned).into();
    assert!(is_there("src/one.rs", "drive", &tree) && is_there("two.rs", "drive", &tree));
    assert!(!is_there("one.rs", "drive", &tree) && !is_there("o.rs", "", &tree));
}
