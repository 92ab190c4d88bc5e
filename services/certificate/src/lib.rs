//! What a burn-in hands on: a certificate that anybody can check without the box that signed it.
//!
//! ```text
//!  wire::job::Job ─► Certificate ─► canonical JSON (RFC 8785) ─► Ed25519 ─► Signed (a text, byte for byte)
//!                                                                            │
//!      check(text, trust, now, revocations) ◄────────────────────────────────┤
//!      page::html · pdf::pdf · qr (a stamp that paper carries) ◄─────────────┘
//! ```
//!
//! Everything here is a function of its arguments: no files, no clock, no randomness. A text is good
//! only if it is *exactly* the canonical form of what it says, so that one changed byte anywhere makes
//! it bad and no two readers can see different things in it. Page and PDF are made from a [`Signed`]
//! alone, which exists only after its signature was checked. Tested in `tests/` (tampering, page, PDF by
//! independent readers, QR by two decoders) and beside the code.

#![warn(unreachable_pub)]

pub use wire::canonical;
pub mod carrier;
pub mod certificate;
pub mod chart;
pub mod check;
pub mod id;
pub mod key;
pub mod page;
pub mod pdf;
pub mod qr;
pub mod report;
pub mod revoke;
pub mod signed;
pub mod stamp;
pub mod trust;

pub use certificate::{Certificate, Maker, SOFTWARE};
pub use check::{Revocations, check};
pub use key::{Fingerprint, Key, PublicKey};
pub use signed::{Bad, Signed};
pub use stamp::Stamp;
pub use trust::Trust;
