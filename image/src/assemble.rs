//! Putting an image together: packages, programs, slot, boot partition, disk. The order of a build, and its caches.
//!
//! Everything that takes long is kept and made anew only when its inputs change: unpacked packages, the module tree,
//! `system.erofs`, the cargo target folder. The disk itself is written each time; it is sparse and takes a second.

use crate::{
    board::{Board, Request},
    cross::Binaries,
    error::{At, Error, Result},
    fat32::{self, SECTOR, Source},
    gpt::{self, Table},
    grub, initramfs,
    key::Key,
    loader::Loader,
    modules::Modules,
    packages::{Packages, host_arch},
    sbom::{self, Part},
    signature::Signatures,
    slot::Manifest,
    system::Content,
    tools::Tools,
    update_keys,
    workspace::Workspace,
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Label of the boot partition.
const LABEL: &str = "KILN";

/// What to build.
#[derive(Debug, Default)]
pub struct Options {
    /// One more archive for the initramfs, unpacked last: for tests only.
    pub test_extra: Option<PathBuf>,
    /// Take the newest version of every package instead of the locked one.
    pub refresh: bool,
    /// Key that signs the slot; the development key where there is none.
    pub key: Option<Key>,
    /// Key set that the image takes updates by; the development update key where there is none.
    pub update_keys: Option<PathBuf>,
    /// Folder for intermediate files instead of `.kiln/build/BOARD`; an empty one makes everything anew.
    pub work: Option<PathBuf>,
}

/// Files of a slot on the build machine, for booting a kernel directly.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Signed kernel.
    pub vmlinuz: PathBuf,
    /// Initramfs.
    pub initrd: PathBuf,
    /// The system.
    pub system: PathBuf,
}

/// Everything that a disk is written from.
#[derive(Debug)]
pub struct Parts {
    /// Files of the slot.
    pub slot: Slot,
    /// Files of the boot partition.
    pub boot: BTreeMap<String, Source>,
    /// Boot code of the MBR and core.img, when the board has a BIOS.
    pub bios: Option<([u8; 512], Vec<u8>)>,
}

/// Builds an image.
///
/// # Errors
/// Whatever went wrong, naming file, package or command.
pub fn build(ws: &Workspace, board: &Board, out: &Path, options: &Options) -> Result<()> {
    let binaries = Binaries::build(ws, board, options.refresh)?;
    let lock = locked(ws, board)?;
    let parts = parts(ws, board, &binaries, options)?;
    write_disk(&parts, out)?;
    drop(lock);
    eprintln!("{}: {} ({})", out.display(), board.title, board.name);
    Ok(())
}

/// Builds programs and everything else, without a disk.
///
/// # Errors
/// As [`build`].
pub fn whole_parts(ws: &Workspace, board: &Board, options: &Options) -> Result<Parts> {
    let binaries = Binaries::build(ws, board, options.refresh)?;
    let _lock = locked(ws, board)?;
    parts(ws, board, &binaries, options)
}

/// Two builds of one board share intermediate files: the second waits.
fn locked(ws: &Workspace, board: &Board) -> Result<File> {
    let path = ws.build(&board.name)?.join("lock");
    let lock = File::create(&path).at("making", &path)?;
    lock.lock().at("locking", &path)?;
    Ok(lock)
}

