//! What may follow from something that somebody does, whatever else there is.

use super::RoomList;
use crate::chat::{Action, Content, Event, Request, RoomId, UserId};

/// What somebody does, and how things were before.
pub(super) struct Act<'a> {
    pub(super) author: UserId,
    pub(super) action: &'a Action,
    pub(super) granted: bool,
    pub(super) room: Option<RoomId>,
    pub(super) list: RoomList,
}

impl Act<'_> {
    /// The author's room afterwards.
    pub(super) fn target(&self) -> Option<RoomId> {
        match self.action {
            Action::Disconnect | Action::Request(Request::LeaveRoom) => None,
            Action::Request(Request::EnterRoom(room, _)) if self.granted => Some(*room),
            _ => self.room,
        }
    }

    /// Whether this is for the author alone to know.
    pub(super) fn is_answered_by(&self, event: &Event) -> bool {
        match event {
            Event::Refused(_) => true,
            Event::Welcome { person, .. } => {
                matches!(self.action, Action::Connect) && person.id == self.author
            }
            Event::Entered(person) => self.room == self.target() && person.id == self.author,
            _ => false,
        }
    }

    /// Whether this is what the author wanted to say.
    pub(super) fn says(&self, content: &Content) -> bool {
        match (self.action, content) {
            (Action::Request(Request::Text(asked)), Content::Text(text)) => text == asked,
            (Action::Request(Request::Gif(asked)), Content::Gif(gif)) => gif == asked,
            _ => false,
        }
    }

    /// How many effects it has when granted. Whether a new room is shown at once depends.
    pub(super) fn effects(&self) -> Option<usize> {
        let moves = usize::from(self.room != self.target());
        match self.action {
            Action::Request(Request::CreateRoom(_)) => None,
            Action::Request(Request::EnterRoom(..)) if self.room.is_some() => Some(1 + 3 * moves),
            Action::Request(Request::EnterRoom(..)) => Some(2),
            Action::Request(Request::LeaveRoom) | Action::Disconnect => Some(2 * moves),
            Action::Request(Request::ChangeName(_)) => Some(usize::from(self.room.is_some())),
            Action::Connect | Action::Request(_) => Some(1),
            Action::Begin(_) | Action::Resume => unreachable!("nobody has a session"),
        }
    }
}
