//! The images under test: the product's, with one more archive that holds the probe.
//!
//! Built once for the whole suite by the builder itself, so a test image differs from what is handed out in that one
//! file of its boot partition. It lies on a medium that is larger, as it does for everybody.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use image::assemble::{self, Options};
use image::board::Board;
use image::cpio::{Archive, Node};
use image::cross::Binaries;
use image::inspect::Image;
use image::qemu::Arch;
use image::workspace::Workspace;

/// The unit file that starts the probe in the guest. It may do everything: it plays kernel, thief and vandal.
const UNIT: &str = r#"description = "Helper of the boot tests"
exec = ["/test/kiln-probe"]
type = "simple"
requires = ["system"]
devices = "block"
restart_sec = 0.2
capabilities = ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_KILL", "CAP_NET_ADMIN",
    "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_MKNOD", "CAP_SYS_RESOURCE", "CAP_SYS_NICE",
    "CAP_CHOWN", "CAP_FOWNER", "CAP_SETUID", "CAP_SETGID", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_CHROOT",
    "CAP_SYSLOG", "CAP_SYS_TIME"]
"#;

/// Room behind the image, in bytes: a stick is larger than what is written to it, and a DATA without it has no journal.
const ROOM: u64 = 128 << 20;

/// The test image for an architecture.
pub(crate) fn image(arch: Arch) -> &'static Path {
    static X86: OnceLock<PathBuf> = OnceLock::new();
    static ARM64: OnceLock<PathBuf> = OnceLock::new();
    let (cell, board, variable) = match arch {
        Arch::X86_64 => (&X86, "x86-64", "KILN_TEST_IMAGE_X86"),
        Arch::Arm64 => (&ARM64, "arm64", "KILN_TEST_IMAGE_ARM64"),
    };
    cell.get_or_init(|| match std::env::var_os(variable) {
        Some(path) => path.into(),
        None => build(board),
    })
}

fn build(name: &str) -> PathBuf {
    let ws = Workspace::find();
    let board = Board::load(&ws.boards(), name).unwrap();
    let dir = ws.root().join(".kiln/boot-tests");
    std::fs::create_dir_all(&dir).unwrap();
    let probe = Binaries::build_these(&ws, &board, false, &[("probe", "kiln-probe")])
        .unwrap()
        .path("kiln-probe");
    let extra = dir.join(format!("{name}.cpio"));
    std::fs::write(&extra, archive(std::fs::read(probe).unwrap())).unwrap();
    let out = dir.join(format!("{name}.img"));
    let options = Options {
        test_extra: Some(extra),
        ..Options::default()
    };
    assemble::build(&ws, &board, &out, &options).unwrap();
    Image::open(&out).unwrap().verify(&board, &[], None).unwrap();
    let file = std::fs::File::options().write(true).open(&out).unwrap();
    let written = file.metadata().unwrap().len();
    file.set_len(written + ROOM).unwrap();
    out
}

/// That it was built, and verified before it was put on its larger medium.
fn whole(arch: Arch) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::open(image(arch)).unwrap();
    let mut head = [0; 8];
    file.read_exact_at(&mut head, 512).unwrap();
    assert_eq!(&head, b"EFI PART");
    let mut end = [0; 8];
    file.read_exact_at(&mut end, file.metadata().unwrap().len() - ROOM - 512)
        .unwrap();
    assert_eq!(&end, b"EFI PART", "its end is not where the room begins");
}

/// Most bytes of an image as it is handed out, `zstd -9`: what is carried for one machine more is everybody's download.
const COMPRESSED_MAX: usize = 80_000_000;

fn is_no_large_download(image: &Path) {
    let zstd = std::process::Command::new("zstd")
        .args(["-9", "-c", "-q"])
        .arg(image)
        .output()
        .unwrap();
    assert!(zstd.status.success(), "{}", String::from_utf8_lossy(&zstd.stderr));
    let bytes = zstd.stdout.len();
    println!("{bytes} bytes compressed");
    assert!((1 << 20..COMPRESSED_MAX).contains(&bytes), "{bytes} bytes");
}

#[test]
fn the_pcs_test_image_is_whole() {
    whole(Arch::X86_64);
    is_no_large_download(image(Arch::X86_64));
}

#[test]
fn the_arm_boards_test_image_is_whole() {
    whole(Arch::Arm64);
}

/// The archive: the probe and its unit file.
pub(crate) fn archive(probe: Vec<u8>) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.add("test/kiln-probe", Node::File(0o755, probe));
    archive.add("etc/kiln/units/probe.toml", Node::File(0o644, UNIT.into()));
    archive.bytes()
}
