//! The protocol on the wire: requests in, events out, close reasons, and RFC 6455 frames.
//!
//! Pure: text to values and values to bytes, with no socket and no clock. Session threads parse requests
//! with it; the threads of the dispatcher and of `recall` encode frames. What a request does is left to
//! `chat`. The protocol is documented in `docs/protocol.md` and `docs/protocol-v2.md`.

mod base;
mod close;
mod error;
mod frame;
mod outgoing;
mod page;
mod previews;
mod request;
mod users;
mod v2;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::chat::Chat;

pub(crate) use crate::chat::{Reference, Version};
pub(crate) use close::CloseReason;
pub(crate) use error::ErrorReply;
pub(crate) use frame::{close_frame, frame_end, ping_frame};
pub(crate) use outgoing::{
    AdvertisedLimits, Gif, Hello, Outgoing, RoomList, RoomListChange, RoomSnapshot, ServerInfo,
};
pub(crate) use page::{EventPage, Fit, Joint, rooms_frame, users_frame};
pub(crate) use previews::{PREVIEW_USERS, RoomPreview, previews_frame};
pub(crate) use request::{
    HISTORY_MAX_PAGE, HelloRequest, HistoryPart, LocalRequest, MAX_NUMBER, Request, Since,
    USERS_MAX_PAGE, reference_of,
};
pub(crate) use users::{UserEntry, UserList};

impl Version {
    pub(crate) const COUNT: usize = 2;
    pub(crate) const ALL: [Self; Self::COUNT] = [Self::Base, Self::V2];

    /// An index from 0, for arrays by version.
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// Parses one request, with its reference. The error is the answer to the client.
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

    /// The frame for `outgoing` in a buffer of its own. Empty, if this version has none.
    pub(crate) fn frame(self, outgoing: &Outgoing<'_>) -> Bytes {
        let mut out = BytesMut::new();
        self.encode(outgoing, &mut out);
        out.freeze()
    }

    /// The list of the chat's rooms as they are now.
    pub(crate) fn list_rooms(self, chat: &Chat) -> RoomList {
        let rooms = match self {
            Self::Base => serde_json::value::to_raw_value(&base::Rooms(chat)),
            Self::V2 => serde_json::value::to_raw_value(&v2::Summaries(chat)),
        };
        RoomList(Arc::from(rooms.expect("all keys are numbers")))
    }
}
