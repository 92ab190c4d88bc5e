//! Device mapper: a `linear` target over a whole device, by the ioctl interface (`linux/dm-ioctl.h`).

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

/// `DM_DEV_CREATE`, `DM_DEV_REMOVE`, `DM_DEV_SUSPEND` (which also resumes), `DM_TABLE_LOAD`.
const CREATE: u8 = 3;
const REMOVE: u8 = 4;
const SUSPEND: u8 = 6;
const LOAD: u8 = 9;

/// Bytes of `struct dm_ioctl`.
const HEAD: u32 = 312;
/// Room for the head, one target and its parameters.
const SIZE: u32 = 512;

/// Makes device `name` with this `uuid` that maps the whole of `device`.
pub(crate) fn create(name: &str, uuid: &str, device: &str) -> io::Result<()> {
    let number = fs::metadata(device)?.rdev();
    let (major, minor) = (libc::major(number), libc::minor(number));
    let sectors: u64 = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/size"))?
        .trim()
        .parse()
        .map_err(io::Error::other)?;
    command(CREATE, name, uuid, None)?;
    command(LOAD, name, "", Some((sectors, format!("{major}:{minor} 0"))))?;
    command(SUSPEND, name, "", None)
}

/// Removes device `name`.
pub(crate) fn remove(name: &str) -> io::Result<()> {
    command(REMOVE, name, "", None)
}

/// One ioctl.
///
/// ```text
/// dm_ioctl:       version[3] u32 @0 | data_size u32 @12 | data_start u32 @16 | target_count u32 @20 | name @48 (128) | uuid @176 (129)
/// dm_target_spec: sector_start u64 @0 | length u64 @8 | status i32 @16 | next u32 @20 | target_type @24 (16) | parameters @40
/// ```
fn command(number: u8, name: &str, uuid: &str, target: Option<(u64, String)>) -> io::Result<()> {
    if name.len() > 120 || uuid.len() > 120 {
        return Err(io::Error::other("the name or the uuid is too long"));
    }
    let mut buffer = [0_u8; SIZE as usize];
    let mut put = |at: usize, bytes: &[u8]| buffer[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &4_u32.to_ne_bytes());
    put(12, &SIZE.to_ne_bytes());
    put(16, &HEAD.to_ne_bytes());
    put(48, name.as_bytes());
    put(176, uuid.as_bytes());
    if let Some((sectors, parameters)) = target {
        put(20, &1_u32.to_ne_bytes());
        let at = HEAD as usize;
        put(at + 8, &sectors.to_ne_bytes());
        put(at + 24, b"linear");
        put(at + 40, parameters.as_bytes());
    }
    let control = File::options().read(true).write(true).open("/dev/mapper/control")?;
    // _IOWR(0xfd, number, struct dm_ioctl)
    let request = (3 << 30) | (libc::c_ulong::from(HEAD) << 16) | (0xfd << 8) | libc::c_ulong::from(number);
    // SAFETY: the buffer is as long as its `data_size` says, outlives the call, and only this call sees it.
    if unsafe { libc::ioctl(control.as_raw_fd(), request as _, buffer.as_mut_ptr()) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
