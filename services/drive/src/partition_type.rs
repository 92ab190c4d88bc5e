//! What a partition's type alone says of it: members whose signature libblkid does not know.
//!
//! Whatever stands in the partition: what a look tells of a drive must not change by what a burn-in writes there, or it could not go on.
//! So the types of Linux RAID, LVM, VMFS and Solaris, whose members have signatures, are none here. Tested in `tests/blkid_images.rs`.

use crate::member::ContentKind;

use ContentKind::{Ceph, Cluster, CoreStorage, Pool, Zfs};

/// The types, as in [`crate::blkid::Partition`]: a GPT's GUID, an MBR's byte, an Apple Partition Map's name.
///
/// Source: `sfdisk --label gpt -T` and `--label dos -T` of util-linux 2.38; where another one is named, that.
const TYPES: &[(&str, ContentKind)] = &[
    // Microsoft: Storage Spaces, LDM metadata and data (dynamic disks), and `PARTITION_LDM` of an MBR. Source: Microsoft's winioctl.h.
    ("e75caf8f-f680-4cee-afa3-b001e56efc2d", Pool),
    ("5808c8aa-7e8f-42e0-85d2-e1e90434cfb3", Pool),
    ("af9b60a0-1431-4f62-bc68-3311714a69ad", Pool),
    ("0x42", Pool),
    // Log of a volume that Storage Replica copies. Source: Microsoft, "Known issues with Storage Replica".
    ("558d43c5-a1ac-43c0-aac8-d1472b2923d1", Pool),
    // VMware: vSAN, and Virsto, which vSAN keeps its components in.
    ("381cfccc-7288-11e0-92ee-000c2911d0b2", Pool),
    ("77719a0c-a4a0-11e3-a47e-000c29745a24", Pool),
    // Apple: RAID, RAID offline, CoreStorage.
    ("52414944-0000-11aa-aa11-00306543ecac", Pool),
    ("52414944-5f4f-11aa-aa11-00306543ecac", Pool),
    ("53746f72-6167-11aa-aa11-00306543ecac", CoreStorage),
    // SoftRAID, since macOS 11 Apple's own: status, scratch, volume, cache. Source: gdisk's parttypes.cc.
    ("b6fa30da-92d2-4a9a-96f1-871ec6486200", Pool),
    ("2e313465-19b9-463f-8126-8a7993773801", Pool),
    ("fa709c7e-65b1-4593-bfd5-e71d61de9b02", Pool),
    ("bbba6df5-f46f-4a89-8f59-8765b2727503", Pool),
    // The same of an Apple Partition Map, whose types are names.
    ("Apple_RAID", Pool),
    ("Apple_RAID_Offline", Pool),
    ("Apple_RAID_OfflineV2", Pool),
    ("Apple_CoreStorage", CoreStorage),
    // IBM's GPFS.
    ("37affc90-ef7d-4e96-91c3-2d7ae055b174", Cluster),
    // BSD: ZFS (encrypted by GELI it shows no label), Vinum, RAIDframe, concatenated.
    ("516e7cba-6ecf-11d6-8ff8-00022d09712b", Zfs),
    ("85d5e45d-237c-11e1-b4b3-e89a8f7fc3a7", Zfs),
    ("516e7cb8-6ecf-11d6-8ff8-00022d09712b", Pool),
    ("85d5e45c-237c-11e1-b4b3-e89a8f7fc3a7", Pool),
    ("49f48daa-b10e-11dc-b99b-0019d1879648", Pool),
    ("2db519c4-b10f-11dc-b99b-0019d1879648", Pool),
    // Ceph: OSD, journal, disk in creation, block device, its database and its log, lockbox; and each of these over a multipath device,
    // by dm-crypt, and by LUKS. Source for those that sfdisk does not name: gdisk's parttypes.cc, ceph-disk.
    ("4fbd7e29-9d25-41b8-afd0-062c0ceff05d", Ceph),
    ("45b0969e-9b03-4f30-b4c6-b4b80ceff106", Ceph),
    ("89c57f98-2fe5-4dc0-89c1-f3ad0ceff2be", Ceph),
    ("cafecafe-9b03-4f30-b4c6-b4b80ceff106", Ceph),
    ("30cd0809-c2b2-499c-8879-2d6b78529876", Ceph),
    ("5ce17fce-4087-4169-b7ff-056cc58473f9", Ceph),
    ("fb3aabf9-d25f-47cc-bf5e-721d1816496b", Ceph),
    ("4fbd7e29-8ae0-4982-bf9d-5a8d867af560", Ceph),
    ("45b0969e-8ae0-4982-bf9d-5a8d867af560", Ceph),
    ("cafecafe-8ae0-4982-bf9d-5a8d867af560", Ceph),
    ("7f4a666a-16f3-47a2-8445-152ef4d03f6c", Ceph),
    ("ec6d6385-e346-45dc-be91-da2a7c8b3261", Ceph),
    ("01b41e1b-002a-453c-9f17-88793989ff8f", Ceph),
    ("4fbd7e29-9d25-41b8-afd0-5ec00ceff05d", Ceph),
    ("45b0969e-9b03-4f30-b4c6-5ec00ceff106", Ceph),
    ("89c57f98-2fe5-4dc0-89c1-5ec00ceff2be", Ceph),
    ("cafecafe-9b03-4f30-b4c6-5ec00ceff106", Ceph),
    ("93b0052d-02d9-4d8a-a43b-33a3ee4dfbc3", Ceph),
    ("306e8683-4fe2-4330-b7c0-00a917c16966", Ceph),
    ("4fbd7e29-9d25-41b8-afd0-35865ceff05d", Ceph),
    ("45b0969e-9b03-4f30-b4c6-35865ceff106", Ceph),
    ("cafecafe-9b03-4f30-b4c6-35865ceff106", Ceph),
    ("166418da-c469-4022-adf4-b30afd37f176", Ceph),
    ("86a32090-3647-40b9-bbbd-38d8c573aa86", Ceph),
];

/// What a partition of this type belongs to.
pub(crate) fn member(kind: &str) -> Option<ContentKind> {
    TYPES.iter().find(|(of, _)| *of == kind).map(|(_, member)| *member)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_type_is_written_as_libblkid_tells_it_and_once() {
        let all: BTreeSet<_> = TYPES.iter().map(|(kind, _)| kind).collect();
        assert_eq!(all.len(), TYPES.len());
        for kind in all {
            let groups: Vec<_> = kind.split('-').map(str::len).collect();
            let is_plain = kind
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-' | b'x'));
            let is_name = kind.starts_with("Apple_");
            assert!(
                is_name || is_plain && (groups == [8, 4, 4, 4, 12] || groups == [4]),
                "{kind}"
            );
        }
    }
}
