//! **wschat** is a chat server for the smallest machine you own: WebSocket and page on one port, an
//! OS thread per client, one thread that owns all rooms, and no async runtime anywhere.
//!
//! The `wschat` program is a thin command line around this library, which any program can run in
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
//! Several servers can run in one process. Nothing is global but the [`log`] facade: install any
//! logger to read what goes on. What people say is never logged by this crate; tungstenite, below
//! it, logs whole frames at level `trace`.
//!
//! # Threads
//!
//! ```text
//!             TCP / TLS
//!  clients ════════════▶ listener ───spawn───▶ session N    one thread per client: handshake,
//!     ▲                                           │         reading, rate limits, heartbeat
//!     │                                           │ inputs  a bounded channel: a session may wait,
//!     │                                           ▼         so TCP slows that client down
//!     └────── outbox N ◀─────────────────── dispatcher      owns the chat; per tick: apply, deliver
//!             written at once where the socket takes it, else queued,
//!             and written by the flusher, one thread for all
//! ```
//!
//! `docs/architecture.md` in the repository tells the reasons, `docs/protocol.md` the JSON protocol.

#![forbid(unsafe_code)]

#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod chat;
mod delivery;
mod dispatcher;
mod error;
mod history;
mod mailbox;
mod net;
mod outbox;
mod protocol;
mod recall;
mod server;
mod session;
mod settings;
mod shell;
mod tick;
mod web;

pub use error::{ServeError, StartError};
pub use history::HistoryError;
pub use net::tls::CertificateError;
pub use server::{Reloaded, Server, ServerHandle};
pub use settings::{Durability, HistorySettings, Limits, LogSettings, Settings, SettingsError};
pub use web::GifsError;
