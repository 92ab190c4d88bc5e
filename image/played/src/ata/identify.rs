//! IDENTIFY DEVICE data (ACS-3, 7.12.7, table 45): what the disk says that it is and can.

use super::page::Page;
use crate::sata::SataDisk;

/// The 512 bytes.
pub(crate) fn identify(disk: &SataDisk) -> Vec<u8> {
    let sectors = disk.medium.sectors();
    let mut page = Page::blank();
    // A device that is not removable, with the last geometry that one can have; one block for a READ MULTIPLE.
    page.word(0, 0x0040)
        .word(1, 16_383)
        .word(3, 16)
        .word(6, 63)
        .word(47, 0x8001);
    page.text(10, 10, &disk.serial)
        .text(23, 4, &disk.firmware)
        .text(27, 20, &disk.model);
    // LBA, DMA, standby timer; words 64 to 70 and 88 are valid.
    page.word(49, 0x2F00).word(50, 0x4000).word(53, 0x0006);
    page.number(2 * 60, 4, sectors.min(0x0FFF_FFFF))
        .number(2 * 100, 8, sectors.min(0xFFFF_FFFF_FFFF));
    // Multiword DMA 2, PIO 4, cycles of 120 ns; Ultra DMA 6, which is in use.
    page.word(63, 0x0007).word(64, 0x0003).word(88, 0x407F);
    for number in 65..=68 {
        page.word(number, 120);
    }
    // Queue of 32; link of up to 6 Gb/s, which is in use, with NCQ, counters and READ LOG DMA EXT.
    page.word(75, 31).word(76, 0x850E).word(77, 0x0006);
    // ATA/ATAPI-4 to ACS-3, by its revision 5.
    page.word(80, 0x07F0).word(81, 0x006D);
    features(disk, &mut page);
    // A password: known, set, not given.
    page.word(
        128,
        match (disk.password, &disk.medium.locked) {
            (false, _) => 0,
            (true, None) => 0b011,
            (true, Some(_)) => 0b111,
        },
    );
    // Sectors of 512 bytes, on the platter as well.
    page.word(106, 0x4000);
    for (number, bytes) in (108..).zip(disk.wwn.to_be_bytes().chunks_exact(2)) {
        page.word(number, u16::from_be_bytes([bytes[0], bytes[1]]));
    }
    // 3.5 inches, 7200 revolutions a minute; SATA 3.1 and before.
    page.word(168, 0x0002).word(217, 7200).word(222, 0x107F);
    page.word(255, 0x00A5).sealed()
}

/// Words 82 to 87, 119 and 120: feature sets that are supported, and those that are enabled.
fn features(disk: &SataDisk, page: &mut Page) {
    let bit = |is: bool, number: u16| u16::from(is) << number;
    // Power management, look-ahead; a hidden area; SMART; the write cache.
    let always = 0x0048 | bit(disk.native.is_some(), 10);
    page.word(82, always | 0x0021);
    page.word(85, always | bit(disk.smart_enabled, 0) | bit(disk.write_cache, 5));
    // FLUSH CACHE and its EXT, addresses of 48 bits; words 119 and 120 are valid.
    page.word(83, 0x7400).word(86, 0xB400);
    // World wide name, general purpose logging, self-tests, error logging.
    page.word(84, 0x4123).word(87, 0x4123);
    // READ LOG DMA EXT.
    page.word(119, 0x4008).word(120, 0x4008);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ata::page::sum;
    use crate::medium::Medium;

    #[test]
    fn identity_stands_where_the_standard_has_it() {
        let mut disk = SataDisk::new(Medium::new(0x1_2345_6789), "Model", "Serial", 0x5000_C500_1234_5678);
        let page = identify(&disk);
        let word = |page: &[u8], number: usize| u16::from_le_bytes([page[2 * number], page[2 * number + 1]]);
        assert_eq!(&page[20..40], b"eSirla              ");
        assert_eq!(&page[54..62], b"oMed l  ");
        assert_eq!([60, 61].map(|at| word(&page, at)), [0xFFFF, 0x0FFF]);
        assert_eq!([100, 101, 102, 103].map(|at| word(&page, at)), [0x6789, 0x2345, 1, 0]);
        assert_eq!(
            [108, 109, 110, 111].map(|at| word(&page, at)),
            [0x5000, 0xC500, 0x1234, 0x5678]
        );
        assert_eq!(page[510], 0xA5);
        assert_eq!(sum(&page), 0);
        assert_eq!(word(&page, 82) & 0x0400, 0);
        disk.native = Some(0x2_0000_0000);
        assert_eq!([82, 85].map(|at| word(&identify(&disk), at) & 0x0400), [0x0400; 2]);
    }
}
