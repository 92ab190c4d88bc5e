//! `kiln burn` in the box, over drives of each bus: named by serial number, WWN and model, cut and gone on with, without the server's help.

use image::qemu::{Bus, Drive, Vm};
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

/// `kiln burn --json` with these arguments; `None` where it was killed after `limit_s` seconds.
fn burn(vm: &mut Vm, arguments: &[&str], limit_s: u64) -> Option<Said> {
    let fixed = ["/test/kiln", "burn", "--json", "--state", "/test/state"];
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
        let drive = Drive::new(bus, serial, lab.blank(serial, 32));
        // Long enough to be cut in the middle of its write.
        if serial == "CLISCSI2" {
            drive.write_speed(2_000_000)
        } else {
            drive
        }
    });
    let wwn = format!("{:016x}", made[1].wwn.unwrap());
    let (mut vm, _bench) = lab.boot(made);

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
    assert!(burn(&mut vm, &slow, 8).is_none(), "it was to be cut");
    let resumed = whole(&mut vm, &[&slow[..], &["--resume"]].concat());
    assert_eq!(resumed.outcome(), (0, Outcome::Passed), "{resumed:?}");
    assert_eq!(resumed.job().resumes.len(), 1, "{resumed:?}");
    vm.cut();

    assert!(is_untouched("CLIUSB01"));
    let partition = lab.path().join("partition");
    std::fs::write(&partition, &bytes("CLISCSI1")[1 << 20..]).unwrap();
    tool("e2fsck", &["-f", "-n"], &partition);
}
