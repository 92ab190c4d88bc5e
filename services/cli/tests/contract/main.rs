//! The exit codes of `kiln burn`, on real loop devices: 0 PASSED, 1 WARN, 2 FAILED, 3 INCONCLUSIVE, 4 refused, 64 usage.
//!
//! Needs root and loop devices; prints `NOT RUN` and passes without them. FAILED and
//! INCONCLUSIVE need a drive that lies or stops, which a loop device does when its file
//! is changed or cut under it; the lies themselves are tested over the simulated drive.
//! [`terminal`]: what is asked and shown there; [`output`]: what cannot be written.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod output;
mod terminal;

use std::fs::{self, File};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{
    Loop, caught, code, damage, foreign_data, interrupted_by, kiln, object, resize, signal, start, text, until,
};

/// A digest of no plan.
const CHANGED: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn passed_is_0_and_everything_was_verified() {
    let Some(drive) = Loop::new(40 << 20) else { return };
    for io in ["uring", "sync"] {
        let output = drive.burn(&["--playbook", "surface", "--io", io]);
        assert_eq!(code(&output), 0, "{}", text(&output));
        let told = object(&output);
        assert_eq!(told["verdict"]["outcome"], "PASSED");
        assert_eq!(told["verdict"]["verified"], 40 << 20);
        assert_eq!(told["path"], drive.node.as_str());
        assert!(told["findings"].as_array().unwrap().is_empty());
    }
    let bytes = fs::read(drive.file()).unwrap();
    let mut blocks: Vec<&[u8]> = bytes.chunks(4096).collect();
    blocks.sort_unstable();
    blocks.dedup();
    assert_eq!(
        blocks.len(),
        bytes.len() / 4096,
        "some 4 KiB block repeats or was never written"
    );
}

#[test]
fn unreadable_smart_is_warn_and_1() {
    let Some(drive) = Loop::new(16 << 20) else { return };
    let output = drive.burn(&[]);
    assert_eq!(code(&output), 1, "{}", text(&output));
    let told = object(&output);
    assert_eq!(told["verdict"]["rules"][0]["id"], "smart-unreadable");
    assert_eq!(told["playbook"], "standard");
}

/// Its file was cut, which the kernel tells as read errors; the writes make it whole again.
#[test]
fn what_could_not_be_read_before_is_warn_and_1_however_well_it_went_since() {
    let Some(drive) = Loop::new(32 << 20) else { return };
    let half = File::options().write(true).open(drive.file()).unwrap();
    half.set_len(16 << 20).unwrap();
    let output = drive.burn(&["--playbook", "surface"]);
    let told = object(&output);
    assert_eq!(code(&output), 1, "{told} {}", text(&output));
    let rule = &told["verdict"]["rules"][0];
    assert_eq!(rule["id"], "unreadable-before", "{told}");
    assert!(rule["value"].as_str().unwrap().contains("Input/output error"), "{told}");
    assert_eq!(told["verdict"]["verified"], 32 << 20);
}

