//! `kiln burn` in the box, over drives of each bus: named by serial number, WWN and model, cut and gone on with, without the server's help.
//!
//! The program comes on a drive of its own: in the image it would take memory from every other test's box.

use std::process::Command;

use image::board::Board;
use image::cross::Binaries;
use image::qemu::{Bus, Drive, Vm};
use image::workspace::Workspace;
use probe::Op;
use serde_json::Value;
use wire::job::{Job, Outcome};

use crate::format::tool;
use crate::lab::{JOB, Lab};

/// What a `kiln burn` came to.
#[derive(Debug)]
struct Said {
    status: i64,
    /// What is told of each drive: its job, or why it was refused.
    told: Vec<Value>,
    stderr: String,
}

impl Said {
    /// Of the one drive.
    fn job(&self) -> Job {
        serde_json::from_value(self.told[0].clone()).unwrap()
    }

    /// The exit status, and the verdict of the one drive.
    fn outcome(&self) -> (i64, Outcome) {
        (self.status, self.job().verdict.unwrap().outcome)
    }
}

/// A drive with a file system that holds the program, as it is handed out: the box has no libraries for another.
fn tools(lab: &Lab) -> Drive {
    let ws = Workspace::find();
    let board = Board::load(&ws.boards(), "x86-64").unwrap();
    let built = Binaries::build_these(&ws, &board, false, &[("cli", "kiln")]).unwrap();
    let folder = lab.path().join("tools");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(built.path("kiln"), folder.join("kiln")).unwrap();
    let disk = lab.blank("TOOLS001", 64);
    let made = Command::new("/usr/sbin/mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-d"])
        .arg(&folder)
        .arg(lab.path().join("TOOLS001"))
        .status();
    assert!(made.unwrap().success());
    Drive::new(Bus::Virtio, "TOOLS001", disk)
}

/// `kiln burn --json` with these arguments; `None` where it was killed after `limit_s` seconds.
fn burn(vm: &mut Vm, arguments: &[&str], limit_s: u64) -> Option<Said> {
    let fixed = ["/test/tools/kiln", "burn", "--json", "--state", "/test/state"];
    let argv = fixed.iter().chain(arguments).map(|word| (*word).to_owned()).collect();
    let ran = match vm.probe().unwrap().op(Op::Run { argv, limit_s }) {
        Ok(ran) => ran,
        Err(error) => {
            assert!(error.to_string().contains("ran longer"), "{arguments:?}: {error}");
            return None;
        }
    };
    let text = |key: &str| ran[key].as_str().unwrap_or_default().to_owned();
    let said = Said {
        status: ran["status"].as_i64().unwrap(),
        told: text("stdout")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        stderr: text("stderr"),
    };
    println!("{arguments:?}: {}, {}", said.status, said.stderr);
    Some(said)
}

/// The same, to its end.
fn whole(vm: &mut Vm, arguments: &[&str]) -> Said {
    burn(vm, arguments, JOB.as_secs()).unwrap_or_else(|| panic!("{arguments:?} did not end"))
}

#[test]
fn drives_are_named_by_serial_wwn_and_model_and_a_cut_goes_on() {
    let lab = Lab::new();
    let drives = [
        (Bus::Sata, "CLISATA1"),
        (Bus::Scsi, "CLISCSI1"),
        (Bus::Scsi, "CLISCSI2"),
        (Bus::Nvme, "CLINVME1"),
        (Bus::Usb, "CLIUSB01"),
    ];
    let bytes = |serial: &str| std::fs::read(lab.path().join(serial)).unwrap();
    let is_untouched = |serial: &str| bytes(serial).iter().all(|byte| *byte == 0);
    let made = drives.map(|(bus, serial)| {
        // Long enough to be cut in the middle of its write, and not so slow that its writes look like a shingled disk's.
        match serial {
            "CLISCSI2" => Drive::new(bus, serial, lab.blank(serial, 48)).write_speed(2_000_000),
            _ => Drive::new(bus, serial, lab.blank(serial, 32)),
        }
    });
    let wwn = format!("{:016x}", made[1].wwn.unwrap());
    let (mut vm, bench) = lab.boot(made.into_iter().chain([tools(&lab)]));
    let source = format!("/dev/{}", bench.drive("TOOLS001", "present", |d| d.present).kernel_name);
    let mount = Op::Mount {
        source,
        target: "/test/tools".into(),
        kind: "ext4".into(),
        read_only: true,
    };
    vm.probe().unwrap().op(mount).unwrap();

    // What fits two drives, none, or the stick that it runs from, is refused with nothing written to any.
    let several = whole(
        &mut vm,
        &["HARDDISK", "--playbook", "surface", "--yes-erase", "CLISCSI1"],
    );
    assert_eq!(several.status, 64, "{several:?}");
    assert!(several.stderr.contains("name one by its serial number"), "{several:?}");
    let unnamed = whole(
        &mut vm,
        &["CLISCSI1", "--playbook", "surface", "--yes-erase", "CLISCSI2"],
    );
    assert!([4, 64].contains(&unnamed.status), "{unnamed:?}");
    let boot = whole(
        &mut vm,
        &["/dev/vda", "--playbook", "surface", "--yes-erase", "KILNBOOT"],
    );
    assert_eq!(
        (boot.status, &boot.told[0]["refused"]["kind"]),
        (4, &"boot-disk".into()),
        "{boot:?}"
    );
    assert!(drives.iter().all(|(_, serial)| is_untouched(serial)));

    // The only drive of its model.
    let by_model = whole(
        &mut vm,
        &["QEMU NVMe Ctrl", "--playbook", "surface", "--yes-erase", "CLINVME1"],
    );
    assert_eq!(by_model.outcome(), (0, Outcome::Passed), "{by_model:?}");
    assert_eq!(by_model.job().serial, "CLINVME1");
    assert!(!is_untouched("CLINVME1"));

    // With its SMART before and after, by the tool of the image.
    let by_serial = whole(
        &mut vm,
        &["clisata1", "--playbook", "standard", "--yes-erase", "CLISATA1"],
    );
    let told = [(0, Outcome::Passed), (1, Outcome::Warn)];
    assert!(told.contains(&by_serial.outcome()), "{by_serial:?}");
    assert!(!by_serial.job().smart.is_empty(), "{by_serial:?}");

    // And with a file system at its end.
    let format = ["--format", "ext4", "--label", "photos", "--reserved", "2"];
    let by_wwn = [&wwn, "--playbook", "surface", "--yes-erase", &wwn];
    let by_wwn = whole(&mut vm, &[&by_wwn[..], &format].concat());
    assert_eq!(by_wwn.outcome(), (0, Outcome::Passed), "{by_wwn:?}");
    let made = by_wwn.job().formatted.unwrap();
    assert!(made.problem.is_none() && !made.checks.is_empty(), "{made:?}");

    // Killed in the middle of its write, and gone on with.
    let slow = ["CLISCSI2", "--playbook", "surface", "--yes-erase", "CLISCSI2"];
    assert!(burn(&mut vm, &slow, 12).is_none(), "it was to be cut");
    let resumed = whole(&mut vm, &[&slow[..], &["--resume"]].concat());
    assert_eq!(resumed.outcome(), (0, Outcome::Passed), "{resumed:?}");
    assert_eq!(resumed.job().resumes.len(), 1, "{resumed:?}");
    vm.cut();

    assert!(is_untouched("CLIUSB01"));
    let partition = lab.path().join("partition");
    std::fs::write(&partition, &bytes("CLISCSI1")[1 << 20..]).unwrap();
    tool("e2fsck", &["-f", "-n"], &partition);
}
