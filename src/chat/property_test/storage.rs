//! What a history would have stored, and whether that brings the chat back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::consistency::check_consistency;
use crate::chat::*;

/// The last memo about each thing, and the messages that were saved.
#[derive(Debug, Default)]
pub(super) struct Storage {
    users: BTreeMap<UserId, StoredUser>,
    rooms: BTreeMap<RoomId, StoredRoom>,
    last_room: u64,
    /// Who created rooms under which reference.
    created: Vec<(UserId, String, RoomId)>,
    /// Oldest first.
    messages: Vec<(RoomId, Said)>,
    unsaved: Vec<(RoomId, Said)>,
    /// The messages that were saved under a reference of a user who can resume.
    acknowledged: BTreeSet<(UserId, String)>,
}

impl Storage {
    pub(super) fn note(&mut self, effects: &[Effect]) -> TestCaseResult {
        for effect in effects {
            match effect {
                Effect::Store(memo) => self.store(memo.clone()),
                Effect::Tell { room, event: Event::Said(said), .. } => {
                    prop_assert!(self.rooms.contains_key(room), "{:?} is not stored", room);
                    self.unsaved.push((*room, said.clone()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn store(&mut self, memo: Memo) {
        match memo {
            Memo::User(user) => {
                self.users.insert(user.user, user);
            }
            Memo::UserGone(user) => {
                self.users.remove(&user);
            }
            Memo::Room(room) => {
                self.last_room = self.last_room.max(room.id.0);
                self.rooms.insert(room.id, room);
            }
            Memo::RoomGone(room) => {
                self.last_room = self.last_room.max(room.0);
                self.rooms.remove(&room);
                self.messages.retain(|(id, _)| *id != room);
            }
            Memo::Created { user, room, reference } => {
                self.created.push((user, reference.to_string(), room));
            }
            Memo::Ids(_) | Memo::Padding(_) => {}
        }
    }

    /// The messages of a room count up by one, and none is saved twice under one reference.
    pub(super) fn save(&mut self) -> TestCaseResult {
        for (room, said) in std::mem::take(&mut self.unsaved) {
            if !self.rooms.contains_key(&room) {
                continue;
            }
            prop_assert_eq!(said.seq, self.last_seq(room) + 1, "{:?}", room);
            let author = said.from.id;
            if let Some(reference) = &said.reference
                && self.users.contains_key(&author)
            {
                let is_first = self.acknowledged.insert((author, reference.to_string()));
                prop_assert!(is_first, "said twice: {:?}", said);
            }
            self.messages.push((room, said));
        }
        Ok(())
    }

    pub(super) fn fail(&mut self) {
        self.unsaved.clear();
    }

    fn last_seq(&self, room: RoomId) -> u64 {
        let mut seqs = self.messages.iter().filter(|(id, _)| *id == room).map(|(_, said)| said.seq);
        seqs.next_back().unwrap_or(0)
    }

    /// After a restart, rooms are as they were, and users who can resume are away.
    pub(super) fn check_restart(&self, chat: &Chat) -> TestCaseResult {
        let permanent = chat.rooms.values().filter_map(Room::place).count();
        if permanent < chat.rules.rooms.len() {
            // There were no ids for the others, which a restart adds.
            return Ok(());
        }
        let (restored, effects) = Chat::restore(chat.rules.clone(), self.stored(chat));
        prop_assert_eq!(effects, []);
        check_consistency_of_restored(&restored)?;
        prop_assert_eq!(restored.last_room, chat.last_room);

        let user = |chat: &Chat, id: UserId| {
            let user = chat.users.get(&id)?;
            Some((user.name.clone(), user.room, user.resumption.as_ref()?.key))
        };
        let can_resume = |id: &UserId| user(chat, *id).is_some();
        for id in chat.users.keys().filter(|id| can_resume(id)) {
            prop_assert_eq!(user(&restored, *id), user(chat, *id), "{:?}", id);
        }
        prop_assert_eq!(&restored.resumable, &chat.resumable);
        let grace = chat.rules.resume_grace;
        prop_assert!(restored.away.iter().all(|(until, _)| *until == grace));

        let room = |room: &Room| {
            let members: Vec<_> = room.members.iter().copied().filter(can_resume).collect();
            (room.title.clone(), room.place(), members, room.saved_seq)
        };
        let rooms =
            |chat: &Chat| -> Vec<_> { chat.rooms().map(|(id, it)| (id, room(it))).collect() };
        prop_assert_eq!(rooms(&restored), rooms(chat));
        self.check_references(&restored, chat)?;
        self.check_other_settings(restored, chat)
    }

    /// A restart with other rooms in the settings comes to the same as one with the present ones and a
    /// reload.
    fn check_other_settings(&self, mut reloaded: Chat, chat: &Chat) -> TestCaseResult {
        let rooms = vec!["Lobby".to_owned(), "Club".to_owned()];
        let rules = Rules { rooms, ..chat.rules.clone() };
        if rules.resume_grace.is_zero() || rules.empty_room_ttl.is_zero() {
            // The reload is an entry, with which they would leave.
            return Ok(());
        }
        let (restarted, effects) = Chat::restore(rules.clone(), self.stored(chat));
        let (id, at) = (EntryId::default(), Duration::ZERO);
        let action = Action::SetRules(Box::new(rules));
        let mut effects_of_reload = Vec::new();
        reloaded.apply(Entry { id, at, time: 0, action }, &mut effects_of_reload);
        effects_of_reload.retain(|effect| matches!(effect, Effect::Store(_)));
        prop_assert_eq!(effects, effects_of_reload);
        prop_assert!(restarted == reloaded, "{:?}, but {:?}", restarted, reloaded);
        Ok(())
    }

    fn check_references(&self, restored: &Chat, chat: &Chat) -> TestCaseResult {
        for (StoredUser { user, .. }, references) in self.stored(chat).users {
            let find = |chat: &Chat, reference: ReferenceHash| {
                let resumption = chat.users.get(&user)?.resumption.as_ref()?;
                resumption.references.find(reference)
            };
            for (reference, position) in references {
                prop_assert_eq!(find(restored, reference), Some(position), "{:?}", reference);
                prop_assert_eq!(find(chat, reference), Some(position), "{:?}", reference);
            }
        }
        Ok(())
    }

    fn stored(&self, chat: &Chat) -> Stored {
        let rooms = self.rooms.values().map(|room| (room.clone(), self.last_seq(room.id)));
        let is_kept = |room, seq| seq + chat.rules.max_kept > self.last_seq(room);
        let users = self.users.values().map(|user| {
            let messages = self.messages.iter().filter_map(|(room, said)| {
                let is_theirs = said.from.id == user.user && is_kept(*room, said.seq);
                let position = Position { room: *room, seq: said.seq };
                let hash = ReferenceHash::of(said.reference.as_ref()?, said.seq);
                is_theirs.then_some((hash, position))
            });
            let created = self.created.iter().filter_map(|(creator, reference, room)| {
                let position = Position { room: *room, seq: 0 };
                (*creator == user.user).then_some((ReferenceHash::of(reference, 0), position))
            });
            (user.clone(), messages.chain(created).collect())
        });
        Stored {
            last_user: chat.last_user,
            last_room: self.last_room,
            rooms: rooms.collect(),
            users: users.collect(),
        }
    }
}

/// A restored chat is one to which no entry has been applied, so nobody has left yet.
fn check_consistency_of_restored(chat: &Chat) -> TestCaseResult {
    if chat.rules.resume_grace.is_zero() {
        return Ok(());
    }
    check_consistency(chat).map_err(TestCaseError::fail)
}