/// What stands at its start can be read, and a place in the middle cannot: nothing else keeps that, once it is written over.
#[test]
fn a_place_that_could_not_be_read_before_is_warn_and_1_whatever_stood_at_the_start() {
    let Some(drive) = Loop::new(32 << 20) else { return };
    let made = Command::new("mkswap").arg(drive.file()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let half = File::options().write(true).open(drive.file()).unwrap();
    half.set_len(16 << 20).unwrap();
    let output = drive.burn(&["--playbook", "surface", "--give-up", &drive.node]);
    let told = object(&output);
    assert_eq!(code(&output), 1, "{told} {}", text(&output));
    let rule = &told["verdict"]["rules"][0];
    assert_eq!(rule["id"], "unreadable-before", "{told}");
    assert!(rule["value"].as_str().unwrap().contains("LBA "), "{told}");
    assert_eq!(told["verdict"]["verified"], 32 << 20);
}

#[test]
fn usage_is_64_and_nothing_is_written() {
    let Some(drive) = Loop::new(1 << 20) else { return };
    let node = drive.node.as_str();
    let other_case = node.to_uppercase();
    for (args, part) in [
        (vec!["burn"], "PATH|SERIAL|MODEL"),
        (vec!["burn", "", "--playbook", "scan"], "name is empty"),
        (vec!["burn", node, "--allow-loop"], "--yes-erase"),
        // A path is one as it is written.
        (
            vec!["burn", node, "--allow-loop", "--yes-erase", &other_case],
            "--yes-erase",
        ),
        (
            vec!["burn", node, "--allow-loop", "--yes-erase", "WD-OTHER"],
            "--yes-erase",
        ),
        (
            vec![
                "burn",
                node,
                "--allow-loop",
                "--yes-erase",
                node,
                "--yes-erase",
                "WD-OTHER",
            ],
            "WD-OTHER",
        ),
        (vec!["burn", node, node, "--allow-loop", "--yes-erase", node], "twice"),
        (
            vec!["burn", node, "--yes-erase", node, "--playbook", "fast"],
            "surface, standard",
        ),
        (vec!["burn", node, "--yes-erase", node, "--io", "aio"], "uring"),
        (vec!["burn", "/dev/there-is-none", "--yes-erase", "x"], "there-is-none"),
        (
            vec!["burn", "NO-SUCH-SERIAL", "--yes-erase", "NO-SUCH-SERIAL"],
            "NO-SUCH-SERIAL",
        ),
        (
            vec![
                "burn",
                node,
                "--allow-loop",
                "--yes-erase",
                node,
                "--playbook",
                "surface",
                "--profile",
                "new",
            ],
            "--profile: the playbook surface asks for no SMART",
        ),
        (
            vec![
                "burn",
                node,
                "--allow-loop",
                "--yes-erase",
                node,
                "--plan-digest",
                "0123",
            ],
            "expected the 64 hexadecimal digits that --dry-run told",
        ),
        (
            vec![
                "burn",
                node,
                "/dev/zero",
                "--allow-loop",
                "--playbook",
                "scan",
                "--cert",
                "/tmp/x.pdf",
            ],
            "this is the name of a file",
        ),
        (vec!["bake"], "bake"),
        (vec!["locate"], "unrecognized subcommand 'locate'"),
    ] {
        let output = kiln(&args).output().unwrap();
        assert_eq!(code(&output), 64, "{args:?}: {}", text(&output));
        assert!(text(&output).contains(part), "{args:?}: {}", text(&output));
        assert!(
            !text(&output).contains("formatter"),
            "an inner command is offered: {args:?}"
        );
    }
    assert!(fs::read(drive.file()).unwrap().iter().all(|b| *b == 0));
}

/// What another burn-in left on a drive is nothing to go on with, and no other drive is begun beside it.
#[test]
fn resume_of_a_foreign_drive_is_4_as_of_one_that_ended() {
    let (Some(drive), Some(blank)) = (Loop::new(600 << 20), Loop::new(4 << 20)) else {
        return;
    };
    interrupted_by(&drive, libc::SIGINT);
    // Another drive of this name and size.
    let foreign = foreign_data(600 << 20);
    fs::write(drive.file(), &foreign).unwrap();
    let both = [
        &blank.node,
        "--yes-erase",
        &blank.node,
        "--playbook",
        "surface",
        "--resume",
    ];
    // A certificate of another day is not the refused burn-in's to replace.
    let day = tempfile::tempdir().unwrap();
    let cert = common::earlier_certificate(&drive, day.path());
    let earlier = fs::read(&cert).unwrap();
    for more in [&both[3..], &both[..]] {
        let mut command = drive.command(more);
        let place = if more.len() == both.len() {
            cert.with_extension("d")
        } else {
            cert.clone()
        };
        let output = command.arg("--cert").arg(&place).output().unwrap();
        assert_eq!(fs::read(&cert).unwrap(), earlier);
        assert!(!cert.with_extension("d").exists(), "a folder was made for nothing");
        let told = text(&output);
        assert_eq!(code(&output), 4, "{told}");
        for part in [
            "another drive with the same name",
            "without --resume",
            "nothing was written",
        ] {
            assert!(told.contains(part), "{told}");
        }
        assert_eq!(object(&output)["refused"]["kind"], "not-resumed");
        assert!(fs::read(drive.file()).unwrap() == foreign, "it was written to");
        assert!(
            fs::read(blank.file()).unwrap().iter().all(|b| *b == 0),
            "the other was begun"
        );
    }
}

#[test]
fn refused_is_4_and_nothing_is_written_to_any_drive() {
    let (Some(good), Some(used)) = (Loop::new(4 << 20), Loop::new(4 << 20)) else {
        return;
    };
    let refuse = |args: &[&str], part: &str| {
        let output = kiln(args).output().unwrap();
        assert_eq!(code(&output), 4, "{args:?}: {}", text(&output));
        assert!(
            text(&output).contains(part) && text(&output).contains("nothing was written"),
            "{}",
            text(&output)
        );
        assert!(
            fs::read(good.file()).unwrap().iter().all(|b| *b == 0),
            "a refusal wrote to the other drive"
        );
    };
    refuse(&["burn", &good.node, "--yes-erase", &good.node], "--allow-loop");
    let file = used.file();
    let file = file.to_str().unwrap();
    refuse(&["burn", file, "--yes-erase", file], "not a block device");

    // Somebody else holds the second one exclusively.
    let held = File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_EXCL)
        .open(&used.node)
        .unwrap();
    let both = [
        "burn",
        &good.node,
        &used.node,
        "--allow-loop",
        "--playbook",
        "surface",
        "--yes-erase",
        &good.node,
        "--yes-erase",
        &used.node,
    ];
    refuse(&both, &used.node);
    // Nobody is asked to agree to the loss of what is refused anyway.
    refuse(
        &["burn", &used.node, "--allow-loop", "--playbook", "surface"],
        &format!("{} is refused", used.node),
    );
    drop(held);

    // What would be erased is not what the dry run told.
    for more in [&[][..], &["--dry-run"]] {
        refuse(&[&both[..], &["--plan-digest", CHANGED], more].concat(), "has changed");
    }
}

