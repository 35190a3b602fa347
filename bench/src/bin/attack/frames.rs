//! Frames and records that are cheap to send: pongs, pings, fragments, and TLS records of a few bytes.

use crate::crowd::{Field, flood, pour};
use crate::frame::{MASK, PING, PONG};
use crate::line::{Opening, masked};

const CONNECTIONS: usize = 64;
const FRAMES_A_WRITE: usize = 1_000;

/// Text, not final: the message goes on.
const BEGIN: u8 = 0x01;
const CONTINUE: u8 = 0x00;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

pub fn pongs(field: &Field) {
    let pongs = masked(PONG, &[]).repeat(FRAMES_A_WRITE);
    field.crowd(CONNECTIONS, move |door, turn| flood(door, turn, Opening::default(), &pongs));
}

pub fn pings(field: &Field) {
    let pings = masked(PING, b"x").repeat(FRAMES_A_WRITE);
    field.crowd(CONNECTIONS, move |door, turn| flood(door, turn, Opening::default(), &pings));
}

/// A message in fragments without content, which never ends.
pub fn fragments(field: &Field) {
    let empty = fragment(CONTINUE, b"").repeat(FRAMES_A_WRITE);
    field.crowd(CONNECTIONS, move |door, turn| {
        let first = fragment(BEGIN, b"{");
        flood(door, turn, Opening { first: &first, ..Opening::default() }, &empty)
    });
}

/// Messages in fragments of a byte, as long as messages may be, one after the other.
pub fn crumbs(field: &Field) {
    let mut message = fragment(BEGIN, b"{");
    message.extend(fragment(CONTINUE, b"x").repeat(60_000));
    message.extend(fragment(FIN | CONTINUE, b"}"));
    field.crowd(CONNECTIONS, move |door, turn| flood(door, turn, Opening::default(), &message));
}

/// Pongs, each in a TLS record of its own.
pub fn records(field: &Field) {
    field.crowd(CONNECTIONS / 2, |door, turn| {
        let mut chat = door.open(turn, &Opening::default())?;
        chat.line.be_patient()?;
        let pong = masked(PONG, &[]);
        let pieces = vec![pong.as_slice(); FRAMES_A_WRITE / 10];
        loop {
            chat.line.write_records(&pieces)?;
        }
    });
}

/// A text of which each byte is in a TLS record of its own.
pub fn slivers(field: &Field) {
    field.crowd(CONNECTIONS / 2, |door, turn| {
        let mut chat = door.open(turn, &Opening::default())?;
        chat.line.be_patient()?;
        let request =
            crate::line::text(&format!(r#"{{"type":"x","pad":"{}"}}"#, "x".repeat(1_000)));
        let pieces: Vec<_> = request.chunks(1).collect();
        loop {
            chat.line.write_records(&pieces)?;
        }
    });
}

/// Requests that are not JSON: 10,000 opening braces.
pub fn braces(field: &Field) {
    let braces = crate::line::text(&"{".repeat(10_000));
    field
        .crowd(CONNECTIONS, move |door, turn| pour(door.open(turn, &Opening::default())?, &braces));
}

/// A masked frame with these first bits, shorter than 126 bytes.
fn fragment(first: u8, payload: &[u8]) -> Vec<u8> {
    #[allow(clippy::cast_possible_truncation)] // It is shorter than 126.
    let mut out = vec![first, MASKED | payload.len() as u8];
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK).map(|(byte, key)| byte ^ key));
    out
}
