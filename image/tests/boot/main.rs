//! Boots the image in QEMU and shows that what the product promises holds there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must panic")]
