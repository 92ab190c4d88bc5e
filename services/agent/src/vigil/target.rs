//! Which drive a text means: by identity, serial, WWN, model, or a path that leads to its node. Exactly one, or a refusal. Pure but
//! for following the path's links, which the caller does.

use wire::drive::Drive;
use wire::{DriveId, Problem};

/// The one present drive that `text` names. `kernel_name` is where the text leads if it is a path: the last part of the
/// node's real path.
///
/// # Errors
/// None, or more than one; a drive without identity.
pub fn one(text: &str, kernel_name: Option<&str>, drives: &[Drive]) -> Result<DriveId, Problem> {
    let text = text.trim();
    let means = |drive: &&Drive| {
        drive.present
            && match kernel_name {
                Some(name) => drive.kernel_name == name,
                None => {
                    drive.id.as_ref().is_some_and(|id| id.as_str() == text)
                        || (!drive.serial.is_empty() && drive.serial.trim().eq_ignore_ascii_case(text))
                        || (!text.is_empty() && drive.model.trim().eq_ignore_ascii_case(text))
                        || drive.wwn.as_deref().is_some_and(|wwn| wwn.eq_ignore_ascii_case(text))
                }
            }
    };
    let found: Vec<&Drive> = drives.iter().filter(means).collect();
    match &found[..] {
        [drive] => drive.id.clone().ok_or_else(|| {
            let problem = Problem::new(
                "drive-refused",
                409,
                "This drive tells no identity that could be trusted",
            );
            problem.with(format!("{text:?} is not offered for a burn-in."))
        }),
        [] => {
            let problem = Problem::new("drive-unknown", 404, "No such drive is plugged in");
            Err(problem.with(format!(
                "{text:?} names no present drive by serial, model, WWN, identity or path."
            )))
        }
        many => {
            let problem = Problem::new("drive-ambiguous", 409, "More than one drive is meant");
            let names: Vec<String> = many
                .iter()
                .map(|d| format!("{} {} ({})", d.model, d.serial, d.kernel_name))
                .collect();
            Err(problem.with(format!(
                "{text:?} names {}. Name one by its identity.",
                names.join(", ")
            )))
        }
    }
}

/// The node that a path leads to, links followed; `None` for what is no path below `/dev`.
pub fn node(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.starts_with("/dev/") {
        return None;
    }
    let path = std::fs::canonicalize(text).unwrap_or_else(|_| text.into());
    Some(path.file_name()?.to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vigil::shapes::tests::drives;

    #[test]
    fn fault_13_one_drive_is_meant_or_none_is_taken() {
        let mut list = drives(12);
        assert_eq!(one(" vk-3 ", None, &list).unwrap(), list[3].id.clone().unwrap());
        assert_eq!(
            one("x", Some("sd1"), &list).unwrap(),
            list[1].id.clone().unwrap(),
            "sd1 is not sd11"
        );
        assert_eq!(
            one(list[2].id.clone().unwrap().as_str(), None, &list).unwrap(),
            list[2].id.clone().unwrap()
        );
        assert_eq!(one("VK", None, &list).unwrap_err().kind, "drive-unknown");
        assert_eq!(one("", None, &list).unwrap_err().kind, "drive-unknown");
        // By model where there is one of it.
        assert_eq!(one("WD", None, &list).unwrap_err().kind, "drive-ambiguous");
        list[5].model = "ST4000".into();
        assert_eq!(one("st4000 ", None, &list).unwrap(), list[5].id.clone().unwrap());
        list[4].serial = "VK-3".into();
        assert_eq!(one("VK-3", None, &list).unwrap_err().kind, "drive-ambiguous");
        list[4].present = false;
        assert!(one("VK-3", None, &list).is_ok());
        list[3].id = None;
        assert_eq!(one("VK-3", None, &list).unwrap_err().kind, "drive-refused");
    }

    #[test]
    fn only_what_lies_below_dev_is_a_path() {
        assert_eq!(node("/dev/null").as_deref(), Some("null"));
        assert_eq!(node("/dev/disk/by-id/gone").as_deref(), Some("gone"));
        for text in ["VK3", "/etc/passwd", "dev/sda"] {
            assert_eq!(node(text), None);
        }
    }
}
