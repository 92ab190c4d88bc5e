//! File names: 8.3 where the name allows it, else a numbered alias and a long name.

use super::{ENTRY, LONG};

/// Lower-case flags of a short name (byte 12): Linux and Windows show the base or the extension in lower case.
const LOWER_BASE: u8 = 0x08;
const LOWER_EXT: u8 = 0x10;
/// UTF-16 units in one entry of a long name.
const UNITS: usize = 13;
/// Longest name, in UTF-16 units.
const LONGEST: usize = 255;

/// A name as it stands in a directory.
#[derive(Debug, PartialEq, Eq)]
pub struct Name {
    /// The 8.3 name, padded with spaces.
    pub short: [u8; 11],
    /// Lower-case flags.
    pub case: u8,
    /// Entries of the long name, in the order in which they precede the short one.
    pub long: Vec<[u8; ENTRY]>,
}

impl Name {
    /// Encodes a name; `taken` are the short names that are already in the directory.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn new(name: &str, taken: &[[u8; 11]]) -> Result<Self, String> {
        let units: Vec<u16> = name.encode_utf16().collect();
        if name.is_empty() || units.len() > LONGEST || name.ends_with(['.', ' ']) {
            return Err(format!(
                "{name:?}: expected 1 to {LONGEST} characters that do not end in a dot or space"
            ));
        }
        if let Some(c) = name.chars().find(|c| c.is_control() || "\"*/:<>?\\|".contains(*c)) {
            return Err(format!("{name:?}: {c:?} is not allowed in a FAT name"));
        }
        if let Some((short, case)) = plain(name) {
            if taken.contains(&short) {
                return Err(format!(
                    "{name:?}: the directory has this name already (case does not tell them apart)"
                ));
            }
            return Ok(Self {
                short,
                case,
                long: Vec::new(),
            });
        }
        let short = (1..1000).map(|n| alias(name, n)).find(|a| !taken.contains(a));
        let short = short.ok_or_else(|| format!("{name:?}: too many names that look alike"))?;
        let sum = checksum(&short);
        let count = units.len().div_ceil(UNITS);
        let long = (0..count)
            .rev()
            .map(|i| {
                long_entry(
                    &units[i * UNITS..units.len().min((i + 1) * UNITS)],
                    i,
                    i + 1 == count,
                    sum,
                )
            })
            .collect();
        Ok(Self { short, case: 0, long })
    }
}

fn legal(c: u8) -> bool {
    c.is_ascii_alphanumeric() || b"!#$%&'()-@^_`{}~".contains(&c)
}

/// The 8.3 form of a name that needs no long one: each half in one case.
fn plain(name: &str) -> Option<([u8; 11], u8)> {
    let (base, ext) = name.split_once('.').unwrap_or((name, ""));
    let fits = |s: &str, n: usize| s.len() <= n && s.bytes().all(legal);
    let one_case = |s: &str| !(s.bytes().any(|b| b.is_ascii_lowercase()) && s.bytes().any(|b| b.is_ascii_uppercase()));
    if base.is_empty() || !fits(base, 8) || !fits(ext, 3) || !one_case(base) || !one_case(ext) || name.ends_with('.') {
        return None;
    }
    let lower = |s: &str, flag| {
        if s.bytes().any(|b| b.is_ascii_lowercase()) {
            flag
        } else {
            0
        }
    };
    Some((pad(base, ext), lower(base, LOWER_BASE) | lower(ext, LOWER_EXT)))
}

/// `LONGNA~1.EXT`
fn alias(name: &str, number: u32) -> [u8; 11] {
    let clean = |s: &str, n: usize| -> String {
        let ok = s.bytes().filter(|b| legal(*b) && *b != b'~');
        ok.take(n).map(|b| b.to_ascii_uppercase() as char).collect()
    };
    let (base, ext) = name.rsplit_once('.').unwrap_or((name, ""));
    let tail = format!("~{number}");
    let mut base = clean(base, 8 - tail.len());
    base.push_str(&tail);
    pad(&base, &clean(ext, 3))
}

fn pad(base: &str, ext: &str) -> [u8; 11] {
    let mut short = [b' '; 11];
    for (to, from) in short[..8].iter_mut().zip(base.bytes()) {
        *to = from.to_ascii_uppercase();
    }
    for (to, from) in short[8..].iter_mut().zip(ext.bytes()) {
        *to = from.to_ascii_uppercase();
    }
    short
}

/// Binds a long name to its short one, so that a tool that knows only short names cannot leave a stale long one.
pub fn checksum(short: &[u8; 11]) -> u8 {
    short.iter().fold(0u8, |sum, b| sum.rotate_right(1).wrapping_add(*b))
}

/// Byte offsets of the 13 units in an entry.
pub const PLACES: [usize; UNITS] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

#[expect(clippy::cast_possible_truncation, reason = "a name has at most 20 parts")]
fn long_entry(units: &[u16], index: usize, last: bool, sum: u8) -> [u8; ENTRY] {
    let mut e = [0u8; ENTRY];
    e[0] = (index as u8 + 1) | if last { 0x40 } else { 0 };
    e[11] = LONG;
    e[13] = sum;
    for (i, at) in PLACES.into_iter().enumerate() {
        // After the name one zero, then all ones.
        let unit = units
            .get(i)
            .copied()
            .unwrap_or(if i == units.len() { 0 } else { 0xffff });
        e[at..at + 2].copy_from_slice(&unit.to_le_bytes());
    }
    e
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn short_names_stay_short() {
        let n = Name::new("vmlinuz", &[]).unwrap();
        assert_eq!((&n.short, n.case, n.long.len()), (b"VMLINUZ    ", LOWER_BASE, 0));
        let n = Name::new("BOOTX64.EFI", &[]).unwrap();
        assert_eq!((&n.short, n.case, n.long.len()), (b"BOOTX64 EFI", 0, 0));
        let n = Name::new("grub.cfg", &[]).unwrap();
        assert_eq!((&n.short, n.case), (b"GRUB    CFG", LOWER_BASE | LOWER_EXT));
    }

    #[test]
    fn long_names_get_numbered_aliases() {
        let a = Name::new("system.erofs", &[]).unwrap();
        assert_eq!((&a.short, a.long.len()), (b"SYSTEM~1ERO", 1));
        assert_eq!(a.long[0][13], checksum(&a.short));
        assert_eq!(a.long[0][0], 0x41);
        let b = Name::new("system.erofs2", &[a.short]).unwrap();
        assert_eq!(&b.short, b"SYSTEM~2ERO");
        assert_eq!(b.long.len(), 1, "13 units fill one entry without a terminator");
        assert_eq!(
            Name::new("Mixed.Txt", &[]).unwrap().long.len(),
            1,
            "mixed case needs a long name"
        );
        assert_eq!(&Name::new(".hidden", &[]).unwrap().short, b"~1      HID");
    }

    #[test]
    fn bad_names_say_why() {
        for bad in ["", "a.", "a/b", "x?", &"n".repeat(256)] {
            assert!(Name::new(bad, &[]).is_err(), "{bad:?}");
        }
        assert!(Name::new("ABC", &[*b"ABC        "]).unwrap_err().contains("already"));
    }
}
