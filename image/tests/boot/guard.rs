//! Every kind of use is refused with its reason, on the dashboard and by a plan that is asked for all the same.

use std::path::PathBuf;

use image::qemu::machine::overlay;
use image::qemu::{Arch, Bus, Drive, Source};
use probe::Op;

use crate::images::image;
use crate::lab::Lab;
use crate::signatures::{self, MIB};

/// The drives, what is prepared on them, and the words that the refusal must have: kind, and a part of the reason.
const KINDS: [(&str, &str, &str); 22] = [
    ("MOUNTED1", "mounted", "/test/mounted"),
    ("PARTMNT1", "mounted", "/test/partition"),
    ("HIDDENMT", "mounted", "/test/hidden"),
    ("SWAPPED1", "swap", "swap"),
    ("DMHOLD01", "device-mapper", "kiln-linear"),
    ("LVACTIVE", "lvm-active", "kiln-volume"),
    ("CRYPTOPN", "dm-crypt", "kiln-secret"),
    ("MDACTIVE", "md-active", "md_kiln"),
    ("MDMEMBER", "md-member", "RAID"),
    ("LVMEMBER", "lvm-member", "LVM"),
    ("LUKSDISK", "luks", "LUKS"),
    ("BCACHED1", "bcache-member", "bcache"),
    ("BCACTIVE", "bcache-active", "bcache0"),
    ("BTRFSMEM", "btrfs-member", "btrfs"),
    ("BTRMOUNT", "mounted", "/test/btrfs"),
    ("BTRSECND", "btrfs-mounted", "btrfs"),
    ("LOOPBACK", "loop-backing", "loop"),
    ("ZFSLABEL", "zfs-member", "ZFS"),
    ("PROTECT1", "write-protected", "write"),
    ("KILNBOOT", "boot-disk", "boot"),
    ("OTHERKLN", "kiln-stick", "Kiln"),
    ("TWIN0001", "same-identity", "identity"),
];

