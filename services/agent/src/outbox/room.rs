//! All drives in one frame, however much stands on them. Pure.
//!
//! The server takes the list as a whole, so that one frame that is too long would hide every drive. What a drive holds is bounded where it
//! is read; of many such drives the longest are told by their summary alone, and that is told, too.

use wire::Frame;
use wire::drive::{Content, Drive};

use crate::fit::fit;

/// The frame, and the drives whose signatures did not go along.
pub(super) fn drives(drives: &[Drive]) -> (Frame, Vec<&Drive>) {
    let mut all = drives.to_vec();
    let shortened = fit(&mut all, |drive| match &mut drive.content {
        Content::Found { signatures, .. } => !std::mem::take(signatures).is_empty(),
        Content::Unknown | Content::Empty | Content::Unreadable { .. } => false,
    });
    (
        Frame::Drives(all),
        shortened.into_iter().map(|at| &drives[at]).collect(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::drive::Signature;
    use wire::frame::FRAME_MAX_ACCEPTED;

    use super::*;

    /// Drives of which every second one holds about 50 KiB of signatures, the later ones more.
    fn some(count: usize) -> Vec<Drive> {
        let signature = |label: &str| Signature {
            partition: 1,
            kind: "btrfs".into(),
            label: Some(label.into()),
            uuid: None,
            name: None,
            used: None,
            mounted: None,
        };
        let mut drives = crate::vigil::shapes::tests::drives(count);
        for (at, drive) in drives.iter_mut().enumerate().filter(|(at, _)| at % 2 == 1) {
            drive.content = Content::Found {
                signatures: (0..64).map(|_| signature(&"\"".repeat(350 + at))).collect(),
                summary: format!("64 partitions on {at}"),
            };
        }
        drives
    }

    #[test]
    fn what_fits_is_told_as_it_is() {
        for count in [0, 1, 16] {
            let drives = some(count);
            assert_eq!(super::drives(&drives), (Frame::Drives(drives.clone()), Vec::new()));
        }
    }

    #[test]
    fn of_many_drives_with_long_tables_all_are_told_and_the_longest_in_short() {
        let drives = some(40);
        assert!(Frame::Drives(drives.clone()).encode().len() > FRAME_MAX_ACCEPTED);
        let (frame, shortened) = super::drives(&drives);
        let length = frame.encode().len();
        assert!(length <= FRAME_MAX_ACCEPTED, "{length}");
        let Frame::Drives(told) = frame else { panic!() };
        assert_eq!(told.len(), 40);
        assert!((1..20).contains(&shortened.len()), "{shortened:?}");
        assert!(
            shortened.contains(&&drives[39]) && !shortened.contains(&&drives[1]),
            "{shortened:?}"
        );
        for (told, drive) in told.iter().zip(&drives) {
            let is_short = shortened.contains(&drive);
            assert_eq!(told.content == drive.content, !is_short);
            assert_eq!(told.content.words(), drive.content.words());
        }
    }
}
