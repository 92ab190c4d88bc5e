//! The decision: facts in, yes or the most telling reason out. Pure.

use super::facts::{Facts, HolderKind};
use super::in_use::InUse;
use super::refusal::Refusal;
use super::stuck::Stuck;
use super::unknown::Unknown;
use crate::content::ContentKind;
use crate::identity::Identity;
use crate::told;
use wire::drive::{Bus, Content, Signature};

/// Whether the device that `facts` describe may be erased as `expected`, giving up the memberships in `lose`.
///
/// The order is from what would be worst to lose to what is merely in the way.
///
/// # Errors
/// The first reason against it.
pub fn decide(facts: &Facts, expected: &Identity, allow_loop: bool, lose: &[ContentKind]) -> Result<(), Refusal> {
    let device = &facts.device;
    let in_use = |reason| Err(Refusal::InUse(reason));
    if facts.boot_disk {
        return in_use(InUse::BootDisk);
    }
    if facts.look.as_ref().is_some_and(|look| look.kiln) {
        return in_use(InUse::KilnStick);
    }
    if device.identity.bus == Bus::Loop && !allow_loop {
        return Err(Refusal::Loop);
    }
    if device.identity.id.is_none() {
        return Err(Refusal::NoIdentity);
    }
    expected.same_drive(&device.identity).map_err(Refusal::OtherDrive)?;
    if !facts.same_identity.is_empty() {
        return Err(Refusal::SameIdentity {
            others: facts.same_identity.clone(),
        });
    }
    if let Some(mount) = facts.mounts.first() {
        let (what, at) = (mount.what.clone(), mount.at.clone());
        return in_use(InUse::Mounted {
            what,
            at,
            pid: mount.pid,
        });
    }
    if let Some((what, uuid)) = facts.btrfs.first() {
        return in_use(InUse::BtrfsMounted {
            what: what.clone(),
            uuid: uuid.clone(),
        });
    }
    if let Some(what) = facts.swaps.first() {
        return in_use(InUse::Swap { what: what.clone() });
    }
    if let Some(holder) = facts.holders.first() {
        let (what, name) = (holder.what.clone(), holder.name.clone());
        return in_use(match holder.kind {
            HolderKind::Md => InUse::MdActive { what, array: name },
            HolderKind::Lvm => InUse::LvmActive { what, volume: name },
            HolderKind::Crypt => InUse::DmCrypt { what, mapping: name },
            HolderKind::DeviceMapper => InUse::DeviceMapper { what, mapping: name },
            HolderKind::Bcache => InUse::BcacheActive { what, cache: name },
            HolderKind::Other => InUse::Holder { what, holder: name },
        });
    }
    if let Some((what, device)) = facts.loops.first() {
        return in_use(InUse::Loop {
            what: what.clone(),
            device: device.clone(),
        });
    }
    // What uses that drive, or this file by the other device, is not seen on this device.
    if let Some(over) = &facts.over {
        return in_use(InUse::Over {
            what: device.name.clone(),
            over: over.clone(),
        });
    }
    if let Some(other) = facts.same_file.first() {
        return in_use(InUse::SameFile {
            what: device.name.clone(),
            other: other.clone(),
        });
    }
    if let Some((what, target)) = facts.exports.first() {
        return in_use(InUse::Exported {
            what: what.clone(),
            target: target.clone(),
        });
    }
    if facts.hangs {
        return Err(Refusal::Stuck(Stuck { process: None }));
    }
    if let Some(opener) = facts.openers.first() {
        if opener.killed {
            let process = Some((opener.pid, opener.program.clone()));
            return Err(Refusal::Stuck(Stuck { process }));
        }
        return in_use(InUse::Open {
            what: opener.what.clone(),
            pid: opener.pid,
            program: opener.program.clone(),
        });
    }
    if facts.locked {
        return in_use(InUse::Locked);
    }
    // A loop device is written for tests, also where somebody else's first process may not be looked into.
    let excused = |unknown: &&Unknown| matches!(unknown, Unknown::Forbidden { .. }) && device.identity.bus == Bus::Loop;
    if let Some(unknown) = facts.unknown.iter().find(|unknown| !excused(unknown)) {
        return Err(Refusal::UseUnknown(unknown.clone()));
    }
    // What such a drive cannot read says nothing of what is on it.
    if let Some(lock) = facts.look.as_ref().and_then(|look| look.lock) {
        return Err(Refusal::Secured(lock));
    }
    let members = facts.look.iter().flat_map(|look| &look.members);
    if let Some(member) = members.into_iter().find(|member| !lose.contains(&member.kind)) {
        let what = match member.partition {
            // Its kernel name is another one after each start, and stands nowhere else beside this.
            0 => "it".into(),
            n => format!("partition {n}"),
        };
        return in_use(InUse::Member {
            what,
            kind: member.kind,
        });
    }
    if device.read_only {
        return in_use(InUse::WriteProtected);
    }
    if device.host_managed {
        return Err(Refusal::HostManaged);
    }
    Ok(())
}

