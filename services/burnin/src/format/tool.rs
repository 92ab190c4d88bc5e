//! The programs that make and check file systems: which, how they are called, and whether they are here.

use std::fs;
use std::path::{Path, PathBuf};

use wire::options::{FileSystem, FormatRequest};

use super::request::name;

/// Where programs are looked for: what PID 1 gives to every service.
const PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Features of a file system that an older system refuses, and that are left out where the program's configuration has them: a program that
/// is older itself refuses their names, and its configuration has none of them.
struct TooNew {
    conf: &'static str,
    /// How the program is told.
    option: &'static str,
    /// What stands in the configuration, and what leaves it out.
    features: &'static [(&'static str, &'static str)],
}

/// What mke2fs makes since 1.47: an older e2fsck (Debian 11, Ubuntu 22.04, many a NAS) refuses the one, a kernel before 4.4 the other.
const OF_EXT4: TooNew = TooNew {
    conf: "/etc/mke2fs.conf",
    option: "-O",
    features: &[
        ("orphan_file", "^orphan_file"),
        ("metadata_csum_seed", "^metadata_csum_seed"),
    ],
};

/// What mkfs.xfs makes since 6.5 and a kernel before 5.19 does not mount (Debian 11, many a NAS). The file has the features of Linux 5.15:
/// what came later is named there, so that the program knows the name; the file itself is refused by the xfsprogs 6.1 that it comes with.
const OF_XFS: TooNew = TooNew {
    conf: "/usr/share/xfsprogs/mkfs/lts_5.15.conf",
    option: "-i",
    features: &[("nrext64=0", "nrext64=0")],
};

impl TooNew {
    /// What leaves out those that this configuration has.
    fn left_out(&self, conf: &str) -> String {
        let made = self.features.iter().filter(|(feature, _)| conf.contains(feature));
        made.map(|(_, without)| *without).collect::<Vec<_>>().join(",")
    }

    /// The same of the configuration here; nothing where there is none.
    fn left_out_here(&self) -> String {
        self.left_out(&fs::read_to_string(self.conf).unwrap_or_default())
    }
}

/// What is missing here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// A program.
    #[error("{filesystem} needs the program {program}, which is not on this system (package {package})")]
    Program {
        /// The file system.
        filesystem: &'static str,
        /// The program.
        program: &'static str,
        /// Debian's package that has it.
        package: &'static str,
    },
    /// The kernel's part.
    #[error("this kernel cannot mount {filesystem}, so that it could not be verified")]
    Kernel {
        /// The file system.
        filesystem: &'static str,
    },
}

/// One call of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Its name.
    pub program: &'static str,
    /// What it gets before the node.
    pub args: Vec<String>,
    /// Whether output has to be empty of this word.
    pub must_not_say: Option<&'static str>,
}

impl Call {
    fn new(program: &'static str, args: &[&str]) -> Self {
        Self {
            program,
            args: args.iter().map(|a| (*a).to_owned()).collect(),
            must_not_say: None,
        }
    }

    fn with(mut self, option: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.args.push(option.to_owned());
            self.args.push(value.to_owned());
        }
        self
    }

    fn without(self, too_new: &TooNew) -> Self {
        self.with(too_new.option, &too_new.left_out_here())
    }
}

/// How the file system is made; `None` where there is none to make.
pub(super) fn maker(request: &FormatRequest) -> Option<Call> {
    let label = request.label.as_str();
    Some(match request.filesystem {
        FileSystem::Ext4 => {
            let reserved = request.reserved_percent.to_string();
            // Inode tables are initialised in the background at the first mount: hours less on a large drive.
            let args = [
                "-q",
                "-t",
                "ext4",
                "-E",
                "nodiscard,lazy_itable_init=1",
                "-m",
                &reserved,
            ];
            Call::new("mkfs.ext4", &args).without(&OF_EXT4).with("-L", label)
        }
        FileSystem::Xfs => Call::new("mkfs.xfs", &["-q", "-f", "-K"])
            .without(&OF_XFS)
            .with("-L", label),
        FileSystem::Btrfs => Call::new("mkfs.btrfs", &["-q", "-f", "-K"]).with("-L", label),
        // It has no -q before exfatprogs 1.2.2, and makes nothing where it is given one.
        FileSystem::Exfat => Call::new("mkfs.exfat", &[]).with("-L", label),
        FileSystem::Swap => Call::new("mkswap", &["-f"]).with("-L", label),
        FileSystem::Raw => return None,
    })
}

/// Its own checker, which changes nothing.
pub(super) fn checker(filesystem: FileSystem) -> Option<Call> {
    Some(match filesystem {
        FileSystem::Ext4 => Call::new("e2fsck", &["-f", "-n"]),
        FileSystem::Xfs => Call::new("xfs_repair", &["-n"]),
        FileSystem::Btrfs => Call::new("btrfs", &["check", "--readonly"]),
        FileSystem::Exfat => Call {
            must_not_say: Some("ERROR"),
            ..Call::new("fsck.exfat", &["-n"])
        },
        // A swap area is a header; libblkid reads it.
        FileSystem::Swap | FileSystem::Raw => return None,
    })
}

fn package(filesystem: FileSystem) -> &'static str {
    match filesystem {
        FileSystem::Ext4 => "e2fsprogs",
        FileSystem::Xfs => "xfsprogs",
        FileSystem::Btrfs => "btrfs-progs",
        FileSystem::Exfat => "exfatprogs",
        FileSystem::Swap | FileSystem::Raw => "util-linux",
    }
}

