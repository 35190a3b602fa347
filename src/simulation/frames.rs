//! What a client receives: RFC 6455 frames, and the JSON in them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// One frame from the server.
#[derive(Debug)]
pub(super) enum ReceivedFrame<'a> {
    Text(&'a str),
    /// With this code.
    Close(Option<u16>),
    Ping,
}

/// A user.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct UserInFrame {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) away: bool,
}

/// A room, as any frame shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomInFrame {
    pub(super) id: u64,
    pub(super) title: String,
    pub(super) user_count: Option<usize>,
    pub(super) seq: Option<u64>,
    pub(super) users: Option<BTreeMap<u64, UserInFrame>>,
}

/// A room in `previews`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) struct PreviewInFrame {
    pub(super) room_id: u64,
    pub(super) user_count: usize,
    pub(super) users: Vec<UserInFrame>,
}

/// All members that some frame has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JsonFrame {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) user: Option<UserInFrame>,
    pub(super) from: Option<UserInFrame>,
    pub(super) session: Option<String>,
    pub(super) resumed: Option<bool>,
    pub(super) room_id: Option<u64>,
    pub(super) room: Option<RoomInFrame>,
    pub(super) rooms: Option<BTreeMap<u64, RoomInFrame>>,
    /// In `presence` without names.
    pub(super) users: Option<Vec<UserInFrame>>,
    pub(super) user_count: Option<usize>,
    pub(super) previews: Option<Vec<PreviewInFrame>>,
    pub(super) features: Option<Vec<String>>,
    pub(super) newer: Option<bool>,
    pub(super) epoch: Option<String>,
    pub(super) seq: Option<u64>,
    pub(super) complete: Option<bool>,
    pub(super) more: Option<bool>,
    pub(super) events: Option<Vec<Box<RawValue>>>,
    pub(super) old_name: Option<String>,
    pub(super) new_name: Option<String>,
    pub(super) user_id: Option<u64>,
    pub(super) code: Option<String>,
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
}

impl JsonFrame {
    pub(super) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }
}

/// The first frame of `bytes` and its length, if it is whole. Panics on what RFC 6455 forbids a server.
pub(super) fn next_frame(bytes: &[u8]) -> Option<(usize, ReceivedFrame<'_>)> {
    let (&head, &second) = (bytes.first()?, bytes.get(1)?);
    let (start, len) = match second {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap())),
        short @ ..126 => (2, u64::from(short)),
        _ => panic!("a masked frame, or not the beginning of one: {second:#x}"),
    };
    let end = start + usize::try_from(len).unwrap();
    let payload = bytes.get(start..end)?;
    let text = |bytes| std::str::from_utf8(bytes).expect("text is UTF-8");
    let frame = match head {
        0x81 => ReceivedFrame::Text(text(payload)),
        0x88 => match payload {
            [] => ReceivedFrame::Close(None),
            [high, low, reason @ ..] => {
                text(reason);
                ReceivedFrame::Close(Some(u16::from_be_bytes([*high, *low])))
            }
            [_] => panic!("half a close code"),
        },
        0x89 => ReceivedFrame::Ping,
        _ => panic!("an unexpected first byte: {head:#x}"),
    };
    Some((end, frame))
}

/// The JSON in a text frame.
pub(super) fn payload(frame: &[u8]) -> &str {
    match next_frame(frame) {
        Some((len, ReceivedFrame::Text(text))) if len == frame.len() => text,
        other => panic!("not one text frame: {other:?}"),
    }
}
