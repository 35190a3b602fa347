//! Restoring the chat from the history when the server starts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[cfg(all(feature = "cluster", feature = "sqlite"))]
use super::ReferenceHash;
use super::references::ReferenceCounts;
use super::resumption::{Away, Resumption};
use super::{
    Chat, Effect, EntryId, IdLimits, Room, Rules, Shares, Stored, StoredReference, StoredUser,
    User, Version,
};

impl Chat {
    /// A chat with its permanent rooms and nobody in them.
    #[cfg(test)]
    pub(super) fn new(rules: Rules) -> Self {
        Self::restore(rules, Stored::default()).0
    }

    /// A chat before anything has happened: no rules, no rooms, and every id may be handed out.
    #[cfg(feature = "cluster")]
    pub(crate) fn empty() -> Self {
        let rules = Rules {
            rooms: Vec::new(),
            max_rooms: 0,
            max_name_chars: 0,
            max_title_chars: 0,
            max_text_chars: 0,
            empty_room_ttl: Duration::ZERO,
            resume_grace: Duration::ZERO,
            reload_grace: Duration::ZERO,
            max_away: 0,
            max_kept: 0,
            max_references: 0,
        };
        Self::restore(rules, Stored::default()).0
    }

    /// The chat as it was stored, and effects that store the differences that the rules make. All users
    /// are away, with the whole grace period to resume.
    pub(crate) fn restore(rules: Rules, stored: Stored) -> (Self, Vec<Effect>) {
        let Stored { last_user, last_room, rooms, users } = stored;
        let mut chat = Self {
            rules: rules.clone(),
            last_entry: EntryId::default(),
            now: Duration::ZERO,
            users: BTreeMap::new(),
            last_user,
            links: BTreeMap::new(),
            resumable: BTreeMap::new(),
            reference_counts: ReferenceCounts::default(),
            away: BTreeSet::new(),
            away_shares: Shares::default(),
            rooms: BTreeMap::new(),
            last_room,
            reserved: IdLimits::NONE,
            expiries: BTreeSet::new(),
            room_shares: Shares::default(),
            unsaved: Vec::new(),
        };
        let removed_at = rules.empty_room_ttl;
        for (stored, last_seq) in rooms {
            let room = match stored.place {
                Some(place) => Room::permanent(&stored.title, place, last_seq),
                None => Room::temporary(&stored.title, removed_at, last_seq),
            };
            chat.last_room = chat.last_room.max(stored.id.0);
            chat.insert_room(stored.id, room);
        }
        let mut effects = Vec::new();
        chat.set_rules(rules, &mut effects);
        for (user, references) in users {
            chat.restore_user(user, references);
        }
        effects.retain(|effect| matches!(effect, Effect::Store(_)));
        (chat, effects)
    }

    /// What the history would have stored of this chat. Users who cannot resume are left out.
    #[cfg(all(feature = "cluster", feature = "sqlite"))]
    pub(crate) fn stored(&self) -> Stored {
        let rooms = self.rooms.iter().map(|(id, room)| (room.stored(*id), room.saved_seq));
        let users = self.users.iter().filter_map(|(id, user)| {
            let Resumption { key, references, .. } = &**user.resumption.as_ref()?;
            let stored =
                StoredUser { user: *id, key: *key, name: user.name.clone(), room: user.room };
            let sent = |hash: &ReferenceHash| Some((*hash, references.find(*hash)?));
            Some((stored, references.order.iter().filter_map(sent).collect()))
        });
        Stored {
            last_user: self.last_user,
            last_room: self.last_room,
            rooms: rooms.collect(),
            users: users.collect(),
        }
    }

    fn restore_user(&mut self, stored: StoredUser, references: Vec<StoredReference>) {
        let StoredUser { user: id, key, name, room } = stored;
        let until = self.rules.resume_grace;
        let mut resumption = Resumption::new(key);
        // Whether the user had anything to lose is not stored. Assume so.
        let away = Away { until, has_nothing: false };
        resumption.away = Some(away);
        let room = room.filter(|id| self.rooms.contains_key(id));
        if let Some(room_id) = room {
            self.put_into_room(id, room_id);
        }
        self.last_user = self.last_user.max(id.0);
        self.resumable.insert(key, id);
        let resumption = Some(Box::new(resumption));
        // Only clients of this version can resume.
        let (version, source, link) = (Version::V2, None, None);
        let user = User { name, version, source, link, room, is_subscribed: false, resumption };
        // A file with a user twice has been damaged, which must not put the counts wrong.
        if let Some(references) = self.users.get_mut(&id).and_then(User::references) {
            let before = references.len();
            self.reference_counts.change(id, before, 0);
        }
        self.users.insert(id, user);
        self.note_away(id, away, source);
        for (reference, position) in references {
            self.remember(id, reference, position);
        }
    }
}

#[cfg(test)]
mod tests;
