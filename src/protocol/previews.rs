//! The `previews` frame of `wschat.v2`: who is in a room and what was said last, for somebody who looks at the
//! list of rooms.

use bytes::Bytes;
use serde::Serialize;

use super::base::UserJson;
use super::page::{items_frame, json, reference_member};
use super::users::UserList;
use crate::chat::{Content, RoomId, Said};

/// For how many rooms a client may ask at once.
pub(crate) const PREVIEWS_MAX_ROOMS: usize = 20;

/// How many users a preview has at most.
pub(crate) const PREVIEW_USERS: usize = 5;

/// How much of a text a preview has, in characters.
const PREVIEW_CHARS: usize = 200;

/// A room as it was when a client asked for its preview, without what was said last.
#[derive(Debug)]
pub(crate) struct RoomPreview {
    pub(crate) id: RoomId,
    /// At most [`PREVIEW_USERS`].
    pub(crate) users: UserList,
    /// The `seq` of the last message.
    pub(crate) seq: u64,
}

/// What was said last in a room. The order of the members is part of the protocol.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
enum LastJson<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        cut: bool,
        from: UserJson<'a>,
        time: u64,
        seq: u64,
    },
    Gif {
        gif_id: u64,
        from: UserJson<'a>,
        time: u64,
        seq: u64,
    },
}

/// A `previews` frame: as many of these as fit, each with what was said last. If some do not fit, it says so.
pub(crate) fn previews_frame(
    previews: &[(RoomPreview, Option<Said>)],
    epoch: &str,
    reference: Option<&str>,
    max_bytes: usize,
) -> Bytes {
    let reference = reference_member(reference);
    let head = format!(r#"{{"type":"previews","epoch":{},"previews":["#, json(epoch));
    let tail = |more| {
        let more = if more { r#","more":true"# } else { "" };
        format!("]{more}{reference}}}")
    };
    let items = previews.iter().map(|(room, said)| preview(room, said.as_ref()));
    items_frame(&head, items, usize::MAX, tail, max_bytes)
}

fn preview(room: &RoomPreview, said: Option<&Said>) -> String {
    let (id, count, users) = (room.id.0, room.users.count(), room.users.json());
    let last = said.and_then(last).map_or(String::new(), |it| format!(r#","last":{}"#, json(&it)));
    format!(r#"{{"roomId":{id},"userCount":{count},"users":[{users}]{last}}}"#)
}

/// `None` for a message that has been erased.
fn last(said: &Said) -> Option<LastJson<'_>> {
    let Said { seq, time, from, content, .. } = said;
    let (from, time, seq) = (from.into(), *time, *seq);
    match content {
        Content::Text(text) => {
            let end = text.char_indices().nth(PREVIEW_CHARS).map(|(end, _)| end);
            let (text, cut) = (&text[..end.unwrap_or(text.len())], end.is_some());
            Some(LastJson::Text { text, cut, from, time, seq })
        }
        Content::Gif(gif) => Some(LastJson::Gif { gif_id: *gif, from, time, seq }),
        Content::Erased => None,
    }
}

#[cfg(test)]
mod tests;