/// Makes everything that a disk is written from.
///
/// # Errors
/// As [`build`].
pub fn parts(ws: &Workspace, board: &Board, binaries: &Binaries, options: &Options) -> Result<Parts> {
    let dir = match &options.work {
        Some(dir) => dir.clone(),
        None => ws.build(&board.name)?,
    };
    let mut packages = Packages::of_board(ws, board, options.refresh)?;
    let kernel_request = Request {
        name: board.kernel.clone(),
        arch: None,
        follow: vec!["linux-image-".into()],
        files: Vec::new(),
    };
    let arch = board.arch.debian();
    let kernels = packages.get(&[kernel_request], arch)?.concat();
    let system = packages.get(&board.packages, arch)?;
    let boot = packages.get(&board.boot, arch)?.concat();
    let tools = Tools::new(packages.get(&board.tools, host_arch())?.concat());
    let lock = packages.finish()?;

    let kernel = kernels
        .iter()
        .find(|k| k.dir.join("usr/lib/modules").is_dir())
        .ok_or_else(|| Error::Package {
            package: board.kernel.clone(),
            what: "neither it nor what it depends on has usr/lib/modules".into(),
        })?;
    let modules = Modules::prepare(ws, board, kernel)?;
    let mut content = Content::collect(board, &system, &modules, binaries)?;
    let used = system.iter().flatten().filter(|package| content.has_of(&package.dir));
    // Without the boot loader, which no update renews: beside a later slot the list would name another than the stick's.
    let debian = kernels.iter().chain(used).map(Part::debian);
    let parts = debian.chain(sbom::of_programs(ws)?).collect();
    let bill = dir.join("sbom.spdx.json");
    fs::write(&bill, sbom::document("kiln", env!("CARGO_PKG_VERSION"), parts)).at("writing", &bill)?;
    content.system.insert(PathBuf::from(sbom::IN_IMAGE), bill);
    let slot = Slot {
        vmlinuz: kernel.dir.join(format!("boot/vmlinuz-{}", modules.version)),
        initrd: dir.join("initrd"),
        system: dir.join("system.erofs"),
    };
    content.make(&tools, &slot.system)?;
    let trusted = update_keys::trusted(ws, options.update_keys.as_deref())?;
    let initrd = initramfs::make(board, &ws.rootfs(), &content, &modules, binaries, &trusted)?;
    fs::write(&slot.initrd, initrd).at("writing", &slot.initrd)?;
    let files: [(&str, &Path); 3] = [
        ("vmlinuz", &slot.vmlinuz),
        ("initrd", &slot.initrd),
        ("system.erofs", &slot.system),
    ];
    let manifest = Manifest::of(board, &modules.version, &lock, &files)?;

    let mut on_boot = BTreeMap::new();
    for (name, path) in files {
        on_boot.insert(format!("a/{name}"), Source::File(path.to_owned()));
    }
    let manifest = manifest.json()?;
    let key = options.key.clone().unwrap_or_else(Key::development);
    let signatures = Signatures::of(&manifest, &key).json()?;
    on_boot.insert("a/manifest.json".into(), Source::Bytes(manifest));
    on_boot.insert("a/manifest.sig".into(), Source::Bytes(signatures));
    on_boot.insert(
        "EFI/debian/grub.cfg".into(),
        Source::Bytes(grub::config(board).into_bytes()),
    );
    on_boot.insert("EFI/debian/grubenv".into(), Source::Bytes(grub::Env::fresh().bytes()));
    on_boot.insert(
        "EFI/debian/grubmark".into(),
        Source::Bytes(grub::Env::marked("1", "").bytes()),
    );
    on_boot.insert("kiln.toml".into(), Source::File(ws.rootfs().join("kiln.toml")));
    let of_loader = boot.iter().map(Part::debian).collect();
    on_boot.insert(
        sbom::OF_LOADER.into(),
        Source::Bytes(sbom::document("kiln-loader", env!("CARGO_PKG_VERSION"), of_loader).into_bytes()),
    );
    if let Some(extra) = &options.test_extra {
        on_boot.insert("kiln/test.cpio".into(), Source::File(extra.clone()));
    }
    let loader = Loader::make(board, &boot, &tools, &dir)?;
    for (name, from) in loader.efi {
        on_boot.insert(format!("EFI/BOOT/{name}"), Source::File(from));
    }
    Ok(Parts {
        slot,
        boot: on_boot,
        bios: loader.bios,
    })
}

/// Writes the disk: sparse, and under a temporary name until it is whole.
///
/// # Errors
/// When the parts do not fit or writing fails.
pub fn write_disk(parts: &Parts, out: &Path) -> Result<()> {
    if let Some(dir) = out.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        fs::create_dir_all(dir).at("making", dir)?;
    }
    let mut name = out.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let _ = fs::remove_file(&new);
    let mut file = File::create_new(&new).at("making", &new)?;
    file.set_len(gpt::TOTAL * SECTOR).at("sizing", &new)?;
    fat32::write(&mut file, &new, gpt::BOOT_FIRST, gpt::BOOT_SECTORS, LABEL, &parts.boot)?;
    let boot_code = match &parts.bios {
        Some((boot, core)) => {
            file.write_all_at(core, gpt::BIOS_FIRST * SECTOR).at("writing", &new)?;
            *boot
        }
        None => [0; 512],
    };
    file.write_all_at(&gpt::mbr(&boot_code), 0).at("writing", &new)?;
    Table::fresh().write(&file, gpt::TOTAL).at("writing", &new)?;
    drop(file);
    fs::rename(&new, out).at("moving", &new)
}
