//! Sectors that a drive's own setting hides: a device configuration overlay (DCO), a host protected area (HPA), or an
//! accessible max address (AMAC), which took the place of both. The drive's own size tells of none, and the kernel of an HPA
//! alone, where it drives the disk itself: behind a SAS controller it does not.
//!
//! The drive is asked through the descriptor that is held, by commands that only read: IDENTIFY DEVICE says which of them it
//! knows, and only those are sent (DEVICE CONFIGURATION IDENTIFY; GET NATIVE MAX ADDRESS EXT, or READ NATIVE MAX ADDRESS EXT).
//! Decoding is pure; a drive, a controller or a right that refuses is told as "not looked at".
//!
//! It never ran on a device: tested over pages and registers made by the standards.
//! Source: ATA/ATAPI-7 §6.16.9 (IDENTIFY), §6.9 (DEVICE CONFIGURATION), §6.33 (READ NATIVE MAX ADDRESS EXT); ACS-4, ACCESSIBLE MAX
//! ADDRESS CONFIGURATION (78h) and words 119 and 120.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};
use wire::drive::Bus;

use crate::System;
use crate::identity::Identity;
use crate::pass_through::{Order, PAGE, native, page};
use crate::sysfs::{DevNum, speaks_ata};

/// What a look for hidden sectors came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlay {
    /// Nothing is known; why, in words.
    NotLooked(String),
    /// The drive knows no such setting, or those that it knows hide nothing.
    Nothing,
    /// Sectors of 512 bytes that the drive could have and does not tell, by whichever setting.
    Hidden(u64),
}

impl Overlay {
    /// What two looks come to: what is hidden counts, and what was not looked at is not nothing.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            // Sectors that one setting hides are among those that another one does.
            (Self::Hidden(one), Self::Hidden(other)) => Self::Hidden(one.max(other)),
            (hidden @ Self::Hidden(_), _) | (_, hidden @ Self::Hidden(_)) => hidden,
            (Self::NotLooked(one), Self::NotLooked(other)) => Self::NotLooked(format!("{one}; {other}")),
            (not @ Self::NotLooked(_), Self::Nothing) | (Self::Nothing, not @ Self::NotLooked(_)) => not,
            (Self::Nothing, Self::Nothing) => Self::Nothing,
        }
    }

    /// What two looks at one drive at different times come to: what one found hidden counts, and where one could not look
    /// the other's word does.
    #[must_use]
    pub fn over_time(known: Option<Self>, told: Option<Self>) -> Option<Self> {
        match (known, told) {
            (Some(Self::Hidden(one)), Some(Self::Hidden(other))) => Some(Self::Hidden(one.max(other))),
            (hidden @ Some(Self::Hidden(_)), _) | (_, hidden @ Some(Self::Hidden(_))) => hidden,
            (nothing @ Some(Self::Nothing), _) | (_, nothing @ Some(Self::Nothing)) => nothing,
            (known, told) => known.or(told),
        }
    }

    /// Whether a further look could tell more than what is known.
    pub fn is_open(known: Option<&Self>) -> bool {
        match known {
            None | Some(Self::NotLooked(_)) => true,
            Some(Self::Nothing | Self::Hidden(_)) => false,
        }
    }
}

/// Asks the drive that `file` holds; `None` for one that is not ATA, which has no such settings, and for one behind a bridge,
/// which may do anything with a command that it does not know.
pub fn look(system: &System, file: &File, identity: &Identity) -> Option<Overlay> {
    let ata = match identity.bus {
        Bus::Sata => true,
        // Its controller translates, as a SAS one does for a SATA disk.
        Bus::Scsi => file
            .metadata()
            .is_ok_and(|data| speaks_ata(system, DevNum::from_raw(data.rdev()))),
        Bus::Usb | Bus::Nvme | Bus::Virtio | Bus::Mmc | Bus::Loop | Bus::Other => false,
    };
    let size = Size {
        bytes: identity.capacity.0,
        sector: u64::from(identity.logical_sector.max(512)),
    };
    ata.then(|| told(|what| page(file, what), |what| native(file, what), size))
}