/// A script reads why, of each drive.
#[test]
fn with_json_each_refused_drive_has_an_object() {
    let (Some(one), Some(two)) = (Loop::new(4 << 20), Loop::new(4 << 20)) else {
        return;
    };
    for (more, kind) in [
        (&["--playbook", "preclear"][..], "format"),
        (&["--playbook", "surface", "--plan-digest", CHANGED], "plan-changed"),
    ] {
        let both = [&[two.node.as_str(), "--yes-erase", &two.node], more].concat();
        let output = one.burn(&both);
        assert_eq!(code(&output), 4, "{}", text(&output));
        assert!(text(&output).contains("nothing was written"), "{}", text(&output));
        let told: Vec<serde_json::Value> = output
            .stdout
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        let paths: Vec<_> = told.iter().map(|told| &told["path"]).collect();
        assert_eq!(paths, [one.node.as_str(), &two.node], "{kind}");
        for told in &told {
            assert_eq!(told["refused"]["kind"], kind);
            assert!(!told["refused"]["reason"].as_str().unwrap().is_empty());
        }
    }
}

#[test]
fn a_member_of_an_array_is_refused_as_such() {
    let Some(drive) = Loop::new(64 << 20) else { return };
    let made = Command::new("mkswap").arg(&drive.node).output();
    if !made.is_ok_and(|m| m.status.success()) {
        return rig::not_run("no mkswap");
    }
    let swap = Command::new("swapon").arg(&drive.node).output().unwrap();
    if !swap.status.success() {
        return rig::not_run(&format!("swapon: {}", text(&swap).trim()));
    }
    let output = drive.burn(&[]);
    let _ = Command::new("swapoff").arg(&drive.node).status();
    assert_eq!(code(&output), 4, "{}", text(&output));
    assert!(text(&output).contains("swap"), "{}", text(&output));
}

