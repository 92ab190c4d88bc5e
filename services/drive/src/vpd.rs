//! SCSI vital product data pages as the kernel shows them in sysfs: serial (0x80), names (0x83), ATA identity (0x89),
//! rotation (0xb1).
//!
//! Source: SPC-5 §7.7, SBC-4 §6.6.2, SAT-4 §12.4.2, ACS-5 §7.13. Every function takes the whole page and gives `None`
//! for one that is too short or does not make sense. Tested below and by `fuzz/`.

/// Payload of page `code`: what its header says, at most what is there.
fn payload(page: &[u8], code: u8) -> Option<&[u8]> {
    let (header, rest) = page.split_at_checked(4)?;
    if header[1] != code {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    Some(&rest[..length.min(rest.len())])
}

/// Printable text of `bytes`, blanks and NULs around it removed; `None` if nothing is left.
fn text(bytes: &[u8]) -> Option<String> {
    let text: String = bytes
        .iter()
        .map(|&b| {
            if b.is_ascii_graphic() || b == b' ' {
                char::from(b)
            } else {
                '\0'
            }
        })
        .collect();
    let text = text.trim_matches(|c| c == ' ' || c == '\0').replace('\0', "?");
    (!text.is_empty()).then_some(text)
}

/// Unit serial number, page 0x80.
pub fn serial(page: &[u8]) -> Option<String> {
    text(payload(page, 0x80)?)
}

/// World wide name of the logical unit, page 0x83, in lower-case hexadecimal digits: NAA before EUI-64.
pub fn wwn(page: &[u8]) -> Option<String> {
    let mut rest = payload(page, 0x83)?;
    let mut eui = None;
    while let Some((header, after)) = rest.split_at_checked(4) {
        let (designator, next) = after.split_at_checked(usize::from(header[3]))?;
        rest = next;
        let binary = header[0] & 0x0F == 1;
        let of_logical_unit = header[1] & 0x30 == 0;
        if !(binary && of_logical_unit) {
            continue;
        }
        let hex = || designator.iter().map(|b| format!("{b:02x}")).collect::<String>();
        match (header[1] & 0x0F, designator.len()) {
            (3, 8 | 16) => return Some(hex()),
            (2, 8 | 12 | 16) => eui = eui.or_else(|| Some(hex())),
            _ => {}
        }
    }
    eui
}

/// What an ATA drive behind a translation layer says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ata {
    /// Model, words 27 to 46: the whole of it, where SCSI's inquiry has room for 16 characters.
    pub model: Option<String>,
    /// Serial number, words 10 to 19.
    pub serial: Option<String>,
    /// World wide name, words 108 to 111, where word 87 bit 8 says that it is there.
    pub wwn: Option<String>,
    /// Rotation, word 217.
    pub rotation: Option<Rate>,
}

/// Nominal medium rotation rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Does not rotate.
    SolidState,
    /// Revolutions per minute.
    Rpm(u32),
}

fn rate(value: u16) -> Option<Rate> {
    match value {
        1 => Some(Rate::SolidState),
        0x401..=0xFFFE => Some(Rate::Rpm(u32::from(value))),
        _ => None,
    }
}

/// ATA information, page 0x89: IDENTIFY DEVICE data at byte 60.
pub fn ata(page: &[u8]) -> Option<Ata> {
    if page.get(1) != Some(&0x89) {
        return None;
    }
    let identify = page.get(60..60 + 512)?;
    let word = |n: usize| u16::from_le_bytes([identify[2 * n], identify[2 * n + 1]]);
    let string = |words: std::ops::Range<usize>| {
        let bytes: Vec<u8> = words.flat_map(|n| word(n).to_be_bytes()).collect();
        text(&bytes)
    };
    let wwn = (word(87) & 0xC100 == 0x4100)
        .then(|| (108..112).map(|n| format!("{:04x}", word(n))).collect::<String>())
        .filter(|wwn| wwn.starts_with('5'));
    Some(Ata {
        model: string(27..47),
        serial: string(10..20),
        wwn,
        rotation: rate(word(217)),
    })
}

