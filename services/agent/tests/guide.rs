//! The guide for scripts (`rootfs/docs/script.md`) does what it says: all of its commands, in its order, against a real server and agent.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::process::Command;

use common::{Agent, Loop, TOKEN, not_here};
use rig::{PASSWORD, Server, not_run};

const GUIDE: &str = include_str!("../../../rootfs/docs/script.md");

/// The guide's commands, one block after the other.
fn commands() -> String {
    let blocks = GUIDE.split("```sh\n").skip(1);
    blocks.map(|block| block.split_once("```").unwrap().0).collect()
}

/// The text with what stands there for somebody's box and drive put in place of the guide's.
fn with(text: &str, places: &[(&str, String)]) -> String {
    places.iter().fold(text.to_owned(), |text, (place, own)| {
        assert_eq!(text.matches(place).count(), 1, "{place}");
        text.replace(place, own)
    })
}

#[test]
fn every_command_of_the_guide_does_what_it_says() {
    if not_here() {
        return;
    }
    for program in ["curl", "jq", "openssl"] {
        if Command::new(program).arg("--version").output().is_err()
            && Command::new(program).arg("version").output().is_err()
        {
            return not_run(&format!("{program} is not installed"));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let drive = Loop::new(64);
    let server = Server::over(&dir.path().join("server"))
        .user("mara")
        .agent(dir.path().join("server.sock"), TOKEN)
        .listening();
    let _agent = Agent::start(dir.path());
    let port = server.address.rsplit_once(':').unwrap().1;
    let node = drive.node.to_str().unwrap();
    let commands = with(
        &commands(),
        &[
            ("BOX=https://kiln-7f3a.local", format!("BOX=https://localhost:{port}")),
            ("SERIAL=WSD1RM5P", format!("SERIAL={node}")),
            ("LABEL=RM5P", format!("LABEL={}", &node[node.len() - 4..])),
            // A burn-in that takes longer than a login is good for.
            (
                "/start\" > started.json\n",
                "/start\" > started.json\nbox --request DELETE \"$BOX/api/v1/session\"\n".to_owned(),
            ),
            // A box that has run for a while has heard of its drives.
            (
                "box \"$BOX/api/v1/drives\" > drives.json",
                format!(
                    "until box \"$BOX/api/v1/drives\" > drives.json && grep -q '\"serial\":\"{node}\"' drives.json; do sleep 1; done"
                ),
            ),
        ],
    );
    std::fs::write(dir.path().join("password.txt"), format!("{PASSWORD}\n")).unwrap();
    let ran = Command::new("timeout")
        .args(["300", "bash", "-euo", "pipefail", "-c", &commands])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    let all = format!("{told}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{all}");
    assert!(told.to_lowercase().contains("sha256 fingerprint="), "{all}");
    // The scan's verdict, the burn-in's, and what the check of its certificate says.
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines.contains(&"WARN") && lines.contains(&"true"), "{all}");
    let pdf = std::fs::read(dir.path().join("certificate.pdf")).unwrap();
    assert!(pdf.starts_with(b"%PDF-"));
    assert!(!drive.is_blank(), "it was written to");
}
