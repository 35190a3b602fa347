//! What a tick has gathered: steps, in the order in which clients are to see what comes of them.
//!
//! The dispatcher applies inputs to the chat at once, but delivery follows only when the tick has been
//! committed to the history. What shows the chat as it is at some moment is encoded when its step is
//! made.

use bytes::Bytes;
use std::sync::Arc;

use crate::chat::{EVENT_BYTES, Event, RoomId, Said};
use crate::delivery::{Delivery, Sharers};
use crate::outbox::{ConnectionId, Outbox};
use crate::protocol::{CloseReason, ErrorReply, Reference, Version};
use crate::recall::{Question, Recall};

/// One thing that delivery is to do.
#[derive(Debug)]
pub(crate) enum Step {
    Connect {
        connection: ConnectionId,
        outbox: Arc<Outbox>,
        version: Version,
    },
    End {
        connection: ConnectionId,
        reason: CloseReason,
    },
    Enter {
        room: RoomId,
        connection: ConnectionId,
    },
    Leave {
        connection: ConnectionId,
    },
    Tell {
        room: RoomId,
        event: Event,
        time: u64,
    },
    TellOthers {
        room: RoomId,
        but: Option<ConnectionId>,
        event: Event,
        time: u64,
    },
    /// Follows only when it is kept.
    Say {
        room: RoomId,
        said: Said,
        author: Option<ConnectionId>,
    },
    Reply {
        to: ConnectionId,
        event: Event,
        time: u64,
        reference: Reference,
    },
    Refuse {
        to: ConnectionId,
        error: ErrorReply,
    },
    Give {
        to: ConnectionId,
        frames: Bytes,
    },
    Share {
        with: Sharers,
        frames: Bytes,
    },
    Watch {
        connection: ConnectionId,
    },
    /// What comes of it is an answer from the history.
    Ask {
        connection: ConnectionId,
        question: Question,
    },
    Answer {
        connection: ConnectionId,
        frames: Bytes,
    },
    /// In the place of what cannot be kept, and whose author has gone.
    Nothing,
}

impl Step {
    /// About how many bytes a tick becomes longer by this.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Say { said, .. } => said.weight(),
            Self::Tell { .. } | Self::TellOthers { .. } => EVENT_BYTES,
            Self::Give { frames, .. } | Self::Answer { frames, .. } => frames.len(),
            _ => 0,
        }
    }

    /// Does it.
    pub(crate) fn follow(self, delivery: &mut Delivery, recall: &Recall) {
        match self {
            Self::Connect { connection, outbox, version } => {
                delivery.connect(connection, outbox, version);
            }
            Self::End { connection, reason } => delivery.end(connection, reason),
            Self::Enter { room, connection } => delivery.enter(room, connection),
            Self::Leave { connection } => delivery.leave(connection),
            Self::Tell { room, event, time } => delivery.tell(room, &event, time),
            Self::TellOthers { room, but, event, time } => {
                delivery.tell_others(room, but, &event, time);
            }
            Self::Say { room, said, .. } => delivery.say(room, &said),
            Self::Reply { to, event, time, reference } => {
                delivery.reply(to, &event, time, &reference);
            }
            Self::Refuse { to, error } => delivery.refuse(to, &error),
            Self::Give { to, frames } => delivery.give(to, frames),
            Self::Share { with, frames } => delivery.share(with, &frames),
            Self::Watch { connection } => delivery.watch(connection),
            Self::Ask { connection, question } => {
                recall.ask(delivery.await_answer(connection, question));
            }
            Self::Answer { connection, frames } => {
                recall.take_note_of_answer();
                recall.ask(delivery.answer(connection, frames));
            }
            Self::Nothing => {}
        }
    }
}
