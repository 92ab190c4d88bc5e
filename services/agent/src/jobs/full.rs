//! Whether finished jobs have to go, and which: there are too many, or the store is too full.

use store::Room;
use wire::JobId;

use super::{JOBS, JOBS_MAX, ids, past};

/// Bytes that are left to a store on a full medium while no old job has to go: some hundred jobs that end.
const LEFT: u64 = 16 << 20;

/// Full is a store that has used four fifths of what it may ever take, or one that cannot grow: what others keep on the medium alone
/// costs no old result.
pub(super) fn is_full(room: &Room) -> bool {
    let left = room.file.saturating_sub(room.used).saturating_add(room.free);
    room.used.saturating_mul(5) > room.map.saturating_mul(4) || (room.is_tight() && left < LEFT)
}

/// Finished jobs that go at most with each that ends while the store is too full: one that ends needs more room than an old one gives back
/// where its playbook is longer.
const TIGHT: usize = 8;

/// Whether finished jobs have to go, by the `room` before this write. Asked of the write: of many jobs that end together each sees
/// what the ones before it gave back.
pub(crate) fn is_full_in(w: &store::Write<'_, '_>, room: Option<Room>) -> store::Result<bool> {
    match room {
        Some(room) => {
            let used = w.used()?;
            // What the file has grown by is not free any more.
            let free = room.free.saturating_sub(used.saturating_sub(room.file));
            Ok(is_full(&Room { used, free, ..room }))
        }
        None => Ok(false),
    }
}

/// Lets the oldest finished jobs go, but for `but`: those beyond [`JOBS_MAX`], and a few more while the store is too full.
pub(super) fn make_room(w: &mut store::Write<'_, '_>, but: &str, room: Option<Room>) -> store::Result<Vec<JobId>> {
    let mut gone = Vec::new();
    let excess = usize::try_from(JOBS.len(w)?)
        .unwrap_or(usize::MAX)
        .saturating_sub(JOBS_MAX);
    if excess == 0 && !is_full_in(w, room)? {
        return Ok(gone);
    }
    for (old, record) in JOBS.all(w)? {
        if !record.job.state.is_over() || old == but {
            continue;
        }
        if gone.len() >= excess && (gone.len() >= TIGHT || !is_full_in(w, room)?) {
            break;
        }
        JOBS.delete(w, &old)?;
        ids::outlive(w, record.job.id)?;
        past::CERTIFICATES.delete(w, &old)?;
        gone.push(record.job.id);
    }
    Ok(gone)
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
