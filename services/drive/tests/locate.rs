//! Finding a drive's light in made-up trees of `/sys`, in the layout of Linux 6.12, and with tools that are scripts.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use common::script;
use drive::System;
use drive::locate::{Failed, Leave, Locating, Means, Slot, Tools, how, place, put_out};
use drive::sysfs::{self, Device};

const LONG: Duration = Duration::from_mins(1);

/// Of a drive at rest.
fn start(system: &System, tools: &Tools, device: &Device, longest: Duration) -> Result<Locating, Failed> {
    drive::locate::start(system, tools, device, longest, &Leave::new(true))
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A disk `name` whose SCSI or NVMe device is `parent`.
fn disk(root: &Path, name: &str, parent: &str) -> Device {
    let nvme = name.starts_with("nvme");
    let base = if nvme {
        format!("sys/devices/{parent}/{name}")
    } else {
        format!("sys/devices/{parent}/block/{name}")
    };
    put(root, &format!("{base}/size"), "4096\n");
    put(root, &format!("{base}/dev"), "8:16\n");
    std::fs::create_dir_all(root.join("sys/block")).unwrap();
    symlink(
        root.join(format!("sys/devices/{parent}")),
        root.join(&base).join("device"),
    )
    .unwrap();
    symlink(root.join(&base), root.join("sys/block").join(name)).unwrap();
    put(root, &format!("dev/{name}"), &"x".repeat(1 << 20));
    sysfs::read(&System::at(root), name).unwrap()
}

const SAS: &str =
    "pci0000:00/0000:00:01.0/0000:01:00.0/host0/port-0:0/expander-0:0/port-0:0:4/end_device-0:0:4/target0:0:4/0:0:4:0";
const ENCLOSURE: &str = "pci0000:00/0000:00:01.0/0000:01:00.0/host0/port-0:0/expander-0:0/port-0:0:24/end_device-0:0:24/target0:0:24/0:0:24:0";

/// A disk in slot 3 of a SAS shelf.
fn shelf(root: &Path, locate: bool) -> Device {
    let slot = format!("sys/devices/{ENCLOSURE}/enclosure/0:0:24:0/Slot 03");
    put(root, &format!("{slot}/slot"), "3\n");
    if locate {
        put(root, &format!("{slot}/locate"), "0\n");
    }
    put(root, &format!("sys/devices/{ENCLOSURE}/scsi_generic/sg7/dev"), "21:7\n");
    let up = root.join(format!("sys/devices/{ENCLOSURE}/enclosure/0:0:24:0/device"));
    symlink(root.join(format!("sys/devices/{ENCLOSURE}")), up).unwrap();
    let device = disk(root, "sdb", SAS);
    symlink(
        root.join(slot),
        root.join(format!("sys/devices/{SAS}/enclosure_device:Slot 03")),
    )
    .unwrap();
    device
}

/// Tools that write down how they were called and exit with `status`; with 0 `sg_ses` remembers what it was told.
fn tools(root: &Path, status: i32) -> Tools {
    let tools = Tools {
        ledctl: root.join("ledctl"),
        sg_ses: root.join("sg_ses"),
    };
    let ident = root.join("ident");
    let remembers = format!(
        "case $* in *--get=*) cat {0} ;; *--set=*) echo 1 > {0} ;; *--clear=*) echo 0 > {0} ;; esac",
        ident.display()
    );
    for (tool, acts) in [(&tools.ledctl, "true"), (&tools.sg_ses, &remembers)] {
        let name = tool.file_name().unwrap().to_str().unwrap();
        let calls = root.join("calls");
        script(
            tool,
            &format!(
                "echo {name} \"$@\" >> {}; [ {status} = 0 ] && {acts}; exit {status}",
                calls.display()
            ),
        );
    }
    tools
}

#[test]
fn the_slots_own_attribute_is_lit_and_put_out() {
    let root = tempfile::tempdir().unwrap();
    let device = shelf(root.path(), true);
    let system = System::at(root.path());
    let all = how(&system, &device);
    let Means::Slot { bay, attribute } = &all[0] else {
        panic!("{all:?}")
    };
    assert_eq!(bay, "Slot 03");
    assert!(
        matches!(&all[1], Means::Ses { slot: 3, node, .. } if node.ends_with("dev/sg7")),
        "{all:?}"
    );
    assert_eq!(all.last(), Some(&Means::Rhythm));
    let locating = start(&system, &tools(root.path(), 0), &device, LONG).unwrap();
    assert_eq!(std::fs::read_to_string(attribute).unwrap(), "1");
    assert_eq!(locating.words(), "the enclosure's light of bay Slot 03 is on");
    assert!(locating.stop());
    assert_eq!(std::fs::read_to_string(attribute).unwrap(), "0");
    assert_eq!(place(&system, &device).bay.as_deref(), Some("Slot 03"));
    assert!(place(&system, &device).path.starts_with("pci-0000:01:00.0-sas-"));
    // The link came after the disk was read first.
    assert!(sysfs::read(&system, "sdb").unwrap().location.ends_with(", bay Slot 03"));
}

#[test]
fn a_light_goes_out_by_itself_and_when_it_is_dropped() {
    let root = tempfile::tempdir().unwrap();
    let device = shelf(root.path(), true);
    let system = System::at(root.path());
    let attribute = root
        .path()
        .join(format!("sys/devices/{ENCLOSURE}/enclosure/0:0:24:0/Slot 03/locate"));
    let tools = tools(root.path(), 0);
    drop(start(&system, &tools, &device, LONG).unwrap());
    assert_eq!(std::fs::read_to_string(&attribute).unwrap(), "0");
    let locating = start(&system, &tools, &device, Duration::from_millis(50)).unwrap();
    let begun = Instant::now();
    while !locating.is_over() {
        assert!(begun.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(std::fs::read_to_string(&attribute).unwrap(), "0");
}

#[test]
fn sg_ses_lights_what_the_kernel_shows_without_an_attribute() {
    let root = tempfile::tempdir().unwrap();
    let device = shelf(root.path(), false);
    let system = System::at(root.path());
    start(&system, &tools(root.path(), 0), &device, LONG).unwrap().stop();
    let calls = std::fs::read_to_string(root.path().join("calls")).unwrap();
    let node = root.path().join("dev/sg7");
    let want = ["--set", "--get", "--clear", "--get"]
        .map(|order| format!("sg_ses --dev-slot-num=3 {order}=ident {}\n", node.display()))
        .concat();
    assert_eq!(calls, want);
}

#[test]
fn a_light_whose_tool_refuses_to_put_it_out_is_not_called_out() {
    let root = tempfile::tempdir().unwrap();
    let device = shelf(root.path(), false);
    let system = System::at(root.path());
    let tools = Tools {
        sg_ses: root.path().join("refusing"),
        ..tools(root.path(), 0)
    };
    script(&tools.sg_ses, "case $* in *--clear*) exit 5 ;; *--get*) echo 1 ;; esac");
    let locating = start(&system, &tools, &device, LONG).unwrap();
    assert!(matches!(locating.means(), Means::Ses { .. }), "{locating:?}");
    assert!(!locating.stop());
}

/// The kernel tells nobody that an enclosure refused what was written to `locate`: the device of this name takes every byte and keeps none.
fn refuse(root: &Path) {
    let attribute = root.join(format!("sys/devices/{ENCLOSURE}/enclosure/0:0:24:0/Slot 03/locate"));
    std::fs::remove_file(&attribute).unwrap();
    symlink("/dev/null", attribute).unwrap();
}

#[test]
fn a_light_that_the_enclosure_refuses_is_not_called_on_and_the_next_means_is_tried() {
    let root = tempfile::tempdir().unwrap();
    let device = shelf(root.path(), true);
    refuse(root.path());
    let system = System::at(root.path());
    let locating = start(&system, &tools(root.path(), 0), &device, LONG).unwrap();
    assert!(matches!(locating.means(), Means::Ses { .. }), "{locating:?}");
    assert!(locating.stop());
    let none = tools(root.path(), 1);
    let locating = start(&system, &none, &device, LONG).unwrap();
    assert_eq!(locating.means(), &Means::Rhythm);
}

/// Each tool says that it did what it was told.
#[test]
fn an_enclosure_that_takes_every_order_and_does_nothing_has_no_light() {
    let root = tempfile::tempdir().unwrap();
    let device = shelf(root.path(), true);
    refuse(root.path());
    let system = System::at(root.path());
    let tools = Tools {
        sg_ses: root.path().join("idle"),
        ..tools(root.path(), 0)
    };
    script(&tools.sg_ses, "case $* in *--get*) echo 0 ;; esac");
    let locating = start(&system, &tools, &device, LONG).unwrap();
    assert_eq!(locating.means(), &Means::Rhythm);
    assert!(locating.stop());
}

#[test]
fn a_light_that_the_enclosure_refuses_to_put_out_is_not_called_out() {
    let root = tempfile::tempdir().unwrap();
    let device = shelf(root.path(), true);
    let system = System::at(root.path());
    let none = tools(root.path(), 1);
    let locating = start(&system, &none, &device, LONG).unwrap();
    assert!(matches!(locating.means(), Means::Slot { .. }), "{locating:?}");
    refuse(root.path());
    assert!(!locating.stop());
    assert!(!put_out(&system, &none, &device));
}

/// An enclosure whose slots `sg_ses` does not find by number: no element index is guessed, which could be the neighbour's.
#[test]
fn a_slot_that_sg_ses_does_not_find_is_shown_by_the_next_means() {
    let root = tempfile::tempdir().unwrap();
    let device = shelf(root.path(), false);
    let system = System::at(root.path());
    let tools = Tools {
        ledctl: tools(root.path(), 0).ledctl,
        sg_ses: root.path().join("failing"),
    };
    let calls = root.path().join("calls");
    script(
        &tools.sg_ses,
        &format!("echo sg_ses \"$@\" >> {}; exit 50", calls.display()),
    );
    let locating = start(&system, &tools, &device, LONG).unwrap();
    assert!(matches!(locating.means(), Means::Ledctl { .. }), "{locating:?}");
    locating.stop();
    let calls = std::fs::read_to_string(calls).unwrap();
    let first = calls.lines().next().unwrap();
    assert!(first.starts_with("sg_ses --dev-slot-num=3 --set=ident"), "{calls}");
    assert!(
        calls.contains("ledctl --listed-only --log=/dev/null locate=") && !calls.contains("--index"),
        "{calls}"
    );
}

/// Two shelves behind one controller: a bay is one of both only with its shelf.
#[test]
fn a_bay_of_one_shelf_is_not_that_of_another() {
    let root = tempfile::tempdir().unwrap();
    let system = System::at(root.path());
    let hba = "pci0000:00/0000:00:01.0/0000:01:00.0/host0";
    let end = |port: &str, expander: &str, number: &str| {
        format!("{hba}/{port}/expander-{expander}/port-{expander}:{number}/end_device-{expander}:{number}")
    };
    let drive = |name: &str, end: &str, enclosure: Option<&str>| {
        let device = end.rsplit('/').next().unwrap();
        let at = format!("sys/devices/{end}/sas_device/{device}");
        put(root.path(), &format!("{at}/bay_identifier"), "3\n");
        if let Some(id) = enclosure {
            put(root.path(), &format!("{at}/enclosure_identifier"), &format!("{id}\n"));
        }
        place(&system, &disk(root.path(), name, &format!("{end}/target/0:0:4:0"))).path
    };
    let ids = ["0x500304800000aaaa", "0x500304800000bbbb"];
    let told = [
        drive("sda", &end("port-0:0", "0:0", "4"), Some(ids[0])),
        drive("sdb", &end("port-0:1", "0:1", "4"), Some(ids[1])),
    ];
    assert_eq!(told[0], "pci-0000:01:00.0-sas-enc-500304800000aaaa-bay3");
    assert_eq!(told[1], "pci-0000:01:00.0-sas-enc-500304800000bbbb-bay3");
    // Where neither enclosure nor expander tells an identity a bay's number says nothing: QEMU's mptsas tells 0 of each.
    let (zero, none) = (end("port-0:2", "0:2", "4"), end("port-0:3", "0:3", "4"));
    assert_eq!(drive("sdc", &zero, Some("0x0")), "pci-0000:01:00.0-sas-0:2:4");
    assert_eq!(drive("sdd", &none, None), "pci-0000:01:00.0-sas-0:3:4");
    for (expander, address) in [("0:2", "0x5003048000000cfF"), ("0:3", "0x5003048000000dff")] {
        let at = format!("{hba}/port-{expander}/expander-{expander}/sas_device/expander-{expander}/sas_address");
        put(root.path(), &format!("sys/devices/{at}"), &format!("{address}\n"));
    }
    let again = |name: &str| place(&system, &sysfs::read(&system, name).unwrap()).path;
    assert_eq!(again("sdc"), "pci-0000:01:00.0-sas-exp-5003048000000cff-bay3");
    assert_eq!(again("sdd"), "pci-0000:01:00.0-sas-exp-5003048000000dff-bay3");
}

/// A controller that tells the same bay of each drive, and no enclosure.
#[test]
fn three_drives_that_all_tell_bay_0_sit_at_three_places() {
    let root = tempfile::tempdir().unwrap();
    let system = System::at(root.path());
    let told = [("sda", 0), ("sdb", 1), ("sdc", 2)].map(|(name, port)| {
        let end = format!("pci0000:00/0000:00:01.0/0000:01:00.0/host0/port-0:{port}/end_device-0:{port}");
        let at = format!("sys/devices/{end}/sas_device/end_device-0:{port}");
        put(root.path(), &format!("{at}/bay_identifier"), "0\n");
        put(
            root.path(),
            &format!("{at}/enclosure_identifier"),
            "0x0000000000000000\n",
        );
        place(
            &system,
            &disk(root.path(), name, &format!("{end}/target0:0:{port}/0:0:{port}:0")),
        )
        .path
    });
    let want = ["0", "1", "2"].map(|port| format!("pci-0000:01:00.0-sas-0:{port}"));
    assert_eq!(told, want);
}

/// SCSI hosts are numbered in the order in which drivers come up, and most controllers count their ports on with each drive that is
/// plugged in.
#[test]
fn a_drive_at_a_phy_sits_at_the_same_place_however_hosts_and_ports_are_counted() {
    let hba = "pci0000:00/0000:00:01.0/0000:01:00.0";
    let drive = |root: &Path, name: &str, end: &str, phy: u32| {
        let device = end.rsplit('/').next().unwrap();
        put(
            root,
            &format!("sys/devices/{end}/sas_device/{device}/phy_identifier"),
            &format!("{phy}\n"),
        );
        disk(root, name, &format!("{end}/target/0:0:4:0"))
    };
    let path = |root: &Path, device: &Device| place(&System::at(root), device).path;
    for (host, port) in [(3, 0), (13, 4)] {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let end = format!("{hba}/host{host}/port-{host}:{port}/end_device-{host}:{port}");
        let direct = drive(root, "sda", &end, 2);
        let beside = format!("{hba}/host{host}/port-{host}:{0}/end_device-{host}:{0}", port + 1);
        drive(root, "sdb", &beside, 1);
        assert_eq!(path(root, &direct), "pci-0000:01:00.0-sas-phy2");
        let expander = format!("{hba}/host{host}/port-{host}:9/expander-{host}:0");
        let at = format!("sys/devices/{expander}/sas_device/expander-{host}:0/sas_address");
        put(root, &at, "0x5003048000000cff\n");
        let end = format!("{expander}/port-{host}:0:{port}/end_device-{host}:0:{port}");
        let behind = drive(root, "sdc", &end, 2);
        assert_eq!(path(root, &behind), "pci-0000:01:00.0-sas-exp-5003048000000cff-phy2");
        // A controller of two hosts, each with phys of its own.
        let second = host + 1;
        let end = format!("{hba}/host{second}/port-{second}:0/end_device-{second}:0");
        let other = drive(root, "sdd", &end, 2);
        let both = [&direct, &other].map(|device| path(root, device));
        assert_eq!(both, ["0", "1"].map(|n| format!("pci-0000:01:00.0-sas-host{n}-phy2")));
    }
    // Where a controller tells the same phy of each drive, a phy says nothing.
    let root = tempfile::tempdir().unwrap();
    let told = [("sda", 0), ("sdb", 1)]
        .map(|(name, port)| {
            drive(
                root.path(),
                name,
                &format!("{hba}/host0/port-0:{port}/end_device-0:{port}"),
                0,
            )
        })
        .map(|device| path(root.path(), &device));
    assert_eq!(told, ["0", "1"].map(|port| format!("pci-0000:01:00.0-sas-0:{port}")));
}

/// NVMe drives with two controllers lie below their subsystems, which are at no PCI address.
#[test]
fn an_nvme_drive_with_several_controllers_sits_at_the_first_of_them() {
    let root = tempfile::tempdir().unwrap();
    let system = System::at(root.path());
    let drive = |subsystem: u32, pci: &[&str]| {
        let dir = format!("virtual/nvme-subsystem/nvme-subsys{subsystem}");
        for (number, pci) in (2 * subsystem..).zip(pci) {
            let controller = format!("sys/devices/pci0000:00/{pci}/nvme/nvme{number}");
            put(root.path(), &format!("{controller}/state"), "live\n");
            std::fs::create_dir_all(root.path().join(format!("sys/devices/{dir}"))).unwrap();
            symlink(
                root.path().join(controller),
                root.path().join(format!("sys/devices/{dir}/nvme{number}")),
            )
            .unwrap();
        }
        disk(root.path(), &format!("nvme{subsystem}n1"), &dir)
    };
    let two = drive(0, &["0000:03:00.0", "0000:02:00.0"]);
    assert_eq!(place(&system, &two).path, "pci-0000:02:00.0-nvme-1");
    assert_eq!(
        place(&system, &drive(1, &["0000:04:00.0", "0000:05:00.0"])).path,
        "pci-0000:04:00.0-nvme-1"
    );
    assert_eq!(
        place(&system, &drive(2, &[])).path,
        "",
        "over a network it sits nowhere here"
    );
    // The light of the slot above any of its controllers.
    let led = "sys/devices/pci0000:00/0000:03:00.0/leds/0000:03:00.0:enclosure:locate/brightness";
    put(root.path(), led, "0\n");
    assert!(matches!(&how(&system, &two)[0], Means::PciSlot { attribute } if attribute.ends_with(led)));
}

#[test]
fn without_an_enclosure_ledctl_is_tried_with_the_rhythm_beside_it_or_the_rhythm_alone() {
    let root = tempfile::tempdir().unwrap();
    let device = disk(
        root.path(),
        "sda",
        "pci0000:00/0000:00:1f.2/ata5/host4/target4:0:0/4:0:0:0",
    );
    put(
        root.path(),
        "sys/devices/pci0000:00/0000:00:1f.2/ata5/ata_port/ata5/port_no",
        "3\n",
    );
    let system = System::at(root.path());
    assert_eq!(place(&system, &device).path, "pci-0000:00:1f.2-ata-3");
    assert_eq!(place(&system, &device).bay, None);
    let good = tools(root.path(), 0);
    let locating = start(&system, &good, &device, LONG).unwrap();
    assert!(matches!(locating.means(), Means::Ledctl { .. }), "{locating:?}");
    // It says so of a backplane without a light, too.
    let told = locating.words();
    assert!(told.contains("ledctl") && told.contains("three times"), "{told}");
    let begun = Instant::now();
    assert!(locating.stop());
    assert!(begun.elapsed() < LONG / 2);
    let calls = std::fs::read_to_string(root.path().join("calls")).unwrap();
    let node = root.path().join("dev/sda");
    assert_eq!(
        calls,
        format!(
            "ledctl --listed-only --log=/dev/null locate={0}\nledctl --listed-only --log=/dev/null locate_off={0}\n",
            node.display()
        )
    );
    let missing = Tools {
        ledctl: "/no/such/ledctl".into(),
        ..good.clone()
    };
    for tools in [tools(root.path(), 1), missing] {
        let locating = start(&system, &tools, &device, LONG).unwrap();
        assert_eq!(locating.means(), &Means::Rhythm);
        assert!(locating.words().contains("three times"));
        let begun = Instant::now();
        locating.stop();
        assert!(begun.elapsed() < LONG / 2);
    }
}

/// Nobody knows which of them a killed process had lit.
#[test]
fn what_somebody_else_lit_is_put_out_by_every_means_and_told_only_where_one_took_it() {
    let root = tempfile::tempdir().unwrap();
    let device = shelf(root.path(), true);
    let system = System::at(root.path());
    let Means::Slot { attribute, .. } = &how(&system, &device)[0] else {
        panic!("no slot")
    };
    std::fs::write(attribute, "1").unwrap();
    assert!(put_out(&system, &tools(root.path(), 1), &device));
    assert_eq!(std::fs::read_to_string(attribute).unwrap(), "0");
    let calls = std::fs::read_to_string(root.path().join("calls")).unwrap();
    assert!(
        calls.contains("--clear=ident") && calls.contains("locate_off="),
        "{calls}"
    );
    let bare = disk(
        root.path(),
        "sda",
        "pci0000:00/0000:00:1f.2/ata5/host4/target4:0:0/4:0:0:0",
    );
    assert!(
        !put_out(&system, &tools(root.path(), 1), &bare),
        "no light of its bay answers"
    );
    assert!(put_out(&system, &tools(root.path(), 0), &bare));
}

const ID: &str = "0x500304800000aaaa";

/// An enclosure at `address`, with two slots whose lights are off.
fn enclosure(root: &Path, address: &str, id: &str) {
    let at = format!("sys/devices/{ENCLOSURE}/enclosure/{address}");
    put(root, &format!("{at}/id"), &format!("{id}\n"));
    for name in ["Slot 01", "Slot 03"] {
        put(root, &format!("{at}/{name}/locate"), "0\n");
    }
    let class = root.join("sys/class/enclosure");
    std::fs::create_dir_all(&class).unwrap();
    symlink(root.join(at), class.join(address)).unwrap();
}

/// The light of a slot.
fn light(root: &Path, address: &str, slot: &str) -> String {
    let at = format!("sys/devices/{ENCLOSURE}/enclosure/{address}/{slot}/locate");
    std::fs::read_to_string(root.join(at)).unwrap().trim().to_owned()
}

/// Puts the disk at [`SAS`] into a slot.
fn sits(root: &Path, address: &str, slot: &str) {
    for before in ["Slot 01", "Slot 03"] {
        let _none = std::fs::remove_file(root.join(format!("sys/devices/{SAS}/enclosure_device:{before}")));
    }
    let slot_dir = root.join(format!("sys/devices/{ENCLOSURE}/enclosure/{address}/{slot}"));
    symlink(
        slot_dir,
        root.join(format!("sys/devices/{SAS}/enclosure_device:{slot}")),
    )
    .unwrap();
}

/// A shelf with a disk in its slot 01.
fn in_slot_1(root: &Path) -> Device {
    enclosure(root, "0:0:24:0", ID);
    let device = disk(root, "sdb", SAS);
    sits(root, "0:0:24:0", "Slot 01");
    device
}

/// The power was cut while it was lit, and the drives were exchanged.
#[test]
fn a_light_is_put_out_in_the_slot_where_it_was_lit_though_its_drive_sits_in_another() {
    let root = tempfile::tempdir().unwrap();
    let (root, system) = (root.path(), System::at(root.path()));
    enclosure(root, "0:0:24:0", ID);
    enclosure(root, "0:0:25:0", "0x500304800000bbbb");
    disk(root, "sdb", SAS);
    assert_eq!(Slot::of(&system, "sdb"), None);
    sits(root, "0:0:24:0", "Slot 01");
    let slot = Slot::of(&system, "sdb").unwrap();
    assert_eq!(
        (slot.enclosure.as_str(), slot.name.as_str()),
        ("500304800000aaaa", "Slot 01")
    );
    for (address, name) in [
        ("0:0:24:0", "Slot 01"),
        ("0:0:24:0", "Slot 03"),
        ("0:0:25:0", "Slot 01"),
    ] {
        put(
            root,
            &format!("sys/devices/{ENCLOSURE}/enclosure/{address}/{name}/locate"),
            "1\n",
        );
    }
    sits(root, "0:0:24:0", "Slot 03");
    assert!(slot.is_there(&system) && slot.put_out(&system, &tools(root, 1)));
    assert_eq!(light(root, "0:0:24:0", "Slot 01"), "0");
    assert_eq!(light(root, "0:0:24:0", "Slot 03"), "1", "that is its drive's new one");
    assert_eq!(light(root, "0:0:25:0", "Slot 01"), "1", "that is another shelf's");
    // The light took no order, and ledctl says of each disk that it did.
    let dir = format!("sys/devices/{ENCLOSURE}/enclosure/0:0:24:0/Slot 01");
    put(root, &format!("{dir}/device/block/sdc/dev"), "8:32\n");
    assert!(slot.put_out(&system, &tools(root, 0)));
    std::fs::remove_file(root.join(&dir).join("locate")).unwrap();
    symlink("/dev/null", root.join(&dir).join("locate")).unwrap();
    assert!(!slot.put_out(&system, &tools(root, 0)));
    let gone = Slot {
        enclosure: "500304800000cccc".into(),
        ..slot
    };
    assert!(!gone.is_there(&system) && !gone.put_out(&system, &tools(root, 0)));
}

/// Its drive was pulled and put into another slot, and the shelf's address changed.
#[test]
fn a_light_ends_in_the_slot_where_it_began() {
    let root = tempfile::tempdir().unwrap();
    let (root, system) = (root.path(), System::at(root.path()));
    let device = in_slot_1(root);
    let locating = start(&system, &tools(root, 1), &device, LONG).unwrap();
    assert_eq!(locating.slot(), Slot::of(&system, "sdb").as_ref());
    assert_eq!(light(root, "0:0:24:0", "Slot 01"), "1");
    // Another shelf came to the address where it was.
    let class = root.join("sys/class/enclosure");
    let at = |address: &str| root.join(format!("sys/devices/{ENCLOSURE}/enclosure/{address}"));
    std::fs::rename(at("0:0:24:0"), at("0:0:30:0")).unwrap();
    std::fs::remove_file(class.join("0:0:24:0")).unwrap();
    symlink(at("0:0:30:0"), class.join("0:0:30:0")).unwrap();
    enclosure(root, "0:0:24:0", "0x500304800000bbbb");
    put(
        root,
        &format!("sys/devices/{ENCLOSURE}/enclosure/0:0:24:0/Slot 01/locate"),
        "1\n",
    );
    sits(root, "0:0:30:0", "Slot 03");
    assert!(locating.stop());
    assert_eq!(light(root, "0:0:30:0", "Slot 01"), "0");
    assert_eq!(light(root, "0:0:24:0", "Slot 01"), "1", "nobody lit it from here");
    // Where the shelf itself is gone, it may still be on.
    let locating = start(&system, &tools(root, 1), &device, LONG).unwrap();
    std::fs::remove_file(class.join("0:0:30:0")).unwrap();
    assert!(!locating.stop());
}

/// `ledctl` goes by a disk's name: its own one is in another slot by then, and another disk in this one.
#[test]
fn a_light_of_ledctl_is_put_out_by_what_sits_in_its_slot_then() {
    let root = tempfile::tempdir().unwrap();
    let (root, system) = (root.path(), System::at(root.path()));
    let device = in_slot_1(root);
    let at = root.join(format!("sys/devices/{ENCLOSURE}/enclosure/0:0:24:0/Slot 01"));
    std::fs::remove_file(at.join("locate")).unwrap();
    let tools = tools(root, 0);
    let locating = start(&system, &tools, &device, LONG).unwrap();
    assert!(matches!(locating.means(), Means::Ledctl { .. }), "{locating:?}");
    let slot = locating.slot().unwrap().clone();
    sits(root, "0:0:24:0", "Slot 03");
    assert!(!locating.stop(), "an empty slot has nothing that ledctl goes by");
    let other = SAS.replace(":4", ":5");
    disk(root, "sdc", &other);
    symlink(root.join(format!("sys/devices/{other}")), at.join("device")).unwrap();
    sits(root, "0:0:24:0", "Slot 01");
    let locating = start(&system, &tools, &device, LONG).unwrap();
    sits(root, "0:0:24:0", "Slot 03");
    assert!(locating.stop() && slot.put_out(&system, &tools));
    let calls = std::fs::read_to_string(root.join("calls")).unwrap();
    let off = |name: &str| {
        calls
            .matches(&format!("locate_off={}", root.join("dev").join(name).display()))
            .count()
    };
    assert_eq!((off("sdb"), off("sdc")), (0, 2), "{calls}");
}

/// A `ledctl` with a file for each light that is on, which turns off what is not listed unless it is told to leave it.
#[test]
fn two_drives_are_lit_at_once_and_one_going_dark_leaves_the_other() {
    let root = tempfile::tempdir().unwrap();
    let system = System::at(root.path());
    let port = |n: u32| format!("pci0000:00/0000:00:1f.2/ata{n}/host{n}/target{n}:0:0/{n}:0:0:0");
    let drives = [("sda", 1), ("sdb", 2)].map(|(name, n)| disk(root.path(), name, &port(n)));
    let lights = root.path().join("lights");
    std::fs::create_dir(&lights).unwrap();
    let tools = Tools {
        ledctl: root.path().join("ledctl"),
        sg_ses: "/no/such/sg_ses".into(),
    };
    let played = "others=off\n\
        for word; do case $word in\n\
        -x|--listed-only) others=stay ;;\n\
        --log=/dev/null) ;;\n\
        locate=*|locate_off=*) order=${word%%=*} light=${word##*/} ;;\n\
        *) exit 1 ;; esac; done\n\
        [ $others = stay ] || find . -type f ! -name \"$light\" -delete\n\
        [ $order = locate ] && : > \"$light\" || rm -f \"$light\"";
    script(&tools.ledctl, &format!("cd {} || exit 1\n{played}", lights.display()));
    let lit = || {
        let mut lit: Vec<_> = std::fs::read_dir(&lights)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        lit.sort();
        lit
    };
    let [first, second] = drives.map(|drive| start(&system, &tools, &drive, LONG).unwrap());
    assert!(matches!(first.means(), Means::Ledctl { .. }), "{first:?}");
    assert_eq!(lit(), ["sda", "sdb"]);
    first.stop();
    assert_eq!(lit(), ["sdb"]);
    second.stop();
    assert!(lit().is_empty());
}

#[test]
fn the_rhythm_leaves_every_byte_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let device = disk(
        root.path(),
        "sda",
        "pci0000:00/0000:00:1f.2/ata5/host4/target4:0:0/4:0:0:0",
    );
    let system = System::at(root.path());
    let node = root.path().join("dev/sda");
    std::fs::set_permissions(&node, std::fs::Permissions::from_mode(0o400)).unwrap();
    let before = std::fs::read(&node).unwrap();
    let missing = Tools {
        ledctl: "/no/such/ledctl".into(),
        sg_ses: "/no/such/sg_ses".into(),
    };
    let locating = start(&system, &missing, &device, Duration::from_millis(700)).unwrap();
    let begun = Instant::now();
    while !locating.is_over() {
        assert!(begun.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(
        begun.elapsed() >= Duration::from_millis(600),
        "it played until its time was over"
    );
    assert_eq!(std::fs::read(&node).unwrap(), before);
}

/// Its light is on anyway, and reads of ours are no evidence.
#[test]
fn a_drive_that_is_tested_is_not_read() {
    let root = tempfile::tempdir().unwrap();
    let device = disk(
        root.path(),
        "sda",
        "pci0000:00/0000:00:1f.2/ata5/host4/target4:0:0/4:0:0:0",
    );
    let system = System::at(root.path());
    let start = |tools: &Tools, leave: &Leave| drive::locate::start(&system, tools, &device, LONG, leave);
    let told = start(&tools(root.path(), 1), &Leave::new(false)).unwrap_err();
    assert!(matches!(told, Failed::Tested), "{told}");
    // A light of its bay is for all.
    let lit = start(&tools(root.path(), 0), &Leave::new(false)).unwrap();
    assert!(matches!(lit.means(), Means::Ledctl { .. }), "{lit:?}");
    assert!(!lit.words().contains("three times"), "{}", lit.words());
    // It stays on when a test begins.
    let leave = Leave::new(true);
    let lit = start(&tools(root.path(), 0), &leave).unwrap();
    leave.take_back();
    assert!(!lit.is_over());
    drop(lit);
    // A test that begins ends the rhythm.
    let leave = Leave::new(true);
    let locating = start(&tools(root.path(), 1), &leave).unwrap();
    assert_eq!(locating.means(), &Means::Rhythm);
    leave.take_back();
    let begun = Instant::now();
    while !locating.is_over() {
        assert!(begun.elapsed() < LONG / 2);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Nobody is sent to look for a light that cannot flicker.
#[test]
fn a_drive_that_cannot_be_read_is_not_said_to_flicker() {
    let root = tempfile::tempdir().unwrap();
    let device = disk(
        root.path(),
        "sda",
        "pci0000:00/0000:00:1f.2/ata5/host4/target4:0:0/4:0:0:0",
    );
    let system = System::at(root.path());
    let node = root.path().join("dev/sda");
    let none = tools(root.path(), 1);
    // Gone; a node that opens and gives an error; one that has no bytes left.
    std::fs::remove_file(&node).unwrap();
    assert!(matches!(start(&system, &none, &device, LONG), Err(Failed::All(_))));
    std::fs::create_dir(&node).unwrap();
    assert!(matches!(start(&system, &none, &device, LONG), Err(Failed::All(_))));
    std::fs::remove_dir(&node).unwrap();
    std::fs::write(&node, "").unwrap();
    let told = start(&system, &none, &device, LONG).unwrap_err().to_string();
    assert!(told.contains("reading from it"), "{told}");
    // A light of its bay needs no answer from the drive.
    let lit = start(&system, &tools(root.path(), 0), &device, LONG).unwrap();
    assert!(!lit.words().contains("three times"), "{}", lit.words());
}

#[test]
fn an_nvme_slots_led_is_found_above_the_drive() {
    let root = tempfile::tempdir().unwrap();
    let device = disk(
        root.path(),
        "nvme0n1",
        "pci0000:00/0000:00:1c.0/0000:02:00.0/nvme/nvme0",
    );
    let led = "sys/devices/pci0000:00/0000:00:1c.0/leds/0000:00:1c.0:enclosure:locate/brightness";
    put(root.path(), led, "0\n");
    let system = System::at(root.path());
    assert_eq!(
        how(&system, &device)[0],
        Means::PciSlot {
            attribute: root.path().join(led)
        }
    );
    let locating = start(&system, &tools(root.path(), 0), &device, LONG).unwrap();
    assert_eq!(std::fs::read_to_string(root.path().join(led)).unwrap(), "1");
    locating.stop();
    assert_eq!(place(&system, &device).path, "pci-0000:02:00.0-nvme-1");
}

#[test]
fn paths_are_named_by_what_stays() {
    let root = tempfile::tempdir().unwrap();
    let system = System::at(root.path());
    for (name, parent, want) in [
        (
            "sdc",
            "pci0000:00/0000:00:14.0/usb2/2-1/2-1.4/2-1.4:1.0/host6/target6:0:0/6:0:0:0",
            "pci-0000:00:14.0-usb-0:1.4:1.0",
        ),
        (
            "sdd",
            "pci0000:00/0000:03:00.0/virtio2/host2/target2:0:1/2:0:1:0",
            "pci-0000:03:00.0-scsi-0:0:1:0",
        ),
        // The second bay of a dock, and the second drive behind a port.
        (
            "sde",
            "pci0000:00/0000:00:14.0/usb2/2-1/2-1.4/2-1.4:1.0/host6/target6:0:0/6:0:0:1",
            "pci-0000:00:14.0-usb-0:1.4:1.0-scsi-0:0:0:1",
        ),
        (
            "sdf",
            "pci0000:00/0000:00:1f.2/ata3/host2/target2:1:0/2:1:0:0",
            "pci-0000:00:1f.2-ata-3-scsi-0:1:0:0",
        ),
    ] {
        assert_eq!(place(&system, &disk(root.path(), name, parent)).path, want);
    }
}
