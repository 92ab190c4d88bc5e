//! Board files: what a kind of machine needs in its image.
//!
//! `boards/base.toml` holds what all boards share; `boards/NAME/board.toml` adds to its lists. A key that is not
//! known, a word of the wrong type or an empty list where one is needed is an error that names file, line and what
//! is expected. Nothing here touches packages; that is `packages`.

use crate::error::{At, Error, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Processor architecture of a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Arch {
    /// 64-bit PC.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "aarch64")]
    Aarch64,
}

impl Arch {
    /// Debian's word for it.
    #[must_use]
    pub fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// The kernel's and QEMU's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// Rust's target triple; glibc, because Debian carries no musl standard library.
    #[must_use]
    pub fn target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Aarch64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// Suffix of UEFI's boot files: `BOOTX64.EFI`, `shimx64.efi`.
    #[must_use]
    pub fn efi(self) -> &'static str {
        match self {
            Self::X86_64 => "x64",
            Self::Aarch64 => "aa64",
        }
    }
}

/// One Debian package to fetch.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Package name, without architecture.
    pub name: String,
    /// Architecture where it is not the board's (a BIOS boot loader for an ARM builder, a cross library, `all` for firmware).
    pub arch: Option<String>,
    /// Its dependencies whose names begin so are fetched too: how `linux-image-amd64` leads to the kernel.
    #[serde(default)]
    pub follow: Vec<String>,
    /// Files to take, `*` matching within one path component; without it a library's shared objects.
    #[serde(default)]
    pub files: Vec<String>,
}

/// Kernel modules: which ones the image carries and which are loaded without a modalias.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modules {
    /// Folders under `kernel/` (or single modules, `drivers/net/virtio_net`) that go into the image.
    #[serde(default)]
    pub carry: Vec<String>,
    /// Folders or modules of the above that stay out.
    #[serde(default)]
    pub skip: Vec<String>,
    /// Modules in the initramfs, loaded before `/system` is mounted, in this order.
    #[serde(default)]
    pub early: Vec<String>,
    /// Modules that no modalias brings.
    #[serde(default)]
    pub extra: Vec<String>,
    /// The same, loaded only when the box has come up and is quiet.
    #[serde(default)]
    pub late: Vec<String>,
}

impl Modules {
    fn extend(&mut self, more: Self) {
        self.carry.extend(more.carry);
        self.skip.extend(more.skip);
        self.early.extend(more.early);
        self.extra.extend(more.extra);
        self.late.extend(more.late);
    }
}

/// Watchdog drivers of a board, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watchdog {
    /// In the initramfs, loaded before anything else.
    pub early: Vec<String>,
    /// In `system.erofs`, tried when the early ones gave no device.
    #[serde(default)]
    pub late: Vec<String>,
    /// In the initramfs; loaded when nothing else gave a device.
    pub fallback: String,
}

/// How the board's firmware finds GRUB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// PC BIOS: boot.img in the MBR, core.img in the BIOS boot partition.
    Bios,
    /// UEFI (also U-Boot's): Debian's signed shim and GRUB in `EFI/BOOT`.
    Uefi,
    /// UEFI of 32 bits on a 64-bit PC: a GRUB made here, because Debian signs none; so without Secure Boot.
    Uefi32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseFile {
    suite: String,
    mirror: String,
    security_mirror: String,
    cmdline: Vec<String>,
    #[serde(rename = "package")]
    packages: Vec<Request>,
    #[serde(rename = "tool")]
    tools: Vec<Request>,
    modules: Modules,
    cross: Cross,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BoardFile {
    title: String,
    arch: Arch,
    firmware: Vec<Firmware>,
    console: Vec<String>,
    #[serde(default)]
    cmdline: Vec<String>,
    kernel: String,
    #[serde(rename = "package", default)]
    packages: Vec<Request>,
    #[serde(rename = "boot")]
    boot: Vec<Request>,
    #[serde(default)]
    modules: Modules,
    watchdog: Watchdog,
}

/// Packages that build our programs for another architecture.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cross {
    /// Suite they come from: the oldest build host that is supported, so that its C library suffices.
    pub suite: String,
    /// A compiler that can make code for the board, with the standard library.
    pub package: Vec<Request>,
}

