//! Text from outside as people are shown it: no character of it commands the terminal or turns what stands beside it.
//!
//! A drive's model, a file system's label or a certificate's words are whatever somebody wrote there. An escape sequence
//! among them could draw another result over the real one, and a mark of writing direction could reorder a line. Both are
//! shown as what they are: `\u{1b}`. Pure; every line that a person reads goes through [`line`]. One that is long enough scrolls away
//! what stands above it, and one of blanks leaves room for made-up lines: what a stranger wrote is shown [`brief`].

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character has no look of its own: a control character (C0, DEL, C1), a separator of lines or paragraphs, or a
/// format character (marks of writing direction, joiners, tags). Source: Unicode 16.0, general categories Cc, Cf, Zl, Zp.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

/// A text on one line, each hidden character as `\u{1b}`; a line end and a tab are hidden ones, too.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |c, out| out.extend(c.escape_unicode()))
}

/// JSON on one line, for a terminal as well as for a program: in its texts hidden characters stand as `\u001b`, which reads
/// back as what they are. Only for compact JSON, where every hidden character stands in a text.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(text, |c, out| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a text does not fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

/// At most so many characters of a text, `…` the last of them where it is longer; each run of blanks and control characters as one
/// blank, and none at the ends.
pub fn brief(text: &str, most: usize) -> String {
    let is_gap = |c: char| c.is_whitespace() || c.is_control();
    let mut brief = String::new();
    let words = text.split(is_gap).filter(|word| !word.is_empty());
    for (at, word) in words.enumerate() {
        brief.extend((at > 0).then_some(' '));
        brief.push_str(word);
        // The rest of a text that is too long is not looked at.
        if brief.len() > most && brief.chars().count() > most {
            let mut cut: String = brief.chars().take(most.saturating_sub(1)).collect();
            cut.truncate(cut.trim_end().len());
            return cut + "…";
        }
    }
    brief
}

fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            escape(c, &mut out);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_commands_a_terminal_is_shown_as_what_it_is() {
        for (text, is) in [
            (
                "ST12000NM000J, Ångström µ 序 🦀 “x”",
                "ST12000NM000J, Ångström µ 序 🦀 “x”",
            ),
            ("\u{1b}[2J\u{1b}[HTRUSTED", "\\u{1b}[2J\\u{1b}[HTRUSTED"),
            ("a\r\nb\tc\u{7f}", "a\\u{d}\\u{a}b\\u{9}c\\u{7f}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}DETSURT\u{2069}", "\\u{202e}DETSURT\\u{2069}"),
            ("a\u{2028}b\u{feff}\u{e0041}", "a\\u{2028}b\\u{feff}\\u{e0041}"),
        ] {
            assert_eq!(line(text), is);
        }
        assert!(matches!(line("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn what_a_stranger_wrote_is_short_and_has_no_gaps() {
        for (text, most, is) in [
            ("", 5, ""),
            ("WD  80\u{3000}\tEFAX \r\n", 60, "WD 80 EFAX"),
            ("12345", 5, "12345"),
            ("123456", 5, "1234…"),
            ("Ångström µ", 10, "Ångström µ"),
            ("123  456", 5, "123…"),
            ("   ", 0, ""),
        ] {
            assert_eq!(brief(text, most), is, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_more_than_asked_for_is_left_of_any_text(text in ".{0,40}", most in 1_usize..30) {
            let brief = brief(&text, most);
            prop_assert!(brief.chars().count() <= most);
            prop_assert!(!brief.contains("  ") && brief.trim() == brief);
        }

        #[test]
        fn nothing_hidden_is_left_and_json_says_the_same(text in "\\PC{0,20}[\\x00-\\x1f\\x7f-\\x9f\u{202a}-\u{202e}\u{e0020}]{0,4}.{0,20}") {
            prop_assert!(!line(&text).contains(is_hidden));
            let json_text = serde_json::to_string(&text).unwrap();
            let shown = json(&json_text);
            prop_assert!(!shown.contains(is_hidden));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }
}