/// What a drive shows.
#[derive(Clone, Copy)]
struct Size {
    bytes: u64,
    /// Bytes of its logical sector, in which it counts its addresses.
    sector: u64,
}

/// What a drive of this size tells, asked for pages and for its highest address.
fn told(
    page: impl Fn(Order) -> io::Result<[u8; PAGE]>,
    native: impl Fn(Order) -> io::Result<u64>,
    size: Size,
) -> Overlay {
    let known = match page(Order::IDENTIFY).map(|page| Known::of(&page)) {
        Err(error) => return Overlay::NotLooked(format!("it was not asked: {error}")),
        Ok(None) => return Overlay::NotLooked("its IDENTIFY page says nothing of it".to_owned()),
        Ok(Some(known)) => known,
    };
    let area = match known.native {
        Native::None => Overlay::Nothing,
        Native::Short => {
            Overlay::NotLooked("it may have a protected area, and no addresses of 48 bits to ask by".to_owned())
        }
        Native::Asked(order) => match native(order) {
            Err(error) => Overlay::NotLooked(format!("it may have a protected area, and did not tell: {error}")),
            Ok(highest) => beyond(highest, size),
        },
    };
    let overlay = match known.overlays {
        false => Overlay::Nothing,
        true => match page(Order::CONFIGURATION_IDENTIFY) {
            // A frozen overlay is refused with the same words.
            Err(error) => Overlay::NotLooked(format!("it has overlays, and refused to tell: {error}")),
            Ok(page) => hidden(&page, size),
        },
    };
    area.and(overlay)
}

fn word(page: &[u8; PAGE], at: usize) -> u16 {
    u16::from_le_bytes([page[2 * at], page[2 * at + 1]])
}

/// Which settings that hide sectors a drive knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    overlays: bool,
    native: Native,
}

/// How a drive is asked for its highest address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Native {
    /// It has none but the one that it shows.
    None,
    /// By this command.
    Asked(Order),
    /// It has a protected area, and addresses of 28 bits alone.
    Short,
}

impl Known {
    /// By an IDENTIFY page; `None` where its word 83 is not valid, which speaks for word 82, too.
    fn of(page: &[u8; PAGE]) -> Option<Self> {
        // Bits 15 and 14 are 01 where a word is valid.
        let valid = |at| (word(page, at) >> 14 == 1).then(|| word(page, at));
        let supported = valid(83)?;
        let bit = |word: u16, bit: u32| word >> bit & 1 == 1;
        let native = match () {
            () if valid(119).is_some_and(|word| bit(word, 8)) => Native::Asked(Order::GET_NATIVE_MAX),
            () if !bit(word(page, 82), 10) => Native::None,
            () if bit(supported, 10) => Native::Asked(Order::READ_NATIVE_MAX),
            () => Native::Short,
        };
        Some(Self {
            overlays: bit(supported, 11),
            native,
        })
    }
}

/// What a DEVICE CONFIGURATION IDENTIFY page says of a drive of this size.
fn hidden(page: &[u8; PAGE], size: Size) -> Overlay {
    let sum = page.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if page[510] != 0xa5 || sum != 0 {
        return Overlay::NotLooked("its page of overlays has a wrong checksum".to_owned());
    }
    let highest = (3..7)
        .rev()
        .fold(0_u64, |all, at| all << 16 | u64::from(word(page, at)));
    // More than 48 bits no drive addresses.
    if highest == 0 || highest >= 1 << 48 {
        return Overlay::NotLooked(format!("its page of overlays names {highest} as its last sector"));
    }
    match (highest + 1).saturating_sub(size.bytes / size.sector) {
        0 => Overlay::Nothing,
        sectors => Overlay::Hidden(sectors * (size.sector / 512)),
    }
}

