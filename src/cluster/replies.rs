//! What Redis answers about the streams of rooms. Pure.

use redis::Value;

use super::redis::{items, text};

/// A stream entry of a room: its `seq`, and its field.
pub(super) type RoomEntry = (u64, Vec<u8>);

/// The reply of `XRANGE` and `XREVRANGE` on a room's stream; `None`: it is none.
pub(super) fn room_entries(reply: &Value) -> Option<Vec<RoomEntry>> {
    let Value::Array(entries) = reply else { return None };
    let entry = |entry| {
        let [id, fields] = items(entry) else { return None };
        let [_, Value::BulkString(event)] = items(fields) else { return None };
        Some((text(id)?.strip_suffix("-0")?.parse().ok()?, event.clone()))
    };
    entries.iter().map(entry).collect()
}
