//! The language on the wire: requests in, events out, why a connection ends, and RFC 6455 frames.
//!
//! Pure: text and bytes in, values out, and the reverse; no socket, no clock. Session threads parse
//! requests with it, the dispatcher's thread encodes events. What a request does is `chat`'s
//! business; `docs/protocol.md` is the same language in prose.

mod close;
mod error;
mod event;
mod frame;
mod request;
mod v2;

pub(crate) use close::CloseReason;
pub(crate) use error::ErrorReply;
pub(crate) use event::{error_frame, push_error, push_event, push_room_list, push_said};
pub(crate) use frame::{close_frame, frame_end, ping_frame};
pub(crate) use request::{MAX_NUMBER, Reference, parse_request, parse_v2_request, reference_of};
pub(crate) use v2::{
    Backlog, Gif, Greeting, RoomSnapshot, history_frame, list_frame, list_of_rooms, push_v2_event,
    push_v2_said, push_welcome, room_change_frames, room_frame, said_frame,
};

/// Which language a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// Whoever offers no subprotocol.
    Base,
    /// `wschat.v2`.
    V2,
}

impl Version {
    pub(crate) const COUNT: usize = 2;
    pub(crate) const ALL: [Self; Self::COUNT] = [Self::Base, Self::V2];

    /// From 0, for tables by version.
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}
