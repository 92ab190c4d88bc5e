//! The command line that goes on with what a signal ended, as a shell reads it. Pure.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

use wire::shown::is_hidden;

/// The same command line, to go on: with `--resume`, without the digest of a plan that is gone, without the drives that
/// have come to their end, whose names are `over`, and with words that last `instead` of those that may not.
pub(super) fn line(args: impl Iterator<Item = OsString>, over: &[String], instead: &[(String, String)]) -> String {
    let mut words = vec!["kiln".to_owned()];
    let mut skip = false;
    let mut resumes = false;
    let mut args = args.peekable();
    while let Some(given) = args.next() {
        // A word that is no UTF-8 (a path) is none of those that are looked for.
        let word = given.to_str().unwrap_or_default();
        if std::mem::take(&mut skip) || word.starts_with("--plan-digest=") {
            continue;
        }
        let is_over = |name: &str| over.iter().any(|over| over == name);
        let names = ["--yes-erase", "--give-up"].contains(&word);
        if word == "--plan-digest" || names && args.peek().and_then(|name| name.to_str()).is_some_and(is_over) {
            skip = true;
            continue;
        }
        let named = word.strip_prefix("--yes-erase=").or(word.strip_prefix("--give-up="));
        if is_over(word) || named.is_some_and(is_over) {
            continue;
        }
        resumes |= word == "--resume";
        let lasting = instead.iter().find(|(named, _)| named == word).map(|(_, id)| id);
        words.push(lasting.map_or_else(|| quote(&given), |id| quote(id.as_ref())));
        if word == "burn" && words.len() == 2 && !resumes {
            words.push("--resume".to_owned());
            resumes = true;
        }
    }
    let twice = words.iter().filter(|word| *word == "--resume").count();
    if twice > 1 {
        words.remove(2);
    }
    words.join(" ")
}

/// A word as a shell reads it; bytes that are no text, or have no look of their own, as bash, zsh and ksh do (`$'\xff'`).
pub(super) fn quote(word: &OsStr) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=".contains(c);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        Some(text) if !text.contains(is_hidden) => format!("'{}'", text.replace('\'', r"'\''")),
        Some(_) | None => {
            let mut quoted = "$'".to_owned();
            for byte in word.as_bytes() {
                match char::from(*byte) {
                    c @ ('\'' | '\\') => quoted.extend(['\\', c]),
                    c if c == ' ' || c.is_ascii_graphic() => quoted.push(c),
                    _ => drop(write!(quoted, r"\x{byte:02x}")),
                }
            }
            quoted + "'"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str], over: &[&str], instead: &[(&str, &str)]) -> String {
        let over: Vec<String> = over.iter().map(|word| (*word).to_owned()).collect();
        let instead = instead.iter().map(|(word, id)| ((*word).to_owned(), (*id).to_owned()));
        line(words.iter().map(OsString::from), &over, &instead.collect::<Vec<_>>())
    }

    fn words(text: &str) -> Vec<&str> {
        text.split(' ').collect()
    }

    #[test]
    fn how_to_go_on_is_the_same_command_with_resume() {
        let plan = ["--yes-erase", "WD 1", "--plan-digest", "ab", "--format=ext4"];
        assert_eq!(
            of(&[&["burn", "/dev/sda"], &plan[..]].concat(), &[], &[]),
            "kiln burn --resume /dev/sda --yes-erase 'WD 1' --format=ext4"
        );
        assert_eq!(
            of(&["burn", "--plan-digest=ab", "x", "--resume"], &[], &[]),
            "kiln burn x --resume"
        );
        assert_eq!(
            of(
                &words("burn /dev/a /dev/b --yes-erase WD-A --yes-erase=WD-B --give-up WD-A --format ext4"),
                &["/dev/a", "WD-A"],
                &[]
            ),
            "kiln burn --resume /dev/b --yes-erase=WD-B --format ext4",
            "what came through is refused by --resume"
        );
        assert_eq!(
            of(
                &words("burn ST8000 hgst --yes-erase ZA1 --yes-erase V6H"),
                &["ST8000", "ZA1"],
                &[("hgst", "V6H")]
            ),
            "kiln burn --resume V6H --yes-erase V6H",
            "what was named by a part of its model is named by its serial"
        );
    }

    #[test]
    fn any_word_comes_through_a_shell_as_it_was() {
        for (word, quoted) in [
            (&b"/a/b-c_d:e=f"[..], "/a/b-c_d:e=f"),
            (b"", "''"),
            (b"it's", r"'it'\''s'"),
            ("Gr\u{fc}n".as_bytes(), "'Gr\u{fc}n'"),
            (b"/tmp/\xff it's \\", r"$'/tmp/\xff it\'s \\'"),
            (b"a\nb", r"$'a\x0ab'"),
            // Soft hyphen, joiner, mark of writing direction.
            ("a\u{ad}\u{fc}".as_bytes(), r"$'a\xc2\xad\xc3\xbc'"),
            ("a\u{200c}b".as_bytes(), r"$'a\xe2\x80\x8cb'"),
            ("\u{200f}it's".as_bytes(), r"$'\xe2\x80\x8fit\'s'"),
        ] {
            assert_eq!(quote(OsStr::from_bytes(word)), quoted);
            assert_eq!(wire::shown::line(quoted), quoted, "what tells it changes it");
        }
    }
}
