//! Which ATA attributes tell how much of a flash drive's rated life is used, and which way they count.
//!
//! Makers use the same numbers for other things (177 wear range, 202 address mark errors of disks, 231 temperature, 233 gigabytes
//! written), so the name that smartctl's database gives has to say it, too. Verdict and alerts take this one table. What stands for
//! a life that is left is normalised and falls from 100; what stands for one that is used has the percentage as its count.
//!
//! Source: smartmontools `drivedb.h` (7.5): 169 and 209 `Remaining_Lifetime_Perc`, 173 `Percent_Life_Used` and `Drive_Life_Used%`, 201
//! and 248 `Lifetime_Remaining%`, 248 `PCT_Life_Remaining`, 202 of Micron (`Percent_Lifetime_Used`, `Perc_Rated_Life_Used`, later
//! `Percent_Lifetime_Remain`).

/// Numbers that may tell it, best first.
pub const NUMBERS: [u16; 9] = [169, 202, 231, 233, 209, 248, 201, 177, 173];

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

/// Percent of the rated life that attribute `id` called `name` says is used, 0 to 255; `None` where it tells something else.
///
/// `value` is its normalised value, `count` its unpacked raw one.
pub fn used(id: u16, name: &str, value: Option<u8>, count: u64) -> Option<u64> {
    // Some begin at 200 or 253: as new.
    let by_value = || Some(u64::from(100 - value?.min(100)));
    match is_of_use(id, name)? {
        true => u8::try_from(count).map_or_else(|_| by_value(), |percent| Some(u64::from(percent))),
        false => by_value(),
    }
}

/// Whether attribute `id` called `name` tells wear.
pub fn tells(id: u16, name: &str) -> bool {
    is_of_use(id, name).is_some()
}

/// Whether it counts the life that is used, rather than what is left; `None`: neither.
fn is_of_use(id: u16, name: &str) -> Option<bool> {
    if !NUMBERS.contains(&id) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match (has(&USED), has(&LEFT)) {
        (true, _) => Some(true),
        (false, true) => Some(false),
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
            (231, "SSD_Life_Left", 100, 0, Some(0)),
            (248, "PCT_Life_Remaining", 55, 55, Some(45)),
            (248, "Perc_Rated_Life_Remain", 55, 55, Some(45)),
            (248, "Remaining_Life", 55, 55, Some(45)),
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
            assert_eq!(used(id, name, Some(value), count), percent, "{id} {name}");
            assert_eq!(tells(id, name), percent.is_some(), "{id} {name}");
        }
        assert_eq!(used(231, "SSD_Life_Left", None, 5), None);
    }
}
