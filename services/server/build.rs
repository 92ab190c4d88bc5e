//! Makes the dashboard (`web/dist`) when it is missing or older than its sources, so that `cargo build` is enough.
//!
//! With an up-to-date `web/dist` nothing is run and no network is needed. One that is missing or stale and cannot be built
//! is an error that says what to do: a server never carries another page than its sources'. `npm install` and not
//! `npm ci`, because npm 11 refuses a lock that it wrote itself.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// What `dist` is made of, below `web`.
const SOURCES: [&str; 7] = [
    "src",
    "public",
    "index.html",
    "package.json",
    "package-lock.json",
    "vite.config.ts",
    "tsconfig.json",
];

fn main() -> Result<(), String> {
    let server = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?);
    let web = server.join("web");
    // What it takes from elsewhere.
    let others = ["../wire/bindings/wire.ts", "../../rootfs/docs/words.md"];
    let mut inputs: Vec<PathBuf> = SOURCES.iter().map(|name| web.join(name)).collect();
    inputs.extend(others.iter().map(|name| server.join(name)));
    for input in &inputs {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    println!("cargo::rerun-if-changed={}", web.join("dist/index.html").display());

    // Builds for two architectures may run at once, and there is one `dist` for both.
    let lock = File::create(web.join(".build.lock")).map_err(|error| format!("{}: {error}", web.display()))?;
    lock.lock()
        .map_err(|error| format!("{}/.build.lock: {error}", web.display()))?;

    let page = web.join("dist/index.html");
    let made = modified(&page).ok();
    let newest = inputs.iter().filter_map(|input| newest(input).ok()).max();
    if made.is_some() && made >= newest {
        return Ok(());
    }
    build(&web).map_err(|why| {
        format!(
            "the dashboard could not be built: {why}. Run scripts/setup, then `npm install && npm run build` in {}",
            web.display()
        )
    })
}

fn build(web: &Path) -> Result<(), String> {
    let installed = modified(&web.join("node_modules/.package-lock.json")).ok();
    if installed.is_none() || installed < modified(&web.join("package.json")).ok() {
        run(web, "npm", &["install", "--no-save", "--no-audit", "--no-fund"])?;
    }
    run(web, "npm", &["run", "--silent", "build"])
}

/// Runs a program with `.kiln/node`'s Node first in the path, where `scripts/setup` put one there.
fn run(web: &Path, program: &str, args: &[&str]) -> Result<(), String> {
    let own = web.join("../../../.kiln/node/node_modules/.bin");
    let mut path = own.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let output = Command::new(program)
        .args(args)
        .current_dir(web)
        .env("PATH", path)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let end: Vec<&str> = said.lines().rev().take(12).collect();
    Err(format!(
        "`{program} {}`: {}: {}",
        args.join(" "),
        output.status,
        end.into_iter().rev().collect::<Vec<_>>().join(" | ")
    ))
}

fn modified(path: &Path) -> io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}

/// When a file, or the newest file below a directory, was changed.
fn newest(path: &Path) -> io::Result<SystemTime> {
    let mut time = modified(path)?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            time = time.max(newest(&entry?.path())?);
        }
    }
    Ok(time)
}
