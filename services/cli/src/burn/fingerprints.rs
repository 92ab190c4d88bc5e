//! What stands on the drives that are to be erased when that is told, and whether it stands there still on the descriptors that are
//! going to be written.
//!
//! The guard knows what it finds by signatures, of which an archive or a file in a known file system changes none. Tested with a real
//! question in `tests/contract/`.

use burnin::Fingerprint;

use super::admit::{Held, Ready};

/// Looks at all these drives at once: some may have to spin up.
pub(super) fn see(ready: &mut [Ready]) {
    std::thread::scope(|scope| {
        for Ready { held, .. } in ready {
            scope.spawn(|| {
                let (seen, why) = seen(held).unzip();
                (held.seen, held.unread) = (seen, why.flatten());
            });
        }
    });
}

fn seen(held: &Held) -> Option<(Fingerprint, Option<String>)> {
    Fingerprint::in_time_of_file(held.file.try_clone().ok()?, held.geometry(), Fingerprint::PLANNED)
}

/// What two looks see at the places of these drives, for [`super::digest::Digest::of`]: the first before, the second now.
pub(super) fn twice<'a>(all: impl Iterator<Item = &'a Held>) -> (Vec<Option<u64>>, Vec<Option<u64>>) {
    let looks = all.flat_map(|held| {
        let mut again = sums(look_again(held).as_ref()).into_iter();
        sums(held.seen.as_ref())
            .into_iter()
            .map(move |sum| (sum, again.next().flatten()))
    });
    looks.unzip()
}

/// What was seen at the places of this drive; one that told nothing has one, which tells nothing.
pub(super) fn sums(seen: Option<&Fingerprint>) -> Vec<Option<u64>> {
    seen.map_or_else(|| vec![None], |seen| seen.sums().collect())
}

fn look_again(held: &Held) -> Option<Fingerprint> {
    let then = held.seen.as_ref()?;
    then.again_of_file(held.file.try_clone(), held.geometry(), Fingerprint::PLANNED)
        .ok()
}

/// Refuses a drive that something wrote to since what stands on it was told ([`Fingerprint::was_written`]).
///
/// # Errors
/// Why it may not be written.
pub(super) fn check(held: &Held) -> Result<(), String> {
    let Some(then) = &held.seen else { return Ok(()) };
    let words = held.identity.words();
    match then.was_written(&held.file, held.geometry(), Fingerprint::LATER) {
        Ok(false) => Ok(()),
        Ok(true) => Err(format!(
            "nothing was written: something wrote to {words} since it was chosen. Begin again"
        )),
        Err(error) => Err(format!("nothing was written: {words}: {error}")),
    }
}
