//! What the operator asks of the dispatcher, and what it answers.
//!
//! Each question has the sender of its one answer; there has to be room for it. The dispatcher answers at the end
//! of the tick, when what has been asked for is committed and delivered. While the server stops, it drops what
//! would change the chat.

use std::net::IpAddr;
use std::time::Instant;

use crossbeam_channel::{Sender, bounded};
use serde::Serialize;

use super::Input;
use crate::chat::{Erasure, RoomId, UserId, Version};
use crate::mailbox::MailboxSender;

/// A question of the operator.
#[derive(Debug)]
pub(crate) enum Control {
    /// Is the dispatcher at work?
    Ping(Sender<()>),
    Status(Sender<ChatStatus>),
    /// All rooms, by id.
    Rooms(Sender<Vec<RoomStatus>>),
    Clients(Sender<Clients>),
    /// Puts users out. The answer has those that there were.
    Kick {
        whom: Whom,
        reason: Option<String>,
        answer: Sender<Vec<UserId>>,
    },
    /// Tells everyone. The answer is the number of clients, or what is wrong with the text.
    Announce {
        text: String,
        answer: Sender<Result<usize, String>>,
    },
    /// Which messages can be erased. What is said later is not among them.
    Reach {
        what: Erasure,
        answer: Sender<Reach>,
    },
    /// These messages have been erased from the history. Clients are told.
    Erased {
        what: Erasure,
        reach: Reach,
        answer: Sender<()>,
    },
}

/// The last message that can be erased, of each room that has any; or `None` if there is no such room.
pub(crate) type Reach = Option<Vec<(RoomId, u64)>>;

/// Who is kicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    User(UserId),
    /// Everyone from this address. Of users who are away only IPv4 addresses are known.
    Address(IpAddr),
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChatStatus {
    /// Those with a connection.
    pub(crate) users: usize,
    pub(crate) away_users: usize,
    pub(crate) rooms: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomStatus {
    pub(crate) id: u64,
    pub(crate) title: String,
    /// Its members, also those who are away.
    pub(crate) users: usize,
    pub(crate) away: usize,
    /// That of its last message.
    pub(crate) seq: u64,
    pub(crate) is_permanent: bool,
}

/// All users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Clients {
    /// Those with a connection, in the order in which they connected.
    pub(crate) clients: Vec<ClientStatus>,
    /// Those who have lost theirs, by id.
    pub(crate) away: Vec<AwayStatus>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClientStatus {
    pub(crate) connection: u64,
    /// That of the user.
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    pub(crate) room: Option<RoomName>,
    /// When the client connected, in Unix milliseconds.
    pub(crate) since: u64,
    /// What waits to be sent to it.
    pub(crate) queued_bytes: usize,
    pub(crate) protocol: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AwayStatus {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) room: Option<RoomName>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RoomName {
    pub(crate) id: u64,
    pub(crate) title: String,
}

impl Control {
    /// Asks the dispatcher, and waits for its answer until `deadline`, however full the mailbox is. `None`
    /// when there is no answer by then, or never will be.
    pub(crate) fn ask<T>(
        inputs: MailboxSender<Input>,
        deadline: Instant,
        question: impl FnOnce(Sender<T>) -> Self,
    ) -> Option<T> {
        let (answer, answered) = bounded(1);
        let question = Input::Control(Box::new(question(answer)));
        if !inputs.send_by(question, deadline) {
            return None;
        }
        // Waiting with a sender in hand would keep the dispatcher running.
        drop(inputs);
        answered.recv_deadline(deadline).ok()
    }
}

impl ClientStatus {
    /// The name of a version of the protocol.
    pub(crate) fn protocol(version: Version) -> &'static str {
        match version {
            Version::Base => "base",
            Version::V2 => "wschat.v2",
        }
    }
}
