//! What a client says of itself: what it can take and wants to be told, and that its user is typing. The dispatcher's
//! thread runs it.

use std::time::Duration;

use super::{Lobby, TYPING_INTERVAL};
use crate::chat::{Chat, ConnectionId, Person, RoomId, UserId, Version};
#[cfg(feature = "cluster")]
use crate::log::Notice;
use crate::log::Now;
use crate::output::Output;
use crate::protocol::{Hello, HelloRequest, Outgoing, Reference};

impl Lobby {
    /// The author gets an answer if the request has a reference. The others are not told too often.
    pub(super) fn tell_typing(
        &mut self,
        from: ConnectionId,
        room: RoomId,
        person: Person,
        reference: &Reference,
        now: Now,
        outputs: &mut Vec<Output>,
    ) {
        let time = now.time;
        if let reference @ Some(_) = reference.as_deref() {
            let outgoing = Outgoing::Typing { room, time, person: &person, reference };
            outputs.push(Output::Send { to: vec![from], frames: Version::V2.frame(&outgoing) });
        }
        if self.may_tell_typing(from, now.at) {
            outputs.push(Output::Typing { room, from, person, time });
            #[cfg(feature = "cluster")]
            self.notice.replace(Notice::Typing);
        }
    }

    /// Notes what the client can take, and tells it what is in use.
    #[cfg_attr(
        not(feature = "cluster"),
        expect(unused_variables, reason = "there are no other nodes")
    )]
    pub(super) fn greet(
        &mut self,
        connection: ConnectionId,
        user: UserId,
        request: HelloRequest,
        reference: &Reference,
        chat: &Chat,
    ) -> Output {
        let asked = request.max_frame_bytes.unwrap_or(usize::MAX);
        let max_frame_bytes = self.max_frame_for(connection).min(asked);
        let HelloRequest { presence, mentions, .. } = request;
        let hello = Hello { presence, mentions, max_frame_bytes };
        self.max_frames.insert(connection, max_frame_bytes);
        self.people.follow(connection, presence);
        let is_dropped = self.mentions.want(connection, user, mentions);
        if self.subscribers.contains(&connection) {
            self.follow_mentions(connection, chat.person(user).as_ref());
        }
        #[cfg(feature = "cluster")]
        if is_dropped {
            self.notice = Some(Notice::Mentions(false));
        }
        let outgoing = Outgoing::Hello { hello, reference: reference.as_deref() };
        Output::Send { to: vec![connection], frames: Version::V2.frame(&outgoing) }
    }

    /// Counts the mentions of the client's user from now on, if it wants to know them.
    #[cfg_attr(
        not(feature = "cluster"),
        expect(unused_variables, reason = "there are no other nodes")
    )]
    pub(super) fn follow_mentions(&mut self, connection: ConnectionId, person: Option<&Person>) {
        let is_new = self.mentions.follow(connection, person);
        #[cfg(feature = "cluster")]
        if is_new {
            self.notice = Some(Notice::Mentions(true));
        }
    }

    fn may_tell_typing(&mut self, connection: ConnectionId, at: Duration) -> bool {
        let not_before = self.typing_not_before.entry(connection).or_default();
        let may = *not_before <= at;
        if may {
            *not_before = at + TYPING_INTERVAL;
        }
        may
    }
}
