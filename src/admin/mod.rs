//! What the operator can ask of the running server.

mod commands;

pub(crate) use commands::{Answer, Commands};
