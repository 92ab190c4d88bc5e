//! The name of a box that its owner has not named: `kiln-` and four characters that are the machine's own.
//!
//! From the machine's serial number or UUID (DMI, device tree), where the maker has put one in; else from the lowest hardware
//! address of its interfaces, which is known only once their drivers are loaded. The stick has no part in it: the same
//! image in another machine has another name.

use std::fs;
use std::path::Path;

use crate::network::interfaces;

/// The name while nothing of the machine's own is known.
pub(super) const UNNAMED: &str = "kiln";

/// Where makers put what tells one machine from another, best first.
const SOURCES: [&str; 4] = [
    "sys/class/dmi/id/product_uuid",
    "sys/class/dmi/id/product_serial",
    "sys/class/dmi/id/board_serial",
    "proc/device-tree/serial-number",
];
/// What makers put there instead, in lower case.
const FILLERS: [&str; 8] = [
    "03000200-0400-0500-0006-000700080009",
    "fefefefe-fefe-fefe-fefe-fefefefefefe",
    "to be filled by o.e.m.",
    "default string",
    "system serial number",
    "not specified",
    "not settable",
    "123456789",
];

/// `kiln-XXXX`; `None` while nothing of the machine's own is known. `settled`: interfaces are there, as far as their drivers come
/// with the box; before that the lowest hardware address so far would be that of the driver which was first at this start.
pub(super) fn name(root: &Path, settled: bool) -> Option<String> {
    let told = SOURCES.iter().find_map(|s| {
        let text = fs::read_to_string(root.join(s)).ok()?;
        let text = text
            .trim_matches(|c: char| c.is_whitespace() || c == '\0')
            .to_ascii_lowercase();
        is_own(&text).then_some(text)
    });
    let lowest = || {
        interfaces(&root.join("sys/class/net"))
            .into_iter()
            .map(|(_, mac)| mac)
            .min()
    };
    let own = told.or_else(|| lowest().filter(|_| settled))?;
    Some(format!("{UNNAMED}-{:04x}", hash(&own)))
}

/// Whether a text can tell two machines apart: not a filler, not one character over and over.
fn is_own(text: &str) -> bool {
    let mut characters: Vec<char> = text.chars().filter(char::is_ascii_alphanumeric).collect();
    characters.sort_unstable();
    characters.dedup();
    characters.len() > 2 && !FILLERS.contains(&text)
}

/// FNV-1a of 32 bits, folded to 16.
fn hash(text: &str) -> u32 {
    let h = text
        .bytes()
        .fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    (h >> 16) ^ (h & 0xffff)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    pub(in super::super) fn machine(uuid: &str, macs: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let at = |p: &str, text: &str| {
            let p = dir.path().join(p);
            fs::create_dir_all(p.parent().unwrap()).unwrap();
            fs::write(p, text).unwrap();
        };
        at(SOURCES[0], uuid);
        for (n, mac) in macs.iter().enumerate() {
            at(&format!("sys/class/net/eth{n}/address"), mac);
            at(&format!("sys/class/net/eth{n}/device/vendor"), "x");
        }
        dir
    }

    #[test]
    fn a_machine_keeps_its_name_and_another_has_another() {
        let a = machine("4c4c4544-0042-3510-8052-b4c04f4b5931\n", &["52:54:00:00:00:01\n"]);
        let b = machine("4c4c4544-0042-3510-8052-b4c04f4b5932\n", &[]);
        let (na, nb) = (name(a.path(), false).unwrap(), name(b.path(), false).unwrap());
        assert!(na != nb && na.len() == 9 && na.starts_with("kiln-"), "{na} {nb}");
        assert_eq!(name(a.path(), true), Some(na), "again");
    }

    #[test]
    fn fillers_tell_nothing_and_the_lowest_hardware_address_does() {
        for filler in [
            "",
            "Default string",
            "00000000-0000-0000-0000-000000000000",
            "03000200-0400-0500-0006-000700080009",
        ] {
            assert_eq!(name(machine(filler, &[]).path(), true), None, "{filler}");
        }
        let of = |macs: &[&str], settled| name(machine("0", macs).path(), settled);
        let (low, high) = ("52:54:00:00:00:01", "52:54:00:00:00:02");
        let one = of(&[high, low], true);
        assert!(
            one.is_some() && one == of(&[low, high], true),
            "the kernel's order of interfaces is chance"
        );
        assert_eq!(
            [of(&[high], false), of(&[high, low], false)],
            [None, None],
            "so is which comes first"
        );
    }
}
