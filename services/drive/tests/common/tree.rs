//! A made-up `/sys` tree. The attribute names and layouts are those of Linux 6.12.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::os::unix::fs::symlink;

use drive::System;

/// The tree; its disks have the major number 8.
pub(crate) struct Tree {
    pub root: tempfile::TempDir,
    minor: u32,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("sys/block")).unwrap();
        std::fs::create_dir_all(root.path().join("sys/dev/block")).unwrap();
        Tree { root, minor: 0 }
    }

    pub(crate) fn system(&self) -> System {
        System::at(self.root.path())
    }

    pub(crate) fn put(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// A disk at `devices/PARENT/block/NAME` with `size` sectors of 512 bytes and attributes below its `device`.
    pub(crate) fn disk(&mut self, name: &str, parent: &str, size: u64, attributes: &[(&str, &[u8])]) -> String {
        self.minor += 16;
        let base = match name.starts_with("nvme") {
            true => format!("sys/devices/{parent}/{name}"),
            false => format!("sys/devices/{parent}/block/{name}"),
        };
        self.put(&format!("{base}/size"), format!("{size}\n"));
        self.put(&format!("{base}/dev"), format!("8:{}\n", self.minor));
        self.put(&format!("{base}/hidden"), "0\n");
        self.put(&format!("{base}/ro"), "0\n");
        self.put(&format!("{base}/diskseq"), format!("{}\n", self.minor));
        self.put(&format!("{base}/queue/logical_block_size"), "512\n");
        self.put(&format!("{base}/queue/physical_block_size"), "4096\n");
        self.put(&format!("{base}/queue/rotational"), "1\n");
        self.put(&format!("sys/devices/{parent}/present"), "");
        symlink(
            self.root.path().join(format!("sys/devices/{parent}")),
            self.root.path().join(&base).join("device"),
        )
        .unwrap();
        symlink(
            self.root.path().join(&base),
            self.root.path().join("sys/block").join(name),
        )
        .unwrap();
        symlink(
            self.root.path().join(&base),
            self.root.path().join(format!("sys/dev/block/8:{}", self.minor)),
        )
        .unwrap();
        for (attribute, bytes) in attributes {
            self.put(&format!("sys/devices/{parent}/{attribute}"), bytes);
        }
        base
    }
}

/// VPD page 0x80 with this serial number.
pub(crate) fn pg80(serial: &str) -> Vec<u8> {
    [
        b"\0\x80\0",
        &[u8::try_from(serial.len()).unwrap()][..],
        serial.as_bytes(),
    ]
    .concat()
}

/// VPD page 0x83 with this NAA name.
pub(crate) fn pg83_naa(name: [u8; 8]) -> Vec<u8> {
    [b"\0\x83\0\x0c\x01\x03\0\x08".as_slice(), &name].concat()
}

/// Where a disk behind AHCI hangs.
pub(crate) const SATA: &str = "pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0";