/// The program's path.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    PATH.iter()
        .map(|dir| Path::new(dir).join(program))
        .find(|path| path.is_file())
}

/// Whether everything that the file system needs is on this system; to be asked before anything is erased.
///
/// # Errors
/// The first thing that is missing.
pub fn available(filesystem: FileSystem) -> Result<(), Missing> {
    let wanted = FormatRequest {
        table: wire::options::Table::Auto,
        filesystem,
        reserved_percent: 0,
        label: String::new(),
    };
    for call in [maker(&wanted), checker(filesystem)].into_iter().flatten() {
        if find(call.program).is_none() {
            return Err(Missing::Program {
                filesystem: name(filesystem),
                program: call.program,
                package: package(filesystem),
            });
        }
    }
    match filesystem {
        FileSystem::Swap | FileSystem::Raw => Ok(()),
        FileSystem::Ext4 | FileSystem::Xfs | FileSystem::Btrfs | FileSystem::Exfat => {
            if mountable(name(filesystem)) {
                return Ok(());
            }
            Err(Missing::Kernel {
                filesystem: name(filesystem),
            })
        }
    }
}

/// Whether the kernel has the file system, or a module for it.
fn mountable(filesystem: &str) -> bool {
    let listed = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if listed.lines().any(|line| line.trim() == filesystem) {
        return true;
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let modules = Path::new("/lib/modules").join(release.trim());
    ["modules.dep", "modules.builtin"].iter().any(|file| {
        let text = fs::read_to_string(modules.join(file)).unwrap_or_default();
        text.lines().any(|line| {
            let path = line.split(':').next().unwrap_or_default();
            path.contains(&format!("/{filesystem}.ko"))
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::process::Command;

    use super::*;

    /// A disk that is pulled here is put into another box, whose e2fsck has to know what is on it.
    #[test]
    fn ext4_is_made_without_what_an_older_e2fsck_refuses() {
        let of_1_47 = "ext4 = {\n\tfeatures = has_journal,extent,metadata_csum,metadata_csum_seed,64bit,orphan_file\n}";
        assert_eq!(OF_EXT4.left_out(of_1_47), "^orphan_file,^metadata_csum_seed");
        let of_1_46 = "ext4 = {\n\tfeatures = has_journal,extent,metadata_csum,64bit\n\tinode_size = 256\n}";
        assert_eq!(OF_EXT4.left_out(of_1_46), "");
    }

    /// The same of an older kernel. Without the option a newer xfsprogs makes what this one makes when told to.
    #[test]
    fn xfs_is_made_without_what_an_older_kernel_refuses() {
        /// `XFS_SB_FEAT_INCOMPAT_NREXT64`, and where the superblock has those features. Source: `linux/fs/xfs/libxfs/xfs_format.h`.
        const NREXT64: u32 = 1 << 5;
        const INCOMPAT: usize = 216;
        assert_eq!(OF_XFS.left_out("[metadata]\nnrext64=0\nbigtime=1\n"), "nrext64=0");
        assert_eq!(OF_XFS.left_out("[metadata]\nbigtime=1\n"), "");
        assert_eq!(OF_XFS.left_out(""), "");
        let (Some(program), "nrext64=0") = (find("mkfs.xfs"), OF_XFS.left_out_here().as_str()) else {
            return;
        };
        let request = FormatRequest {
            table: wire::options::Table::Auto,
            filesystem: FileSystem::Xfs,
            reserved_percent: 0,
            label: String::new(),
        };
        let ours = maker(&request).unwrap().args;
        let newer: Vec<String> = ours.iter().map(|arg| arg.replace("nrext64=0", "nrext64=1")).collect();
        let has = |args: &[String]| {
            let image = tempfile::NamedTempFile::new().unwrap();
            image.as_file().set_len(352 << 20).unwrap();
            let done = Command::new(&program).args(args).arg(image.path()).output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            let head = fs::read(image.path()).unwrap();
            u32::from_be_bytes(head[INCOMPAT..INCOMPAT + 4].try_into().unwrap()) & NREXT64 != 0
        };
        assert_eq!((has(&ours), has(&newer)), (false, true));
    }

    /// Also where the kernel cannot mount what is made: the programs that are here take what they are given.
    #[test]
    fn every_maker_and_checker_takes_its_options() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("partition");
        let all = [
            FileSystem::Ext4,
            FileSystem::Xfs,
            FileSystem::Btrfs,
            FileSystem::Exfat,
            FileSystem::Swap,
        ];
        for filesystem in all {
            let request = FormatRequest {
                table: wire::options::Table::Auto,
                filesystem,
                reserved_percent: 0,
                label: "label".to_owned(),
            };
            let calls = [maker(&request), checker(filesystem)].into_iter().flatten();
            let calls: Vec<(PathBuf, Call)> = calls.filter_map(|call| Some((find(call.program)?, call))).collect();
            if calls
                .first()
                .is_none_or(|(_, call)| Some(call) != maker(&request).as_ref())
            {
                continue;
            }
            // Sparse, and larger than the largest minimum.
            fs::write(&image, "").unwrap();
            fs::File::options()
                .write(true)
                .open(&image)
                .unwrap()
                .set_len(352 << 20)
                .unwrap();
            for (path, call) in calls {
                let done = Command::new(path).args(&call.args).arg(&image).output().unwrap();
                assert!(
                    done.status.success(),
                    "{} {:?}: {}",
                    call.program,
                    call.args,
                    String::from_utf8_lossy(&done.stderr)
                );
            }
        }
    }
}
