//! Several nodes that are one chat: they share one log in Redis or Valkey, and each applies the same entries.
//!
//! `log` decides with it what comes next; the server opens it and runs its threads.

#![allow(dead_code)]

pub(crate) mod batch;
mod digest;
pub(crate) mod figures;
pub(crate) mod nodes;
pub(crate) mod replica;

#[cfg(test)]
mod property_test;
