//! Whether the store is so full that finished jobs have to go. Pure.

use store::Room;

/// Bytes that are left to a store on a full medium while no old job has to go: some hundred jobs that end.
const LEFT: u64 = 16 << 20;

/// Full is a store that has used four fifths of what it may ever take, or one that cannot grow: what others keep on the medium alone
/// costs no old result.
pub(super) fn is_full(room: &Room) -> bool {
    let left = room.file.saturating_sub(room.used).saturating_add(room.free);
    room.used.saturating_mul(5) > room.map.saturating_mul(4) || (room.is_tight() && left < LEFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_data_costs_no_job_while_there_is_room() {
        const MIB: u64 = 1 << 20;
        for (used, file, free, full) in [
            (1, 1, 900, false),
            (204, 250, 900, false),
            (205, 250, 900, true),
            // The medium is filled by others; there is room for hundreds of jobs.
            (33, 40, 199, false),
            (39, 40, 15, false),
            // There is hardly any.
            (39, 40, 14, true),
            (60, 80, 0, false),
            (70, 80, 0, true),
            (12, 12, 0, false),
            (13, 13, 0, true),
        ] {
            let room = Room {
                used: used * MIB,
                file: file * MIB,
                map: 256 * MIB,
                medium: 1000 * MIB,
                free: free * MIB,
            };
            assert_eq!(is_full(&room), full, "{room:?}");
        }
    }
}
