//! What the operator can ask of the running server.

mod commands;
mod history;

pub(crate) use commands::{Answer, Commands};
