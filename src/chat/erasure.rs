//! Erasing messages for good: which ones, and what is left of them.
//!
//! An erased message leaves its number and its time ([`Content::Erased`](super::Content::Erased)), so that
//! the numbers of a room stay without gaps.

use super::{RoomId, UserId};

/// Which messages are to be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Erasure {
    /// All of one user, in every room.
    User(UserId),
    /// All of one room.
    Room(RoomId),
    /// All that are older, in every room. Unix time in milliseconds.
    Before(u64),
}

/// An erasure in one room that is done: nobody finds the messages up to `up_to` that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Erased {
    pub(crate) what: Erasure,
    pub(crate) up_to: u64,
    /// Unix time in milliseconds.
    pub(crate) time: u64,
}

impl Erasure {
    /// Whether it is about messages in this room.
    pub(crate) fn concerns(self, room: RoomId) -> bool {
        match self {
            Self::Room(it) => it == room,
            Self::User(_) | Self::Before(_) => true,
        }
    }

    /// Whether it takes a message in a room that it concerns.
    pub(crate) fn takes(self, author: UserId, time: u64) -> bool {
        match self {
            Self::User(user) => author == user,
            Self::Room(_) => true,
            Self::Before(limit) => time < limit,
        }
    }
}
