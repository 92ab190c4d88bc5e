//! What initiator and target agree on when a session begins (RFC 7143, 6 and 13): texts `key=value`, each with a zero behind it.

use super::NAME;

/// What a session keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    /// Most bytes of data in one PDU to the initiator.
    pub segment: usize,
    /// Most bytes that one request for data asks for.
    pub burst: u32,
}

impl Default for Agreed {
    /// What holds where nothing is said (RFC 7143, 13.12 and 13.13).
    fn default() -> Self {
        Self {
            segment: 8192,
            burst: BURST,
        }
    }
}

/// Most bytes of data in one PDU to this target, and of one burst: what initiators offer as a rule.
const BURST: u32 = 262_144;

/// Why a login fails: status class and detail (RFC 7143, 11.13.5).
pub(super) type Refused = (u8, u8);
/// The target does not exist here.
pub(super) const NOT_FOUND: Refused = (2, 3);
/// The request is none that this target knows.
pub(super) const INITIATOR_ERROR: Refused = (2, 0);

/// Answers the keys of one login request, and takes note of what they agree on.
pub(super) fn answer(agreed: &mut Agreed, request: &[u8], first: bool) -> Result<Vec<u8>, Refused> {
    let text = std::str::from_utf8(request).map_err(|_| INITIATOR_ERROR)?;
    let mut answers = Vec::new();
    if first {
        answers.push("TargetPortalGroupTag=1".to_owned());
    }
    for pair in text.split('\0').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or(INITIATOR_ERROR)?;
        let number = || value.parse::<u32>().map_err(|_| INITIATOR_ERROR);
        let own = match key {
            "TargetName" if value != NAME => return Err(NOT_FOUND),
            // Declared, and not answered.
            "TargetName" | "InitiatorName" | "InitiatorAlias" | "SessionType" => continue,
            "AuthMethod" | "HeaderDigest" | "DataDigest" => "None".to_owned(),
            // Beyond what comes with a command, data are asked for.
            "InitialR2T" | "DataPDUInOrder" | "DataSequenceInOrder" => "Yes".to_owned(),
            "ImmediateData" => value.to_owned(),
            "MaxRecvDataSegmentLength" => {
                agreed.segment = number()?.max(512) as usize;
                BURST.to_string()
            }
            "MaxBurstLength" => {
                agreed.burst = number()?.clamp(512, BURST);
                agreed.burst.to_string()
            }
            "FirstBurstLength" => number()?.clamp(512, BURST).to_string(),
            "MaxConnections" | "MaxOutstandingR2T" | "iSCSIProtocolLevel" => "1".to_owned(),
            "DefaultTime2Wait" => value.to_owned(),
            "DefaultTime2Retain" | "ErrorRecoveryLevel" => "0".to_owned(),
            "IFMarker" | "OFMarker" | "RDMAExtensions" => "No".to_owned(),
            _ => "NotUnderstood".to_owned(),
        };
        answers.push(format!("{key}={own}"));
    }
    Ok(answers
        .into_iter()
        .flat_map(|pair| [pair.into_bytes(), vec![0]].concat())
        .collect())
}
