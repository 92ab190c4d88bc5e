//! What the routes of Vigil's dashboard answer with: add-ons, hosts, tokens, drives of hosts. Every key is always there;
//! what is not known is null. ZFS apart, whose clients expect it left out.

pub(super) mod addon;
pub(super) mod drive;
pub(super) mod front;
pub(super) mod host;
pub(super) mod smart;
pub(super) mod vigil;
pub(super) mod zfs;

/// Midnight of January 1st of the year 1: the time that existing servers write where they know none.
pub(super) const NEVER: wire::Time = wire::Time::constant(-62_135_596_800, 0);
