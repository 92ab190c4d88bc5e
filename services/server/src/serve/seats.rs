//! Seats: how many connections are served at once, and what the heads of their requests may hold.
//!
//! All listeners that a network reaches share one room, so that what several addresses take by all ports together stays below
//! the files that this process may open (`limit_nofile` of its unit); this machine's own socket has a room of its own, which
//! nobody from outside can fill. A full room stops accepting: the kernel's backlog waits.

use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::serve::heads::Heads;

/// Requests and streams at once from all networks (a WebSocket leaves its seat once it is one): a page uses two, and a page or
/// a program may listen to each of thousands of add-ons. Each costs about 20 kB.
pub const NETWORK: usize = 8192;

/// Requests and streams at once on the Unix socket: the agent's and those of whoever has a shell on this machine.
pub const LOCAL: usize = 256;

/// The room of one or several listeners.
#[derive(Clone, Debug)]
pub struct Seats {
    free: Arc<Semaphore>,
    /// Of those who sit there.
    pub heads: Heads,
}

impl Seats {
    /// A room of its own with `count` seats, [`NETWORK`] or [`LOCAL`]; its clones are the same room.
    pub fn new(count: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count)),
            heads: Heads::default(),
        }
    }

    /// A seat, as soon as there is one; it is free again when what is returned is dropped.
    ///
    /// # Errors
    /// Never: a room is not closed.
    pub async fn one(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.free).acquire_owned().await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Files beside connections: the store, the listeners, calls that the server makes itself.
    const RESERVE: usize = 512;

    #[test]
    fn the_unit_may_open_a_file_for_every_seat_and_every_add_on() {
        let unit = include_str!("../../../../rootfs/etc/kiln/units/server.toml");
        let limit = unit.lines().find_map(|line| line.strip_prefix("limit_nofile = "));
        let limit: usize = limit.unwrap().parse().unwrap();
        let needed = NETWORK + LOCAL + crate::addon::ADDONS_MAX + RESERVE;
        assert!(limit >= needed, "{limit} files, {needed} are needed");
    }

    #[tokio::test]
    async fn listeners_of_one_room_share_its_seats() {
        let room = Seats::new(1);
        let taken = room.one().await.unwrap();
        let other = room.clone();
        assert!(other.free.try_acquire().is_err());
        drop(taken);
        assert!(other.free.try_acquire().is_ok());
    }
}