/// Whoever may only read the node learned by the real run alone that it is refused.
#[test]
fn a_dry_run_refuses_whom_the_real_run_refuses() {
    /// `nobody`.
    const NOBODY: u32 = 65534;
    let Some(drive) = Loop::new(4 << 20) else { return };
    let node = Path::new(&drive.node);
    let before = fs::metadata(node).unwrap().permissions();
    fs::set_permissions(node, fs::Permissions::from_mode(0o664)).unwrap();
    let tried = [&["--dry-run"][..], &[]].map(|more| {
        let mut command = drive.command(&[&["--playbook", "surface"], more].concat());
        command.uid(NOBODY).gid(NOBODY).output()
    });
    fs::set_permissions(node, before).unwrap();
    let [Ok(dry), Ok(real)] = tried else {
        return rig::not_run(&format!("as another user: {tried:?}"));
    };
    assert_eq!((code(&dry), code(&real)), (4, 4), "{}", text(&dry));
    for told in [&dry, &real] {
        // Another test's loop device may lie on a file that only root can look at.
        let why = ["Permission denied", "could not be found out"];
        assert!(why.iter().any(|why| text(told).contains(why)), "{}", text(told));
    }
}

/// A person with twelve equal drives knows where one sits: by a link of `/dev/disk/by-path`, which leads to another drive tomorrow. What is
/// agreed to is the drive.
#[test]
fn a_drive_is_named_by_a_link_to_it_and_agreed_to_by_its_identity() {
    let Some(drive) = Loop::new(64 << 20) else { return };
    let link = drive.state().with_file_name("pci-0000:00:17.0-ata-3");
    std::os::unix::fs::symlink(&drive.node, &link).unwrap();
    let link = link.to_str().unwrap();
    let burn = |more: &[&str]| {
        let mut command = kiln(&["burn", link, "--allow-loop", "--json", "--playbook", "surface"]);
        command.arg("--state").arg(drive.state()).args(more).output().unwrap()
    };
    let plan = burn(&["--dry-run"]);
    let told = object(&plan);
    assert_eq!(told["drives"][0]["path"], link, "{told}");
    assert_eq!(told["drives"][0]["serial"], drive.node.as_str(), "{told}");
    assert!(
        text(&plan).contains(&format!("(67.1 MB) at {link}: ")),
        "{}",
        text(&plan)
    );
    assert_eq!(code(&burn(&["--yes-erase", link])), 64);
    let output = burn(&["--yes-erase", &drive.node]);
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert_eq!(object(&output)["path"], link);
}

#[test]
fn dry_run_tells_the_digest_that_goes_on() {
    let Some(drive) = Loop::new(8 << 20) else { return };
    let output = drive.burn(&["--dry-run", "--playbook", "surface"]);
    assert_eq!(code(&output), 0, "{}", text(&output));
    assert!(fs::read(drive.file()).unwrap().iter().all(|b| *b == 0));
    let place = tempfile::tempdir().unwrap();
    let changed = || fs::metadata(place.path()).unwrap().modified().unwrap();
    let before = changed();
    let cert = place.path().join("x.json");
    let tried = drive.burn(&["--dry-run", "--playbook", "surface", "--cert", cert.to_str().unwrap()]);
    assert_eq!((code(&tried), changed()), (0, before), "{}", text(&tried));
    let digest = object(&output)["digest"].as_str().unwrap().to_owned();
    let agreed = format!("--plan-digest {digest} --yes-erase {}", drive.node);
    assert!(text(&output).contains(&agreed), "{}", text(&output));
    let output = drive.burn(&["--playbook", "surface", "--plan-digest", &digest]);
    assert_eq!(code(&output), 0, "{}", text(&output));
}

/// An archive, or a volume that hides what it is: nothing that the guard knows. A plan's digest alone, as older versions told it, does
/// not tell.
#[test]
fn what_came_without_a_signature_since_the_dry_run_stays_and_is_refused() {
    let Some(drive) = Loop::new(64 << 20) else { return };
    let output = drive.burn(&["--dry-run", "--playbook", "surface"]);
    let digest = object(&output)["digest"].as_str().unwrap().to_owned();
    let mut below = File::options().write(true).open(drive.file()).unwrap();
    std::io::Write::write_all(&mut below, &foreign_data(24 << 20)).unwrap();
    below.sync_all().unwrap();
    let before = fs::read(drive.file()).unwrap();
    for more in [&["--dry-run"][..], &[]] {
        let agreed = ["--playbook", "surface", "--plan-digest", &digest];
        let output = drive.burn(&[&agreed[..], more].concat());
        assert!(
            fs::read(drive.file()).unwrap() == before,
            "it was written to: {}",
            text(&output)
        );
        assert_eq!(code(&output), 4, "{}", text(&output));
        assert!(
            text(&output).contains("has changed since --dry-run"),
            "{}",
            text(&output)
        );
    }
    let (plan, _) = digest.split_once('-').unwrap();
    let output = drive.burn(&["--playbook", "surface", "--plan-digest", plan]);
    assert_eq!(code(&output), 0, "{}", text(&output));
}

