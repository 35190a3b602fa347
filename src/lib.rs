//! **wschat** is a chat server for the smallest machine you own.

#![forbid(unsafe_code)]

mod chat;
mod net;
mod outbox;
mod protocol;
mod settings;

pub use net::tls::CertificateError;
pub use settings::{Limits, LogSettings, Settings, SettingsError};
