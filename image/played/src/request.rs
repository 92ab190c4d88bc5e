//! Requests and responses of virtio-scsi (virtio 1.3, 5.6.6), as bytes.

use crate::unit::Reply;

/// Bytes before the data-out: LUN, id, task attributes, CDB.
pub(crate) const REQUEST: usize = 51;
/// Bytes before the data-in: lengths, status, sense.
pub(crate) const RESPONSE: usize = 108;
/// Most sense bytes in a response.
const SENSE: usize = 96;

/// `VIRTIO_SCSI_S_BAD_TARGET`.
const BAD_TARGET: u8 = 3;
/// `VIRTIO_SCSI_S_OK`, as an answer to a task management function: it is done.
const DONE: u8 = 0;
/// `VIRTIO_SCSI_T_TMF`.
const TASK_MANAGEMENT: u32 = 0;

/// A command and whom it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Target; `None` for a LUN other than 0.
    pub target: Option<u8>,
    /// Command descriptor block, padded with zeros.
    pub cdb: [u8; 32],
}

impl Request {
    pub(crate) fn parse(header: &[u8; REQUEST]) -> Self {
        let mut cdb = [0; 32];
        cdb.copy_from_slice(&header[19..]);
        // Single level LUN structure: 1, target, and the LUN in the two bytes behind, flat (40h) or peripheral (00h).
        let target = match *header {
            [1, target, 0x00 | 0x40, 0, ..] => Some(target),
            _ => None,
        };
        Self { target, cdb }
    }
}

/// What goes into the guest's buffers: the response, and behind it the data-in cut to `room` bytes. `None`: no such target.
pub(crate) fn response(reply: Option<Reply>, room: usize) -> Vec<u8> {
    let mut bytes = vec![0; RESPONSE];
    let Some(reply) = reply else {
        bytes[11] = BAD_TARGET;
        return bytes;
    };
    let sense = reply.sense.len().min(SENSE);
    let data = reply.data.len().min(room);
    bytes[0..4].copy_from_slice(&(sense as u32).to_le_bytes());
    bytes[4..8].copy_from_slice(&((room - data) as u32).to_le_bytes());
    bytes[10] = reply.status;
    bytes[12..12 + sense].copy_from_slice(&reply.sense[..sense]);
    bytes.extend(&reply.data[..data]);
    bytes
}

/// The answer to what came in the control queue: a task management function is done at once, of asynchronous notifications
/// none is sent.
pub(crate) fn control(kind: u32) -> Vec<u8> {
    match kind {
        TASK_MANAGEMENT => vec![DONE],
        _ => vec![0, 0, 0, 0, DONE],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sense;

    fn header(lun: [u8; 4], cdb: &[u8]) -> [u8; REQUEST] {
        let mut header = [0; REQUEST];
        header[..4].copy_from_slice(&lun);
        header[19..19 + cdb.len()].copy_from_slice(cdb);
        header
    }

    #[test]
    fn a_command_is_for_lun_0_of_a_target() {
        for (lun, target) in [
            ([1, 5, 0x40, 0], Some(5)),
            ([1, 5, 0, 0], Some(5)),
            ([1, 5, 0x40, 1], None),
            ([0xC1, 1, 0, 0], None),
        ] {
            let request = Request::parse(&header(lun, &[0x12, 0, 0, 0, 36]));
            assert_eq!(request.target, target, "{lun:?}");
            assert_eq!(request.cdb[..5], [0x12, 0, 0, 0, 36]);
        }
    }

    #[test]
    fn a_response_tells_status_sense_and_what_was_left_of_the_room() {
        let told = response(Some(Reply::of(vec![7; 10], 10)), 36);
        assert_eq!(told.len(), RESPONSE + 10);
        assert_eq!(
            (&told[0..4], &told[4..8], told[10], told[11]),
            (&[0; 4][..], &[26, 0, 0, 0][..], 0, 0)
        );
        let told = response(Some(Reply::check(sense::invalid_field())), 36);
        assert_eq!((told.len(), told[0], told[4], told[10]), (RESPONSE, 18, 36, 2));
        assert_eq!(told[12..30], sense::invalid_field());
        assert_eq!(response(None, 36)[11], BAD_TARGET);
    }
}
