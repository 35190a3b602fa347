//! What the operator does: putting out a user, telling everyone something, and erasing messages.

use super::wording::check_text;
use super::{Chat, Effect, Erased, Erasure, Event, Flaw, RoomId, UserId};

/// How many erasures of each room are remembered, for clients that come back later.
const MAX_ERASURES: usize = 16;

impl Chat {
    /// The user leaves for good, with a connection or without one.
    pub(super) fn kick(&mut self, id: UserId, time: u64, effects: &mut Vec<Effect>) {
        let Some(user) = self.users.get_mut(&id) else { return };
        if let Some(link) = user.link.take() {
            self.links.remove(&link);
            effects.push(Effect::Kicked { link });
        }
        self.leave_for_good(id, self.now, time, effects);
    }

    /// What is wrong with an announcement, if anything is.
    pub(crate) fn check_announcement(&self, text: &str) -> Result<(), Flaw> {
        check_text(text, self.rules.max_text_chars)
    }

    pub(super) fn announce(&mut self, text: String, time: u64, effects: &mut Vec<Effect>) {
        if self.check_announcement(&text).is_ok() {
            effects.push(Effect::Announce { text: text.into(), time });
        }
    }

    /// The messages that may have been erased: those of each room that is concerned, up to the last that is
    /// saved.
    pub(crate) fn reach_of(&self, what: Erasure) -> Vec<(RoomId, u64)> {
        let rooms =
            self.rooms.iter().filter(|(id, room)| what.concerns(**id) && room.saved_seq > 0);
        rooms.map(|(id, room)| (*id, room.saved_seq)).collect()
    }

    /// Messages up to these have been erased. The members of their rooms are told.
    pub(super) fn note_erased(
        &mut self,
        what: Erasure,
        reach: &[(RoomId, u64)],
        time: u64,
        effects: &mut Vec<Effect>,
    ) {
        for &(id, up_to) in reach {
            let Some(room) = self.rooms.get_mut(&id).filter(|_| what.concerns(id)) else {
                continue;
            };
            let up_to = up_to.min(room.saved_seq);
            if up_to == 0 {
                continue;
            }
            let erased = Erased { what, up_to, time };
            if room.erasures.len() == MAX_ERASURES {
                room.erasures.pop_front();
            }
            room.erasures.push_back(erased);
            effects.push(Effect::Tell { room: id, time, event: Event::Erased(erased) });
        }
    }

    /// The last erasures in a room, for a client that may have missed them.
    pub(crate) fn erasures(&self, room: RoomId) -> impl Iterator<Item = Erased> {
        self.rooms.get(&room).into_iter().flat_map(|room| room.erasures.iter().copied())
    }
}
