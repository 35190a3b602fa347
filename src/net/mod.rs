//! Between the server and the network: the listener, sockets plain and encrypted, and HTTP.
//!
//! The listener's thread accepts; everything else here is called by session threads, and by the
//! dispatcher through `outbox`. Nothing in here knows of chat or of its protocol.

pub(crate) mod admission;
pub(crate) mod http;
pub(crate) mod listener;
pub(crate) mod stop;
pub(crate) mod stream;
pub(crate) mod tls;
