//! The drives, for the table and the choice of a server that has no way to this agent's HTTP paths. Pure.

use serde_json::json;
use wire::Frame;
use wire::drive::Drive;
use wire::frame::FRAME_MAX_SENT;

use super::Who;
use super::manifest::INVENTORY;
use super::shapes;

/// All drives that are there, with the fields of `/api/agents`; of very many only as many as one frame holds, since the rows of
/// a table are told whole.
pub fn frame(drives: &[Drive], who: &Who) -> Frame {
    let mut rows = shapes::drives(drives, who);
    loop {
        let told = Frame::Other {
            kind: "attributes".to_owned(),
            payload: json!({ "component_id": INVENTORY, "rows": rows }),
        };
        if rows.is_empty() || told.encode().len() <= FRAME_MAX_SENT {
            return told;
        }
        rows.truncate(rows.len() * 9 / 10);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn rows(drives: &[Drive]) -> (Frame, Vec<Value>) {
        let who = Who {
            host: "box".into(),
            gate: false,
        };
        let told = frame(drives, &who);
        let Frame::Other { kind, payload } = &told else {
            panic!("{told:?}")
        };
        assert_eq!(
            (kind.as_str(), &payload["component_id"]),
            ("attributes", &json!(INVENTORY))
        );
        let rows = payload["rows"].as_array().cloned().unwrap_or_default();
        (told, rows)
    }

    #[test]
    fn drives_that_are_there_are_told_and_never_more_than_a_frame_takes() {
        let mut drives = shapes::tests::drives(3);
        drives[1].present = false;
        let (_, told) = rows(&drives);
        let paths: Vec<&Value> = told.iter().map(|row| &row["path"]).collect();
        assert_eq!(paths.len(), 2, "{paths:?}");
        assert!(
            told.iter()
                .all(|row| row["capacity_bytes"].is_u64() && row["path"].is_string())
        );
        assert!(rows(&[]).1.is_empty());
        let (frame, told) = rows(&shapes::tests::drives(1_000));
        assert!(
            told.len() > 100 && frame.encode().len() <= FRAME_MAX_SENT,
            "{}",
            told.len()
        );
    }
}
