//! Messages: their numbers and references, and taking both back when they cannot be saved.

use std::collections::BTreeMap;

use super::resumption::Sent;
use super::{
    Asker, Chat, Content, Effect, Event, Position, Reference, Refusal, Reply, Room, RoomChange,
    RoomId, Rules, Said, UserId, Version,
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
        if let Some(sent) = self.sent_before(asker) {
            // Whether a message of this tick was said depends on its being saved. A repetition of it is
            // refused together with it.
            if !is_kept(&self.rooms, &self.rules, asker.time, sent) && !self.is_unsaved(asker) {
                return Err(Refusal::AlreadySaid(sent.position));
            }
            let (to, reference) = (asker.user, asker.reference.clone());
            effects.push(Effect::Repeat { to, position: sent.position, reference });
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
        self.note_reference(asker, Sent { position: Position { room: id, seq }, time });
        let said = Said { seq, time, from, content, reference };
        // A client that has resumed and not entered yet does not get the event, and waits for it.
        let user = self.users.get(&asker.user);
        let is_deaf = user.is_some_and(|it| it.version == Version::V2 && !it.is_subscribed);
        let answer = is_deaf.then(|| asker.reply(Reply::Said(id, said.clone())));
        effects.push(Effect::Tell { room: id, time, event: Event::Said(said) });
        effects.extend(answer);
        Ok(())
    }

    /// The message that the author has sent under the same reference.
    fn sent_before(&self, asker: &Asker) -> Option<Sent> {
        let reference = asker.reference.as_deref()?;
        let resumption = self.users.get(&asker.user)?.resumption.as_ref()?;
        resumption.references.find(reference)
    }

    /// Whether it is not known yet if the author's message under this reference is saved.
    fn is_unsaved(&self, asker: &Asker) -> bool {
        let is_it = |it: &Unsaved| it.author == asker.user && it.reference == asker.reference;
        self.unsaved.iter().any(is_it)
    }

    fn note_reference(&mut self, asker: &Asker, sent: Sent) {
        if let Some(reference) = &asker.reference
            && let Some(user) = self.users.get_mut(&asker.user)
            && let Some(resumption) = &mut user.resumption
        {
            let (rooms, rules) = (&self.rooms, &self.rules);
            let is_kept = |sent| is_kept(rooms, rules, asker.time, sent);
            resumption.references.note(reference.clone(), sent, is_kept);
        }
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
                && let Some(user) = self.users.get_mut(&author)
                && let Some(resumption) = &mut user.resumption
            {
                resumption.references.forget_latest(&reference);
            }
        }
    }
}

/// Whether the message can still be shown.
fn is_kept(rooms: &BTreeMap<RoomId, Room>, rules: &Rules, now: u64, sent: Sent) -> bool {
    let Position { room, seq } = sent.position;
    let is_among_the_last =
        rooms.get(&room).is_some_and(|room| seq.saturating_add(rules.max_kept) > room.last_seq);
    let is_young = rules
        .max_age
        .is_none_or(|max_age| u128::from(now.saturating_sub(sent.time)) <= max_age.as_millis());
    is_among_the_last && is_young
}
