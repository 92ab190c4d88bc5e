//! Whether a drive still holds what it held when it was armed, or what the job left of that. Pure.

use wire::drive::{Content, Signature};

use super::Record;

impl Record {
    /// Why the job must not go on with a drive that holds `now`: somebody put something on it since it was armed, or
    /// another drive answers by its name (two behind one USB bridge). What the job itself left of the old content is fine.
    pub fn strange(&self, now: &Content) -> Option<String> {
        let Content::Found { signatures, summary } = now else {
            return None;
        };
        let old: &[Signature] = match &self.content {
            Content::Found { signatures, .. } => signatures,
            Content::Unknown | Content::Empty | Content::Unreadable { .. } => &[],
        };
        // A partition whose file system is overwritten and whose table is not is still the old one.
        let known = |new: &Signature| {
            old.iter().any(|old| {
                old == new || (old.partition == new.partition && new.partition != 0 && new.kind == "unknown")
            })
        };
        (!signatures.iter().all(known)).then(|| {
            format!(
                "{} {} holds \"{summary}\" now, which was not on it when it was armed; nothing of it is erased. Abort this job, or \
                 plug in the drive that it began with",
                self.job.model, self.job.serial
            )
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::record::tests::record;

    fn signature(partition: u32, kind: &str, uuid: Option<&str>) -> Signature {
        Signature {
            partition,
            kind: kind.into(),
            label: None,
            uuid: uuid.map(Into::into),
            name: None,
        }
    }

    fn found(signatures: &[Signature]) -> Content {
        Content::Found {
            signatures: signatures.to_vec(),
            summary: "something".into(),
        }
    }

    #[test]
    fn a_drive_that_holds_what_it_did_not_hold_when_armed_is_not_gone_on_with() {
        let (table, system) = (signature(0, "gpt", Some("a")), signature(1, "ext4", Some("b")));
        let old = found(&[table.clone(), system.clone()]);
        let mut record = record();
        for armed in [
            Content::Empty,
            Content::Unknown,
            Content::Unreadable { why: "slow".into() },
            old.clone(),
        ] {
            record.content = armed.clone();
            for nothing in [
                Content::Empty,
                Content::Unknown,
                Content::Unreadable { why: "slow".into() },
            ] {
                assert_eq!(record.strange(&nothing), None, "{armed:?} then {nothing:?}");
            }
            for new in [
                found(&[signature(0, "ext4", Some("c"))]),
                found(&[signature(0, "gpt", Some("x")), system.clone()]),
                found(&[table.clone(), signature(1, "ext4", Some("x"))]),
                found(&[table.clone(), system.clone(), signature(2, "unknown", None)]),
            ] {
                assert!(
                    record.strange(&new).unwrap().contains("\"something\""),
                    "{armed:?} then {new:?}"
                );
            }
        }
        for left in [
            old,
            found(std::slice::from_ref(&table)),
            found(&[table, signature(1, "unknown", None)]),
            found(&[system]),
        ] {
            assert_eq!(record.strange(&left), None, "{left:?} is what is left of it");
        }
    }
}
