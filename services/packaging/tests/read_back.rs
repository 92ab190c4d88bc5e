//! Archives and images of the real static agent, read back by programs that we did not write (tar, skopeo, umoci,
//! systemd-analyze), and the entry point run from the unpacked layer.
//!
//! The agent comes from where the image builder leaves it, or from `KILN_BINARIES_AMD64` and `KILN_BINARIES_ARM64`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn not_run(why: &str) {
    drop(writeln!(std::io::stderr(), "\nNOT RUN: {why}"));
}

fn has(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output();
    found.is_ok_and(|output| output.status.success())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {text}{error}");
    text
}

/// The folder with the static agent of an architecture.
fn binaries(arch: &str, board: &str, target: &str) -> Option<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../target/image-{board}/{target}/image"));
    let dir = std::env::var_os(format!("KILN_BINARIES_{}", arch.to_uppercase())).map_or(built, PathBuf::from);
    if dir.join("kiln-agent").exists() {
        return Some(dir);
    }
    not_run(&format!(
        "no static agent for {arch} in {}; build an image first",
        dir.display()
    ));
    None
}

fn package(out: &Path, arch: &str, binaries: &Path) {
    let (out, binaries) = (out.to_str().unwrap(), binaries.to_str().unwrap());
    output(
        env!("CARGO_BIN_EXE_kiln-package"),
        &["--out", out, "--arch", arch, "--binaries", binaries],
    );
}

fn whole(arch: &str, board: &str, target: &str) {
    let Some(binaries) = binaries(arch, board, target) else {
        return;
    };
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    package(first.path(), arch, &binaries);
    package(second.path(), arch, &binaries);
    let same = Command::new("diff")
        .arg("-r")
        .args([first.path(), second.path()])
        .status()
        .unwrap();
    assert!(same.success(), "built twice, two results");

    // The archive, as the documentation takes it.
    let archive = first.path().join(format!("vigil-burnin-linux-{arch}.tar.gz"));
    let unpacked = tempfile::tempdir().unwrap();
    output(
        "tar",
        &[
            "-xzf",
            archive.to_str().unwrap(),
            "-C",
            unpacked.path().to_str().unwrap(),
        ],
    );
    let binary = unpacked.path().join("vigil-burnin");
    assert_eq!(
        std::fs::read(&binary).unwrap(),
        std::fs::read(binaries.join("kiln-agent")).unwrap()
    );
    let needs = image::elf::needs(&std::fs::read(&binary).unwrap()).unwrap();
    assert_eq!((needs.loader, needs.libraries), (None, Vec::new()), "it runs by itself");
    let runs = |program: &Path| match (
        arch == std::env::consts::ARCH
            .replace("x86_64", "amd64")
            .replace("aarch64", "arm64"),
        has("qemu-aarch64-static"),
    ) {
        (true, _) => Some(Command::new(program)),
        (false, true) => {
            let mut command = Command::new("qemu-aarch64-static");
            command.arg(program);
            Some(command)
        }
        (false, false) => {
            not_run("qemu-aarch64-static is not there: the program of the other architecture was not run");
            None
        }
    };
    let version = |program: &Path| {
        let Some(mut command) = runs(program) else { return };
        let output = command.arg("--version").output().unwrap();
        assert!(
            output.status.success() && output.stdout.starts_with(b"kiln-agent "),
            "{output:?}"
        );
    };
    version(&binary);

    let layout = first.path().join(format!("vigil-burnin-linux-{arch}.oci"));
    if !has("skopeo") || !has("umoci") {
        not_run("skopeo and umoci are not there: the image was not read back");
        return;
    }
    let reference = format!("oci:{}:latest", layout.display());
    let config: Value = serde_json::from_str(&output("skopeo", &["inspect", "--config", &reference])).unwrap();
    assert_eq!(
        (config["architecture"].as_str(), config["os"].as_str()),
        (Some(arch), Some("linux"))
    );
    assert_eq!(config["config"]["Entrypoint"][0], "/usr/local/bin/vigil-burnin");
    // Every blob's digest is checked on the way.
    let copied = tempfile::tempdir().unwrap();
    output(
        "skopeo",
        &[
            "--insecure-policy",
            "copy",
            &reference,
            &format!("oci:{}:latest", copied.path().join("copy").display()),
        ],
    );
    let bundle = unpacked.path().join("bundle");
    let image = format!("{}:latest", layout.display());
    let mut unpack = vec!["unpack", "--image", &image, bundle.to_str().unwrap()];
    let root = output("id", &["-u"]).trim() == "0";
    if !root {
        unpack.insert(1, "--rootless");
    }
    output("umoci", &unpack);
    let rootfs = bundle.join("rootfs");
    version(&rootfs.join("usr/local/bin/vigil-burnin"));
    let labels = &config["config"]["Labels"];
    let sbom = std::fs::read(rootfs.join(labels["io.kiln.sbom"].as_str().unwrap().trim_start_matches('/'))).unwrap();
    assert_eq!(labels["io.kiln.sbom.sha256"], packaging::sha256(&sbom));
    let sbom: Value = serde_json::from_slice(&sbom).unwrap();
    let named = |name: &str| {
        sbom["packages"]
            .as_array()
            .unwrap()
            .iter()
            .any(|part| part["name"] == name)
    };
    assert!(named("serde") && named("smartmontools"), "crates and Debian's packages");
    if !root || arch != "amd64" || std::env::consts::ARCH != "x86_64" {
        return;
    }
    // In the image's own root: the entry point, and the programs that it runs.
    let inside = |program: &str, argument: &str| output("chroot", &[rootfs.to_str().unwrap(), program, argument]);
    assert!(inside("/usr/local/bin/vigil-burnin", "--version").starts_with("kiln-agent "));
    assert!(inside("/usr/sbin/smartctl", "--version").contains("smartctl 7."));
    for program in [
        "/usr/sbin/mkfs.xfs",
        "/usr/sbin/mke2fs",
        "/usr/sbin/mkfs.btrfs",
        "/usr/sbin/ledctl",
    ] {
        inside(program, if program.ends_with("ledctl") { "--version" } else { "-V" });
    }
}

