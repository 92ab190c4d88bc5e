//! What a person at the console types: pure, a byte at a time.
//!
//! `1` `2` `3` choose a page, `b` saves a debug bundle. What ends the box or changes who owns it asks for a word, written in full:
//! a serial line without anybody at its end brings random bytes. A key that has no character (an arrow, F1, Delete) sends an
//! escape sequence, whose letters are no commands: it is taken whole, and nothing of it is ever shown.

/// A page of the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Page {
    /// Name, addresses, claim code, state.
    #[default]
    Status,
    /// Interfaces.
    Network,
    /// The end of the log.
    Log,
}

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// See this page.
    Show(Page),
    /// Debug bundle to the boot partition.
    Bundle,
    /// A new claim code: get in without a password.
    Recover,
    /// Back to the system in the other slot.
    Back,
    /// Switch off in order.
    PowerOff,
    /// Restart in order.
    Restart,
    /// Factory reset.
    Reset,
}

/// What waits for a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    /// What happens then.
    what: &'static str,
    /// Each word, and what it stands for.
    words: &'static [(&'static str, Wish)],
}

/// One keyboard or serial line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Keys {
    asked: Option<Asked>,
    typed: String,
    sequence: Sequence,
}

/// How far an escape sequence has come (ECMA-48 §5.4; `ESC O x` and the Linux console's `ESC [ [ x` too).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Sequence {
    #[default]
    None,
    /// After `ESC`.
    Escape,
    /// After `ESC O` or `ESC [ [`: one more byte.
    Last,
    /// After `ESC [` and so many bytes.
    Parameters(u8),
}

/// Most bytes of a sequence: a line that brings noise must not lose its keys for good.
const SEQUENCE_MAX: u8 = 16;

impl Sequence {
    /// Takes a byte; whether it belongs to the sequence.
    fn takes(&mut self, byte: u8) -> bool {
        let (next, takes) = match (*self, byte) {
            (Sequence::None | Sequence::Escape, 0x1b) => (Sequence::Escape, false),
            (Sequence::Escape, b'[') => (Sequence::Parameters(0), true),
            (Sequence::Escape, b'O') => (Sequence::Last, true),
            (Sequence::Parameters(0), b'[') => (Sequence::Last, true),
            (Sequence::Parameters(n), b' '..=b'?') if n < SEQUENCE_MAX => (Sequence::Parameters(n + 1), true),
            (Sequence::Parameters(_), b'@'..=b'~') | (Sequence::Last, b' '..=b'~') => (Sequence::None, true),
            (Sequence::None | Sequence::Escape | Sequence::Last | Sequence::Parameters(_), _) => {
                (Sequence::None, false)
            }
        };
        *self = next;
        takes
    }
}

const RECOVER: Asked = Asked {
    what: "Lost password: a new claim code is shown here; history and settings stay.",
    words: &[("RECOVER", Wish::Recover)],
};
const BACK: Asked = Asked {
    what: "Back to the other system: the box restarts with it, if it has proven itself; history and settings stay.",
    words: &[("GO BACK", Wish::Back)],
};
const POWER: Asked = Asked {
    what: "Power: running jobs write down where they are, and go on at the next start.",
    words: &[("POWER OFF", Wish::PowerOff), ("RESTART", Wish::Restart)],
};
const RESET: Asked = Asked {
    what: "Factory reset: history, settings and owner of this box are erased.",
    words: &[("ERASE ALL", Wish::Reset)],
};

impl Keys {
    /// Takes one byte.
    pub(super) fn take(&mut self, byte: u8) -> Option<Wish> {
        if self.sequence.takes(byte) {
            return None;
        }
        let Some(asked) = self.asked else {
            return self.command(byte);
        };
        match byte {
            b'\r' | b'\n' => {
                let right = asked.words.iter().find(|(word, _)| self.typed == *word);
                *self = Keys::default();
                right.map(|(_, wish)| *wish)
            }
            0x7f | 0x08 => {
                self.typed.pop();
                None
            }
            b' '..=b'~' if self.typed.len() < 16 => {
                self.typed.push(char::from(byte));
                None
            }
            // Escape, Ctrl-C, or what nobody types.
            _ => {
                (self.asked, self.typed) = (None, String::new());
                None
            }
        }
    }

    fn command(&mut self, byte: u8) -> Option<Wish> {
        match byte.to_ascii_lowercase() {
            b'1' => return Some(Wish::Show(Page::Status)),
            b'2' => return Some(Wish::Show(Page::Network)),
            b'3' => return Some(Wish::Show(Page::Log)),
            b'b' => return Some(Wish::Bundle),
            b'c' => self.asked = Some(RECOVER),
            b'g' => self.asked = Some(BACK),
            b'p' => self.asked = Some(POWER),
            b'r' => self.asked = Some(RESET),
            _ => {}
        }
        None
    }

