//! A synchronous client of the chat server wschat, which speaks `wschat.v2`. It starts no thread.
//!
//! ```no_run
//! use wschat_client::{Client, Config, Event};
//!
//! # fn main() -> Result<(), wschat_client::Error> {
//! let mut client = Client::new(Config::new("ws://127.0.0.1:8776/"))?;
//! client.enter(1);
//! client.say("Is anybody here?")?;
//! while let Some(event) = client.next() {
//!     if let Event::Message(message) = event? {
//!         println!("{}: {:?}", message.from.name, message.content);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What it does for you:
//!
//! - It connects when you ask for the next [`Event`], and again when the connection is lost, after a
//!   wait that grows, with jitter. It resumes the session, enters the room again, and
//!   brings the messages that were missed. It stops ([`Error::Stopped`]) where the server says that
//!   coming back is of no use, by the close code or its range.
//! - Every message of a room comes once and in order. Where the server no longer has some,
//!   [`Event::Gap`] comes in their place.
//! - What you send waits in a queue until the server has answered it. Every request carries a `ref`,
//!   and is sent again with it after a loss, so a message is said exactly once. Requests go out one
//!   at a time: so the server cannot refuse one and accept the next, which would change their order.
//!   In the one case in which nobody can know whether a message was said, [`Event::InDoubt`] comes.
//! - It ignores members, types and codes that it does not know, as the protocol demands.
//!
//! [`Client::saved`] has everything that a program needs to go on after its own restart.

mod backoff;
mod client;
mod core;
mod event;
mod queue;
mod wire;

pub use client::{Client, Config, Error};
pub use core::{Doubt, Position, Saved};
pub use event::{Content, Event, HistoryPage, Message, Page, Refusal, Room, User};
pub use queue::Job;
pub use wire::{Dial, Stream};
