//! What others have said, as it may stand on a terminal: a name of a drive, a status text, an answer of a server.
//!
//! A terminal obeys control characters and escape sequences (C0, DEL, C1), begins another line at a line separator, and
//! draws text backwards after a bidirectional override. All of these are shown as `\u{1b}`, `\n`, …: nothing is hidden, and
//! nothing moves the cursor. Everything that is drawn, and everything that goes to the kernel's log (whose lines the kernel
//! puts on the console as they are), passes here. No memory is asked for.

use std::fmt::{self, Write as _};

/// Text of others on one line, harmless.
#[derive(Debug, Clone, Copy)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if is_safe(c) {
                f.write_char(c)?;
            } else {
                write!(f, "{}", c.escape_default())?;
            }
        }
        Ok(())
    }
}

/// Whether a terminal shows this as one character and does nothing else.
fn is_safe(c: char) -> bool {
    let invisible = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    !c.is_control() && !invisible
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_instead() {
        for (said, shown) in [
            ("WD80EFAX é 盤 ▄", "WD80EFAX é 盤 ▄"),
            ("\u{1b}[2J\u{9b}2J", "\\u{1b}[2J\\u{9b}2J"),
            ("a\r\nb\tc\0\u{7f}", "a\\r\\nb\\tc\\u{0}\\u{7f}"),
            ("\u{202e}DESSAP\u{2028}x\u{feff}", "\\u{202e}DESSAP\\u{2028}x\\u{feff}"),
        ] {
            assert_eq!(Printable(said).to_string(), shown);
        }
    }

    proptest! {
        #[test]
        fn no_text_at_all_gets_through_to_a_terminal(said: String) {
            let shown = Printable(&said).to_string();
            prop_assert!(shown.chars().all(is_safe));
            prop_assert_eq!(Printable(&shown).to_string(), shown);
        }
    }
}
