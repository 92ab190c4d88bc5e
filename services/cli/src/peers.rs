//! What burn-ins on this computer told of the drives of each model, for comparison with the next one: one list in the state folder.
//!
//! What is remembered and what is compared is [`burnin::verdict`]'s, as on a box. The drives of one command count for each other in the
//! order in which they end. The list is no evidence: where it cannot be read or kept, a drive is held against fewer others, and that is told.

use std::fs;
use std::io;
use std::path::Path;

use burnin::verdict::{Peer, newest};
use wire::{DriveId, Time};

use crate::list;

/// Name of the list.
const FILE: &str = "peers.json";

/// Name of the file whose lock lets one process at a time replace the list.
const LOCK: &str = "peers.lock";

/// Drives kept, of all models; those that were kept first go. As many as a box keeps.
const PEERS_MAX: usize = 2_000;

/// Longest list that is read, in bytes: eight times what so many take at 1 KB each.
const LIST_MAX: u64 = 16 << 20;

/// What is known of other drives of this model than `but`, and what is to be told of that.
pub(crate) fn others(state: &Path, model: &str, but: &DriveId) -> (Vec<Peer>, Option<String>) {
    let path = state.join(FILE);
    match list::read::<Peer>(&path, LIST_MAX) {
        Ok(mut all) => {
            all.retain(|peer| peer.model == model && peer.drive != *but);
            (all, None)
        }
        Err(error) => {
            let why = format!(
                "{}: {error}; the drive is held against no others of its model",
                path.display()
            );
            (Vec::new(), Some(why))
        }
    }
}

/// Keeps what a burn-in told of its drive. What is to be told of that.
///
/// # Errors
/// When it is not on the disk, in words.
pub(crate) fn note(state: &Path, peer: Peer) -> Result<Option<String>, String> {
    let path = state.join(FILE);
    let failed = |error: io::Error| {
        format!(
            "the list of drives {}: {error}: others of this model are not held against this one",
            path.display()
        )
    };
    // Hours lie between the beginning and this: somebody may have removed it.
    fs::create_dir_all(state).map_err(failed)?;
    let _held = list::lock(state, LOCK).map_err(failed)?;
    let (all, told) = match list::read::<Peer>(&path, LIST_MAX) {
        Ok(all) => (all, None),
        // Too large is damaged, too: nobody makes such a list.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge) => {
            let aside = list::set_aside(&path, Time::now()).map_err(failed)?;
            let told = format!("{}; set aside as {}", failed(error), aside.display());
            (Vec::new(), Some(told))
        }
        Err(error) => return Err(failed(error)),
    };
    let text = serde_json::to_vec(&with(all, peer)).map_err(|error| failed(error.into()))?;
    crate::file::replace(&path, &text).map_err(failed)?;
    Ok(told)
}

/// The list with one more, each drive once.
fn with(mut all: Vec<Peer>, peer: Peer) -> Vec<Peer> {
    all.push(peer);
    let mut kept = newest(all, |peer| peer, |one, other| one.drive == other.drive);
    let excess = kept.len().saturating_sub(PEERS_MAX);
    kept.drain(..excess);
    kept
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeMap;

    use wire::Bytes;

    use super::*;

    fn peer(n: usize, model: &str, rates: &[u64]) -> Peer {
        Peer {
            drive: DriveId::from_serial(model, &format!("S{n}"), 4_000).unwrap(),
            model: model.to_owned(),
            capacity: Bytes(4_000),
            write: rates.to_vec(),
            read: rates.to_vec(),
            write_p99_us: None,
            read_p99_us: None,
            temperature: None,
            shared: None,
            company: None,
            bus: None,
            link_mbps: None,
            smart: BTreeMap::new(),
        }
    }

    #[test]
    fn others_of_the_same_model_are_known_each_by_its_newest_with_rates() {
        let dir = tempfile::tempdir().unwrap();
        let own = peer(0, "A", &[]).drive;
        assert_eq!(
            others(dir.path(), "A", &own),
            (vec![], None),
            "nothing was burned in yet"
        );
        for kept in [
            peer(0, "A", &[1]),
            peer(1, "A", &[1]),
            peer(2, "B", &[1]),
            peer(1, "A", &[2]),
            peer(1, "A", &[]),
            peer(3, "A", &[]),
        ] {
            assert_eq!(note(dir.path(), kept), Ok(None));
        }
        let (known, told) = others(dir.path(), "A", &own);
        assert_eq!((known, told), (vec![peer(1, "A", &[2]), peer(3, "A", &[])], None));
    }

    #[test]
    fn the_list_is_bounded_and_the_first_ones_go() {
        let all = (0..PEERS_MAX).map(|n| peer(n, "A", &[1])).collect();
        let kept = with(all, peer(PEERS_MAX, "A", &[1]));
        assert_eq!((kept.len(), &kept[0]), (PEERS_MAX, &peer(1, "A", &[1])));
        let text = serde_json::to_vec(&kept).unwrap();
        assert!((text.len() as u64) < LIST_MAX / 4, "{}", text.len());
    }

    #[test]
    fn drives_that_end_together_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let dir = dir.path();
                scope.spawn(move || note(dir, peer(n, "A", &[1])).unwrap());
            }
        });
        assert_eq!(others(dir.path(), "A", &peer(99, "A", &[]).drive).0.len(), 8);
    }

    #[test]
    fn a_damaged_list_costs_the_comparison_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (list, own) = (dir.path().join(FILE), peer(0, "A", &[1]));
        for damaged in [&b"[{\"drive\":"[..], b"{}", b"[{\"model\":\"A\"}]", b"\xff"] {
            fs::write(&list, damaged).unwrap();
            let (known, told) = others(dir.path(), "A", &own.drive);
            assert!(known.is_empty() && told.unwrap().contains("held against no others"));
            let told = note(dir.path(), own.clone()).unwrap().unwrap();
            assert!(told.contains("set aside as"), "{told}");
            let (known, told) = others(dir.path(), "A", &peer(1, "A", &[]).drive);
            assert_eq!((known, told), (vec![own.clone()], None));
        }
        // What is no file at all is left as it is.
        fs::remove_file(&list).unwrap();
        fs::create_dir(&list).unwrap();
        assert!(others(dir.path(), "A", &own.drive).1.is_some());
        assert!(note(dir.path(), own).is_err());
    }
}