/// Everything the builder knows about a board.
#[derive(Debug, Clone)]
pub struct Board {
    /// Name of its folder.
    pub name: String,
    /// What it is, for people.
    pub title: String,
    /// Its processor.
    pub arch: Arch,
    /// How it starts.
    pub firmware: Vec<Firmware>,
    /// `console=` values, the last becomes `/dev/console`.
    pub console: Vec<String>,
    /// Further words of the kernel command line.
    pub cmdline: Vec<String>,
    /// Debian suite.
    pub suite: String,
    /// Archive of the suite.
    pub mirror: String,
    /// Archive of its security updates.
    pub security_mirror: String,
    /// Package that leads to the kernel.
    pub kernel: String,
    /// Programs and libraries of `system.erofs`.
    pub packages: Vec<Request>,
    /// Boot loader packages.
    pub boot: Vec<Request>,
    /// Programs that run on the build machine.
    pub tools: Vec<Request>,
    /// Kernel modules.
    pub modules: Modules,
    /// Watchdog drivers.
    pub watchdog: Watchdog,
    /// Cross compiler.
    pub cross: Cross,
    /// Folder of the board file; the lock file lies there.
    pub dir: PathBuf,
}

impl Board {
    /// Reads `base.toml` and the board's file.
    ///
    /// # Errors
    /// [`Error::NoBoard`], or [`Error::Board`] naming file, line and field.
    pub fn load(boards: &Path, name: &str) -> Result<Self> {
        let names = names(boards)?;
        if !names.iter().any(|n| n == name) {
            return Err(Error::NoBoard {
                name: name.to_owned(),
                known: names.join(", "),
            });
        }
        let read = |path: PathBuf| std::fs::read_to_string(&path).at("reading", path);
        let base = read(boards.join("base.toml"))?;
        let board = read(boards.join(name).join("board.toml"))?;
        Self::parse(name, boards, &base, &board)
    }

    /// Puts a board together from the text of `base.toml` and of its own file, both in `boards`.
    ///
    /// # Errors
    /// [`Error::Board`] naming file, line and field.
    pub fn parse(name: &str, boards: &Path, base: &str, board: &str) -> Result<Self> {
        let dir = boards.join(name);
        let (base_path, path) = (boards.join("base.toml"), dir.join("board.toml"));
        let base: BaseFile = parse(&base_path, base)?;
        let board: BoardFile = parse(&path, board)?;
        let mut modules = base.modules;
        modules.extend(board.modules);
        let this = Self {
            name: name.to_owned(),
            title: board.title,
            arch: board.arch,
            firmware: board.firmware,
            console: board.console,
            cmdline: [base.cmdline, board.cmdline].concat(),
            suite: base.suite,
            mirror: base.mirror,
            security_mirror: base.security_mirror,
            kernel: board.kernel,
            packages: [base.packages, board.packages].concat(),
            boot: board.boot,
            tools: base.tools,
            modules,
            watchdog: board.watchdog,
            cross: base.cross,
            dir,
        };
        this.check(&path)?;
        Ok(this)
    }

