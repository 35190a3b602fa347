//! What all share: connections, handshakes, users who are away, memory for messages that have come in part.

use std::io::{Read as _, Write as _};
use std::thread;
use std::time::Duration;

use crate::crowd::{Field, go_away};
use crate::frame::{MASK, TEXT};
use crate::line::Opening;

/// More than `maxConnections`.
const MANY: usize = 4_400;
const FIN: u8 = 0x80;
const BINARY: u8 = 0x02;
const MASKED: u8 = 0x80;
/// The head of a frame of 100 bytes, and of a frame whose length follows in 8 bytes.
const HUNDRED: u8 = MASKED + 100;
const LONG: u8 = MASKED + 127;

/// Users who lose their connection, so that others who have are sent away.
pub fn away(field: &Field) {
    field.crowd(16, |door, turn| go_away(door, turn, 2).map(drop));
}

/// Takes every connection there is, and keeps it.
pub fn places(field: &Field) {
    field.crowd(field.either(MANY, 64), |door, turn| door.open(turn, &Opening::default())?.stay());
}

/// Request heads that come byte by byte.
pub fn slow_heads(field: &Field) {
    field.crowd(MANY, |door, turn| {
        let mut line = door.dial(turn, None)?;
        line.write_all(b"GET / HTTP/1.1\r\nX: ")?;
        loop {
            thread::sleep(Duration::from_secs(1));
            line.write_all(b"x")?;
        }
    });
}

/// Messages of which the end never comes.
pub fn incomplete(field: &Field) {
    field.crowd(field.either(MANY, 2_000), |door, turn| {
        let mut chat = door.open(turn, &Opening::default())?;
        let mut begun = vec![FIN | TEXT, LONG];
        begun.extend(65_536_u64.to_be_bytes());
        begun.extend(MASK);
        begun.resize(begun.len() + 65_000, b'x');
        chat.line.write_all(&begun)?;
        chat.stay()
    });
}

/// Connects and leaves, with and without a request.
pub fn connects(field: &Field) {
    field.crowd(32, |door, turn| {
        let mut line = door.dial(turn, None)?;
        if turn % 2 == 0 {
            line.write_all(door.head(&Opening::default()).as_bytes())?;
            let _ = line.read(&mut [0; 512])?;
        }
        Ok(())
    });
}

/// Has the server end the connection, with a Close frame or a response, and goes on sending.
pub fn after_end(field: &Field) {
    field.crowd(64, |door, turn| {
        let mut line = door.dial(turn, None)?;
        if turn % 2 == 0 {
            line.write_all(door.head(&Opening::default()).as_bytes())?;
            line.write_all(&[FIN | BINARY, MASKED])?;
            line.write_all(&MASK)?;
        } else {
            line.write_all(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")?;
        }
        let rubbish = [b'x'; 16 << 10];
        loop {
            line.write_all(&rubbish)?;
        }
    });
}

/// Bytes without sense, as a request head and as frames, and half of a frame.
pub fn rubbish(field: &Field) {
    field.crowd(32, |door, turn| {
        let mut seed = u64::from_ne_bytes(thread_number(turn));
        for round in 0..64 {
            let bytes: Vec<u8> = (0..round * 16).map(|_| random(&mut seed)).collect();
            if round % 4 == 0 {
                door.dial(turn, None)?.write_all(&bytes)?;
                continue;
            }
            let mut chat = door.open(turn, &Opening::default())?;
            chat.line.write_all(if round % 4 == 1 { &[FIN | TEXT, HUNDRED, 1] } else { &bytes })?;
            if round % 4 == 3 {
                // It may close at once, or wait for more.
                chat.line.tcp().set_read_timeout(Some(Duration::from_millis(50)))?;
                let _ = chat.fill(4 << 10);
            }
        }
        Ok(())
    });
}

fn thread_number(turn: usize) -> [u8; 8] {
    (turn as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_ne_bytes()
}

/// Xorshift: rubbish need not be good randomness, but the same in each run.
fn random(seed: &mut u64) -> u8 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    seed.to_ne_bytes()[0]
}
