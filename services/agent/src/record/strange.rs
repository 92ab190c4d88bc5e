//! Whether a drive still holds what it held when it was armed, or what the job left of that. Pure.

use drive::guard::{Refusal, added, same_content};
use drive::medium::Medium;
use wire::drive::Content;

use super::Record;

/// What a job may have left on the drive that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Nothing yet; the drive was never let go of since it was armed.
    Armed,
    /// Nothing yet; the drive was let go of since, so that another may be in its place.
    LetGo,
    /// Its own data, over some or all of what was there. That it is this drive is proved by that: header or pattern.
    Written,
}

/// Why a job does not go on with the drive that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strange {
    /// The reason, without a stop: what is told of a job that is over.
    pub why: String,
    /// What a person is to do while the job waits, if anything would help: a sentence without its stop.
    advice: Option<&'static str>,
}

impl Strange {
    /// One that a new burn-in of what is there, or the drive that was armed, would settle.
    pub fn unarmed(why: String) -> Self {
        Self {
            why,
            advice: Some("Abort this job and arm it again, or plug in the drive that was armed"),
        }
    }
}

impl From<String> for Strange {
    /// One that a person need do nothing about, or of which the reason says it.
    fn from(why: String) -> Self {
        Self { why, advice: None }
    }
}

impl std::fmt::Display for Strange {
    /// What is told of a job that waits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)?;
        self.advice.map_or(Ok(()), |advice| write!(f, ". {advice}"))
    }
}

impl Record {
    /// Why the job must not go on with a drive that holds `now`: somebody put something on it since it was armed, or
    /// another drive answers by its name (two behind one USB bridge). Before the first write it must hold what was armed,
    /// and nothing else; later, what the job itself left of that is fine.
    pub fn strange(&self, now: &Content, trace: Trace) -> Option<Strange> {
        match (trace, now) {
            (Trace::Armed, _) => same_content(&self.content, now)
                .err()
                .map(|refusal| self.other(&refusal)),
            // A bad start looks alike on every drive.
            (Trace::LetGo, Content::Empty | Content::Found { .. }) if now.is_same(&self.content) => None,
            (Trace::LetGo, _) => Some(self.other(&Refusal::OtherContent {
                agreed: self.content.words(),
                now: now.words(),
            })),
            (Trace::Written, now) => self.added(now),
        }
    }

    /// Why a drive that holds nothing which only the job's could hold is not taken for the one that was armed, whatever it is called and holds: docks,
    /// bridges and card readers tell one name for each drive that is put into them, and since it was armed, or was proved to be the job's
    /// the last time, in this boot the kernel has counted another medium. After a boot nothing but its content tells.
    pub fn recounted(&self, now: &Medium) -> Option<Strange> {
        let then = self.medium.as_ref()?;
        then.is_another(now, self.identity.bus).then(|| Strange {
            why: format!(
                "{} {} was unplugged, exchanged or reset since, and holds nothing that proves that it is the drive that was armed; \
                 nothing is written",
                self.job.model, self.job.serial
            ),
            advice: Some("Abort this job and arm it again"),
        })
    }

    /// Why nothing is written to a drive that holds the signatures which were armed, and elsewhere what it did not hold when it was planned.
    pub fn written_since(&self) -> Strange {
        let (model, serial) = (&self.job.model, &self.job.serial);
        Strange::unarmed(format!(
            "something wrote to {model} {serial} since it was armed; nothing is written"
        ))
    }

    fn other(&self, refusal: &Refusal) -> Strange {
        let (model, serial) = (&self.job.model, &self.job.serial);
        Strange::unarmed(format!("{model} {serial}: {refusal}; nothing is written"))
    }

