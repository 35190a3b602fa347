//! **wschat** is a chat server for the smallest machine you own. It serves WebSocket and a page on one
//! port, with an OS thread per client, one thread that owns all rooms, and no async runtime.
//!
//! The `wschat` program is a thin command line around this library. Any program can run the server in
//! threads of its own:
//!
//! ```
//! use wschat::{Server, Settings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::start(Settings { port: 0, ..Settings::default() })?;
//! println!("http://{}/", server.local_addr());
//! server.shutdown();
//! server.join()?;
//! # Ok(())
//! # }
//! ```
//!
//! Several servers can run in one process. Only the [`log`](::log) facade is global: install any logger. This
//! crate never logs what users write; tungstenite, which it uses, logs whole frames at level `trace`.
//!
//! # Threads
//!
//! ```text
//!             TCP / TLS
//!  clients ════════════▶ listener ───spawn───▶ session N    one thread per client: handshake,
//!     ▲                                           │         reading, rate limits, heartbeat
//!     │                                           │ inputs  a bounded channel: when it is full, the
//!     │                                           ▼         session waits and TCP slows its client
//!     └────── outbox N ◀─────────────────── dispatcher      owns the chat; per tick: apply, deliver
//!             written immediately if the socket is ready; otherwise
//!             queued, and written by the flusher, one thread for all
//! ```
//!
//! `docs/architecture.md` in the repository explains the design, and `docs/protocol.md` the JSON protocol.

#![forbid(unsafe_code)]

mod admin;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod build_info;
mod chat;
mod clock;
#[cfg(feature = "cluster")]
mod cluster;
mod delivery;
mod dispatcher;
mod error;
mod health;
mod history;
mod input;
mod liveness;
mod lobby;
mod log;
mod mailbox;
mod memory;
mod metrics;
mod net;
mod outbox;
mod output;
mod pace;
mod protocol;
mod recall;
mod server;
mod session;
mod settings;
mod shell;
#[cfg(test)]
mod simulation;
mod trouble;
mod web;

pub use build_info::{COMMIT, FEATURES};
#[cfg(feature = "cluster")]
pub use cluster::ClusterError;
#[cfg(all(feature = "cluster", feature = "sqlite"))]
pub use cluster::{ClusterExport, ClusterImport};
pub use error::{ServeError, StartError};
pub use history::{
    HistoryError, HistoryState, Restored, inspect as inspect_history, restore as restore_history,
};
pub use net::sockets::Listening;
pub use net::tls::CertificateError;
#[cfg(feature = "cluster")]
pub use server::inspect_cluster;
pub use server::{Bound, Capacity, Counts, Reloaded, Server, ServerHandle, capacity};
#[cfg(all(feature = "cluster", feature = "sqlite"))]
pub use server::{export_cluster, import_cluster};
pub use settings::{
    AdminSettings, Durability, HistorySettings, Limits, ListenAddress, LogFormat, LogSettings,
    Settings, SettingsError,
};
#[cfg(feature = "cluster")]
pub use settings::{ClusterSettings, ReadFrom, RedisServers, RedisTls};
pub use web::{GifsError, IconError};