    fn check(&self, file: &Path) -> Result<()> {
        let wrong = |what: String| {
            Err(Error::Board {
                file: file.to_owned(),
                what,
            })
        };
        if self.firmware.is_empty() {
            return wrong("`firmware` is empty; expected at least one of \"bios\", \"uefi\", \"uefi32\"".into());
        }
        let only_pc = [(Firmware::Bios, "bios"), (Firmware::Uefi32, "uefi32")];
        for (_, word) in only_pc.iter().filter(|(f, _)| self.firmware.contains(f)) {
            if self.arch != Arch::X86_64 {
                return wrong(format!(
                    "`firmware` has {word:?}, which only `arch = \"x86_64\"` has; expected \"uefi\""
                ));
            }
        }
        if self.console.is_empty() {
            return wrong("`console` is empty; expected kernel consoles such as [\"tty0\", \"ttyS0,115200\"]".into());
        }
        if self.watchdog.early.is_empty() {
            return wrong(
                "`watchdog.early` is empty; expected the name of a kernel module such as \"i6300esb\"".into(),
            );
        }
        for word in self.console.iter().chain(&self.cmdline) {
            if word.is_empty() || word.contains(|c: char| c.is_whitespace() || "\"'$\\;{}".contains(c)) {
                return wrong(format!(
                    "`console` or `cmdline` has {word:?}; expected one word of the kernel command line without spaces, quotes, `$`, `;`, braces or backslashes (GRUB would read them)"
                ));
            }
        }
        for r in self.packages.iter().chain(&self.boot).chain(&self.tools) {
            let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
            if r.name.is_empty() || !r.name.chars().all(ok) {
                return wrong(format!(
                    "package name {:?}; expected a Debian package name (lower case letters, digits, `+`, `-`, `.`)",
                    r.name
                ));
            }
        }
        Ok(())
    }

    /// The kernel command line without what GRUB adds.
    #[must_use]
    pub fn command_line(&self) -> String {
        let mut words = self.cmdline.clone();
        words.extend(self.console.iter().map(|c| format!("console={c}")));
        words.join(" ")
    }
}

/// Names of all boards, sorted: the folders that hold a `board.toml`.
///
/// # Errors
/// When the folder cannot be read.
pub fn names(boards: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(boards).at("reading", boards)? {
        let entry = entry.at("reading", boards)?;
        if entry.path().join("board.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| Error::Board {
        file: path.to_owned(),
        what: e.to_string().trim_end().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn the_boards_of_the_tree_are_well_formed() {
        let boards = Workspace::find().boards();
        let names = names(&boards).unwrap();
        assert!(
            names.contains(&"x86-64".to_owned()) && names.contains(&"arm64".to_owned()),
            "{names:?}"
        );
        for n in names {
            let b = Board::load(&boards, &n).unwrap();
            assert!(
                b.command_line().contains("rootfstype=ramfs"),
                "{n}: file-backed EROFS needs it"
            );
        }
    }

    fn with(change: impl Fn(String) -> String) -> Error {
        let boards = Workspace::find().boards();
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("x")).unwrap();
        std::fs::copy(boards.join("base.toml"), dir.path().join("base.toml")).unwrap();
        let text = std::fs::read_to_string(boards.join("x86-64/board.toml")).unwrap();
        std::fs::write(dir.path().join("x/board.toml"), change(text)).unwrap();
        Board::load(dir.path(), "x").unwrap_err()
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let e = with(|t| format!("colour = \"red\"\n{t}")).to_string();
        assert!(
            e.contains("board.toml") && e.contains("line 1") && e.contains("colour") && e.contains("expected"),
            "{e}"
        );
    }

    #[test]
    fn a_wrong_architecture_says_what_is_expected() {
        let e = with(|t| t.replace("\"x86_64\"", "\"mips\"")).to_string();
        assert!(e.contains("mips") && e.contains("aarch64"), "{e}");
    }

    #[test]
    fn words_that_grub_would_run_are_refused() {
        let e = with(|t| t.replace("\"tty0\"", "\"tty0; reboot\"")).to_string();
        assert!(e.contains("tty0; reboot") && e.contains("expected"), "{e}");
    }

    #[test]
    fn an_unknown_board_lists_the_known() {
        let e = Board::load(&Workspace::find().boards(), "toaster")
            .unwrap_err()
            .to_string();
        assert!(e.contains("toaster") && e.contains("x86-64"), "{e}");
    }
}