/// What its highest native address says of a drive of this size.
fn beyond(highest: u64, size: Size) -> Overlay {
    match (highest.saturating_add(1)).checked_sub(size.bytes / size.sector) {
        _ if highest >= 1 << 48 => Overlay::NotLooked(format!("it names {highest} as its last sector")),
        None => Overlay::NotLooked(format!("it names {highest} as its last sector, and shows more")),
        // Some disks tell one too many. Source: `drivers/ata/libata-core.c`, `ATA_QUIRK_HPA_SIZE`.
        Some(0 | 1) => Overlay::Nothing,
        Some(sectors) => Overlay::Hidden(sectors * (size.sector / 512)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    /// A drive of so many sectors of 512 bytes.
    fn of(sectors: u64) -> Size {
        Size {
            bytes: sectors * 512,
            sector: 512,
        }
    }

    /// A page whose last sector is `highest`, with its checksum.
    fn overlay_page(highest: u64) -> [u8; PAGE] {
        let mut page = [0; PAGE];
        page[0] = 2;
        page[6..14].copy_from_slice(&highest.to_le_bytes());
        page[510] = 0xa5;
        let sum = page.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        page[511] = 0_u8.wrapping_sub(sum);
        page
    }

    #[test]
    fn what_is_beyond_the_size_that_is_shown_is_hidden() {
        // A disk of 1 TB, and the same cut down to 500 GB.
        let (whole, cut) = (1_953_525_168_u64, 976_773_168_u64);
        let page = overlay_page;
        assert_eq!(hidden(&page(whole - 1), of(whole)), Overlay::Nothing);
        assert_eq!(hidden(&page(whole - 1), of(cut)), Overlay::Hidden(whole - cut));
        // What tells less than the kernel sees is no overlay.
        assert_eq!(hidden(&page(cut - 1), of(whole)), Overlay::Nothing);
        for odd in [page(0), page(1 << 48), page(u64::MAX)] {
            assert!(matches!(hidden(&odd, of(cut)), Overlay::NotLooked(_)));
        }
    }

    #[test]
    fn a_page_with_a_wrong_checksum_tells_nothing() {
        let good = overlay_page(1_953_525_167);
        for at in [0, 8, 300, 510, 511] {
            let mut bad = good;
            bad[at] ^= 0x10;
            assert!(matches!(hidden(&bad, of(1)), Overlay::NotLooked(_)), "{at}");
        }
        assert!(matches!(hidden(&[0; PAGE], of(1)), Overlay::NotLooked(_)));
    }

    /// An IDENTIFY page with these words.
    fn identify(words: &[(usize, u16)]) -> [u8; PAGE] {
        let mut page = [0; PAGE];
        for (at, word) in words {
            page[2 * at..2 * at + 2].copy_from_slice(&word.to_le_bytes());
        }
        page
    }

    #[test]
    fn only_a_valid_word_says_which_settings_there_are() {
        let known = |overlays, native| Some(Known { overlays, native });
        for (words, want) in [
            // As QEMU's disk.
            (&[(82, 0x4021), (83, 0x7400)][..], known(false, Native::None)),
            // As a disk of ATA-7, and one whose addresses have 28 bits.
            (
                &[(82, 0x7c6b), (83, 0x7f09)],
                known(true, Native::Asked(Order::READ_NATIVE_MAX)),
            ),
            (&[(82, 0x7c6b), (83, 0x4b09)], known(true, Native::Short)),
            // As a disk of ACS-4; where its word is not valid, and where it knows both.
            (
                &[(82, 0x706b), (83, 0x7569), (119, 0x41de)],
                known(false, Native::Asked(Order::GET_NATIVE_MAX)),
            ),
            (&[(82, 0x706b), (83, 0x7569), (119, 0xc1de)], known(false, Native::None)),
            (
                &[(82, 0x746b), (83, 0x7569), (119, 0x41de)],
                known(false, Native::Asked(Order::GET_NATIVE_MAX)),
            ),
            // Not reported, all ones.
            (&[(82, 0x746b), (119, 0x41de)], None),
            (&[(83, 0xffff), (119, 0x41de)], None),
        ] {
            assert_eq!(Known::of(&identify(words)), want, "{words:x?}");
        }
    }

    const WHOLE: u64 = 1_953_525_168;
    const CUT: u64 = 976_773_168;

    /// A made-up drive of [`CUT`] sectors: its IDENTIFY page, and what it answers to the other commands, if they are sent.
    fn drive(
        known: io::Result<&[(usize, u16)]>,
        overlay: Option<io::Result<u64>>,
        highest: Option<(Order, io::Result<u64>)>,
    ) -> Overlay {
        let answers = std::cell::RefCell::new((Some(known), overlay, highest));
        let page = |what| {
            let mut answers = answers.borrow_mut();
            if what == Order::IDENTIFY {
                return Ok(identify(answers.0.take().expect("asked once")?));
            }
            assert_eq!(what, Order::CONFIGURATION_IDENTIFY);
            Ok(overlay_page(answers.1.take().expect("not to be asked")?))
        };
        let native = |what| {
            let (order, highest) = answers.borrow_mut().2.take().expect("not to be asked");
            assert_eq!(what, order);
            highest
        };
        told(page, native, of(CUT))
    }

    fn refused() -> io::Error {
        io::Error::from_raw_os_error(libc::EIO)
    }

    fn is_unknown(overlay: &Overlay, why: &str) -> bool {
        matches!(overlay, Overlay::NotLooked(told) if told.contains(why))
    }

    #[test]
    fn a_drive_is_asked_for_its_overlay_only_where_it_knows_them() {
        let (known, none) = (&[(83, 0x7c00)][..], &[(82, 0x4021), (83, 0x7400)][..]);
        assert_eq!(
            drive(Ok(known), Some(Ok(WHOLE - 1)), None),
            Overlay::Hidden(WHOLE - CUT)
        );
        assert_eq!(drive(Ok(known), Some(Ok(CUT - 1)), None), Overlay::Nothing);
        assert_eq!(drive(Ok(none), None, None), Overlay::Nothing);
        for (overlay, why) in [
            (drive(Ok(&[]), None, None), "says nothing"),
            (drive(Err(refused()), None, None), "it was not asked"),
            (drive(Ok(known), Some(Err(refused())), None), "refused to tell"),
        ] {
            assert!(is_unknown(&overlay, why), "{overlay:?}");
        }
    }

    #[test]
    fn a_drive_is_asked_for_its_highest_address_only_where_it_may_show_less() {
        let (amac, hpa) = (&[(83, 0x7400), (119, 0x4100)][..], &[(82, 0x0400), (83, 0x7400)][..]);
        for (known, order) in [(amac, Order::GET_NATIVE_MAX), (hpa, Order::READ_NATIVE_MAX)] {
            let of = |highest| drive(Ok(known), None, Some((order, highest)));
            assert_eq!(of(Ok(WHOLE - 1)), Overlay::Hidden(WHOLE - CUT));
            assert_eq!(of(Ok(CUT - 1)), Overlay::Nothing);
            assert_eq!(of(Ok(CUT)), Overlay::Nothing, "one too many");
            assert!(is_unknown(&of(Ok(0)), "shows more"));
            assert!(is_unknown(&of(Ok((1 << 48) | CUT)), "as its last sector"));
            assert!(is_unknown(&of(Err(refused())), "did not tell"));
        }
        assert!(is_unknown(
            &drive(Ok(&[(82, 0x0400), (83, 0x4000)]), None, None),
            "48 bits"
        ));
    }

    #[test]
    fn of_two_settings_the_one_that_hides_counts_and_one_that_was_not_looked_at_is_not_none() {
        let both = &[(82, 0x0400), (83, 0x7c00)][..];
        let of = |overlay, highest| drive(Ok(both), Some(overlay), Some((Order::READ_NATIVE_MAX, highest)));
        assert_eq!(of(Ok(CUT - 1), Ok(CUT - 1)), Overlay::Nothing);
        assert_eq!(of(Ok(WHOLE - 1), Ok(CUT + 9)), Overlay::Hidden(WHOLE - CUT));
        assert_eq!(of(Err(refused()), Ok(CUT + 9)), Overlay::Hidden(10));
        assert_eq!(of(Ok(CUT + 9), Err(refused())), Overlay::Hidden(10));
        assert!(is_unknown(&of(Ok(CUT - 1), Err(refused())), "did not tell"));
        assert!(is_unknown(&of(Err(refused()), Ok(CUT - 1)), "refused to tell"));
        assert!(is_unknown(&of(Err(refused()), Err(refused())), "refused to tell"));
    }

    #[test]
    fn what_was_hidden_once_is_not_forgotten_by_a_look_that_saw_less() {
        let refused = || Some(Overlay::NotLooked("frozen".to_owned()));
        for less in [None, refused(), Some(Overlay::Nothing), Some(Overlay::Hidden(3))] {
            let hidden = Some(Overlay::Hidden(7));
            assert_eq!(Overlay::over_time(less.clone(), hidden.clone()), hidden, "{less:?}");
            assert_eq!(Overlay::over_time(hidden.clone(), less.clone()), hidden, "{less:?}");
        }
        for less in [None, refused()] {
            assert!(Overlay::is_open(less.as_ref()));
            assert_eq!(
                Overlay::over_time(less.clone(), Some(Overlay::Nothing)),
                Some(Overlay::Nothing)
            );
            assert_eq!(Overlay::over_time(less, refused()), refused());
        }
        assert!(!Overlay::is_open(Some(&Overlay::Nothing)));
    }

    #[test]
    fn addresses_of_4_kib_are_told_in_sectors_of_512_bytes() {
        let size = Size {
            bytes: CUT * 4096,
            sector: 4096,
        };
        assert_eq!(beyond(CUT + 9, size), Overlay::Hidden(80));
        assert_eq!(hidden(&overlay_page(CUT + 9), size), Overlay::Hidden(80));
        assert_eq!(beyond(CUT - 1, size), Overlay::Nothing);
    }

    #[test]
    fn what_is_no_drive_is_not_looked_at() {
        let file = tempfile::tempfile().unwrap();
        let told = told(|what| page(&file, what), |what| native(&file, what), of(1));
        assert!(is_unknown(&told, "not asked"), "{told:?}");
    }

    /// The made-up tree has the number of no device, 0:0, which is what a plain file tells.
    #[test]
    fn only_ata_drives_without_a_bridge_are_asked() {
        let root = tempfile::tempdir().unwrap();
        let device = root.path().join("sys/dev/block/0:0/device");
        std::fs::create_dir_all(&device).unwrap();
        let file = tempfile::tempfile().unwrap();
        let looked = |bus| {
            let identity = Identity {
                id: None,
                model: String::new(),
                serial: String::new(),
                wwn: None,
                capacity: wire::Bytes(512),
                logical_sector: 512,
                bus,
            };
            look(&System::at(root.path()), &file, &identity).is_some()
        };
        let others = [Bus::Nvme, Bus::Usb, Bus::Virtio, Bus::Mmc, Bus::Loop, Bus::Other];
        let mut page = vec![0; 572];
        page[1] = 0x89;
        // A SAS disk; a SATA disk behind a SAS controller, by its name and by its page; neither where the page is none.
        for (attribute, bytes, ata) in [
            ("vendor", &b"SEAGATE \n"[..], false),
            ("vendor", b"ATA     \n", true),
            ("vendor", b"LSI     \n", false),
            ("vpd_pg89", b"", false),
            ("vpd_pg89", &page, true),
        ] {
            std::fs::write(device.join(attribute), bytes).unwrap();
            assert!(looked(Bus::Sata));
            assert_eq!(looked(Bus::Scsi), ata, "{attribute}");
            assert!(others.iter().all(|bus| !looked(*bus)));
        }
    }

    proptest! {
        #[test]
        fn any_page_is_decoded(bytes in prop::collection::vec(any::<u8>(), PAGE), shown in any::<u64>()) {
            let size = Size { bytes: shown, sector: 512 };
            let page: [u8; PAGE] = bytes.clone().try_into().unwrap();
            let _ = (hidden(&page, size), Known::of(&page), beyond(shown, size));
        }
    }
}
