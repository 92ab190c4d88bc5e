//! `kiln-image verify` over made-up images: what is right passes, and each thing that is not is named.
#![allow(clippy::unwrap_used, reason = "tests")]

use image::{
    assemble::{Parts, Slot, write_disk},
    board::Board,
    cpio::{Archive, Node},
    fat32::Source,
    grub::{self, Env},
    inspect::Image,
    key::{Key, Public},
    loader::Loader,
    signature::Signatures,
    slot::{FORMAT, FileNote, Manifest},
    verify::Verified,
    workspace::Workspace,
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::Path};

type Files = BTreeMap<String, Vec<u8>>;

fn board() -> Board {
    Board::load(&Workspace::find().boards(), "x86-64").unwrap()
}

/// The files of a slot that has everything, signed.
fn slot(slot: &str, key: &Key) -> Files {
    let mut initrd = Archive::default();
    for path in ["init", "kiln/board.toml"] {
        initrd.add(path, Node::File(0o755, vec![1; 100]));
    }
    initrd.add("dev/console", Node::Char(0o600, 5, 1));
    let mut system = vec![0; 4096];
    system[1024..1028].copy_from_slice(&0xe0f5_e1e2u32.to_le_bytes());
    let files = [
        ("vmlinuz", vec![3; 5000]),
        ("initrd", initrd.bytes()),
        ("system.erofs", system),
    ];
    let note = |bytes: &Vec<u8>| FileNote {
        size: bytes.len() as u64,
        sha256: hex::encode(Sha256::digest(bytes)),
    };
    let manifest = Manifest {
        format: FORMAT.into(),
        version: "1".into(),
        board: "x86-64".into(),
        arch: "x86_64".into(),
        kernel: "6".into(),
        files: files.iter().map(|(n, b)| ((*n).to_owned(), note(b))).collect(),
        packages: Vec::new(),
    };
    let manifest = manifest.json().unwrap();
    let signatures = Signatures::of(&manifest, key).json().unwrap();
    let about = [("manifest.json", manifest), ("manifest.sig", signatures)];
    let all = files.into_iter().chain(about);
    all.map(|(n, b)| (format!("{slot}/{n}"), b)).collect()
}

/// What starts it under BIOS: boot code, and core.img.
fn bios() -> ([u8; 512], Vec<u8>) {
    let mut code = [0; 512];
    code[0x5c..0x64].copy_from_slice(&image::gpt::BIOS_FIRST.to_le_bytes());
    let mut core = vec![0; 1024];
    core[0x1f4..0x1fc].copy_from_slice(&(image::gpt::BIOS_FIRST + 1).to_le_bytes());
    (code, core)
}

/// GRUB and firmware find a file in whatever case it is written, and of two the first.
#[test]
fn what_another_case_hides_is_seen() {
    let with = |more: &[(&str, Vec<u8>)]| {
        let mut files = slot("a", &Key::development());
        files.extend(more.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())));
        verify(&files, &[])
    };
    let test = with(&[("KILN/TEST.CPIO", Archive::default().bytes())]).unwrap();
    assert!(test.test, "{test:?}");
    let told = with(&[
        ("B/vmlinuz", vec![1]),
        ("B/initrd", vec![1]),
        ("B/system.erofs", vec![1]),
    ])
    .unwrap_err();
    assert!(told.contains("slot b: it has no manifest.json"), "{told}");
    // Our own writer makes no two such names, so one is changed behind it.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d.img");
    let mut files = slot("a", &Key::development());
    files.insert("C/vmlinuz".into(), vec![1]);
    disk(&path, &files);
    let mut bytes = std::fs::read(&path).unwrap();
    let folder = bytes.windows(12).position(|entry| entry == b"C          \x10").unwrap();
    bytes[folder] = b'A';
    std::fs::write(&path, bytes).unwrap();
    let told = Image::open(&path)
        .unwrap()
        .verify(&board(), &[], None)
        .unwrap_err()
        .to_string();
    assert!(told.contains("two entries"), "{told}");
}

