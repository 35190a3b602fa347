//! The language on the wire: requests in, events out, why a connection ends, and RFC 6455 frames.
//!
//! Pure: text and bytes in, values out, and the reverse; no socket, no clock. Session threads parse
//! requests with it, the dispatcher's thread encodes events. What a request does is `chat`'s
//! business; `docs/protocol.md` and `docs/protocol-v2.md` are the same language in prose.

mod base;
mod close;
mod error;
mod frame;
mod outgoing;
mod request;
mod v2;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::chat::Chat;

pub(crate) use crate::chat::{Reference, Version};
pub(crate) use close::CloseReason;
pub(crate) use error::ErrorReply;
pub(crate) use frame::{close_frame, frame_end, ping_frame};
pub(crate) use outgoing::{
    AdvertisedLimits, Gif, Outgoing, RecentMessages, RoomList, RoomListChange, RoomSnapshot,
    ServerInfo,
};
pub(crate) use request::{
    HISTORY_MAX_PAGE, LocalRequest, MAX_NUMBER, Request, Since, reference_of,
};

impl Version {
    pub(crate) const COUNT: usize = 2;
    pub(crate) const ALL: [Self; Self::COUNT] = [Self::Base, Self::V2];

    /// From 0, for tables by version.
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// Reads one request, and the name that its author gives it. The error is the answer to the author.
    pub(crate) fn parse(self, text: &str) -> Result<(Request, Reference), ErrorReply> {
        match self {
            Self::Base => request::parse_base(text),
            Self::V2 => request::parse_v2(text),
        }
    }

    /// Appends the frame for `outgoing` to `out`. Nothing, if this version has none.
    pub(crate) fn encode(self, outgoing: &Outgoing<'_>, out: &mut BytesMut) {
        match self {
            Self::Base => base::encode(outgoing, out),
            Self::V2 => v2::encode(outgoing, out),
        }
    }

    /// The frame for `outgoing`, by itself.
    pub(crate) fn frame(self, outgoing: &Outgoing<'_>) -> Bytes {
        let mut out = BytesMut::new();
        self.encode(outgoing, &mut out);
        out.freeze()
    }

    /// The rooms of the chat as they are now.
    pub(crate) fn list_rooms(self, chat: &Chat) -> RoomList {
        let rooms = match self {
            Self::Base => serde_json::value::to_raw_value(&base::Rooms(chat)),
            Self::V2 => serde_json::value::to_raw_value(&v2::Summaries(chat)),
        };
        RoomList(Arc::from(rooms.expect("all keys are numbers")))
    }
}
