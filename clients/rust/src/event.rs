//! What a client learns, as public types.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The connection is open. If `resumed` is false, the user is a new one.
    Connected {
        /// Who this client is.
        user: User,
        /// Whether the session went on.
        resumed: bool,
    },
    /// The connection was lost, or could not be made. The next attempt follows by itself.
    Disconnected {
        /// The reason, for people.
        why: String,
        /// How long the client waits before the next attempt.
        retry_in: Duration,
    },
    /// The client is in a room, for the first time or again.
    Entered {
        /// The room's id.
        room: u64,
        /// The room's title.
        title: String,
        /// Its members, at most 250; the request `users` has the others ([`Client::ask`](crate::Client::ask)).
        users: Vec<User>,
        /// How many members it has.
        user_count: u64,
    },
    /// The history of the room with this id is another one than before: discard what you have of it.
    Reset(u64),
    /// The messages between these two are missing: the server did not send them.
    /// [`Client::history`](crate::Client::history) may still have some.
    Gap {
        /// The room's id.
        room: u64,
        /// The `seq` of the last message before the gap.
        after: u64,
        /// The `seq` of the first message after the gap.
        before: u64,
    },
    /// The next message of the room, this client's own ones included.
    Message(Message),
    /// A request was answered. For a message: it is saved.
    Done {
        /// The `ref` that the request was given.
        reference: String,
        /// The `seq` of the message, if it was one.
        seq: Option<u64>,
        /// The id of the room that was created, or that the message was said in.
        room: Option<u64>,
    },
    /// A request was refused for good; it changed nothing.
    Refused(Refusal),
    /// The session was lost, and nobody can know whether the request with this `ref` was carried out. It is not sent
    /// again: sending it anew may repeat it.
    InDoubt(String),
    /// A user entered this room.
    UserEntered {
        /// The room's id.
        room: u64,
        /// Who entered.
        user: User,
    },
    /// A user left this room, perhaps this client's own.
    UserLeft {
        /// The room's id.
        room: u64,
        /// Who left.
        user: User,
    },
    /// A user has another name.
    Renamed {
        /// The user's id.
        user: u64,
        /// The new name.
        name: String,
    },
    /// The list of rooms: after [`Client::rooms`](crate::Client::rooms), and whenever the client has
    /// connected again.
    Rooms(Vec<Room>),
    /// A room is new, or has another number of users, or another last message.
    RoomChanged(Room),
    /// The room with this id is gone.
    RoomRemoved(u64),
    /// Any other frame, as it is, such as `typing`.
    Other(Value),
}

/// A user of the chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Whether its connection is lost and its session waits to be resumed.
    #[serde(default)]
    pub away: bool,
}

/// A room in the list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    /// Its id.
    pub id: u64,
    /// Its title.
    pub title: String,
    /// How many members it has.
    pub user_count: u64,
    /// The `seq` of its last message, or 0.
    pub seq: u64,
}

/// A message in a room.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Message {
    /// The id of the room.
    #[serde(rename = "roomId")]
    pub room: u64,
    /// The number of the message in its room, from 1 without gaps.
    pub seq: u64,
    /// Unix time in milliseconds, which may go back.
    pub time: u64,
    /// The author, with the name that it had.
    pub from: User,
    /// The `ref` of the request, for its author to recognise.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// What was said.
    #[serde(flatten)]
    pub content: Content,
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// A text.
    Text {
        /// The text as it was sent.
        text: String,
    },
    /// A GIF.
    Gif {
        /// Its id.
        #[serde(rename = "gifId")]
        id: u64,
    },
}

/// Which part of a history to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The newest messages.
    Newest,
    /// The newest with a smaller `seq`.
    Before(u64),
    /// The oldest with a larger `seq`.
    After(u64),
    /// Those around this `seq`.
    Around(u64),
}

/// A part of a room's history.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HistoryPage {
    /// The room's id.
    #[serde(rename = "roomId")]
    pub room: u64,
    /// The epoch of the history: a `seq` belongs to it.
    #[serde(default)]
    pub epoch: String,
    /// The events as they are, the oldest first, also of types that this client does not know.
    pub events: Vec<Value>,
    /// Whether older messages are stored.
    pub more: bool,
    /// Whether newer messages are stored.
    #[serde(default)]
    pub newer: bool,
}

impl HistoryPage {
    /// The messages, the oldest first.
    pub fn messages(&self) -> impl Iterator<Item = Message> {
        self.events.iter().filter_map(read)
    }

    /// The `seq` of the first event.
    pub fn first(&self) -> Option<u64> {
        self.events.first()?["seq"].as_u64()
    }
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The `ref` that the request was given.
    pub reference: String,
    /// The code, for programs.
    pub code: String,
    /// What is wrong, for people.
    pub message: String,
}

/// Reads a value of the server; `None` if it is none of this type.
pub(crate) fn read<'a, T: Deserialize<'a>>(value: &'a Value) -> Option<T> {
    T::deserialize(value).ok()
}