/// The head of an EFI program for this machine.
fn program(machine: u16) -> Vec<u8> {
    let mut bytes = b"MZ".to_vec();
    bytes.resize(0x3c, 0);
    bytes.extend(0x40_u32.to_le_bytes());
    bytes.extend(b"PE\0\0");
    bytes.extend(machine.to_le_bytes());
    bytes
}

/// An image of these files and whatever else it must have.
fn disk(path: &Path, files: &Files) {
    let mut boot: BTreeMap<String, Source> = [
        ("EFI/debian/grubenv", Env::fresh().bytes()),
        ("EFI/debian/grub.cfg", grub::config(&board()).into_bytes()),
        ("EFI/BOOT/BOOTX64.EFI", program(0x8664)),
        ("EFI/BOOT/grubx64.efi", program(0x8664)),
        ("EFI/BOOT/BOOTIA32.EFI", program(0x014c)),
        ("kiln.toml", Vec::new()),
    ]
    .map(|(n, b)| (n.to_owned(), Source::Bytes(b)))
    .into();
    boot.extend(files.iter().map(|(n, b)| (n.clone(), Source::Bytes(b.clone()))));
    let none = Path::new("/nonexistent").to_owned();
    let parts = Parts {
        slot: Slot {
            vmlinuz: none.clone(),
            initrd: none.clone(),
            system: none,
        },
        boot,
        bios: Some(bios()),
    };
    write_disk(&parts, path).unwrap();
}

fn verify(files: &Files, trusted: &[Public]) -> Result<Verified, String> {
    compare(files, trusted, None)
}

fn compare(files: &Files, trusted: &[Public], loader: Option<&Loader>) -> Result<Verified, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d.img");
    disk(&path, files);
    Image::open(&path)
        .unwrap()
        .verify(&board(), trusted, loader)
        .map_err(|e| e.to_string())
}

#[test]
fn an_image_that_is_right_passes_and_its_signer_is_told() {
    let key = Key::development();
    let mut files = slot("a", &key);
    let right = verify(&files, &[]).unwrap();
    assert_eq!((right.slots, right.test), (vec![("a", vec![key.public()])], false));
    files.extend(slot("b", &key));
    files.insert("kiln/test.cpio".into(), Archive::default().bytes());
    let both = verify(&files, &[key.public()]).unwrap();
    assert!(both.slots.len() == 2 && both.test, "{both:?}");
}

#[test]
fn only_a_slot_that_a_trusted_key_signed_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let (own, public) = Key::make(&dir.path().join("own")).unwrap();
    let public = Public::read(&public).unwrap();
    assert!(verify(&slot("a", &own), &[public]).is_ok());
    let mut files = slot("a", &Key::development());
    let told = verify(&files, &[public]).unwrap_err();
    assert!(
        told.contains("none of the keys") && told.contains("development key"),
        "{told}"
    );
    // One trusted slot does not vouch for the other.
    files = slot("a", &own);
    files.extend(slot("b", &Key::development()));
    let told = verify(&files, &[public]).unwrap_err();
    assert!(told.contains("slot b"), "{told}");
}

#[test]
fn each_damage_is_told_by_slot_and_file() {
    type Damage = fn(&mut Files);
    let damages: [(Damage, &str); 10] = [
        (
            |f| f.get_mut("a/vmlinuz").unwrap()[7] ^= 1,
            "slot a: vmlinuz has SHA-256",
        ),
        (
            |f| f.get_mut("a/initrd").unwrap().truncate(500),
            "slot a: initrd has 500 bytes; its manifest.json says",
        ),
        (
            |f| f.get_mut("a/manifest.json").unwrap()[3] ^= 1,
            "does not fit manifest.json",
        ),
        (|f| drop(f.remove("a/manifest.sig")), "slot a: it has no manifest.sig"),
        (|f| drop(f.remove("a/system.erofs")), "slot a: it has no system.erofs"),
        (
            |f| drop(f.insert("a/late.ko".into(), vec![1])),
            "late.ko is in the slot's folder and not in its manifest.json",
        ),
        (
            |f| drop(f.insert("b/vmlinuz".into(), vec![1])),
            "slot b: it has no manifest.json",
        ),
        (
            |f| drop(f.insert("a/manifest.sig".into(), b"{}".to_vec())),
            "missing field `signatures`",
        ),
        (|f| f.clear(), "slot a is empty"),
        // Both changed, and signed by nobody: the hashes agree with each other, the signature does not.
        (
            |f| {
                let json = String::from_utf8(f["a/manifest.json"].clone()).unwrap();
                f.insert(
                    "a/manifest.json".into(),
                    json.replace("\"version\": \"1\"", "\"version\": \"2\"").into(),
                );
            },
            "does not fit manifest.json",
        ),
    ];
    for (damage, part) in damages {
        let mut files = slot("a", &Key::development());
        damage(&mut files);
        let told = verify(&files, &[]).unwrap_err();
        assert!(told.contains(part), "expected {part:?} in {told:?}");
    }
}

