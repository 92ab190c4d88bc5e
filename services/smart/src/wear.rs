//! Which ATA attributes tell how much of a flash drive's rated life is used, and which way they count.
//!
//! Makers use the same numbers for other things (177 wear range, 202 address mark errors of disks, 231 temperature, 233 gigabytes
//! written), so the name that smartctl's database gives has to say it, too. Verdict and alerts take this one table. What stands for
//! a life that is left is normalised and falls from 100; what stands for one that is used has the percentage as its count, but for
//! 230 of WD's flash, whose count has it in a word.
//!
//! Source: smartmontools `drivedb.h` (7.5): 169 and 209 `Remaining_Lifetime_Perc`, 173 `Percent_Life_Used` and `Drive_Life_Used%`, 201
//! and 248 `Lifetime_Remaining%`, 248 `PCT_Life_Remaining`, 202 of Micron (`Percent_Lifetime_Used`, `Perc_Rated_Life_Used`, later
//! `Percent_Lifetime_Remain`), 245 `Percent_Life_Remaining`, `Drive_Life_Remaining%`, `DriveLife_Used%` and `SSD_Life_Left`, 230
//! `Media_Wearout_Indicator`. Left out: 178 `SSD_LifeLeft(0.01%)` of SanDisk, whose unit no drive has shown.

/// Numbers that may tell it, best first.
pub const NUMBERS: [u16; 11] = [169, 202, 231, 233, 209, 248, 245, 201, 177, 230, 173];

/// Parts of names, in lower case, of a life that is used.
const USED: [&str; 2] = ["life_used", "lifetime_used"];

/// Parts of names, in lower case, of a life that is left.
const LEFT: [&str; 9] = [
    "wear_leveling",
    "wearout",
    "life_left",
    "lifetime_left",
    "life_remain",
    "lifetime_remain",
    "remaining_life",
    // 173 of Micron: erasures of an average block, normalised against what the block is rated for.
    "ave_block-erase",
    "percent_life",
];

/// What smartctl calls these numbers of any flash that it does not know: of many a row of zeros, while worn ones of Samsung and
/// Intel, which they are named after, end at 1. Source: drivedb.h, default entry; OCZ Vertex 2, Toshiba THNSNS256GMCP.
const BY_DEFAULT: [(u16, &str); 2] = [(177, "Wear_Leveling_Count"), (233, "Media_Wearout_Indicator")];

/// Numbers under which some flash tells what is left by the count alone. Source: smartctl of Phison's (231: value 100, count 93, 126
/// erasures of an average block).
const BY_COUNT: [u16; 2] = [169, 231];

/// How an attribute tells wear.
#[derive(Clone, Copy)]
enum Way {
    /// Its normalised value is what is left.
    Left,
    /// Its count is what is used.
    UsedByCount,
    /// The lower word of its raw value is what is used, in one of two forms.
    UsedByWord,
}

/// Percent of the rated life that attribute `id` called `name` says is used, 0 to 255; `None` where it tells something else.
///
/// `value` is its normalised value, `threshold` the maker's for that, `count` its unpacked raw one.
pub fn used(id: u16, name: &str, value: Option<u8>, threshold: Option<u8>, count: u64) -> Option<u64> {
    // Some begin at 200 or 253: as new.
    let by_value = || Some(u64::from(100 - value?.min(100)));
    match way(id, name)? {
        // Some of Phison's and Silicon Motion's flash leave the value at 100 and have what is left as the count; SandForce's has 0 or 1.
        Way::Left if value == Some(100) && BY_COUNT.contains(&id) && (2..100).contains(&count) => Some(100 - count),
        // Where it has no threshold 0 and 1 are the end of that, or a count that the drive does not keep.
        Way::Left if value == Some(100) && BY_COUNT.contains(&id) && threshold == Some(0) && count < 2 => None,
        // Apple's value falls from 200 to its threshold, which is 100.
        Way::Left if threshold.is_some_and(|threshold| threshold >= 100) => {
            Some(u64::from(100 - value?.saturating_sub(threshold?).min(100)))
        }
        Way::Left if value == Some(0) && threshold.unwrap_or(0) == 0 && BY_DEFAULT.contains(&(id, name)) => None,
        Way::Left => by_value(),
        Way::UsedByCount => u8::try_from(count).map_or_else(|_| by_value(), |percent| Some(u64::from(percent))),
        Way::UsedByWord => used_by_word(value, count & 0xffff),
    }
}