    /// What is asked at the moment, with what was typed so far.
    pub(super) fn prompt(&self) -> Option<String> {
        let asked = self.asked?;
        let words: Vec<&str> = asked.words.iter().map(|(word, _)| *word).collect();
        Some(format!(
            "{} Type {} and Enter, or Escape: {}",
            asked.what,
            words.join(" or "),
            self.typed
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn type_it(keys: &mut Keys, text: &str) -> Vec<Wish> {
        text.bytes().filter_map(|b| keys.take(b)).collect()
    }

    #[test]
    fn pages_and_the_bundle_need_one_key() {
        let wishes = type_it(&mut Keys::default(), "132bBx\n");
        let pages = [Page::Status, Page::Log, Page::Network].map(Wish::Show);
        assert_eq!(wishes, [pages.as_slice(), &[Wish::Bundle, Wish::Bundle]].concat());
    }

    #[test]
    fn what_cannot_be_undone_needs_its_word() {
        let mut k = Keys::default();
        assert_eq!(type_it(&mut k, "rERASE ALL\r"), [Wish::Reset]);
        assert_eq!(type_it(&mut k, "cRECOVEX\x7fR\r"), [Wish::Recover]);
        assert_eq!(type_it(&mut k, "gGO BACK\r"), [Wish::Back]);
        assert_eq!(type_it(&mut k, "pPOWER OFF\r"), [Wish::PowerOff]);
        assert_eq!(type_it(&mut k, "PRESTART\r"), [Wish::Restart]);
        assert_eq!(k, Keys::default());
        for wrong in [
            "g\r",
            "ggo back\r",
            "gERASE ALL\r",
            "rGO BACK\r",
            "p\r",
            "pp\r",
            "pOFF\r",
            "ppower off\r",
            "pPOWER OFF\x1b\r",
            "pERASE ALL\r",
            "rRESTART\r",
            "r\r",
            "rerase all\r",
            "rRECOVER\r",
            "cRECOVER",
            "rERASE\x1b ALL\r",
            "cERASE ALL\r",
        ] {
            assert_eq!(type_it(&mut Keys::default(), wrong), [], "{wrong:?}");
        }
        assert_eq!(type_it(&mut k, "rERA"), []);
        assert!(k.prompt().is_some_and(|p| p.ends_with("ERA")));
        let mut k = Keys::default();
        type_it(&mut k, "p");
        let asked = k.prompt().unwrap_or_default();
        assert!(
            asked.ends_with("Type POWER OFF or RESTART and Enter, or Escape: "),
            "{asked}"
        );
    }

    #[test]
    fn keys_without_a_character_are_no_commands() {
        for key in [
            "\x1b[A",
            "\x1b[B",
            "\x1b[C",
            "\x1bOB",
            "\x1bOC",
            "\x1b[[C",
            "\x1b[1~",
            "\x1b[15~",
            "\x1b[1;5C",
            "\x1b[200~",
        ] {
            let mut k = Keys::default();
            assert_eq!(type_it(&mut k, key), [], "{key:?}");
            assert_eq!(k.prompt(), None, "{key:?}");
            assert_eq!(type_it(&mut k, "b"), [Wish::Bundle], "{key:?}, then a key");
        }
        let mut k = Keys::default();
        assert_eq!(type_it(&mut k, "rERASE\x1b"), []);
        assert_eq!(k.prompt(), None, "Escape alone gives up");
        assert_eq!(type_it(&mut k, "\x1b3"), [Wish::Show(Page::Log)]);
        assert_eq!(
            type_it(&mut k, &format!("\x1b[{}1", "0".repeat(100))).last(),
            Some(&Wish::Show(Page::Status))
        );
        type_it(&mut k, "c\u{9b}2J\u{7}");
        assert!(k.prompt().is_none_or(|p| p.chars().all(|c| (' '..='~').contains(&c))));
    }

    proptest! {
        /// Noise on a line: without the whole word nothing is erased or switched off, and memory stays bounded.
        #[test]
        fn noise_erases_nothing(bytes: Vec<u8>) {
            let mut k = Keys::default();
            let wishes: Vec<Wish> = bytes.iter().filter_map(|b| k.take(*b)).collect();
            prop_assert!(k.typed.len() <= 16);
            let has = |word: &str| bytes.windows(word.len()).any(|w| w == word.as_bytes());
            prop_assert!(!wishes.contains(&Wish::Reset) || has("ALL"));
            prop_assert!(!wishes.contains(&Wish::PowerOff) || has("OFF"));
            prop_assert!(!wishes.contains(&Wish::Restart) || has("START"));
        }
    }
}