/// Whether a drive that nothing was written to still holds what was `agreed` to be erased.
///
/// A dock answers with its own name for whatever drive is in it, so identity alone does not tell that it was exchanged.
///
/// # Errors
/// [`Refusal::OtherContent`].
pub fn same_content(agreed: &Content, now: &Content) -> Result<(), Refusal> {
    if agreed.is_same(now) {
        return Ok(());
    }
    Err(Refusal::OtherContent {
        agreed: agreed.words(),
        now: now.words(),
    })
}

/// What `now` tells of in words, where something in it was not there when a person agreed to lose `agreed`; `None` where all of it is what
/// is left of that.
pub fn added<'a>(agreed: &Content, now: &'a Content) -> Option<&'a str> {
    let Content::Found { signatures, summary } = now else {
        return None;
    };
    let old: &[Signature] = match agreed {
        Content::Found { signatures, .. } => signatures,
        Content::Unknown | Content::Empty | Content::Unreadable { .. } => &[],
    };
    // Of many that are told as one nobody knows which a job has written over since.
    let is_of_many = |new: &Signature| told::is_more(new) && old.iter().any(told::is_more);
    // A partition whose file system is overwritten and whose table is not is still the old one.
    let known = |new: &Signature| {
        old.iter().any(|old| {
            old.is_same(new) || (old.partition == new.partition && new.partition != 0 && new.kind == "unknown")
        })
    };
    let all_known = signatures.iter().all(|new| known(new) || is_of_many(new));
    (!all_known).then_some(summary)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use wire::drive::{Content, Rotation};
    use wire::{Bytes, DriveId};

    use super::*;
    use crate::content::{Look, Member};
    use crate::guard::facts::{Holder, Mount, Opener};
    use crate::lock::Lock;
    use crate::sysfs::{DevNum, Device};

    fn identity() -> Identity {
        Identity {
            id: DriveId::from_wwn("5000c500a1b2c3d4"),
            model: "ST4000".into(),
            serial: "Z1Z5DWJK".into(),
            wwn: Some("5000c500a1b2c3d4".into()),
            capacity: Bytes(4_000_787_030_016),
            logical_sector: 512,
            bus: Bus::Sata,
        }
    }

    fn free() -> Facts {
        Facts {
            device: Device {
                name: "sdb".into(),
                syspath: "devices/x/block/sdb".into(),
                number: DevNum { major: 8, minor: 16 },
                sequence: 9,
                identity: identity(),
                physical_sector: 4096,
                rotation: Rotation::Spinning { rpm: Some(7200) },
                link_mbps: None,
                shingled: None,
                beside: Bytes(0),
                host_managed: false,
                location: "PCI 00:1f.2, SATA port 2".into(),
                removable: false,
                read_only: false,
                partitions: Vec::new(),
            },
            boot_disk: false,
            same_identity: Vec::new(),
            mounts: Vec::new(),
            swaps: Vec::new(),
            holders: Vec::new(),
            btrfs: Vec::new(),
            loops: Vec::new(),
            over: None,
            same_file: Vec::new(),
            exports: Vec::new(),
            hangs: false,
            openers: Vec::new(),
            locked: false,
            unknown: Vec::new(),
            look: Some(Look {
                content: Content::Empty,
                members: Vec::new(),
                kiln: false,
                unlisted: std::collections::BTreeSet::new(),
                lock: None,
            }),
        }
    }

    fn refusal(change: impl FnOnce(&mut Facts)) -> Refusal {
        let mut facts = free();
        change(&mut facts);
        decide(&facts, &identity(), false, &[]).unwrap_err()
    }

    fn forbidden() -> Vec<Unknown> {
        vec![Unknown::Forbidden {
            pid: 1,
            program: "init".into(),
        }]
    }

    fn holder(kind: HolderKind, name: &str) -> Vec<Holder> {
        vec![Holder {
            what: "sdb1".into(),
            name: name.into(),
            kind,
        }]
    }

    fn member(kind: ContentKind) -> Look {
        Look {
            content: Content::Unknown,
            members: vec![Member { partition: 1, kind }],
            kiln: false,
            unlisted: std::collections::BTreeSet::new(),
            lock: None,
        }
    }

    #[test]
    fn a_free_drive_may_be_written_also_when_unreadable_or_full_of_plain_data() {
        decide(&free(), &identity(), false, &[]).unwrap();
        let mut facts = free();
        facts.look = Some(Look::unreadable("Input/output error"));
        decide(&facts, &identity(), false, &[]).unwrap();
        facts.look = None;
        decide(&facts, &identity(), false, &[]).unwrap();
    }

    #[test]
    fn each_use_is_refused_with_its_word_and_a_sentence_that_names_the_place() {
        let table: Vec<(Refusal, &str, &str)> = vec![
            (refusal(|f| f.boot_disk = true), "boot-disk", "booted from"),
            (
                refusal(|f| f.look.as_mut().unwrap().kiln = true),
                "kiln-stick",
                "Kiln itself",
            ),
            (
                refusal(|f| {
                    f.mounts = vec![Mount {
                        what: "sdb1".into(),
                        at: "/mnt/data".into(),
                        pid: None,
                    }];
                }),
                "mounted",
                "sdb1 is mounted at /mnt/data",
            ),
            (
                refusal(|f| {
                    f.mounts = vec![Mount {
                        what: "sdb".into(),
                        at: "/x".into(),
                        pid: Some(77),
                    }];
                }),
                "mounted",
                "in the mount namespace of process 77",
            ),
            (refusal(|f| f.swaps = vec!["sdb2".into()]), "swap", "sdb2 is swap"),
            (
                refusal(|f| f.holders = holder(HolderKind::Md, "md0")),
                "md-active",
                "running array md0",
            ),
            (
                refusal(|f| f.holders = holder(HolderKind::Lvm, "vg-home")),
                "lvm-active",
                "LVM volume vg-home",
            ),
            (
                refusal(|f| f.holders = holder(HolderKind::Crypt, "secret")),
                "dm-crypt",
                "mapping secret",
            ),
            (
                refusal(|f| f.holders = holder(HolderKind::DeviceMapper, "lin")),
                "device-mapper",
                "mapping lin",
            ),
            (
                refusal(|f| f.holders = holder(HolderKind::Bcache, "bcache0")),
                "bcache-active",
                "bcache0",
            ),
            (
                refusal(|f| f.holders = holder(HolderKind::Other, "drbd1")),
                "holder",
                "drbd1",
            ),
            (
                refusal(|f| f.btrfs = vec![("sdb1".into(), "uuid".into())]),
                "btrfs-mounted",
                "btrfs uuid",
            ),
            (
                refusal(|f| f.loops = vec![("sdb".into(), "loop3".into())]),
                "loop-backing",
                "loop3 is backed by sdb",
            ),
            (
                refusal(|f| f.over = Some("sda1".into())),
                "loop-backing",
                "over sda1; name that",
            ),
            (
                refusal(|f| f.same_file = vec!["loop3".into()]),
                "loop-backing",
                "loop3 is backed by the same file",
            ),
            (
                refusal(|f| {
                    f.openers = vec![Opener {
                        what: "sdb1".into(),
                        pid: 77,
                        program: "qemu-system-x86".into(),
                        killed: false,
                    }];
                }),
                "open-for-writing",
                "process 77 (qemu-system-x86) has sdb1 open for writing",
            ),
            (
                refusal(|f| {
                    f.openers = vec![Opener {
                        what: "sdb".into(),
                        pid: 305,
                        program: "kiln-agent".into(),
                        killed: true,
                    }];
                }),
                "stuck",
                "an earlier process (305, kiln-agent), which was ended, still hangs in the kernel with it: it cannot be used before it \
                 answers, is pulled, or the box is restarted",
            ),
            (
                // What stands on it could be given up; that does not help.
                refusal(|f| (f.hangs, f.look) = (true, Some(member(ContentKind::Zfs)))),
                "stuck",
                "an access that an earlier process began still hangs in the kernel with it",
            ),
            (refusal(|f| f.locked = true), "locked", "another process has locked it"),
            (
                refusal(|f| {
                    f.unknown = vec![Unknown::Process {
                        pid: 77,
                        program: "dd".into(),
                        file: "fdinfo/3".into(),
                        cause: "Input/output error".into(),
                    }];
                }),
                "use-unknown",
                "what process 77 (dd) has open cannot be read (fdinfo/3: Input/output error)",
            ),
            (
                refusal(|f| f.unknown = forbidden()),
                "use-unknown",
                "what process 1 (init) has open may not be read",
            ),
            (
                refusal(|f| f.look = Some(member(ContentKind::Md))),
                "md-member",
                "partition 1 is a RAID member",
            ),
            (
                refusal(|f| {
                    let mut look = member(ContentKind::Md);
                    look.members[0].partition = 0;
                    f.look = Some(look);
                }),
                "md-member",
                "it is a RAID member (md); its other parts would lose it, too",
            ),
            (
                refusal(|f| f.look = Some(member(ContentKind::Lvm))),
                "lvm-member",
                "LVM physical volume",
            ),
            (
                refusal(|f| f.look = Some(member(ContentKind::Zfs))),
                "zfs-member",
                "ZFS label",
            ),
            (
                refusal(|f| f.look = Some(member(ContentKind::Bcache))),
                "bcache-member",
                "bcache",
            ),
            (refusal(|f| f.look = Some(member(ContentKind::Luks))), "luks", "LUKS"),
            (
                refusal(|f| f.look = Some(member(ContentKind::Btrfs))),
                "btrfs-member",
                "btrfs",
            ),
            (
                refusal(|f| f.look = Some(member(ContentKind::Ceph))),
                "ceph-member",
                "Ceph OSD",
            ),
            (
                refusal(|f| f.look = Some(member(ContentKind::Pool))),
                "pool-member",
                "member of a pool",
            ),
            (
                refusal(|f| f.device.read_only = true),
                "write-protected",
                "write-protected",
            ),
            (
                refusal(|f| f.device.host_managed = true),
                "host-managed",
                "zone by zone",
            ),
            (
                refusal(|f| f.device.identity.id = None),
                "no-identity",
                "neither a serial",
            ),
            (
                refusal(|f| f.same_identity = vec!["sdc".into()]),
                "same-identity",
                "same identity as sdc",
            ),
            (refusal(|f| f.device.identity.bus = Bus::Loop), "loop", "--allow-loop"),
            (
                refusal(|f| f.device.identity.serial = "OTHER".into()),
                "other-drive",
                "serial is OTHER, expected Z1Z5DWJK",
            ),
            (
                refusal(|f| f.device.identity.capacity = Bytes(1)),
                "other-drive",
                "capacity is 1 bytes",
            ),
            (
                refusal(|f| f.device.identity.logical_sector = 4096),
                "other-drive",
                "sector size is 4096",
            ),
            (
                refusal(|f| f.device.identity.id = DriveId::from_wwn("5000c500ffffffff")),
                "other-drive",
                "identity is wwn-5000c500ffffffff",
            ),
            (
                // All that it cannot read is no member of something that nobody saw.
                refusal(|f| {
                    let mut look = member(ContentKind::Unseen);
                    look.lock = Some(Lock::Password);
                    f.look = Some(look);
                }),
                "drive-locked",
                "by an ATA password, so that every access fails, which is no fault of the drive",
            ),
        ];
        for (refusal, word, sentence) in table {
            let view = refusal.view();
            assert_eq!(view.kind, word);
            assert!(view.reason.contains(sentence), "{:?} lacks {sentence:?}", view.reason);
        }
    }

    #[test]
    fn a_membership_is_given_up_only_when_the_plan_names_it() {
        let mut facts = free();
        facts.look = Some(Look {
            content: Content::Unknown,
            members: vec![
                Member {
                    partition: 1,
                    kind: ContentKind::Md,
                },
                Member {
                    partition: 2,
                    kind: ContentKind::Lvm,
                },
            ],
            kiln: false,
            unlisted: std::collections::BTreeSet::new(),
            lock: None,
        });
        let ask = |lose: &[ContentKind]| decide(&facts, &identity(), false, lose).map_err(|r| r.kind());
        assert_eq!(ask(&[]), Err("md-member"));
        assert_eq!(ask(&[ContentKind::Md]), Err("lvm-member"));
        assert_eq!(ask(&[ContentKind::Lvm]), Err("md-member"));
        assert_eq!(ask(&[ContentKind::Lvm, ContentKind::Md]), Ok(()));
        // A running array is never given up.
        let mut running = facts.clone();
        running.holders = holder(HolderKind::Md, "md0");
        let all = [ContentKind::Lvm, ContentKind::Md];
        assert_eq!(
            decide(&running, &identity(), false, &all).unwrap_err().kind(),
            "md-active"
        );
    }

    #[test]
    fn a_loop_device_is_admitted_only_on_request() {
        let mut facts = free();
        facts.device.identity.bus = Bus::Loop;
        decide(&facts, &identity(), true, &[]).unwrap();
        // As root in a container, whose first process is another's.
        facts.unknown = forbidden();
        decide(&facts, &identity(), true, &[]).unwrap();
        for (pid, program, do_what) in [(7, "dd", "end it, or try again"), (1, "kiln-init", "try again")] {
            facts.unknown = forbidden();
            facts.unknown.push(Unknown::Late {
                pid,
                program: program.into(),
                waited: Duration::from_secs(5),
            });
            let refusal = decide(&facts, &identity(), true, &[]).unwrap_err();
            let due = format!(
                "whether something uses it could not be found out: process {pid} ({program}) did not tell within 5000 ms \
                 what it has open; {do_what} when it goes on"
            );
            assert_eq!(refusal.view().reason, due);
        }
    }
}
