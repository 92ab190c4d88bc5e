//! Our own programs, built static for a board.
//!
//! Static against glibc (Debian carries no musl standard library), so that they run before `/system` is mounted and
//! never depend on the image's libraries. For the build machine's own architecture the ordinary toolchain does it; for
//! another one Debian's `rustc-web` carries the standard library, unpacked into the cache, with Debian's cross gcc as
//! linker. Each board has a target folder of its own: it does not wait for, or spoil, a developer's builds.

use crate::{
    board::{Arch, Board, Request},
    error::{Error, Result},
    exec,
    packages::{Packages, Unpacked, host_arch, matching},
    workspace::Workspace,
};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// Packages and the programs they make.
const PROGRAMS: &[(&str, &str)] = &[
    ("supervisor", "kiln-init"),
    ("supervisor", "kiln-mdns"),
    ("server", "kiln-server"),
    ("agent", "kiln-agent"),
];

/// Our programs for one board.
#[derive(Debug, Clone)]
pub struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// Programs that lie in a folder.
    #[must_use]
    pub fn in_dir(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Path of a program.
    #[must_use]
    pub fn path(&self, program: &str) -> PathBuf {
        self.dir.join(program)
    }

    /// Builds all programs of a board, incrementally. `KILN_BINARIES` names a folder that holds them ready-made.
    ///
    /// # Errors
    /// When a package cannot be had or a program does not compile.
    pub fn build(ws: &Workspace, board: &Board, refresh: bool) -> Result<Self> {
        Self::build_these(ws, board, refresh, PROGRAMS)
    }

    /// Builds these programs, each named with its package, the same way.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn build_these(ws: &Workspace, board: &Board, refresh: bool, programs: &[(&str, &str)]) -> Result<Self> {
        if let Some(dir) = std::env::var_os("KILN_BINARIES") {
            return Ok(Self::in_dir(dir.into()));
        }
        let target = board.arch.target();
        let dir = ws.root().join("target").join(format!("image-{}", board.name));
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(ws.root())
            .args(["build", "--profile", "image", "--target", target, "--target-dir"])
            .arg(&dir);
        for (package, program) in programs {
            cargo.args(["-p", package, "--bin", program]);
        }
        // What cargo sets for us when we are run by it would change the fingerprints of what it builds.
        for (name, _) in std::env::vars_os() {
            let n = name.to_string_lossy();
            if n.starts_with("CARGO_") && n != "CARGO_HOME" && n != "CARGO_NET_OFFLINE" || n == "RUSTFLAGS" {
                cargo.env_remove(&name);
            }
        }
        let mut flags = vec![
            OsString::from("-Ctarget-feature=+crt-static"),
            remap(ws.root(), "/kiln"),
        ];
        if board.arch == Arch::X86_64 {
            // A megabyte less to read and to walk through at each start; bookworm's linker for ARM64 does not know it.
            flags.push(OsString::from("-Clink-arg=-Wl,-z,pack-relative-relocs"));
        }
        cargo.env("PKG_CONFIG_ALL_STATIC", "1");
        if board.arch.debian() != host_arch() {
            flags.extend(cross(ws, board, refresh, &mut cargo)?);
        }
        let mut joined = OsString::new();
        for (i, f) in flags.iter().enumerate() {
            if i > 0 {
                joined.push("\u{1f}");
            }
            joined.push(f);
        }
        // With --target, these flags do not reach build scripts and procedural macros.
        cargo.env("CARGO_ENCODED_RUSTFLAGS", joined);
        eprintln!("building Kiln's programs for {target}");
        exec::watched(&mut cargo)?;
        Ok(Self::in_dir(dir.join(target).join("image")))
    }
}

fn remap(from: &Path, to: &str) -> OsString {
    let mut f = OsString::from("--remap-path-prefix=");
    f.push(from);
    f.push("=");
    f.push(to);
    f
}

/// Fetches the cross compiler, points cargo at it, and returns further compiler flags.
fn cross(ws: &Workspace, board: &Board, refresh: bool, cargo: &mut Command) -> Result<Vec<OsString>> {
    let mut packages = Packages::of_cross(ws, board, refresh)?;
    let requests: Vec<Request> = board
        .cross
        .package
        .iter()
        .cloned()
        .map(|mut r| {
            if r.arch.as_deref() == Some("target") {
                r.arch = Some(board.arch.debian().into());
            }
            r
        })
        .collect();
    let unpacked: Vec<Unpacked> = packages.get(&requests, host_arch())?.into_iter().flatten().collect();
    packages.finish()?;
    let root = merged(ws, &unpacked)?;
    let (gnu, native) = match board.arch {
        Arch::Aarch64 => ("aarch64-linux-gnu", "aarch64-linux-gnu"),
        Arch::X86_64 => ("x86_64-linux-gnu", "x86_64-linux-gnu"),
    };
    let rustc = matching(&root, "usr/bin/rustc")?;
    if rustc.is_empty() {
        return Err(Error::Incomplete(
            "none of the cross packages of boards/base.toml has usr/bin/rustc".into(),
        ));
    }
    let key = board.arch.target().replace('-', "_");
    let libs = root.join("usr/lib").join(native);
    let host_libs = root.join("usr/lib").join(if host_arch() == "arm64" {
        "aarch64-linux-gnu"
    } else {
        "x86_64-linux-gnu"
    });
    let mut clang = OsString::from(format!("-I/usr/{gnu}/include -I"));
    clang.push(root.join("usr/include"));
    cargo
        .env("LD_LIBRARY_PATH", host_libs)
        .env("RUSTC", root.join("usr/bin/rustc"))
        .env(
            format!("CARGO_TARGET_{}_LINKER", key.to_uppercase()),
            format!("{gnu}-gcc"),
        )
        .env(format!("CC_{key}"), format!("{gnu}-gcc"))
        .env(format!("AR_{key}"), format!("{gnu}-ar"))
        .env("PKG_CONFIG_ALLOW_CROSS", "1")
        .env("PKG_CONFIG_SYSROOT_DIR", &root)
        .env("PKG_CONFIG_LIBDIR", libs.join("pkgconfig"))
        .env("BINDGEN_EXTRA_CLANG_ARGS", clang);
    let mut native_dir = OsString::from("-Lnative=");
    native_dir.push(libs);
    Ok(vec![native_dir])
}

/// One tree of all packages, by symbolic links to whole files: the compiler finds its sysroot from its own place.
fn merged(ws: &Workspace, packages: &[Unpacked]) -> Result<PathBuf> {
    use crate::error::At;
    use sha2::{Digest, Sha256};
    let all: Vec<&str> = packages.iter().map(|p| p.package.sha256.as_str()).collect();
    let key = hex::encode(Sha256::digest(all.join(" ")));
    let cache = ws.cache("cross")?;
    let root = cache.join(&key[..16]);
    if !root.exists() {
        let new = tempfile::tempdir_in(&cache).at("making a folder in", &cache)?;
        for p in packages {
            // Hard links: no second copy of half a gigabyte.
            let mut from = p.dir.clone().into_os_string();
            from.push("/.");
            exec::run(Command::new("cp").args(["-a", "-l", "-f"]).arg(from).arg(new.path()))?;
        }
        let path = new.keep();
        std::fs::rename(&path, &root).at("moving", &path)?;
    }
    Ok(root)
}
