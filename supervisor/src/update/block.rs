//! What is told of an environment block that is garbage, zeroed or not there, and of a boot partition that cannot be read.
//!
//! GRUB tells first, on the kernel's command line, long before anybody has mounted anything; what exactly is wrong is known
//! once the block itself was read. The outcome is always the same: GRUB takes slot A, or B where A has no system, and PID 1
//! writes the block anew when this start has proven itself (`super::settle`).

use wire::event::Severity;

use crate::shell::desk::Desk;

/// Key of the banner about the block.
const BLOCK: &str = "block";
/// Key of the banner about the partition.
const PARTITION: &str = "boot-partition";

/// GRUB could not read it, and has started this slot.
pub(crate) fn unread(slot: &str, desk: &mut Desk) {
    let text = format!(
        "The boot loader could not read its environment block (EFI/debian/grubenv on the boot partition), so it does not know which system has proven itself, and started the one in slot {}. The block is written anew once this start has proven itself.",
        name(slot)
    );
    desk.banner(BLOCK, Severity::Warning, text);
}

/// GRUB had no slot left that it may start, and has tried this one, the last that had proven itself.
pub(crate) fn all_bad(slot: &str, desk: &mut Desk) {
    let text = format!(
        "Both systems of this box are marked bad; the one in slot {}, which had proven itself last, was started all the same. Write an update, or the image to the stick again.",
        name(slot)
    );
    desk.banner("all-bad", Severity::Critical, text);
}

/// What the look at the boot partition has found.
pub(super) fn tell(desk: &mut Desk, unread: bool) {
    let slot = name(&desk.boot.slot);
    match (desk.update.block.clone(), desk.update.healed) {
        (Some(what), true) => desk.banner(
            BLOCK,
            Severity::Info,
            format!("At this start {what}. It was written anew; the next start takes slot {slot} again."),
        ),
        (Some(what), false) if !what.is_empty() => {
            let what = format!(
                "The boot loader started slot {slot} without knowing which system has proven itself: {what} (EFI/debian/grubenv on the boot partition). The block is written anew once this start has proven itself."
            );
            desk.banner(BLOCK, Severity::Warning, what);
        }
        (Some(_), false) if unread => desk.banner(
            BLOCK,
            Severity::Warning,
            format!(
                "The boot loader could not read its environment block and started slot {slot}, but the block is sound: the boot medium may be failing. Save a backup, and replace the medium if this is told again."
            ),
        ),
        (Some(_), false) => desk.unbanner(BLOCK),
        // Not looked at yet: what GRUB has told stays.
        (None, _) => {}
    }
    match desk.update.trouble.clone() {
        Some(why) => desk.banner(
            PARTITION,
            Severity::Warning,
            format!("The boot partition cannot be used, so this box cannot be updated or go back to its other system: {why}."),
        ),
        None => desk.unbanner(PARTITION),
    }
}

fn name(slot: &str) -> String {
    let slot = if slot.is_empty() { "a" } else { slot };
    slot.to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(desk: &Desk) -> Vec<&str> {
        desk.banners.iter().map(|(_, b)| b.text.as_str()).collect()
    }

    #[test]
    fn a_block_is_told_before_anything_is_mounted_then_exactly_then_as_mended() {
        let mut desk = Desk::default();
        unread("a", &mut desk);
        tell(&mut desk, true);
        assert!(
            told(&desk)[0].contains("could not read its environment block"),
            "{desk:?}"
        );
        desk.update
            .heard("block the environment block is empty: all its bytes are zero");
        tell(&mut desk, true);
        let [exactly] = told(&desk)[..] else { panic!("{desk:?}") };
        assert!(
            exactly.contains("all its bytes are zero") && exactly.contains("slot A"),
            "{exactly}"
        );
        desk.update.heard("block ");
        tell(&mut desk, true);
        let [mended] = told(&desk)[..] else { panic!("{desk:?}") };
        assert!(
            mended.contains("all its bytes are zero") && mended.contains("written anew; the next start takes slot A"),
            "{mended}"
        );
    }

    #[test]
    fn a_sound_block_is_not_told_and_a_medium_that_grub_could_not_read_is() {
        let mut desk = Desk::default();
        desk.update.heard("block ");
        tell(&mut desk, false);
        assert_eq!(told(&desk), [""; 0]);
        tell(&mut desk, true);
        assert!(told(&desk)[0].contains("but the block is sound"), "{desk:?}");
        desk.update.heard("failed the boot partition has no environment block");
        tell(&mut desk, false);
        assert!(told(&desk)[0].contains("has no environment block"), "{desk:?}");
    }
}