#[test]
fn each_kind_of_use_is_refused_with_its_reason_and_a_free_drive_is_offered() {
    let lab = Lab::new();
    let make = |serial: &str, prepare: &dyn Fn(&PathBuf)| {
        let source = lab.blank(serial, MIB);
        prepare(&lab.path().join(serial));
        Drive::new(Bus::Scsi, serial, source)
    };
    let nothing = |_: &PathBuf| {};
    let twin = |id: &str| {
        let mut drive = Drive::new(Bus::Virtio, "TWIN0001", lab.blank(id, MIB));
        drive.id = id.into();
        drive
    };
    let mut nameless = Drive::new(Bus::Virtio, "", lab.blank("nameless", MIB));
    nameless.id = "nameless".into();
    // A second stick with the same image, as fresh as the one that the box boots from.
    let second = lab.path().join("second.qcow2");
    overlay(image(Arch::X86_64), &second).unwrap();
    let second = Drive::new(Bus::Scsi, "OTHERKLN", Source::Qcow2(second));
    let (mut vm, bench) = lab.boot([
        second,
        make("HIDDENMT", &|p| signatures::ext4(p, 0)),
        make("BTRMOUNT", &nothing),
        make("BTRSECND", &|p| {
            signatures::btrfs_of_two(&lab.path().join("BTRMOUNT"), p);
        }),
        make("LOOPBACK", &nothing),
        make("MOUNTED1", &|p| signatures::ext4(p, 0)),
        make("PARTMNT1", &|p| {
            signatures::one_partition(p);
            signatures::ext4(p, 1 << 20);
        }),
        make("SWAPPED1", &|p| signatures::swap(p)),
        make("DMHOLD01", &nothing),
        make("LVACTIVE", &nothing),
        make("CRYPTOPN", &nothing),
        make("MDACTIVE", &nothing),
        make("MDMEMBER", &|p| signatures::md(p)),
        make("LVMEMBER", &|p| signatures::lvm(p)),
        make("LUKSDISK", &|p| signatures::luks(p)),
        make("BCACHED1", &|p| signatures::bcache(p)),
        make("BCACTIVE", &|p| signatures::bcache(p)),
        make("BTRFSMEM", &|p| signatures::btrfs(p)),
        make("ZFSLABEL", &|p| signatures::zfs(p)),
        make("PROTECT1", &nothing).read_only(),
        make("KEPTOPEN", &nothing),
        make("FREEDISK", &|p| signatures::ext4(p, 0)),
        twin("twin-one"),
        twin("twin-two"),
        nameless,
    ]);
    let node = |serial: &str| format!("/dev/{}", bench.drive(serial, "present", |d| d.present).kernel_name);

    let probe = vm.probe().unwrap();
    let mut act = |op: Op| probe.op(op.clone()).unwrap_or_else(|e| panic!("{op:?}: {e}"));
    let mount = |source: String, target: &str| Op::Mount {
        source,
        target: target.into(),
        kind: "ext4".into(),
        read_only: false,
    };
    act(mount(node("MOUNTED1"), "/test/mounted"));
    act(mount(format!("{}1", node("PARTMNT1")), "/test/partition"));
    act(Op::MountElsewhere {
        source: node("HIDDENMT"),
        target: "/test/hidden".into(),
        kind: "ext4".into(),
    });
    act(Op::Module { name: "btrfs".into() });
    act(Op::BtrfsScan { path: node("BTRSECND") });
    act(Op::Mount {
        source: node("BTRMOUNT"),
        target: "/test/btrfs".into(),
        kind: "btrfs".into(),
        read_only: false,
    });
    act(Op::Module { name: "loop".into() });
    act(Op::LoopOver { path: node("LOOPBACK") });
    act(Op::Swapon { path: node("SWAPPED1") });
    act(Op::Module { name: "dm_mod".into() });
    // The kernel knows an LVM volume or an opened LUKS disk by the identity that its tool gave the mapping.
    for (serial, name, uuid) in [
        ("DMHOLD01", "kiln-linear", ""),
        (
            "LVACTIVE",
            "kiln-volume",
            "LVM-kilnkilnkilnkilnkilnkilnkilnkilnkilnkilnkilnkilnkilnkilnkilnkiln",
        ),
        (
            "CRYPTOPN",
            "kiln-secret",
            "CRYPT-LUKS2-6b696c6e6b696c6e6b696c6e6b696c6e-kiln-secret",
        ),
    ] {
        act(Op::DmCreate {
            name: name.into(),
            uuid: uuid.into(),
            device: node(serial),
        });
    }
    act(Op::Open {
        path: node("KEPTOPEN"),
        write: false,
        exclusive: true,
    });
    act(Op::Module { name: "raid1".into() });
    act(Op::Module { name: "bcache".into() });
    let device = bench.drive("MDACTIVE", "present", |d| d.present).kernel_name;
    let number = probe.read(&format!("/sys/block/{device}/dev")).unwrap();
    // An array without a superblock of its own, as `mdadm --build` makes it.
    for (file, text) in [
        ("/sys/module/md_mod/parameters/new_array", "md_kiln"),
        ("/sys/block/md_kiln/md/metadata_version", "none"),
        ("/sys/block/md_kiln/md/level", "raid1"),
        ("/sys/block/md_kiln/md/raid_disks", "1"),
        ("/sys/block/md_kiln/md/new_dev", number.trim()),
        (&format!("/sys/block/md_kiln/md/dev-{device}/size"), "8192"),
        (&format!("/sys/block/md_kiln/md/dev-{device}/slot"), "0"),
        ("/sys/block/md_kiln/md/array_state", "active"),
    ] {
        probe.write(file, text).unwrap();
    }
    // A backing device without a cache runs as it is.
    let device = node("BCACTIVE");
    probe.write("/sys/fs/bcache/register", &device).unwrap();

    // The box itself writes to none of these; the mounted and the swapped ones belong to the guest's kernel.
    let before: Vec<_> = [
        "DMHOLD01", "MDMEMBER", "LVMEMBER", "LUKSDISK", "BTRFSMEM", "ZFSLABEL", "PROTECT1", "KEPTOPEN",
    ]
    .map(|serial| (serial, std::fs::read(lab.path().join(serial)).unwrap()))
    .into();
    let mut wrong = Vec::new();
    for (serial, kind, part) in KINDS {
        let drive = bench.until(&format!("refusal of {serial}"), crate::lab::SOON, || {
            let drives = bench.drives();
            let found = drives.iter().find(|d| d.serial == serial && d.refused.is_some());
            found
                .cloned()
                .ok_or_else(|| format!("{:#?}", drives.iter().find(|d| d.serial == serial)))
        });
        let refused = drive.refused.unwrap();
        println!("{serial}: {} — {}", refused.kind, refused.reason);
        if refused.kind != kind || !refused.reason.to_lowercase().contains(&part.to_lowercase()) {
            wrong.push(format!("{serial} should be {kind} …{part}…, is {refused:?}"));
        }
        // The page does not offer it; a request that asks all the same is refused too.
        if let Some(id) = drive.id {
            match bench.plan(&[id], "surface") {
                Ok(plan) => wrong.push(format!("{serial} was planned: {plan:?}")),
                Err(problem) => println!("    plan: {problem}"),
            }
        }
    }
    let nameless = bench
        .drives()
        .into_iter()
        .find(|d| d.serial.is_empty() && d.capacity.0 == MIB << 20);
    let nameless = nameless.expect("a drive without identity is shown");
    assert_eq!(
        (nameless.id, nameless.refused.map(|r| r.kind).as_deref()),
        (None, Some("no-identity"))
    );

    let free = bench.offered("FREEDISK");
    assert!(
        free.content.words().contains("ext4") && free.content.words().contains("photos"),
        "{free:#?}"
    );
    assert!(bench.plan(&[free.id.unwrap()], "surface").is_ok());

    // Somebody holds this one open for himself alone, which only an attempt to open it can tell: the start is refused.
    let kept = bench.drive("KEPTOPEN", "present", |d| d.present && d.id.is_some());
    let refused = bench
        .plan(&[kept.id.unwrap()], "surface")
        .and_then(|plan| bench.arm(&plan).and_then(|armed| bench.fire(&plan, &armed)))
        .expect_err("a drive that is open elsewhere was started");
    println!("KEPTOPEN: {refused}");
    assert_eq!(refused.kind, "drive-refused", "{refused}");
    assert!(
        refused.detail.ends_with("another process holds it exclusively."),
        "{refused}"
    );

    assert!(bench.jobs().is_empty());
    for (serial, changed) in &before {
        if std::fs::read(lab.path().join(serial)).unwrap() != *changed {
            wrong.push(format!("{serial} was written to"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