/// The table may be chosen of what a playbook makes itself, and of nothing else.
#[test]
fn a_table_is_of_a_format_or_of_a_playbook_that_partitions() {
    let Some(drive) = Loop::new(32 << 20) else { return };
    let output = drive.burn(&["--dry-run", "--playbook", "preclear", "--table", "gpt"]);
    assert_eq!(code(&output), 0, "{}", text(&output));
    let format = &object(&output)["options"]["format"];
    assert_eq!(
        (&format["table"], &format["filesystem"]),
        (&"gpt".into(), &"raw".into()),
        "{format}"
    );
    let output = drive.burn(&["--dry-run", "--playbook", "surface", "--table", "gpt"]);
    assert_eq!(code(&output), 64, "{}", text(&output));
    assert!(text(&output).contains("add --format"), "{}", text(&output));
}

/// What was agreed to is what a person's playbook did then, whatever it is called.
#[test]
fn a_playbook_that_was_changed_under_its_name_is_not_what_was_agreed_to() {
    let Some(drive) = Loop::new(16 << 20) else { return };
    let dir = tempfile::tempdir().unwrap();
    let book = dir.path().join("mine.toml");
    let steps = |pattern: &str| {
        let text =
            format!("name = \"mine\"\nabout = \"x\"\n[[step]]\ndo = \"write\"\n{pattern}[[step]]\ndo = \"verify\"\n");
        fs::write(&book, text).unwrap();
    };
    steps("");
    let named = ["--playbook", book.to_str().unwrap()];
    let output = drive.burn(&[&named[..], &["--dry-run"]].concat());
    let digest = object(&output)["digest"].as_str().unwrap().to_owned();
    steps("order = \"reverse\"\n");
    let burn = [&named[..], &["--plan-digest", &digest]].concat();
    let output = drive.burn(&burn);
    assert_eq!(code(&output), 4, "{}", text(&output));
    assert!(text(&output).contains("has changed"), "{}", text(&output));
    steps("");
    let output = drive.burn(&burn);
    assert_eq!(code(&output), 0, "{}", text(&output));
}

#[test]
fn a_drive_that_changes_its_data_is_failed_and_2() {
    let Some(drive) = Loop::new(900 << 20) else { return };
    let (output, told) = caught(|| {
        let mut child = start(&drive, &["--playbook", "surface", "--io", "sync"]);
        until(&mut child, "Read back and verify");
        // Behind the drive's back, near its end, where the verify phase has not been yet.
        damage(&drive.file(), (900 << 20) - 4096 * 3);
        let output = child.wait_with_output().unwrap();
        let told = object(&output);
        (code(&output) != 0).then_some((output, told))
    });
    assert_eq!(code(&output), 2, "{told}");
    assert_eq!(told["verdict"]["outcome"], "FAILED");
    assert_eq!(told["verdict"]["rules"][0]["id"], "verify-mismatch");
    assert_eq!(told["findings"][0]["kind"], "bit_flip");
    assert_eq!(told["findings"][0]["lba"], ((900 << 20) - 4096 * 3) / 512);
    assert_eq!(told["bad_sectors"], 1);
}

