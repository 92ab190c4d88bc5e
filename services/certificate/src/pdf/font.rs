//! The standard fonts that every PDF reader has: widths and encoding, nothing embedded.
//!
//! Widths are those of Adobe's core 14 font metrics (Helvetica, Helvetica-Bold), in thousandths of the
//! size; Courier is 600 throughout. The encoding is WinAnsi (PDF 32000-1, annex D); a character that it
//! has not is written as `[U+5E8F]`, so that nothing is lost or shown as something else.

/// One of the faces used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    Sans,
    Bold,
    Mono,
}

impl Face {
    pub(super) const ALL: [Self; 3] = [Self::Sans, Self::Bold, Self::Mono];

    /// Name in the page's resources.
    pub(super) fn resource(self) -> &'static [u8] {
        match self {
            Self::Sans => b"F1",
            Self::Bold => b"F2",
            Self::Mono => b"F3",
        }
    }

    /// PostScript name.
    pub(super) fn name(self) -> &'static [u8] {
        match self {
            Self::Sans => b"Helvetica",
            Self::Bold => b"Helvetica-Bold",
            Self::Mono => b"Courier",
        }
    }

    /// Width of encoded text in points.
    pub(super) fn width(self, encoded: &[u8], size: f32) -> f32 {
        let thousandths: u32 = encoded.iter().map(|b| u32::from(self.glyph(*b))).sum();
        thousandths as f32 * size / 1000.0
    }

    fn glyph(self, byte: u8) -> u16 {
        let table = match self {
            Self::Mono => return 600,
            Self::Sans => &SANS,
            Self::Bold => &BOLD,
        };
        match byte {
            0x20..=0x7e => table[usize::from(byte - 0x20)],
            // Accented letters are as wide as their base; the rest lies between, and 556 is Latin's mean.
            0xc0..=0xc5 => table[usize::from(b'A' - 0x20)],
            0xc8..=0xcb => table[usize::from(b'E' - 0x20)],
            0xcc..=0xcf => table[usize::from(b'I' - 0x20)],
            0xd2..=0xd6 | 0xd8 => table[usize::from(b'O' - 0x20)],
            0xd9..=0xdc => table[usize::from(b'U' - 0x20)],
            0xec..=0xef => table[usize::from(b'i' - 0x20)],
            0xe7 => table[usize::from(b'c' - 0x20)],
            0xa0 | 0xb7 => table[0],
            0xb0 => 400,
            0x85 | 0x97 => 1000,
            0x91 | 0x92 => 222,
            0x93 | 0x94 => 333,
            0xd7 | 0xb1 => 584,
            _ => 556,
        }
    }
}

/// Text in WinAnsi.
pub(super) fn encode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // The soft hyphen would print as a real one.
            ' '..='~' | '\u{a0}'..='\u{ac}' | '\u{ae}'..='\u{ff}' => bytes.extend(u8::try_from(c)),
            '€' => bytes.push(0x80),
            '…' => bytes.push(0x85),
            '‘' => bytes.push(0x91),
            '’' => bytes.push(0x92),
            '“' => bytes.push(0x93),
            '”' => bytes.push(0x94),
            '•' => bytes.push(0x95),
            '–' => bytes.push(0x96),
            '—' => bytes.push(0x97),
            // The micro sign and the Greek letter look alike and are both used.
            'μ' => bytes.push(0xb5),
            // Helvetica has no such signs.
            '→' => bytes.extend(b"->"),
            '≤' => bytes.extend(b"<="),
            '≥' => bytes.extend(b">="),
            '−' => bytes.push(b'-'),
            other => bytes.extend(format!("[U+{:04X}]", u32::from(other)).bytes()),
        }
    }
    bytes
}

/// Lines of at most `width` points; a word that is longer is broken.
pub(super) fn wrap(face: Face, size: f32, text: &str, width: f32) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut line: Vec<u8> = Vec::new();
    for word in encode(text).split(|b| *b == b' ').filter(|w| !w.is_empty()) {
        let mut joined = line.clone();
        if !joined.is_empty() {
            joined.push(b' ');
        }
        joined.extend(word);
        if face.width(&joined, size) <= width {
            line = joined;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for byte in word {
            line.push(*byte);
            if face.width(&line, size) > width && line.len() > 1 {
                line.pop();
                lines.push(std::mem::replace(&mut line, vec![*byte]));
            }
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[rustfmt::skip]
const SANS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

#[rustfmt::skip]
const BOLD: [u16; 95] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611,
    975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556,
    333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611,
    611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_font_has_not_is_named() {
        assert_eq!(encode("µ°é“€"), [0xb5, 0xb0, 0xe9, 0x93, 0x80]);
        assert_eq!(encode("序"), b"[U+5E8F]");
        assert_eq!(encode("0 → 2.6 %, ≥ 3"), b"0 -> 2.6 %, >= 3");
        assert_eq!(encode("a\nb\u{202e}"), b"a[U+000A]b[U+202E]");
        assert_eq!(encode("\u{1b}[2J\u{9b}\u{ad}"), b"[U+001B][2J[U+009B][U+00AD]");
    }

    #[test]
    fn lines_stay_within_their_width_and_lose_nothing() {
        let text = "half of all answers within 2.3 ms, 99 % within 9.9 ms ".repeat(4) + &"X".repeat(200);
        for width in [60.0, 120.0, 300.0] {
            let lines = wrap(Face::Sans, 9.0, &text, width);
            assert!(lines.iter().all(|line| Face::Sans.width(line, 9.0) <= width));
            let letters = |bytes: &[u8]| bytes.iter().filter(|b| **b != b' ').count();
            assert_eq!(
                lines.iter().map(|l| letters(l)).sum::<usize>(),
                letters(text.as_bytes())
            );
        }
    }
}
