//! **wschat** is a chat server for the smallest machine you own.

#![forbid(unsafe_code)]

mod chat;
mod protocol;
mod settings;

pub use settings::{Limits, LogSettings, Settings, SettingsError};