#[test]
fn the_boot_loader_is_compared_and_nothing_else_lies_where_it_is_looked_for() {
    let put = |name: &str, bytes: Vec<u8>| {
        let mut files = slot("a", &Key::development());
        files.insert(name.into(), bytes);
        files
    };
    for (name, bytes, part) in [
        ("EFI/BOOT/grubx64.efi", b"MZ".to_vec(), "no EFI program"),
        ("EFI/BOOT/BOOTX64.EFI", program(0xaa64), "for this board's processor"),
        ("EFI/BOOT/fbx64.efi", program(0x8664), "no file of the boot loader"),
        ("EFI/debian/custom.cfg", Vec::new(), "no file of the boot loader"),
    ] {
        let told = verify(&put(name, bytes), &[]).unwrap_err();
        assert!(told.contains(part) && told.contains(name), "{told}");
    }
    // Compared with what the packages would make: as it is, and with one byte of each part changed.
    let dir = tempfile::tempdir().unwrap();
    let efi = [
        ("BOOTX64.EFI", 0x8664),
        ("grubx64.efi", 0x8664),
        ("BOOTIA32.EFI", 0x014c),
    ];
    let mut loader = Loader::default();
    for (name, machine) in efi {
        let path = dir.path().join(name);
        std::fs::write(&path, program(machine)).unwrap();
        loader.efi.insert(name.into(), path);
    }
    loader.bios = Some(bios());
    let files = slot("a", &Key::development());
    assert!(compare(&files, &[], Some(&loader)).unwrap().loader);
    assert!(!verify(&files, &[]).unwrap().loader);
    for (change, part) in [
        (
            (|l| l.bios.as_mut().unwrap().0[7] ^= 1) as fn(&mut Loader),
            "boot code (MBR)",
        ),
        (|l| l.bios.as_mut().unwrap().1[900] ^= 1, "core.img"),
        (
            |l| std::fs::write(&l.efi["grubx64.efi"], b"another").unwrap(),
            "grubx64.efi is not the one",
        ),
    ] {
        let mut other = loader.clone();
        change(&mut other);
        let told = compare(&files, &[], Some(&other)).unwrap_err();
        assert!(told.contains(part), "{told}");
    }
}

/// The signature is plain Ed25519 over the file's bytes: other people's tools check it too.
#[test]
fn openssl_reads_our_keys_and_checks_our_signature() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (key, public) = Key::make(&at("own")).unwrap();
    std::fs::write(at("manifest.json"), b"what is signed").unwrap();
    std::fs::write(at("sig"), key.sign(b"what is signed")).unwrap();
    let openssl = |manifest: &Path| {
        std::process::Command::new("openssl")
            .args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey"])
            .arg(&public)
            .arg("-in")
            .arg(manifest)
            .arg("-sigfile")
            .arg(at("sig"))
            .output()
    };
    let Ok(right) = openssl(&at("manifest.json")) else {
        return rig::not_run("openssl checks our signature: it is not installed");
    };
    assert!(right.status.success(), "{right:?}");
    std::fs::write(at("other"), b"what is not").unwrap();
    assert!(!openssl(&at("other")).unwrap().status.success());
}
