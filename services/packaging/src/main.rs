//! `kiln-package`: builds the agent static for each architecture and writes archives and container images; see the library.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use image::board::Board;
use image::cross::Binaries;
use image::sbom;
use image::workspace::Workspace;
use packaging::tar::Tree;
use packaging::{NAME, oci, release, tools};

/// Makes release archives and OCI image layouts of the burn-in agent.
#[derive(Debug, Parser)]
#[command(name = "kiln-package", version)]
struct Options {
    /// Folder for what is made
    #[arg(long)]
    out: PathBuf,
    /// Architectures; both where none is named
    #[arg(long)]
    arch: Vec<Arch>,
    /// A folder with a ready-made static kiln-agent instead of building it; for one architecture only
    #[arg(long, requires = "arch")]
    binaries: Option<PathBuf>,
    /// Leave Debian's programs out of the container image: SMART is then unreadable in it
    #[arg(long)]
    bare: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Arch {
    Amd64,
    Arm64,
}

impl Arch {
    fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    fn board(self) -> &'static str {
        match self {
            Self::Amd64 => "x86-64",
            Self::Arm64 => "arm64",
        }
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let ws = Workspace::find();
    fs::create_dir_all(&options.out).with_context(|| format!("making {}", options.out.display()))?;
    let both = [Arch::Amd64, Arch::Arm64];
    let archs = if options.arch.is_empty() {
        &both[..]
    } else {
        &options.arch
    };
    anyhow::ensure!(
        options.binaries.is_none() || archs.len() == 1,
        "--binaries holds programs of one architecture; name it with one --arch"
    );
    let lock = fs::read_to_string(ws.root().join("Cargo.lock")).context("reading Cargo.lock")?;
    let version = env!("CARGO_PKG_VERSION");
    for arch in archs {
        let board = Board::load(&ws.boards(), arch.board())?;
        let binaries = match &options.binaries {
            Some(dir) => Binaries::in_dir(dir.clone()),
            None => Binaries::build_these(&ws, &board, false, &[("agent", "kiln-agent")])?,
        };
        let path = binaries.path("kiln-agent");
        let binary = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        release::check(&binary, arch.name()).with_context(|| path.display().to_string())?;
        let crates = sbom::crates(&lock)?;
        let archive = options.out.join(release::name(arch.name()));
        let bytes = release::archive(binary.clone(), &sbom::document(NAME, version, crates.clone()))?;
        fs::write(&archive, &bytes).with_context(|| format!("writing {}", archive.display()))?;
        println!("{}  {}", packaging::sha256(&bytes), archive.display());

        let (tree, debian) = match options.bare {
            true => (Tree::new(), Vec::new()),
            false => tools::collect(&ws, &board)?,
        };
        let sbom = sbom::document(NAME, version, [crates, debian].concat());
        let files = oci::layout(arch.name(), version, &oci::tree(binary, tree, &sbom))?;
        let dir = options.out.join(format!("{NAME}-linux-{}.oci", arch.name()));
        oci::save(&dir, &files)?;
        println!(
            "{}  {}/index.json",
            packaging::sha256(&files["index.json"]),
            dir.display()
        );
    }
    for (name, text) in [
        ("vigil-burnin.service", release::UNIT),
        ("docker-compose.yml", release::COMPOSE),
    ] {
        fs::write(options.out.join(name), text).with_context(|| format!("writing {name}"))?;
    }
    Ok(())
}
