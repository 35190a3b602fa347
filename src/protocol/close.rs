//! The reasons why connections end: one table for the wire, the log, the metrics and the docs.

use std::fmt;

/// Why a WebSocket connection ended.
///
/// Codes as in RFC 6455 §7.4.1 and the IANA registry of close codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The client sent a Close frame, with this code if it gave one.
    ClosedByClient(Option<u16>),
    /// The connection was lost without a Close frame.
    ConnectionLost,
    /// The server is shutting down.
    ServerStopping,
    /// A proxy in front of the server ended the connection: some send a Close frame as servers do, without a
    /// mask. The client did nothing wrong, and may come back at once.
    ProxyStopping,
    /// The client broke the rules of RFC 6455.
    ProtocolError,
    /// The client sent a binary message; the protocol knows text only.
    BinaryMessage,
    /// The client sent text that is not UTF-8.
    InvalidUtf8,
    /// The client went on sending after many requests were refused with `rate_limited`.
    TooFast,
    /// The client sent a message longer than `maxMessageBytes`.
    MessageTooBig,
    /// A bug in the server.
    InternalError,
    /// The client did not answer a ping within `pongTimeoutMs`.
    PongTimeout,
    /// The client does not read fast enough.
    SlowConsumer,
    /// The server is short of memory, and the client has sent a large part of a message.
    OutOfMemory,
    /// There is no id for a new user, since the history cannot be saved.
    CannotSave,
    /// The session was resumed on another connection.
    Replaced,
    /// The operator has put the user out.
    Kicked,
}

impl CloseReason {
    /// One of each.
    pub(crate) const ALL: [Self; 16] = [
        Self::ClosedByClient(None),
        Self::ConnectionLost,
        Self::ServerStopping,
        Self::ProxyStopping,
        Self::ProtocolError,
        Self::BinaryMessage,
        Self::InvalidUtf8,
        Self::TooFast,
        Self::MessageTooBig,
        Self::InternalError,
        Self::PongTimeout,
        Self::SlowConsumer,
        Self::OutOfMemory,
        Self::CannotSave,
        Self::Replaced,
        Self::Kicked,
    ];

    /// The code of the Close frame that the server sends. `None` if it sends no frame, or one without code.
    pub(crate) fn code(self) -> Option<u16> {
        match self {
            // The client's own code goes back to it, as RFC 6455 §5.5.1 suggests.
            Self::ClosedByClient(code) => code,
            Self::ConnectionLost => None,
            Self::ServerStopping | Self::ProxyStopping => Some(1001),
            Self::ProtocolError => Some(1002),
            Self::BinaryMessage => Some(1003),
            Self::InvalidUtf8 => Some(1007),
            Self::TooFast => Some(1008),
            Self::MessageTooBig => Some(1009),
            Self::InternalError | Self::PongTimeout => Some(1011),
            Self::SlowConsumer | Self::OutOfMemory | Self::CannotSave => Some(1013),
            Self::Replaced => Some(4001),
            Self::Kicked => Some(4003),
        }
    }

    /// The text in the Close frame and in the log.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::ClosedByClient(_) => "closed by the client",
            Self::ConnectionLost => "connection lost",
            Self::ServerStopping => "server stopping",
            Self::ProxyStopping => "proxy stopping",
            Self::ProtocolError => "WebSocket protocol error",
            Self::BinaryMessage => "binary messages are not accepted",
            Self::InvalidUtf8 => "text is not UTF-8",
            Self::TooFast => "too many messages",
            Self::MessageTooBig => "message too big",
            Self::InternalError => "internal error",
            Self::PongTimeout => "no pong",
            Self::SlowConsumer => "slow consumer",
            Self::OutOfMemory => "out of memory",
            Self::CannotSave => "no new users can be saved",
            Self::Replaced => "replaced",
            Self::Kicked => "kicked",
        }
    }

    /// The name in the metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ClosedByClient(_) => "closed_by_client",
            Self::ConnectionLost => "connection_lost",
            Self::ServerStopping => "server_stopping",
            Self::ProxyStopping => "proxy_stopping",
            Self::ProtocolError => "protocol_error",
            Self::BinaryMessage => "binary_message",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::TooFast => "too_fast",
            Self::MessageTooBig => "message_too_big",
            Self::InternalError => "internal_error",
            Self::PongTimeout => "pong_timeout",
            Self::SlowConsumer => "slow_consumer",
            Self::OutOfMemory => "out_of_memory",
            Self::CannotSave => "cannot_save",
            Self::Replaced => "replaced",
            Self::Kicked => "kicked",
        }
    }

    /// Whether the client said that it goes away (RFC 6455 §7.4.1): browsers do so when a page is closed or
    /// loaded again. A proxy that goes away has another reason.
    pub(crate) fn is_going_away(self) -> bool {
        self == Self::ClosedByClient(Some(1001))
    }

    /// Whether queued frames are dropped, so that the Close frame goes out immediately.
    pub(crate) fn drops_backlog(self) -> bool {
        matches!(self, Self::SlowConsumer | Self::Replaced | Self::Kicked)
    }

    /// Whether all requests are answered before the Close frame goes out, also from the history.
    pub(crate) fn waits_for_answers(self) -> bool {
        matches!(self, Self::ClosedByClient(_))
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code() {
            Some(code) => write!(f, "{} ({code})", self.text()),
            None => f.write_str(self.text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All reasons with a code of the server's own.
    fn ours() -> impl Iterator<Item = CloseReason> {
        CloseReason::ALL.into_iter().filter(|reason| reason.code().is_some())
    }

    #[test]
    fn all_reasons_are_listed() {
        let source = include_str!("close.rs");
        let (_, names) = source.split_once("fn name(self)").unwrap();
        let (names, _) = names.split_once("\n    }\n").unwrap();
        // The match there has an arm for each.
        assert_eq!(names.matches(" => \"").count(), CloseReason::ALL.len());
        let docs = include_str!("../../docs/operations.md");
        for reason in CloseReason::ALL {
            assert!(docs.contains(&format!("`{}`", reason.name())), "{}", reason.name());
        }
    }

    #[test]
    fn the_docs_have_every_reason_with_its_code_and_text() {
        let docs = include_str!("../../docs/protocol.md");
        for reason in ours() {
            let row = format!("\n| {} | {} | ", reason.code().unwrap(), reason.text());
            assert!(docs.contains(&row), "{reason}");
        }
        for reason in [CloseReason::ClosedByClient(None), CloseReason::ConnectionLost] {
            assert!(docs.contains(&format!("*{}*", reason.text())), "{reason}");
        }
    }

    #[test]
    fn texts_fit_into_a_control_frame() {
        // RFC 6455 §5.5: 125 bytes, two of which are the code.
        assert!(ours().all(|reason| reason.text().len() <= 123));
    }
}
