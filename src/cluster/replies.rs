//! What Redis answers, as values. Pure. `None` stands for an answer that the command may not have.

use redis::Value;

/// A stream entry of a room: its `seq`, and its field.
pub(super) type RoomEntry = (u64, Vec<u8>);

/// The reply of `XRANGE` and `XREVRANGE` on a room's stream.
pub(super) fn room_entries(reply: Value) -> Option<Vec<RoomEntry>> {
    let entry = |entry| {
        let [id, fields] = <[Value; 2]>::try_from(items(entry)?).ok()?;
        let [_, event] = <[Value; 2]>::try_from(items(fields)?).ok()?;
        let id = String::from_utf8(bytes(id)?).ok()?;
        Some((id.strip_suffix("-0")?.parse().ok()?, bytes(event)?))
    };
    items(reply)?.into_iter().map(entry).collect()
}

/// The items of an array or a set.
pub(super) fn items(reply: Value) -> Option<Vec<Value>> {
    match reply {
        Value::Array(items) | Value::Set(items) => Some(items),
        _ => None,
    }
}

/// A string of bytes.
pub(super) fn bytes(reply: Value) -> Option<Vec<u8>> {
    match reply {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

/// A string of bytes, or nothing.
pub(super) fn optional_bytes(reply: Value) -> Option<Option<Vec<u8>>> {
    match reply {
        Value::Nil => Some(None),
        reply => bytes(reply).map(Some),
    }
}

/// A number, as such or in digits.
pub(super) fn number(reply: Value) -> Option<u64> {
    match reply {
        Value::Int(number) => number.try_into().ok(),
        reply => String::from_utf8(bytes(reply)?).ok()?.parse().ok(),
    }
}
