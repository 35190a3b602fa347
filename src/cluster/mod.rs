//! Several nodes that are one chat: they share one log in Redis or Valkey, and each applies the same entries.
//!
//! `log` decides with it what comes next; the server opens it and runs its threads.

#![allow(dead_code, unused_imports)]

pub(crate) mod batch;
mod digest;
pub(crate) mod figures;
pub(crate) mod keeper;
pub(crate) mod nodes;
pub(crate) mod redis;
pub(crate) mod replica;
mod replies;
pub(crate) mod retention;
pub(crate) mod rooms;
mod said;
pub(crate) mod store;

#[cfg(test)]
mod property_test;