#[test]
fn the_archive_has_everything_that_a_release_has_and_the_agent_s_own_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("release.tar.gz");
    std::fs::write(
        &archive,
        packaging::release::archive(b"program".to_vec(), "{}").unwrap(),
    )
    .unwrap();
    let archive = archive.to_str().unwrap();
    let mut names: Vec<String> = output("tar", &["-tzf", archive]).lines().map(str::to_owned).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "LICENSE",
            "docker-compose.yml",
            "manifest.json",
            "sbom.spdx.json",
            "vigil-burnin",
            "vigil-burnin.service"
        ]
    );
    let manifest = output("tar", &["-xOzf", archive, "manifest.json"]);
    let agents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/manifest.json");
    assert_eq!(manifest, std::fs::read_to_string(agents).unwrap());
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"), "of the agent beside it");
}

#[test]
fn amd64_is_read_back_and_runs() {
    whole("amd64", "x86-64", "x86_64-unknown-linux-gnu");
}

#[test]
fn arm64_is_read_back_and_runs() {
    whole("arm64", "arm64", "aarch64-unknown-linux-gnu");
}

#[test]
fn a_program_that_needs_libraries_or_another_machine_is_not_released() {
    // This test itself: an ordinary program of this machine.
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let (here, there) = match std::env::consts::ARCH {
        "x86_64" => ("amd64", "arm64"),
        _ => ("arm64", "amd64"),
    };
    let refused = |binary: &[u8], arch| packaging::release::check(binary, arch).unwrap_err().to_string();
    assert!(refused(&own, here).contains("libc.so.6"), "{}", refused(&own, here));
    assert!(
        refused(&own, there).contains("it is not for"),
        "{}",
        refused(&own, there)
    );
    assert!(refused(b"#!/bin/sh\n", here).contains("no 64-bit ELF"));

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("kiln-agent"), own).unwrap();
    let out = dir.path().join("out");
    let made = Command::new(env!("CARGO_BIN_EXE_kiln-package"))
        .args(["--bare", "--arch", here, "--binaries"])
        .arg(dir.path())
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(
        !made.status.success() && String::from_utf8_lossy(&made.stderr).contains("it is not static"),
        "{made:?}"
    );
    assert_eq!(std::fs::read_dir(out).unwrap().count(), 0, "nothing was written");
}

#[test]
fn the_unit_is_the_documented_one_and_systemd_takes_it() {
    let unit = include_str!("../recipes/vigil-burnin.service");
    for line in [
        "Description=Vigil Burn-in Add-on",
        "After=network-online.target",
        "Wants=network-online.target",
        "Type=simple",
        "ExecStart=/usr/local/bin/vigil-burnin",
        "Restart=on-failure",
        "RestartSec=10",
        "WantedBy=multi-user.target",
    ] {
        assert!(unit.lines().any(|l| l == line), "{line}");
    }
    let environment: Vec<&str> = unit
        .lines()
        .filter_map(|line| line.strip_prefix("Environment="))
        .collect();
    let names: Vec<&str> = environment.iter().filter_map(|line| line.split('=').next()).collect();
    assert_eq!(names, ["VIGIL_SERVER_URL", "VIGIL_ADDON_ID", "VIGIL_ADDON_TOKEN"]);
    if !has("systemd-analyze") {
        not_run("systemd-analyze is not there: systemd did not look at the unit");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vigil-burnin.service");
    std::fs::write(&path, unit).unwrap();
    let verified = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    let about = said.lines().filter(|line| line.contains("vigil-burnin"));
    // The program itself is not installed here.
    let wrong: Vec<&str> = about.filter(|line| !line.contains("is not executable")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_compose_file_says_what_the_documented_one_says() {
    let compose = include_str!("../recipes/docker-compose.yml");
    for line in [
        "image: ghcr.io/pineappledr/vigil-burnin:latest",
        "container_name: vigil-burnin",
        "restart: unless-stopped",
        "privileged: true",
        "network_mode: host",
        "- /dev:/dev",
    ] {
        assert!(compose.lines().any(|l| l.trim() == line), "{line}");
    }
    for name in ["VIGIL_SERVER_URL", "VIGIL_ADDON_ID", "VIGIL_ADDON_TOKEN"] {
        assert!(compose.contains(&format!("      {name}:")), "{name}");
    }
}
