//! What is said: its number, its reference, and what becomes of both if it cannot be kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::session::Place;
use super::watch::Change;
use super::{Asked, Chat, Content, Effect, Position, Refusal, Room, RoomId, Rules, Said, UserId};

/// What has to be taken back if it cannot be kept.
#[derive(Debug)]
pub(super) struct Unkept {
    room: RoomId,
    author: UserId,
    reference: Option<Arc<str>>,
}

impl Chat {
    /// The `seq` of what was said last in a room; 0 if nothing was, or there is no such room.
    pub(crate) fn last_seq(&self, room: RoomId) -> u64 {
        self.rooms.get(&room).map_or(0, |room| room.last_seq)
    }

    /// Changes whenever [`Room::kept_seq`] of a room does.
    pub(crate) fn kept_revision(&self) -> u64 {
        self.kept_revision
    }

    /// What was said up to now is kept for good. Only from here on the list of rooms shows it.
    pub(crate) fn kept(&mut self) {
        for Unkept { room: id, .. } in self.unkept.drain(..) {
            if self.rooms.get_mut(&id).is_some_and(Room::keep) {
                self.kept_revision += 1;
                self.watch.note(id, Change::Changed);
            }
        }
    }

    /// Nothing of what was said since the last call could be kept: it uses up no `seq`, and its
    /// references stand for nothing.
    pub(crate) fn not_kept(&mut self) {
        for Unkept { room, author, reference } in std::mem::take(&mut self.unkept).into_iter().rev()
        {
            if let Some(room) = self.rooms.get_mut(&room) {
                room.take_back();
            }
            if let Some(reference) = reference
                && let Some(session) = self.users.get_mut(&author).and_then(|u| u.session.as_mut())
            {
                session.references.forget_latest(&reference);
            }
        }
    }

    /// Whether what the author says was said before, under the same reference: then it is shown again,
    /// or refused if it is no longer kept.
    pub(super) fn repeats(
        &self,
        asked: &Asked,
        effects: &mut Vec<Effect>,
    ) -> Result<bool, Refusal> {
        let Some(place) = asked.reference.as_deref().and_then(|reference| {
            let session = self.users.get(&asked.author)?.session.as_ref()?;
            session.references.find(reference)
        }) else {
            return Ok(false);
        };
        if !is_kept(&self.rooms, &self.rules, asked.time, place) {
            return Err(Refusal::AlreadySaid);
        }
        effects.push(Effect::Repeat { to: asked.author, position: place.position });
        Ok(true)
    }

    pub(super) fn say(
        &mut self,
        asked: Asked,
        room: RoomId,
        content: Content,
        effects: &mut Vec<Effect>,
    ) {
        let Asked { author, time, reference, .. } = asked;
        let from = self.person(author);
        let here = self.room_mut(room);
        here.last_seq += 1;
        let seq = here.last_seq;
        if let Some(reference) = &reference
            && let Some(session) = self.users.get_mut(&author).and_then(|u| u.session.as_mut())
        {
            let place = Place { position: Position { room, seq }, time };
            let (rooms, rules) = (&self.rooms, &self.rules);
            let is_kept = |place| is_kept(rooms, rules, time, place);
            session.references.note(reference.clone(), place, is_kept);
        }
        self.unkept.push(Unkept { room, author, reference: reference.clone() });
        let said = Said { seq, time, from, content, reference };
        effects.push(Effect::Say { room, said });
    }
}

/// Whether what was said there can still be shown.
fn is_kept(rooms: &BTreeMap<RoomId, Room>, rules: &Rules, now: u64, place: Place) -> bool {
    let Position { room, seq } = place.position;
    let is_among_the_last =
        rooms.get(&room).is_some_and(|room| seq + rules.max_kept > room.last_seq);
    let is_young = rules
        .max_age
        .is_none_or(|max_age| u128::from(now.saturating_sub(place.time)) <= max_age.as_millis());
    is_among_the_last && is_young
}
