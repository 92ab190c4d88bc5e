//! What a program says, of which as much is kept as anybody reads: a checker of a drive that lies may say gigabytes.

use std::io::{self, Read};

/// Bytes kept of the beginning, and as many of the end: some screens full.
const KEPT: usize = 8 << 10;

/// A program's words.
#[derive(Debug, Default)]
pub(super) struct Words {
    head: Vec<u8>,
    tail: Vec<u8>,
    /// Whether anything between the two is gone.
    pub cut: bool,
}

impl Words {
    /// Reads to the end, so that whoever speaks is never held up.
    pub(super) fn read(mut from: impl Read) -> io::Result<Self> {
        let mut words = Self::default();
        from.by_ref().take(KEPT as u64).read_to_end(&mut words.head)?;
        let mut buffer = [0; KEPT];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => return Ok(words),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            words.tail.extend_from_slice(&buffer[..read]);
            let gone = words.tail.len().saturating_sub(KEPT);
            words.cut |= gone > 0;
            words.tail.drain(..gone);
        }
    }

    /// All that is kept; `…` stands for what is not.
    pub(super) fn text(&self) -> String {
        let between = if self.cut { " … " } else { "" };
        let all = [self.head.as_slice(), between.as_bytes(), &self.tail].concat();
        String::from_utf8_lossy(&all).into_owned()
    }
}

/// In one line of at most `most` characters: where it is longer, its beginning and its end.
pub(super) fn short(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: Vec<char> = words.join(" ").chars().collect();
    if line.len() <= most {
        return line.into_iter().collect();
    }
    let half = most / 2;
    let (head, tail) = (&line[..half], &line[line.len() - half..]);
    head.iter().chain(&[' ', '…', ' ']).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn of_many_megabytes_the_beginning_and_the_end_are_kept() {
        let says = (&b"begin "[..])
            .chain(io::repeat(b'x').take(100 << 20))
            .chain(&b" the end"[..]);
        let words = Words::read(says).unwrap();
        assert!(words.cut && words.head.capacity() + words.tail.capacity() < 16 * KEPT);
        let text = words.text();
        assert!(text.starts_with("begin xxx") && text.ends_with("xxx the end"));
        let line = short(&text, 40);
        assert_eq!(line, "begin xxxxxxxxxxxxxx … xxxxxxxxxxxx the end");
    }

    #[test]
    fn what_is_short_is_kept_whole() {
        for length in [0, 5, KEPT, KEPT + 1, 2 * KEPT] {
            let says: String = ('a'..='z').cycle().take(length).collect();
            let words = Words::read(says.as_bytes()).unwrap();
            assert!(!words.cut);
            assert_eq!(words.text(), says);
        }
        assert_eq!(short(" one\n two ", 40), "one two");
    }
}
