//! Where the services' state lies: on DATA, or in memory in its place. Others read which.

use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use super::journals;

/// Where DATA is mounted.
pub(in crate::boot) const STATE: &str = "/var/lib/kiln";
/// Where DATA is mounted while no service may see it: state still lies in memory, or a reset writes over it.
pub(in crate::boot) const ASIDE: &str = "/run/kiln/data";
/// Backups that people keep on the box, up to 256 MiB of them: they stay on the medium, which is where they are of use. In memory
/// they would take the room of what the box lives on.
pub(in crate::boot) const SHELF: &str = "server/backups";
/// Where other programs read whether services' state is on the medium: `disk` or `ram`, once that is settled.
pub(crate) const STATE_WHERE: &str = "/run/kiln/state";

/// Puts a RAM file system over the state folder, in place of whatever was there.
///
/// # Errors
/// The kernel refused.
pub(crate) fn state_in_ram() -> io::Result<()> {
    let _ = nix::mount::umount2(STATE, nix::mount::MntFlags::MNT_DETACH);
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(
        Some("tmpfs"),
        STATE,
        Some("tmpfs"),
        flags,
        // More than what the keeper holds (`mirror::room`): stores grow.
        Some("mode=755,size=33%"),
    )?;
    journals::give(Path::new(STATE));
    Ok(())
}
