#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::pdu::{NO_TAG, Pdu};
use super::session::Session;
use super::*;
use crate::sas::SasDisk;

const NOW: Duration = Duration::ZERO;

fn units() -> Vec<(u8, Shared)> {
    vec![(3, Arc::new(Mutex::new(SasDisk::new(8192, "S", 0x5000_C500_0000_0100))))]
}

/// A login request whose keys are these, which goes on to the full feature phase.
fn request(keys: &[&str]) -> Pdu {
    let text = keys.iter().flat_map(|key| [key.as_bytes(), &[0]].concat()).collect();
    Pdu::new(0x43, 0x87, 7).with(24, 40).carrying(text)
}

fn logged_in() -> Session {
    let mut session = Session::default();
    let target = format!("TargetName={NAME}");
    let keys = [&target, "MaxRecvDataSegmentLength=1024", "MaxBurstLength=2048"];
    session.take(NOW, &[], &request(&keys));
    session
}

/// A command of six or more bytes to unit 3 that moves `length` bytes.
fn command(flags: u8, cdb: &[u8], length: usize) -> Pdu {
    let mut pdu = Pdu::new(0x01, 0x80 | flags, 9).with(20, length as u32).with(24, 41);
    pdu.header[9] = 3;
    pdu.header[32..32 + cdb.len()].copy_from_slice(cdb);
    pdu
}

fn kinds(pdus: &[Pdu]) -> Vec<u8> {
    pdus.iter().map(Pdu::opcode).collect()
}

#[test]
fn a_pdu_is_read_as_it_was_written() {
    let mut pdu = Pdu::new(0x01, 0x80, 5).carrying(vec![1, 2, 3, 4, 5]);
    pdu.additional = vec![0, 5, 1, 0, 9, 9, 9, 9];
    let bytes = pdu.bytes();
    assert_eq!((bytes.len(), bytes[4], &bytes[5..8]), (64, 2, &[0, 0, 5][..]));
    let read = Pdu::read(&mut &bytes[..]).unwrap().unwrap();
    assert_eq!((read.additional, read.data), (pdu.additional, pdu.data));
    assert_eq!(Pdu::read(&mut &[][..]).unwrap(), None);
}

#[test]
fn a_login_agrees_on_what_the_target_can() {
    let mut session = Session::default();
    let target = format!("TargetName={NAME}");
    let keys = [
        "InitiatorName=iqn.x",
        &target,
        "HeaderDigest=CRC32C,None",
        "InitialR2T=No",
        "ImmediateData=Yes",
        "MaxBurstLength=1048576",
        "X-vendor=1",
    ];
    let answer = session.take(NOW, &[], &request(&keys)).remove(0);
    let text = String::from_utf8(answer.data.clone()).unwrap();
    assert_eq!(
        text.split('\0').collect::<Vec<_>>(),
        [
            "TargetPortalGroupTag=1",
            "HeaderDigest=None",
            "InitialR2T=Yes",
            "ImmediateData=Yes",
            "MaxBurstLength=262144",
            "X-vendor=NotUnderstood",
            ""
        ]
    );
    assert_eq!((answer.opcode(), answer.header[1], answer.header[36]), (0x23, 0x87, 0));
    assert_eq!((answer.at(16), answer.at(28)), (7, 40));
    assert!(!session.is_over());
}

#[test]
fn a_login_to_another_target_and_one_that_is_none_are_refused() {
    for (pdu, status) in [
        (request(&["TargetName=iqn.other"]), [2, 3]),
        (Pdu::new(0x01, 0x80, 7), [2, 0]),
    ] {
        let mut session = Session::default();
        let answer = session.take(NOW, &[], &pdu).remove(0);
        assert_eq!(answer.header[36..38], status);
        assert!(session.is_over());
    }
}

#[test]
fn data_in_come_in_segments_and_what_is_missing_is_told() {
    let (units, mut session) = (units(), logged_in());
    // READ (10) of five sectors, of which the initiator has room for more.
    let answers = session.take(NOW, &units, &command(0x40, &[0x28, 0, 0, 0, 0, 0, 0, 0, 5], 3000));
    assert_eq!(kinds(&answers), [0x25, 0x25, 0x25, 0x21]);
    let shape: Vec<_> = answers[..3]
        .iter()
        .map(|d| (d.at(36), d.at(40), d.data.len(), d.has(0x80)))
        .collect();
    assert_eq!(
        shape,
        [(0, 0, 1024, false), (1, 1024, 1024, false), (2, 2048, 512, true)]
    );
    let response = &answers[3];
    assert_eq!((response.header[1], response.at(36), response.at(44)), (0x82, 3, 440));
    assert_eq!((response.at(28), response.at(32)), (42, 106));
    // INQUIRY with room for less than there is.
    let answers = session.take(NOW, &units, &command(0x40, &[0x12, 0, 0, 0, 96, 0], 36));
    assert_eq!(
        (answers[0].data.len(), answers[1].header[1], answers[1].at(44)),
        (36, 0x84, 60)
    );
    assert_eq!(answers[1].at(24), response.at(24) + 1);
}

