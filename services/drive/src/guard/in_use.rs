//! What may use a drive: one variant a kind, each with a sentence that names the place.

use crate::content::ContentKind;

/// A use that forbids writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InUse {
    /// It is the disk the box was booted from.
    BootDisk,
    /// It carries Kiln: another boot stick.
    KilnStick,
    /// A file system on it is mounted, in some mount namespace.
    Mounted {
        /// Kernel name of the disk or partition.
        what: String,
        /// Mount point, as its process sees it.
        at: String,
        /// A process in whose namespace it is mounted, where that is not ours.
        pid: Option<u32>,
    },
    /// It is swapped to.
    Swap {
        /// Kernel name of the disk or partition.
        what: String,
    },
    /// It is part of a running md array.
    MdActive {
        /// Kernel name of the disk or partition.
        what: String,
        /// The array, `md0`.
        array: String,
    },
    /// A logical volume on it is active.
    LvmActive {
        /// Kernel name of the disk or partition.
        what: String,
        /// The volume's device-mapper name.
        volume: String,
    },
    /// An encrypted mapping on it is open.
    DmCrypt {
        /// Kernel name of the disk or partition.
        what: String,
        /// The mapping's name.
        mapping: String,
    },
    /// Another device-mapper device sits on it.
    DeviceMapper {
        /// Kernel name of the disk or partition.
        what: String,
        /// The mapping's name.
        mapping: String,
    },
    /// A bcache device uses it.
    BcacheActive {
        /// Kernel name of the disk or partition.
        what: String,
        /// The bcache device.
        cache: String,
    },
    /// It belongs to a mounted btrfs.
    BtrfsMounted {
        /// Kernel name of the disk or partition.
        what: String,
        /// The file system's UUID.
        uuid: String,
    },
    /// A loop device is backed by it.
    Loop {
        /// Kernel name of the disk or partition.
        what: String,
        /// The loop device.
        device: String,
    },
    /// It is a loop device over a block device, which has uses of its own.
    Over {
        /// Its kernel name.
        what: String,
        /// Kernel name or path of the device behind it.
        over: String,
    },
    /// It is a loop device whose file another one stands over, too.
    SameFile {
        /// Its kernel name.
        what: String,
        /// The other loop device.
        other: String,
    },
    /// A target of this kernel exports it to other computers.
    Exported {
        /// Kernel name of the disk, partition or controller.
        what: String,
        /// The target, in words.
        target: String,
    },
    /// Another process has it open for writing, though not exclusively.
    Open {
        /// Kernel name of the disk or partition, or of a node that takes commands for it.
        what: String,
        /// The process.
        pid: u32,
        /// Its program.
        program: String,
    },
    /// Something else in the kernel holds it.
    Holder {
        /// Kernel name of the disk or partition.
        what: String,
        /// The holder's kernel name.
        holder: String,
    },
    /// It carries a signature of something larger that is not running.
    Member {
        /// Kernel name of the disk or partition.
        what: String,
        /// What.
        kind: ContentKind,
    },
    /// It refuses writes.
    WriteProtected,
    /// Another process holds its lock (`flock`), as programs do that make partitions and file systems.
    Locked,
    /// Another process holds it exclusively.
    Exclusive,
}

impl InUse {
    /// A stable word for the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            InUse::BootDisk => "boot-disk",
            InUse::KilnStick => "kiln-stick",
            InUse::Mounted { .. } => "mounted",
            InUse::Swap { .. } => "swap",
            InUse::MdActive { .. } => "md-active",
            InUse::LvmActive { .. } => "lvm-active",
            InUse::DmCrypt { .. } => "dm-crypt",
            InUse::DeviceMapper { .. } => "device-mapper",
            InUse::BcacheActive { .. } => "bcache-active",
            InUse::BtrfsMounted { .. } => "btrfs-mounted",
            InUse::Loop { .. } | InUse::Over { .. } | InUse::SameFile { .. } => "loop-backing",
            InUse::Exported { .. } => "exported",
            InUse::Open { .. } => "open-for-writing",
            InUse::Holder { .. } => "holder",
            InUse::Member { kind, .. } => kind.refusal(),
            InUse::WriteProtected => "write-protected",
            InUse::Locked => "locked",
            InUse::Exclusive => "exclusive",
        }
    }
}

impl std::fmt::Display for InUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            InUse::BootDisk => f.write_str("this box was booted from it"),
            InUse::KilnStick => f.write_str(
                "it carries Kiln itself (another boot stick); if it is to be one no more, erase its table on another computer \
                 (wipefs -a DEVICE), and plug it in again",
            ),
            InUse::Mounted { what, at, pid: None } => write!(f, "{what} is mounted at {at}"),
            InUse::Mounted {
                what,
                at,
                pid: Some(pid),
            } => {
                write!(f, "{what} is mounted at {at} in the mount namespace of process {pid}")
            }
            InUse::Swap { what } => write!(f, "{what} is swap space in use"),
            InUse::MdActive { what, array } => write!(f, "{what} belongs to the running array {array}"),
            InUse::LvmActive { what, volume } => write!(f, "{what} carries the active LVM volume {volume}"),
            InUse::DmCrypt { what, mapping } => write!(f, "{what} carries the open encrypted mapping {mapping}"),
            InUse::DeviceMapper { what, mapping } => write!(f, "{what} is used by the device mapping {mapping}"),
            InUse::BcacheActive { what, cache } => write!(f, "{what} is used by {cache}"),
            InUse::BtrfsMounted { what, uuid } => write!(f, "{what} belongs to the mounted btrfs {uuid}"),
            InUse::Loop { what, device } => write!(f, "{device} is backed by {what}"),
            InUse::Over { what, over } => write!(f, "{what} is a loop device over {over}; name that one itself"),
            InUse::SameFile { what, other } => {
                write!(f, "{other} is backed by the same file as {what}; detach one of them")
            }
            InUse::Exported { what, target } => {
                write!(f, "{what} is exported to other computers by this one's {target}")
            }
            InUse::Open { what, pid, program } => {
                write!(f, "process {pid} ({program}) has {what} open for writing")
            }
            InUse::Holder { what, holder } => write!(f, "{what} is used by {holder}"),
            InUse::Member {
                what,
                kind: ContentKind::Unseen,
            } => write!(
                f,
                "{what} could not be looked at everywhere, for bad sectors or a partition table that does not fit, so it may belong to something larger"
            ),
            InUse::Member { what, kind } => {
                write!(f, "{what} is a {}; its other parts would lose it, too", kind.words())
            }
            InUse::WriteProtected => f.write_str("it is write-protected"),
            InUse::Locked => {
                f.write_str("another process has locked it, as one does that formats it; wait for its end")
            }
            InUse::Exclusive => f.write_str("another process holds it exclusively"),
        }
    }
}