/// Rotation, page 0xb1 (block device characteristics).
pub fn rotation(page: &[u8]) -> Option<Rate> {
    let payload = payload(page, 0xB1)?;
    rate(u16::from_be_bytes([*payload.first()?, *payload.get(1)?]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn serial_is_trimmed() {
        assert_eq!(serial(b"\0\x80\0\x14     WD-WCC4E1234567").unwrap(), "WD-WCC4E1234567");
        assert_eq!(serial(b"\0\x80\0\x04    "), None);
        assert_eq!(serial(b"\0\x83\0\x04ABCD"), None);
        assert_eq!(serial(b"\0\x80"), None);
    }

    #[test]
    fn the_logical_units_naa_is_the_name() {
        // T10 vendor text, a target port's NAA (association 1), then the logical unit's NAA.
        let page =
            b"\0\x83\0\x1e\x02\x01\0\x02AB\x61\x93\0\x08\x50\0\0\0\0\0\0\x99\x01\x03\0\x08\x50\0\xc5\0\xa1\xb2\xc3\xd4";
        assert_eq!(wwn(page).unwrap(), "5000c500a1b2c3d4");
        // Only an EUI-64.
        assert_eq!(
            wwn(b"\0\x83\0\x0c\x01\x02\0\x08\x00\x11\x22\x33\x44\x55\x66\x77").unwrap(),
            "0011223344556677"
        );
        // A designator that claims more than is there.
        assert_eq!(wwn(b"\0\x83\0\x0c\x01\x03\0\x10\x50\0\xc5"), None);
    }

    #[test]
    fn ata_identity_is_read_through_the_translation_layer() {
        let mut page = vec![0_u8; 572];
        page[1] = 0x89;
        let put = |page: &mut [u8], word: usize, text: &str| {
            for (n, pair) in text.as_bytes().chunks(2).enumerate() {
                page[60 + 2 * (word + n)] = *pair.get(1).unwrap_or(&b' ');
                page[60 + 2 * (word + n) + 1] = pair[0];
            }
        };
        put(&mut page, 10, "     WD-WCC4E1234567");
        put(&mut page, 27, "WDC WD40EFRX-68WT0N0                    ");
        page[60 + 2 * 217..][..2].copy_from_slice(&5400_u16.to_le_bytes());
        page[60 + 2 * 87..][..2].copy_from_slice(&0x4100_u16.to_le_bytes());
        for (n, word) in [0x5001_u16, 0x4EE2, 0xB37A, 0x1234].into_iter().enumerate() {
            page[60 + 2 * (108 + n)..][..2].copy_from_slice(&word.to_le_bytes());
        }
        assert_eq!(
            ata(&page).unwrap(),
            Ata {
                model: Some("WDC WD40EFRX-68WT0N0".into()),
                serial: Some("WD-WCC4E1234567".into()),
                wwn: Some("50014ee2b37a1234".into()),
                rotation: Some(Rate::Rpm(5400)),
            }
        );
        assert_eq!(ata(&page[..571]), None);
    }

    #[test]
    fn rotation_tells_ssd_from_disk() {
        assert_eq!(rotation(b"\0\xb1\0\x3c\0\x01"), Some(Rate::SolidState));
        assert_eq!(rotation(b"\0\xb1\0\x3c\x1c\x20"), Some(Rate::Rpm(7200)));
        assert_eq!(rotation(b"\0\xb1\0\x3c\0\0"), None);
        assert_eq!(rotation(b"\0\xb1\0\x3c"), None);
    }

    proptest! {
        #[test]
        fn no_page_panics(page in proptest::collection::vec(any::<u8>(), 0..700), code: u8) {
            let mut page = page;
            for code in [code, 0x80, 0x83, 0x89, 0xB1] {
                if let Some(byte) = page.get_mut(1) {
                    *byte = code;
                }
                let _ = (serial(&page), wwn(&page), ata(&page), rotation(&page));
            }
        }
    }
}
