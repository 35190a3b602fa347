//! Messages: their numbers, and taking both back when they cannot be saved.

use super::{
    Asker, Chat, Content, Effect, Event, Position, Reference, ReferenceHash, Refusal, Reply, Room,
    RoomChange, RoomId, Said, User, UserId, Version,
};

/// A message that is taken back if it cannot be saved.
#[derive(Debug, PartialEq)]
pub(super) struct Unsaved {
    pub(super) room: RoomId,
    pub(super) author: UserId,
    pub(super) reference: Reference,
}

impl Chat {
    /// Sends a message to the author's room, unless it was sent before.
    pub(super) fn say(
        &mut self,
        asker: &Asker,
        content: Content,
        meant: Option<RoomId>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        if let Some(position) = self.sent_before(asker.user, asker.reference.as_deref(), 1) {
            // Whether a message of this tick was said depends on its being saved. A repetition of it is
            // refused together with it. Whether a message is too old to be kept is seen where it is kept: the
            // time of day may be wrong.
            if !position.is_kept(&self.rooms, self.rules.max_kept) && !self.is_unsaved(asker) {
                return Err(Refusal::AlreadySaid(position));
            }
            let (to, reference) = (asker.user, asker.reference.clone());
            effects.push(Effect::Repeat { to, position, reference });
            return Ok(());
        }
        let id = asker.room_in(meant)?;
        content.check(self.rules.max_text_chars).map_err(Refusal::BadText)?;
        let from = self.person(asker.user).ok_or(Refusal::NotInRoom)?;
        let room = self.rooms.get_mut(&id).ok_or(Refusal::NotInRoom)?;
        room.last_seq = room.last_seq.saturating_add(1);
        let seq = room.last_seq;
        let (time, reference) = (asker.time, asker.reference.clone());
        self.unsaved.push(Unsaved { room: id, author: asker.user, reference: reference.clone() });
        if let Some(reference) = &reference {
            let hash = ReferenceHash::of(reference, seq);
            self.remember(asker.user, hash, Position { room: id, seq });
        }
        let said = Said { seq, time, from, content, reference };
        // A client that has resumed and not entered yet does not get the event, and waits for it.
        let user = self.users.get(&asker.user);
        let is_deaf = user.is_some_and(|it| it.version == Version::V2 && !it.is_subscribed);
        let answer = is_deaf.then(|| asker.reply(Reply::Said(id, said.clone())));
        effects.push(Effect::Tell { room: id, time, event: Event::Said(said) });
        effects.extend(answer);
        Ok(())
    }

    /// How many messages are kept for each room.
    #[cfg(feature = "cluster")]
    pub(crate) fn max_kept(&self) -> u64 {
        self.rules.max_kept
    }

    /// Whether it is not known yet if the author's message under this reference is saved.
    fn is_unsaved(&self, asker: &Asker) -> bool {
        let is_it = |it: &Unsaved| it.author == asker.user && it.reference == asker.reference;
        self.unsaved.iter().any(is_it)
    }

    /// The unsaved messages are saved. The list of rooms shows them from now on.
    pub(super) fn mark_saved(&mut self, effects: &mut Vec<Effect>) {
        for Unsaved { room: id, .. } in self.unsaved.drain(..) {
            if self.rooms.get_mut(&id).is_some_and(Room::mark_saved) {
                effects.push(Effect::RoomListChanged { room: id, change: RoomChange::Messages });
            }
        }
    }

    /// The unsaved messages could not be saved. Frees their numbers, and forgets their references.
    pub(super) fn take_back_unsaved(&mut self) {
        for Unsaved { room, author, reference } in
            std::mem::take(&mut self.unsaved).into_iter().rev()
        {
            if let Some(room) = self.rooms.get_mut(&room) {
                room.take_back_unsaved();
            }
            if let Some(reference) = reference
                && let Some(references) = self.users.get_mut(&author).and_then(User::references)
            {
                let before = references.len();
                references.take_back(ReferenceHash::of(&reference, 1));
                self.reference_counts.change(author, before, references.len());
            }
        }
    }
}
