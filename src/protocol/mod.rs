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

pub(crate) use close::CloseReason;
pub(crate) use error::ErrorReply;
pub(crate) use event::{push_error, push_event, push_room_list};
pub(crate) use frame::{close_frame, frame_end, ping_frame};
pub(crate) use request::parse_request;