/// What WD's and SanDisk's flash says under 230: hundredths of a percent where its normalised value is the percentage of them, else the
/// percentage in the upper byte and its hundredths in the lower one, while the value stays at 100. Source: smartctl of a WD Blue (28,
/// 0x0AF0) and of WDS240G2G0A (100, 0x2F24, 176 of some 500 erasures; smartmontools-support, March 2021).
fn used_by_word(value: Option<u8>, word: u64) -> Option<u64> {
    let (percent, hundredths) = (word >> 8, word & 0xff);
    let by_value = value.map(u64::from).filter(|value| value.abs_diff(word / 100) <= 1);
    let by_bytes = (percent <= 100 && hundredths < 100).then_some(percent);
    match (by_value, by_bytes) {
        // Where the value stands at 100 one word may be either form's: 39 percent, or 100.
        (Some(100), Some(percent)) if percent < 99 => None,
        (by_value, by_bytes) => by_value.or(by_bytes),
    }
}

/// Whether attribute `id` called `name` tells wear.
pub fn tells(id: u16, name: &str) -> bool {
    way(id, name).is_some()
}

/// How it tells wear; `None`: it does not.
fn way(id: u16, name: &str) -> Option<Way> {
    if !NUMBERS.contains(&id) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match (has(&USED), has(&LEFT)) {
        (true, _) => Some(Way::UsedByCount),
        (false, true) if id == 230 => Some(Way::UsedByWord),
        (false, true) => Some(Way::Left),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_life_are_known_with_the_way_they_count() {
        for (id, name, value, count, percent) in [
            // Kingston, check_smart 96: good and failed.
            (169, "Remaining_Lifetime_Perc", 93, 93, Some(7)),
            (169, "Remaining_Lifetime_Perc", 0, 0, Some(100)),
            (169, "Lifetime_Remaining%", 40, 40, Some(60)),
            (173, "Percent_Life_Used", 100, 30, Some(30)),
            (173, "Drive_Life_Used%", 100, 120, Some(120)),
            (173, "Wear_Leveling_Count", 61, 1_161, Some(39)),
            (173, "Ave_Block-Erase_Count", 1, 1_597, Some(99)),
            (201, "Percent_Lifetime_Remain", 12, 0, Some(88)),
            (201, "Lifetime_Remaining%", 12, 12, Some(88)),
            (202, "Percent_Lifetime_Used", 75, 25, Some(25)),
            (202, "Perc_Rated_Life_Used", 99, 1, Some(1)),
            (202, "Percent_Lifetime_Used", 75, 1 << 20, Some(25)),
            (202, "Percent_Lifetime_Remain", 1, 99, Some(99)),
            (209, "Remaining_Lifetime_Perc", 88, 88, Some(12)),
            (248, "PCT_Life_Remaining", 55, 55, Some(45)),
            (248, "Perc_Rated_Life_Remain", 55, 55, Some(45)),
            (248, "Remaining_Life", 55, 55, Some(45)),
            (245, "Percent_Life_Remaining", 2, 2, Some(98)),
            (245, "Drive_Life_Remaining%", 55, 55, Some(45)),
            (245, "SSD_Life_Left", 55, 55, Some(45)),
            (245, "DriveLife_Used%", 100, 30, Some(30)),
            (230, "Media_Wearout_Indicator", 28, 0x0AF0_020C_0AF0, Some(28)),
            (230, "Media_Wearout_Indicator", 1, 0x0041_0000_0041, Some(1)),
            (230, "Media_Wearout_Indicator", 100, 0x2F24_2314_2F24, Some(47)),
            (230, "Media_Wearout_Indicator", 100, 0x0523_023C_0523, Some(5)),
            (230, "Media_Wearout_Indicator", 100, 0, Some(0)),
            (230, "Media_Wearout_Indicator", 100, 0x2724_2314_2724, None),
            (230, "Media_Wearout_Indicator", 90, 0x2328_020C_2328, Some(90)),
            (230, "Head_Amplitude", 100, 0, None),
            (230, "Life_Curve_Status", 100, 0, None),
            (245, "TLC_Writes_32MiB", 100, 0, None),
            (245, "Timed_Workld_Media_Wear", 100, 0, None),
            (169, "Bad_Block_Count", 100, 8, None),
            (173, "Erase_Count", 100, 8, None),
            (177, "Wear_Range_Delta", 0, 8, None),
            (201, "Soft_Read_Error_Rate", 253, 0, None),
            (202, "Data_Address_Mark_Errs", 100, 0, None),
            (202, "Exception_Mode_Status", 100, 0, None),
            (209, "Offline_Seek_Performnce", 100, 0, None),
            (231, "Temperature_Celsius", 30, 30, None),
            (233, "Lifetime_Wts_To_Flsh_GB", 0, 999, None),
            (248, "Bckgnd_Program_Page_Cnt", 100, 999, None),
            (178, "SSD_Life_Left", 50, 0, None),
        ] {
            assert_eq!(used(id, name, Some(value), Some(0), count), percent, "{id} {name}");
            assert_eq!(
                tells(id, name),
                percent.is_some() || count == 0x2724_2314_2724,
                "{id} {name}"
            );
        }
        assert_eq!(used(231, "SSD_Life_Left", None, None, 5), None);
    }

    #[test]
    fn a_life_is_told_by_the_count_or_by_a_value_above_its_threshold_too() {
        for (id, name) in [(231, "SSD_Life_Left"), (169, "Remaining_Lifetime_Perc")] {
            let of = |value, count| used(id, name, Some(value), Some(10), count);
            assert_eq!(
                (of(100, 93), of(100, 5), of(100, 100)),
                (Some(7), Some(95), Some(0)),
                "{name}"
            );
            assert_eq!(
                (of(100, 0), of(100, 1), of(100, 1 << 32)),
                (Some(0), Some(0), Some(0)),
                "{name}"
            );
            assert_eq!((of(60, 60), of(60, 5)), (Some(40), Some(40)), "{name}");
            // Of Phison's, which has no threshold, that is the end, or nothing.
            let worn = |count| used(id, name, Some(100), Some(0), count);
            assert_eq!((worn(2), worn(1), worn(0)), (Some(98), None, None), "{name}");
        }
        let apple = |value| used(173, "Wear_Leveling_Count", Some(value), Some(100), 0x2f_0030_0031);
        assert_eq!((apple(200), apple(195), apple(105)), (Some(0), Some(5), Some(95)));
        assert_eq!((apple(100), apple(96)), (Some(100), Some(100)));
    }

    #[test]
    fn a_row_of_zeros_under_a_name_that_smartctl_gives_to_any_flash_tells_no_wear() {
        for (id, name) in [(177, "Wear_Leveling_Count"), (233, "Media_Wearout_Indicator")] {
            let of = |value, threshold| used(id, name, Some(value), threshold, 2_944);
            assert_eq!((of(0, Some(0)), of(0, None)), (None, None), "{name}");
            assert_eq!((of(1, Some(0)), of(0, Some(5))), (Some(99), Some(100)), "{name}");
        }
        assert_eq!(used(231, "SSD_Life_Left", Some(0), Some(0), 0), Some(100));
    }
}
