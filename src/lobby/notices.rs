//! What the lobbies of several nodes tell each other, so that their clients see the same. The dispatcher's thread runs
//! it.

use super::Lobby;
use crate::chat::{Chat, ConnectionId, Link};
use crate::log::{Notice, Now};
use crate::output::Output;

/// No connection of this node.
const ELSEWHERE: ConnectionId = ConnectionId(0);

impl Lobby {
    /// What the request that was just answered tells the other nodes.
    pub(crate) fn take_notice(&mut self) -> Option<Notice> {
        self.notice.take()
    }

    /// Another node says this of the user at this link.
    pub(crate) fn hear(
        &mut self,
        link: Link,
        notice: Notice,
        now: Now,
        chat: &Chat,
        outputs: &mut Vec<Output>,
    ) {
        let Some((user, room)) = chat.user_at(link) else { return };
        let Some(person) = chat.person(user) else { return };
        match (notice, room) {
            (Notice::Typing, Some(room)) => {
                outputs.push(Output::Typing { room, from: ELSEWHERE, person, time: now.time });
            }
            (Notice::Typing, None) => {}
            (Notice::Mentions(true), _) => self.mentions.count_for(&person),
            (Notice::Mentions(false), _) => {
                self.mentions.drop_user(user);
            }
        }
    }
}
