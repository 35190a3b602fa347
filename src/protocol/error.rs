//! The `error` frame: why a request was refused, as a code for programs and a sentence for people.

use std::time::Duration;

use crate::chat::{Flaw, Position, Reference, Refusal, RoomId};

/// The refusal of a request. The request has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErrorReply {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// With `rate_limited`: when the same request will be allowed.
    pub(crate) retry_after_ms: Option<u64>,
    /// The message that this is about.
    pub(crate) position: Option<Position>,
    /// The request's reference, for a client of `wschat.v2`.
    pub(crate) reference: Reference,
}

impl ErrorReply {
    /// All codes.
    pub(crate) const CODES: [&'static str; 14] = [
        "bad_json",
        "bad_request",
        "unknown_type",
        "unknown_room",
        "not_in_room",
        "bad_name",
        "bad_title",
        "bad_text",
        "too_many_rooms",
        "rate_limited",
        "not_saved",
        "too_long",
        "not_readable",
        "already_said",
    ];

    fn new(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message, retry_after_ms: None, position: None, reference: None }
    }

    /// The same refusal, with the reference of the request.
    #[must_use]
    pub(crate) fn to(self, reference: Reference) -> Self {
        Self { reference, ..self }
    }

    pub(super) fn bad_json(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        Self::new("bad_json", format!("This is not JSON (line {line}, column {column})."))
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new("bad_request", message)
    }

    pub(super) fn unknown_type(name: &str) -> Self {
        // Long enough to show a typing error, short enough not to echo a huge type.
        let name: String = name.chars().take(32).collect();
        Self::new("unknown_type", format!("There is no request of type \"{name}\"."))
    }

    /// The message cannot be saved, so it is sent to nobody.
    fn not_saved() -> Self {
        Self::new(
            "not_saved",
            "The server cannot save this now, so nobody was told: try again later.",
        )
    }

    /// The message is too long for the frames of the client.
    pub(crate) fn too_long(position: Position, max_frame_bytes: usize) -> Self {
        let seq = position.seq;
        let text = format!(
            "Message {seq} does not fit into {max_frame_bytes} bytes: say hello with a larger \
             \"maxFrameBytes\"."
        );
        let error = Self::new("too_long", text);
        Self { position: Some(position), ..error }
    }

    /// The history cannot be read.
    pub(crate) fn not_readable() -> Self {
        Self::new("not_readable", "The server cannot read its history now: try again later.")
    }

    /// The message was sent before, so it is not sent again; it is no longer kept, so it cannot be returned.
    pub(crate) fn already_said(position: Position) -> Self {
        let error = Self::new("already_said", "This was said before, and is no longer kept.");
        Self { position: Some(position), ..error }
    }

    /// The client has sent too many of `what` ("messages", "new rooms").
    pub(crate) fn rate_limited(what: &str, wait: Duration) -> Self {
        let millis = u64::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        Self {
            retry_after_ms: Some(millis),
            ..Self::new("rate_limited", format!("Too many {what}: try again in {millis} ms."))
        }
    }
}

impl From<&Refusal> for ErrorReply {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::UnknownRoom(RoomId(id)) => {
                Self::new("unknown_room", format!("There is no room {id}."))
            }
            Refusal::NotInRoom => Self::new("not_in_room", "Enter a room first."),
            Refusal::NotInThisRoom(RoomId(id)) => {
                Self::new("not_in_room", format!("You are not in room {id}."))
            }
            Refusal::BadName(flaw) => Self::new("bad_name", flawed("A name", *flaw)),
            Refusal::BadTitle(flaw) => Self::new("bad_title", flawed("A title", *flaw)),
            Refusal::BadText(Flaw::ControlCharacter(c)) => Self::new(
                "bad_text",
                format!(
                    "A text must not hold control characters other than tabs and line breaks \
                     (U+{:04X}).",
                    u32::from(*c)
                ),
            ),
            Refusal::BadText(flaw) => Self::new("bad_text", flawed("A text", *flaw)),
            Refusal::TooManyRooms { max } => Self::new(
                "too_many_rooms",
                format!("There are {max} rooms already, and no more are allowed."),
            ),
            Refusal::AlreadySaid(position) => Self::already_said(*position),
            Refusal::NotSaved => Self::not_saved(),
        }
    }
}

fn flawed(what: &str, flaw: Flaw) -> String {
    match flaw {
        Flaw::Blank => format!("{what} must not be empty."),
        Flaw::TooLong { max_chars } => format!("{what} has at most {max_chars} characters."),
        Flaw::ControlCharacter(c) => {
            format!("{what} must not hold control characters (U+{:04X}).", u32::from(c))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_codes_are_listed_and_documented() {
        let (source, _) = include_str!("error.rs").split_once("#[cfg(test)]").unwrap();
        let (_, constructors) = source.split_once("fn new(").unwrap();
        let docs = include_str!("../../docs/operations.md");
        let is_code = |text: &&str| {
            text.contains('_') && text.chars().all(|c| c == '_' || c.is_ascii_lowercase())
        };
        let mut used: Vec<_> = constructors.split('"').skip(1).step_by(2).filter(is_code).collect();
        used.sort_unstable();
        used.dedup();
        let mut listed = ErrorReply::CODES;
        listed.sort_unstable();
        assert_eq!(used, listed);
        for code in listed {
            assert!(docs.contains(&format!("`{code}`")), "{code}");
        }
    }
}
