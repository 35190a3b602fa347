//! The network below the chat: the listener, plain and TLS sockets, and HTTP.
//!
//! The listener's thread accepts connections. Session threads call everything else, and the
//! dispatcher and the flusher write through `outbox`. Of the chat nothing here is used but the
//! sources that connections are counted by, and nothing of its protocol.

pub(crate) mod admission;
pub(crate) mod http;
pub(crate) mod listener;
pub(crate) mod sockets;
pub(crate) mod stop;
pub(crate) mod stream;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
pub(crate) mod tls;