#[test]
fn data_out_beyond_what_came_with_the_command_are_asked_for() {
    let (units, mut session) = (units(), logged_in());
    let written: Vec<u8> = (0..4096_usize).map(|at| (at / 16) as u8).collect();
    let cdb = [0x2A, 0, 0, 0, 0, 16, 0, 0, 8];
    let asked = session.take(
        NOW,
        &units,
        &command(0x20, &cdb, 4096).carrying(written[..512].to_vec()),
    );
    assert_eq!(kinds(&asked), [0x31]);
    assert_eq!((asked[0].at(40), asked[0].at(44)), (512, 2048));
    let tag = asked[0].at(20);
    let out = |from: usize, to: usize| {
        let pdu = Pdu::new(0x05, 0x80, 9).with(20, tag).with(40, from as u32);
        pdu.carrying(written[from..to].to_vec())
    };
    assert!(session.take(NOW, &units, &out(512, 1536)).is_empty());
    let asked = session.take(NOW, &units, &out(1536, 2560));
    assert_eq!(
        (kinds(&asked), asked[0].at(36), asked[0].at(40), asked[0].at(44)),
        (vec![0x31], 1, 2560, 1536)
    );
    let done = session.take(NOW, &units, &out(2560, 4096));
    assert_eq!((kinds(&done), done[0].header[3], done[0].at(36)), (vec![0x21], 0, 2));
    let read = session.take(NOW, &units, &command(0x40, &[0x28, 0, 0, 0, 0, 16, 0, 0, 8], 4096));
    let read: Vec<u8> = read
        .iter()
        .filter(|p| p.opcode() == 0x25)
        .flat_map(|p| p.data.clone())
        .collect();
    assert_eq!(read, written);
}

#[test]
fn sense_comes_with_the_response_and_a_unit_that_is_not_there_says_so() {
    let (units, mut session) = (units(), logged_in());
    let answers = session.take(NOW, &units, &command(0x40, &[0x28, 0, 0, 0, 0xFF, 0, 0, 0, 1], 512));
    assert_eq!((kinds(&answers), answers[0].header[3]), (vec![0x21], 2));
    assert_eq!((&answers[0].data[..2], answers[0].data[2 + 12]), (&[0, 18][..], 0x21));
    let mut other = command(0x00, &[0; 6], 0);
    other.header[9] = 4;
    assert_eq!(session.take(NOW, &units, &other)[0].data[2 + 12], 0x25);
}

#[test]
fn it_pings_back_and_ends_when_it_is_asked() {
    let mut session = logged_in();
    let ping = Pdu::new(0x40, 0x80, 5).with(20, NO_TAG).carrying(vec![1, 2]);
    let pong = session.take(NOW, &[], &ping).remove(0);
    assert_eq!((pong.opcode(), pong.at(16), pong.data), (0x20, 5, vec![1, 2]));
    let unanswered = Pdu::new(0x40, 0x80, NO_TAG);
    assert!(session.take(NOW, &[], &unanswered).is_empty());
    assert_eq!(kinds(&session.take(NOW, &[], &Pdu::new(0x42, 0x85, 6))), [0x22]);
    assert_eq!(kinds(&session.take(NOW, &[], &Pdu::new(0x10, 0x80, 6))), [0x3F]);
    assert!(!session.is_over());
    assert_eq!(kinds(&session.take(NOW, &[], &Pdu::new(0x46, 0x80, 6))), [0x26]);
    assert!(session.is_over());
}

#[test]
fn it_is_served_over_tcp() {
    let target = Target::serve(units()).unwrap();
    let stream = TcpStream::connect(target.address()).unwrap();
    let ask = |pdu: &Pdu| {
        (&stream).write_all(&pdu.bytes()).unwrap();
        Pdu::read(&mut &stream).unwrap().unwrap()
    };
    assert_eq!(ask(&request(&[&format!("TargetName={NAME}")])).header[36], 0);
    let told = ask(&command(0x40, &[0x12, 0, 0, 0, 96, 0], 96));
    assert_eq!(&told.data[8..14], b"PLAYED");
}