    /// What stands on a drive beside what is left of the old content.
    fn added(&self, now: &Content) -> Option<Strange> {
        added(&self.content, now).map(|summary| Strange {
            why: format!(
                "{} {} holds \"{summary}\" now, which was not on it when it was armed; nothing of it is erased",
                self.job.model, self.job.serial
            ),
            advice: Some("Abort this job, or plug in the drive that it began with"),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::drive::{Bus, Signature};

    use super::*;
    use crate::record::tests::record;

    /// The verdict of a job that was over ended with it.
    #[test]
    fn what_is_told_of_a_job_that_is_over_advises_nothing() {
        let strange = record().other(&Refusal::OtherContent {
            agreed: "empty".into(),
            now: "ext4".into(),
        });
        assert!(strange.to_string().contains(". Abort this job"), "{strange}");
        assert!(strange.why.ends_with("nothing is written"), "{strange:?}");
        assert_eq!(
            Strange::from("the drive is gone".to_owned()).to_string(),
            "the drive is gone"
        );
    }

    fn signature(partition: u32, kind: &str, uuid: Option<&str>) -> Signature {
        Signature {
            partition,
            kind: kind.into(),
            label: None,
            uuid: uuid.map(Into::into),
            name: None,
            used: None,
            mounted: None,
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
                assert_eq!(
                    record.strange(&nothing, Trace::Written),
                    None,
                    "{armed:?} then {nothing:?}"
                );
            }
            for new in [
                found(&[signature(0, "ext4", Some("c"))]),
                found(&[signature(0, "gpt", Some("x")), system.clone()]),
                found(&[table.clone(), signature(1, "ext4", Some("x"))]),
                found(&[table.clone(), system.clone(), signature(2, "unknown", None)]),
            ] {
                assert!(
                    record
                        .strange(&new, Trace::Written)
                        .unwrap()
                        .why
                        .contains("\"something\""),
                    "{armed:?} then {new:?}"
                );
            }
        }
        for left in [
            old,
            found(std::slice::from_ref(&table)),
            found(&[table, signature(1, "unknown", None)]),
            // Its own first writes took what it counts by.
            found(&[Signature {
                used: Some(wire::Bytes(4096)),
                ..system.clone()
            }]),
            found(&[system]),
        ] {
            assert_eq!(
                record.strange(&left, Trace::Written),
                None,
                "{left:?} is what is left of it"
            );
        }
    }

    #[test]
    fn another_medium_in_the_same_dock_is_not_the_one_that_was_armed() {
        let medium = |boot_id: &str, sequence| Medium {
            boot_id: boot_id.into(),
            sequence,
        };
        let mut record = record();
        record.identity.bus = Bus::Usb;
        assert_eq!(record.recounted(&medium("now", 7)), None, "of an older agent");
        record.medium = Some(medium("now", 7));
        assert_eq!(record.recounted(&medium("now", 7)), None);
        assert_eq!(record.recounted(&medium("later", 8)), None, "a boot counts anew");
        let why = record.recounted(&medium("now", 8)).unwrap().to_string();
        assert!(
            why.contains(&record.job.serial) && why.contains("arm it again"),
            "{why}"
        );
        record.identity.bus = Bus::Sata;
        assert_eq!(record.recounted(&medium("now", 8)), None, "it tells its own name");
    }

    #[test]
    fn before_the_first_write_only_what_was_armed_is_written() {
        let bad = Content::Unreadable {
            why: "Input/output error".into(),
        };
        let plain = signature(0, "ext4", Some("b"));
        let counted = Signature {
            used: Some(wire::Bytes(4096)),
            ..plain.clone()
        };
        let system = found(&[plain]);
        let all = [Content::Empty, Content::Unknown, bad.clone(), system];
        let mut record = record();
        for armed in &all {
            record.content = armed.clone();
            for now in &all {
                assert_eq!(
                    record.strange(now, Trace::Armed).is_none(),
                    armed == now,
                    "{armed:?} then {now:?}"
                );
                let readable = matches!(now, Content::Empty | Content::Found { .. });
                let why = record.strange(now, Trace::LetGo).map(|strange| strange.to_string());
                assert_eq!(why.is_none(), readable && armed == now, "{armed:?} then {now:?}");
                assert!(why.is_none_or(|why| why.contains("arm it again") && why.contains(&now.words())));
            }
        }
        // An earlier version counted nothing, and what a busy drive left no time for is not counted either.
        record.content = all[3].clone();
        for trace in [Trace::Armed, Trace::LetGo] {
            assert_eq!(record.strange(&found(std::slice::from_ref(&counted)), trace), None);
        }
    }
}
