//! Answers that cost more than their requests: large rooms, large frames, and nobody who reads them.

use std::io::{self, ErrorKind, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::crowd::{Field, burst, flood, go_away};
use crate::frame::PING;
use crate::line::{Door, Opening, enter, masked, text};

const OWN: u32 = 2;
const MEMBERS: usize = 1_000;
/// Bursts of texts that fill a room.
const FILLINGS: usize = 12;
/// The kernel makes more of it, but not much.
const SMALL_BUFFER: usize = 2_304;
const CONNECTIONS: usize = 64;
const STORM_EVERY: Duration = Duration::from_secs(4);

/// Enters the room one is in, again and again, in a room of 1,000 members.
pub fn re_enter(field: &Field) {
    let members = AtomicUsize::new(0);
    let again = enter(OWN).repeat(100);
    field.crowd(32, move |door, turn| {
        let member = members.load(Relaxed);
        if member < MEMBERS {
            go_away(door, member, OWN)?;
            members.fetch_add(1, Relaxed);
            return Ok(());
        }
        flood(door, turn, Opening::default(), &again)
    });
}

/// Rooms of large messages, entered but not read.
pub fn unread_rooms(field: &Field) {
    unread(field, r#"{"type":"enter_room","roomId":2,"since":{"epoch":"EPOCH","seq":0}}"#);
}

/// Pages of large messages, asked for but not read.
pub fn unread_history(field: &Field) {
    unread(field, r#"{"type":"history","roomId":2,"limit":100}"#);
}

/// Pages of large messages, asked for all the time and read.
pub fn history(field: &Field) {
    let filled = AtomicUsize::new(0);
    let ask = text(r#"{"type":"history","roomId":2,"limit":100}"#).repeat(10);
    field.crowd(CONNECTIONS, move |door, turn| {
        if fill(door, turn, &filled)? {
            return flood(door, turn, Opening::default(), &ask);
        }
        Ok(())
    });
}

/// A crowd of one room that loses its connections and resumes at once, every four seconds.
pub fn resume_storm(field: &Field) {
    field.crowd(field.either(CONNECTIONS, 1_500), |door, turn| {
        let session = go_away(door, turn, OWN)?;
        loop {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let into = now.as_secs_f64() % STORM_EVERY.as_secs_f64();
            thread::sleep(STORM_EVERY.saturating_sub(Duration::from_secs_f64(into)));
            let enter = enter(OWN);
            let (session, first) = (Some(session.as_str()), enter.as_slice());
            let opening = Opening { session, first, ..Opening::default() };
            door.open(turn, &opening)?.until("room")?;
        }
    });
}

fn unread(field: &Field, request: &'static str) {
    let filled = AtomicUsize::new(0);
    field.crowd(CONNECTIONS, move |door, turn| {
        if !fill(door, turn, &filled)? {
            return Ok(());
        }
        let enter = enter(OWN);
        let mut chat = door.open(turn, &Opening { first: &enter, ..Opening::default() })?;
        let room = chat.until("room")?;
        let epoch = room["epoch"].as_str().unwrap_or_default();
        let asked = text(&request.replace("EPOCH", epoch)).repeat(28);
        drop(chat);
        let buffer = Some(SMALL_BUFFER);
        let mut line = door.dial(turn, buffer)?;
        line.write_all(door.head(&Opening::default()).as_bytes())?;
        line.write_all(&asked)?;
        // Not to be closed for silence. An error ends it.
        loop {
            thread::sleep(Duration::from_secs(1));
            line.write_all(&masked(PING, &[]))?;
        }
    });
}

/// Fills the room with one burst of the longest texts there are. Returns false if there was still something to do.
fn fill(door: &Door, turn: usize, filled: &AtomicUsize) -> io::Result<bool> {
    if filled.fetch_add(1, Relaxed) >= FILLINGS {
        return Ok(true);
    }
    let longest = ["\\u0001", "\u{1f4a9}"].map(|unit| unit.repeat(4_000));
    let mut requests = enter(OWN);
    for index in 0..28 {
        let longest = &longest[index % 2];
        requests.extend(text(&format!(r#"{{"type":"text","text":"{longest}"}}"#)));
    }
    match burst(door, turn, Opening::default(), &requests) {
        // A refusal of the rest is no reason to do it again.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Err(error),
        _ => Ok(false),
    }
}
