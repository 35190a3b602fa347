//! Redis or Valkey: connections, what is asked of them, and the names of the keys. It knows nothing of chats.
//!
//! Whoever asks owns the connection and waits, on a thread of its own; no wait is without an end. The crate `redis`
//! makes commands and parses replies. The sockets are ours, so that each step has a time-out: the crate's own
//! connections wait without one for a server that has stopped to answer.
//!
//! | file | owns |
//! |---|---|
//! | `engine.rs` | where the servers are, and which of them is the master or is read |
//! | `check.rs` | whether the servers are fit for a cluster |
//! | `sentinel.rs` | asking the sentinels |
//! | `connection.rs` | one connection: logging in, commands and replies |
//! | `log.rs`, `append.lua` | appending to the log and reading it |
//! | `keys.rs` | the names of the keys |
//! | `role.rs`, `reply.rs` | what a server says of its role; what is in a reply |
//! | `socket.rs`, `tls.rs` | the socket, with TLS or without |
//! | `error.rs` | what went wrong, for the operator |

mod check;
mod connection;
mod engine;
mod error;
mod keys;
mod log;
mod reply;
mod role;
mod sentinel;
mod socket;
#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod tests;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(feature = "tls")]
mod tls;

pub(crate) use self::connection::{Connection, Stopper};
pub(crate) use self::engine::Engine;
pub use self::error::ClusterError;
pub(crate) use self::error::{RedisError, RedisErrorKind};
pub(crate) use self::keys::Keys;
pub(crate) use self::log::RawEntry;
pub(crate) use self::reply::{info_field, items, number, text};
