//! Mistakes in `kiln.toml`: each is told with its line, its key and what is expected there, in few words.

use std::borrow::Cow;

use toml::de::{DeTable, DeValue, Error};

use crate::unit::{one_line, place};

/// Mistakes that are told; of more it is said how many there are.
const TOLD_MAX: usize = 5;
/// Longest key that is told, in characters.
const KEY_MAX: usize = 60;

/// What was wrong: the tables and the key on whose line it stands, and what is expected there.
pub(super) type Wrong = (Vec<String>, Cow<'static, str>);

/// A mistake at a key below these tables.
pub(super) fn wrong_at(path: &[&str], expected: impl Into<Cow<'static, str>>) -> Wrong {
    (path.iter().map(|k| (*k).to_owned()).collect(), expected.into())
}

/// Line of the last key of a path, counted from 1.
fn line_of(text: &str, path: &[String]) -> usize {
    let mut line = 0;
    let Ok(table) = DeTable::parse(text) else {
        return line;
    };
    let mut table = Some(table.get_ref());
    for name in path {
        let Some((key, value)) = table.and_then(|t| t.iter().find(|(k, _)| k.get_ref() == name)) else {
            break;
        };
        line = place(text, key.span().start).0.unwrap_or(line);
        table = if let DeValue::Table(t) = value.get_ref() {
            Some(t)
        } else {
            None
        };
    }
    line
}

/// The mistakes of a text that is TOML, in sentences.
pub(super) fn told(wrong: &[Wrong], text: &str) -> Vec<String> {
    let told = |(path, expected): &Wrong| {
        let key: String = path.last().map_or("", String::as_str).chars().take(KEY_MAX).collect();
        format!(
            "kiln.toml line {}, field `{key}`: expected {expected}",
            line_of(text, path)
        )
    };
    let mut all: Vec<String> = wrong.iter().take(TOLD_MAX).map(told).collect();
    if let Some(more) = wrong.len().checked_sub(TOLD_MAX).filter(|n| *n > 0) {
        all.push(format!("and {more} more mistakes in kiln.toml"));
    }
    all
}

/// Why a text is no TOML: the line, its key where it has one, and what people forget most.
pub(super) fn no_toml(e: &Error, text: &str) -> String {
    let begins = |line: usize| text.split_inclusive('\n').take(line).map(str::len).sum();
    // Of a key in too many parts the parser does not say where it is.
    let too_deep = || {
        let no_place = |l: &str| l.parse::<toml::Table>().is_err_and(|e| e.span().is_none());
        text.lines().position(no_place).map(begins)
    };
    let mut told = "kiln.toml".to_owned();
    let at = e.span().map(|s| s.start).or_else(too_deep);
    if let Some((Some(line), key)) = at.map(|at| place(text, at)) {
        told += &format!(" line {line}");
        if let Some(key) = key {
            told += &format!(", field `{}`", key.chars().take(KEY_MAX).collect::<String>());
        }
        told += &format!(": {}", one_line(e.message()));
        if text.lines().nth(line - 1).is_some_and(is_bare) {
            told += "; texts and addresses stand in quotes, like \"192.0.2.4\"";
        }
    } else {
        told += &format!(": {}", one_line(e.message()));
    }
    told
}

/// Whether the value on this line looks like a text without its quotes.
fn is_bare(line: &str) -> bool {
    let value = line.split_once(['=', ':']).map_or(line, |(_, v)| v);
    let value = value.trim_start_matches(['[', ' ', '\t']);
    let quoted = value.starts_with(['"', '\'', '{', '#']);
    !quoted && value.contains(|c: char| c.is_alphabetic() || c == '.' || c == ':')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::boot::config::site::Site;

    #[test]
    fn each_mistake_is_told_with_its_own_line() {
        for (text, lines) in [
            (
                "[network.eth0]\ngateway='192.0.2.1'\n[network.eth1]\ngateway=5\n",
                vec![4],
            ),
            ("[env]\nPORTAL='x'\n# PORT\nPORT='y'\n", vec![4]),
            (
                "[network]\ndns=['192.0.2.1']\n[env]\n\"dns\"=1\n\"a b\"='c'\n",
                vec![4, 5],
            ),
            (
                "\nnetwork.eth0.ipv6=1\nnetwork.eth1 = { off = 1 }\n[time]\n'servers'=1\n",
                vec![2, 3, 5],
            ),
            ("hostname='ok'\n[env.hostname]\nx=1\n", vec![2]),
        ] {
            let (_, wrong) = Site::parse(text);
            let mut told: Vec<usize> = wrong
                .iter()
                .map(|w| {
                    w.strip_prefix("kiln.toml line ")
                        .unwrap()
                        .split_once(',')
                        .unwrap()
                        .0
                        .parse()
                        .unwrap()
                })
                .collect();
            told.sort_unstable();
            assert_eq!(told, lines, "{text}: {wrong:?}");
        }
    }

    #[test]
    fn mistakes_are_told_in_few_words_however_many_there_are() {
        let other: String = (0..100).map(|n| format!("key{n} = 1\n")).collect();
        let (_, e) = Site::parse(&other);
        assert_eq!(e.len(), TOLD_MAX + 1);
        assert_eq!(e[TOLD_MAX], "and 95 more mistakes in kiln.toml");
        let long = "k".repeat(16_000);
        for text in [
            format!("{long} = 1\n"),
            format!("hostname = {long}\n"),
            format!("x = '''{long}\n"),
        ] {
            let (_, e) = Site::parse(&text);
            assert!(e.len() == 1 && e[0].chars().count() < 400, "{e:?}");
        }
    }
}
