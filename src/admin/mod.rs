//! What the operator can ask of the running server: metrics, health, and commands.
//!
//! One thread accepts connections, and each request has a short-lived thread of its own, a few at once.
//! Requests are answered from counters, from the system, and by the dispatcher. They count neither as clients
//! nor against any limit, so they are answered also when the server is full, and until it has ended.
//!
//! | file | owns |
//! |---|---|
//! | `socket.rs` | opening the listening socket, and removing it |
//! | `listener.rs` | accepting, the threads, how many there may be |
//! | `http.rs` | reading a request, writing the answer, and for how long |
//! | `routes.rs` | who may ask what, and who answers |
//! | `metrics.rs`, `page.rs`, `status.rs`, `process.rs` | how the server fares |
//! | `cluster.rs` | how the cluster fares, as this node sees it |
//! | `commands.rs` | what the operator can do to the running chat |
//! | `history.rs` | what the operator takes out of the history |

#[cfg(feature = "cluster")]
mod cluster;
mod commands;
mod history;
mod http;
mod listener;
mod metrics;
mod page;
mod process;
mod routes;
mod socket;
mod status;

pub(crate) use commands::{Answer, Commands};
pub(crate) use listener::AdminListener;
pub(crate) use routes::{Admin, Reload};
pub(crate) use socket::AdminSocket;
pub(crate) use status::Status;
