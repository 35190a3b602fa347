//! Reconnecting for a fresh burst: as the same session, as new ones, and with long references.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::crowd::{Field, burst};
use crate::line::{Opening, enter, text};

/// As many as a session's burst allows, besides entering.
const TEXTS: u64 = 29;
const REFS_OF_A_SESSION: u64 = 16_384;
const PEOPLE: u32 = 1;
const OWN: u32 = 2;

/// A session that is resumed for each burst of texts into the people's room.
pub fn resume(field: &Field) {
    field.crowd(4, |door, turn| {
        let session = door.open(turn, &Opening::default())?.session()?;
        loop {
            let opening = Opening { session: Some(&session), ..Opening::default() };
            burst(door, turn, opening, &texts(PEOPLE, ""))?;
        }
    });
}

/// A new user of the base protocol for each burst.
pub fn fresh(field: &Field) {
    field.crowd(4, |door, turn| {
        burst(door, turn, Opening { base: true, ..Opening::default() }, &texts(PEOPLE, ""))
    });
}

/// Sessions that leave as many and as long references behind as they may.
pub fn refs(field: &Field) {
    field.crowd(4, |door, turn| {
        let session = door.open(turn, &Opening::default())?.session()?;
        for _ in 0..REFS_OF_A_SESSION / TEXTS {
            let opening = Opening { session: Some(&session), ..Opening::default() };
            burst(door, turn, opening, &texts(OWN, &"\u{1f4a9}".repeat(55)))?;
        }
        Ok(())
    });
}

/// Enters, and says a burst of texts. With a `prefix`, each has a new reference.
fn texts(room: u32, prefix: &str) -> Vec<u8> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let mut requests = enter(room);
    for _ in 0..TEXTS {
        let number = NUMBER.fetch_add(1, Relaxed);
        let reference = match prefix {
            "" => String::new(),
            prefix => format!(r#","ref":"{prefix}{number:09}""#),
        };
        requests.extend(text(&format!(r#"{{"type":"text","text":"again"{reference}}}"#)));
    }
    requests
}