#[test]
fn a_drive_that_shrinks_under_the_job_is_inconclusive_and_3() {
    let Some(drive) = Loop::new(600 << 20) else { return };
    let (output, told) = caught(|| {
        resize(&drive, 600 << 20);
        let mut child = start(&drive, &["--playbook", "surface", "--io", "sync"]);
        until(&mut child, "Write");
        // Held meanwhile: what it writes makes the file as long as it was.
        signal(&child, libc::SIGSTOP);
        resize(&drive, 8 << 20);
        signal(&child, libc::SIGCONT);
        let output = child.wait_with_output().unwrap();
        let told = object(&output);
        let rules = told["verdict"]["rules"].as_array().unwrap();
        // Where the kernel was asked sooner than the drive, it is another drive that came.
        let seen = rules.iter().any(|rule| rule["id"] == "other-capacity");
        assert!(
            seen || code(&output) == 0 || text(&output).contains("another medium"),
            "{told}"
        );
        seen.then_some((output, told))
    });
    assert_eq!(code(&output), 3, "{told}");
    assert_eq!(told["verdict"]["rules"][0]["outcome"], "INCONCLUSIVE");
    assert!(
        told["notes"].to_string().contains("--resume does not go on with it"),
        "{told}"
    );

    // It has a verdict: going on would forget what it found, also when it tells its old capacity again.
    resize(&drive, 600 << 20);
    let output = drive.burn(&["--playbook", "surface", "--resume"]);
    assert_eq!(code(&output), 4, "{}", text(&output));
    let told = text(&output);
    for part in [
        "ended INCONCLUSIVE at",
        "another capacity",
        "not gone on with",
        "nothing was written",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let output = drive.burn(&["--playbook", "surface"]);
    assert_eq!(code(&output), 0, "begun anew: {}", text(&output));
}

#[test]
fn the_worst_of_several_drives_is_the_exit_code() {
    let (Some(good), Some(bad)) = (Loop::new(16 << 20), Loop::new(900 << 20)) else {
        return;
    };
    let output = caught(|| {
        let mut child = kiln(&[
            "burn",
            &good.node,
            &bad.node,
            "--allow-loop",
            "--json",
            "--playbook",
            "surface",
            "--io",
            "sync",
        ])
        .args(["--yes-erase", &good.node, "--yes-erase", &bad.node, "--state"])
        .arg(good.state())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        let name = Path::new(&bad.node).file_name().unwrap().to_str().unwrap();
        until(&mut child, &format!("{name}: Read back and verify"));
        damage(&bad.file(), (900 << 20) - 4096);
        let output = child.wait_with_output().unwrap();
        (code(&output) != 0).then_some(output)
    });
    assert_eq!(code(&output), 2);
    let told: Vec<serde_json::Value> = output
        .stdout
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    let outcomes: Vec<&str> = told.iter().map(|t| t["verdict"]["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["PASSED", "FAILED"]);
}

/// Each drive keeps its own limit, and both together theirs; one begins after the other. What a limit holds back is no slow drive.
#[test]
fn rates_are_kept_by_each_drive_and_by_all() {
    let (Some(one), Some(two)) = (Loop::new(48 << 20), Loop::new(48 << 20)) else {
        return;
    };
    let both = |limit: [&str; 2]| {
        let more = [
            &two.node,
            "--yes-erase",
            &two.node,
            "--playbook",
            "surface",
            limit[0],
            limit[1],
        ];
        let output = one.burn(&more);
        assert_eq!(code(&output), 0, "{}", text(&output));
        let jobs = String::from_utf8(output.stdout).unwrap();
        let jobs = jobs
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        jobs.map(|job| {
            let phases = job["phases"].as_array().unwrap().clone();
            let moved: u64 = phases.iter().map(|phase| phase["bytes"].as_u64().unwrap()).sum();
            let seconds: f64 = phases.iter().map(|phase| phase["seconds"].as_f64().unwrap()).sum();
            moved as f64 / seconds
        })
        .collect::<Vec<f64>>()
    };
    // A bucket holds a moment's worth beyond the rate.
    let most = 40e6 * 1.15;
    let each = both(["--rate-drive", "40M"]);
    assert!(each.len() == 2 && each.iter().all(|rate| *rate < most), "{each:?}");
    for name in ["--rate-controller", "--rate-total"] {
        // Two loop devices hang on no controller together.
        let all = both([name, "40M"]);
        assert!(all.iter().all(|rate| *rate < most), "{name}: {all:?}");
    }
    let slow = one.burn(&["--rate-drive", "40"]);
    assert_eq!(code(&slow), 64, "{}", text(&slow));
    assert!(text(&slow).contains("expected bytes a second"), "{}", text(&slow));
}
