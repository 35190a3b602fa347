//! Small requests that make the server send much to many.

use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::crowd::{Field, burst, flood};
use crate::line::{Opening, enter, text};

const CONNECTIONS: usize = 64;
const PEOPLE: u32 = 1;
const TEXT_EVERY: Duration = Duration::from_millis(100);

/// Creates rooms, of which all clients of the base protocol are told.
pub fn create_rooms(field: &Field) {
    let readers = field.either(40, 500);
    field.crowd(readers + 16, move |door, turn| {
        if turn < readers {
            return door.open(turn, &Opening { base: true, ..Opening::default() })?.stay();
        }
        burst(door, turn, Opening::default(), &rooms(20))
    });
}

/// Takes all rooms there can be.
pub fn all_rooms(field: &Field) {
    field.crowd(16, move |door, turn| burst(door, turn, Opening::default(), &rooms(29)));
}

/// Walks through all rooms, with clients that follow the list of rooms.
pub fn walk(field: &Field) {
    let followers = 32;
    field.crowd(CONNECTIONS - 2, move |door, turn| {
        if turn < followers {
            let follow = text(r#"{"type":"list_rooms"}"#);
            return door.open(turn, &Opening { first: &follow, ..Opening::default() })?.stay();
        }
        if turn == followers {
            return burst(door, turn, Opening::default(), &rooms(3));
        }
        let path: Vec<_> = (2..1_000).flat_map(enter).collect();
        flood(door, turn, Opening::default(), &path)
    });
}

/// Says the longest texts to the people, each connection within its pace.
pub fn shout(field: &Field) {
    let shout = text(&format!(r#"{{"type":"text","text":"{}"}}"#, "\u{1f4a9}".repeat(4_000)));
    field.crowd(CONNECTIONS, move |door, turn| {
        let enter = enter(PEOPLE);
        let mut chat = door.open(turn, &Opening { first: &enter, ..Opening::default() })?;
        chat.line.tcp().set_read_timeout(Some(TEXT_EVERY / 4))?;
        let mut next = Instant::now();
        loop {
            if Instant::now() >= next {
                next += TEXT_EVERY;
                chat.line.write_all(&shout)?;
            }
            while chat.take()?.is_some() {}
            match chat.fill(256 << 10) {
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
    });
}

/// The same with connections that do nothing else, and wait between bursts.
pub fn nag(field: &Field) {
    let typing = text(r#"{"type":"typing"}"#).repeat(9);
    field.crowd(CONNECTIONS, move |door, turn| {
        let enter = enter(PEOPLE);
        let mut chat = door.open(turn, &Opening { first: &enter, ..Opening::default() })?;
        loop {
            thread::sleep(Duration::from_secs(1));
            let name = NAMES.fetch_add(1, Relaxed);
            chat.say(&format!(r#"{{"type":"change_name","name":"N{name}"}}"#))?;
            chat.line.write_all(&typing)?;
        }
    });
}

static NAMES: AtomicU32 = AtomicU32::new(0);

fn rooms(count: u32) -> Vec<u8> {
    let title = |_| {
        let name = NAMES.fetch_add(1, Relaxed);
        text(&format!(r#"{{"type":"create_room","title":"{}{name}"}}"#, "\u{1f4a9}".repeat(54)))
    };
    (0..count).flat_map(title).collect()
}
