//! How many people and rooms there are, asked of the dispatcher. Runs on the threads of the program around it.

use std::time::{Duration, Instant};

use super::ServerHandle;
use crate::input::Control as Question;

/// How many there are at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Users with a connection.
    pub users: usize,
    /// Rooms, those of the settings included.
    pub rooms: usize,
}

impl ServerHandle {
    /// How many users and rooms there are. The dispatcher, which owns the chat, answers when it has ended a tick. So this
    /// also says whether the server works: `None` if there is no answer within `timeout`, as while the disk hangs, and
    /// after the end of the server.
    pub fn counts(&self, timeout: Duration) -> Option<Counts> {
        let inputs = self.running.control()?.inputs;
        let status = Question::ask(inputs, Instant::now() + timeout, Question::Status)?;
        Some(Counts { users: status.users, rooms: status.rooms })
    }
}
