//! What the routes of Vigil's dashboard answer with: add-ons, hosts, tokens, drives of hosts. Every key is always there;
//! what is not known is null. ZFS apart, whose clients expect it left out.

pub(super) mod addon;
pub(super) mod drive;
pub(super) mod front;
pub(super) mod host;
pub(super) mod smart;
pub(super) mod vigil;
pub(super) mod zfs;
