//! What a client knows from the frames of one connection, and what must never contradict it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::coverage::Coverage;
use super::frames::{JsonFrame, RoomInFrame, UserInFrame};
use super::memory::ClientMemory;
use super::store::FaultyStore;
use crate::chat::{ConnectionId, Version};

/// What a client knows.
#[derive(Debug)]
pub(super) struct ClientView {
    connection: ConnectionId,
    pub(super) version: Version,
    /// `None` before the welcome.
    pub(super) user: Option<UserInFrame>,
    /// The room that the client hears.
    pub(super) room: Option<RoomView>,
    /// The client has been resumed into this room and has not entered it yet.
    pub(super) to_enter: Option<u64>,
    /// The list of rooms. With the base protocol only ids and titles.
    pub(super) list: Option<BTreeMap<u64, RoomInFrame>>,
    /// The names of the requests that have not been answered, in order.
    pub(super) awaited: VecDeque<String>,
    /// What the client has said it knows, by the name of the request.
    pub(super) asked_since: BTreeMap<String, AskedSince>,
    /// The client has sent its Close frame. The server takes it out of its room, and may still tell it about
    /// the list.
    pub(super) is_leaving: bool,
    /// The client is told who is away.
    follows_presence: bool,
    /// How long a frame may be.
    max_frame_bytes: usize,
}

#[derive(Debug)]
pub(super) struct RoomView {
    /// 0 with the base protocol, which does not say.
    id: u64,
    /// `None` if the client cannot know.
    pub(super) members: Option<BTreeMap<u64, String>>,
    /// Who is away; `None` if the client is not told.
    pub(super) away: Option<BTreeSet<u64>>,
    next_seq: u64,
}

/// `since`, as a client has sent it.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedSince {
    pub(super) seq: u64,
    pub(super) is_right_epoch: bool,
}

/// What a frame is compared with.
pub(super) struct Around<'a> {
    pub(super) memory: &'a mut ClientMemory,
    pub(super) store: &'a FaultyStore,
    pub(super) coverage: &'a mut Coverage,
}

impl ClientView {
    pub(super) fn new(connection: ConnectionId, version: Version, max_frame_bytes: usize) -> Self {
        Self {
            connection,
            version,
            user: None,
            room: None,
            to_enter: None,
            list: None,
            awaited: VecDeque::new(),
            asked_since: BTreeMap::new(),
            is_leaving: false,
            follows_presence: false,
            max_frame_bytes,
        }
    }

    /// Takes the next frame. Panics if it contradicts what the client knows.
    pub(super) fn take(&mut self, json: &str, frame: &JsonFrame, around: &mut Around<'_>) {
        if frame.kind == "welcome" {
            assert!(self.user.is_none(), "welcomed twice");
            self.user.clone_from(&frame.user);
            self.to_enter = frame.room_id;
            return;
        }
        assert!(self.user.is_some(), "before the welcome: {json}");
        match (self.version, &*frame.kind) {
            (Version::V2, "announcement") => around.coverage.hit("announced"),
            (Version::Base, "text") if frame.from.as_ref().is_some_and(|from| from.id == 0) => {}
            (Version::Base, "list_rooms") => self.take_base_list(frame, around.coverage),
            (Version::V2, "list_rooms") => self.take_list(frame),
            (_, "enter_room") => self.take_enter(frame),
            (_, "leave_room") => self.take_leave(frame, around),
            (_, "change_name") => self.take_rename(frame, around.coverage),
            (Version::Base, "text" | "gif") => self.check_author(frame),
            (Version::V2, "text" | "gif") => self.take_message(json, frame, around),
            (Version::V2, "room") => self.take_room(json, frame, around),
            (Version::V2, "history") => self.take_page(json, frame, around),
            (Version::V2, "room_added") => self.take_room_added(frame, around.coverage),
            (Version::V2, "room_changed") => self.take_room_changed(frame, around.coverage),
            (Version::V2, "room_removed") => {
                let list = self.list.as_mut().expect("only those who asked are told");
                list.remove(&frame.room_id.unwrap());
                around.coverage.hit("room removed");
            }
            (Version::V2, "typing") => {
                around.coverage.hit("typing");
                let user = frame.user.as_ref().unwrap();
                if user.id == self.id() {
                    assert!(frame.reference.is_some(), "the user's own typing");
                    self.answer(frame.reference.as_deref());
                } else {
                    assert_eq!(frame.reference, None, "another's reference");
                    self.check_member(user);
                }
            }
            (Version::V2, "hello") => self.take_hello(frame, around.coverage),
            (Version::V2, "users") => self.take_users(frame, around.coverage),
            (Version::V2, "previews") => {
                self.answer(frame.reference.as_deref());
                around.coverage.hit("previews");
            }
            (Version::V2, "presence") => self.take_presence(frame, around.coverage),
            (_, "error") => self.take_error(frame, around),
            (_, kind) => panic!("{kind} is no frame of this version"),
        }
    }

    /// The client has sent a request of this name.
    pub(super) fn await_answer(&mut self, reference: &str) {
        self.awaited.push_back(reference.to_owned());
    }

    /// Panics unless this is the answer to the next request.
    fn answer(&mut self, reference: Option<&str>) {
        let Some(reference) = reference else { return };
        let next = self.awaited.pop_front();
        assert_eq!(next.as_deref(), Some(reference), "another request is to be answered");
    }

    fn id(&self) -> u64 {
        self.user.as_ref().unwrap().id
    }

    fn members(&mut self) -> Option<&mut BTreeMap<u64, String>> {
        self.room.as_mut().expect("the client is in a room").members.as_mut()
    }

    fn check_member(&mut self, user: &UserInFrame) {
        if let Some(members) = self.members() {
            assert_eq!(members.get(&user.id), Some(&user.name), "{user:?} is not in the room");
        }
    }

    fn check_author(&mut self, frame: &JsonFrame) {
        self.check_member(frame.from.as_ref().unwrap());
    }

    fn take_hello(&mut self, frame: &JsonFrame, coverage: &mut Coverage) {
        self.answer(frame.reference.as_deref());
        self.follows_presence = !frame.features.as_ref().unwrap().is_empty();
        if let Some(room) = self.room.as_mut().filter(|_| !self.follows_presence) {
            room.away = None;
        }
        coverage.hit("hello");
    }

    fn take_users(&mut self, frame: &JsonFrame, coverage: &mut Coverage) {
        self.answer(frame.reference.as_deref());
        let (users, count) = (frame.users.as_ref().unwrap(), frame.user_count.unwrap());
        assert!(users.is_sorted_by_key(|user| user.id) && users.len() <= count);
        assert!(!frame.more.unwrap() || users.len() < count);
        coverage.hit("users");
        if self.room.as_ref().is_some_and(|room| Some(room.id) == frame.room_id && !self.is_leaving)
        {
            for user in users {
                self.check_member(user);
            }
            assert_eq!(self.members().map(|members| members.len()), Some(count));
        }
    }

    fn take_presence(&mut self, frame: &JsonFrame, coverage: &mut Coverage) {
        assert!(self.follows_presence, "only those who asked are told");
        coverage.hit("presence");
        let room = self.room.as_mut().expect("the client has entered");
        assert_eq!(frame.room_id, Some(room.id), "another room");
        for user in frame.users.iter().flatten() {
            assert!(room.members.as_ref().unwrap().contains_key(&user.id), "{user:?} is not here");
            let Some(away) = &mut room.away else { continue };
            if user.away {
                away.insert(user.id)
            } else {
                away.remove(&user.id)
            };
        }
    }

    fn take_enter(&mut self, frame: &JsonFrame) {
        let UserInFrame { id, name, .. } = frame.user.clone().unwrap();
        if id == self.id() {
            assert_eq!(self.version, Version::Base);
            let new = || RoomView { id: 0, members: None, away: None, next_seq: 0 };
            self.room.get_or_insert_with(new);
        } else if let Some(members) = self.members() {
            assert_eq!(members.insert(id, name), None, "user {id} enters twice");
        }
    }

    fn take_leave(&mut self, frame: &JsonFrame, around: &mut Around<'_>) {
        let user = frame.user.as_ref().unwrap();
        if user.id == self.id() {
            let was_in = self.room.take().is_some() || self.to_enter.is_some();
            assert!(was_in, "the client leaves no room");
            self.to_enter = None;
            self.answer(frame.reference.as_deref());
            around.coverage.hit("left");
        } else {
            self.check_member(user);
            if let Some(members) = self.members() {
                members.remove(&user.id);
            }
            if let Some(away) = self.room.as_mut().and_then(|room| room.away.as_mut()) {
                away.remove(&user.id);
            }
        }
    }

    fn take_rename(&mut self, frame: &JsonFrame, coverage: &mut Coverage) {
        let (old, new) = (frame.old_name.clone().unwrap(), frame.new_name.clone().unwrap());
        coverage.hit("renamed");
        if self.version == Version::V2 {
            let id = frame.user_id.unwrap();
            if id == self.id() {
                let name = &mut self.user.as_mut().unwrap().name;
                assert_eq!(std::mem::replace(name, new.clone()), old);
                self.answer(frame.reference.as_deref());
            }
            if frame.room_id.is_some() {
                let before = self.members().and_then(|members| members.insert(id, new));
                assert_eq!(before, Some(old), "a member has another name");
            } else {
                assert!(id == self.id() && self.room.is_none());
            }
        } else if let Some(members) = self.members() {
            let mut named = members.values_mut().filter(|name| **name == old);
            let first = named.next().expect("nobody has the old name");
            // It may be either, if two have the same name.
            let is_unique = named.next().is_none();
            *first = new;
            if !is_unique {
                self.room.as_mut().unwrap().members = None;
            }
        }
    }

    fn take_base_list(&mut self, frame: &JsonFrame, coverage: &mut Coverage) {
        let mut rooms = frame.rooms.clone().unwrap();
        coverage.hit("list broadcast");
        if self.is_leaving {
            return;
        }
        let own = self.id();
        let users_of = |room: &mut RoomInFrame| {
            let users = room.users.take().unwrap();
            users.into_values().map(|user| (user.id, user.name)).collect::<BTreeMap<_, _>>()
        };
        let mut members = None;
        for users in rooms.values_mut().map(users_of) {
            if users.contains_key(&own) {
                assert_eq!(members, None, "the client is in two rooms");
                members = Some(users);
            }
        }
        assert_eq!(members.is_some(), self.room.is_some(), "the client knows whether it is in one");
        if let Some(room) = &mut self.room {
            if room.members.is_some() {
                assert_eq!(room.members, members, "the list has other members");
            }
            room.members = members;
        }
        self.list = Some(rooms);
    }

    fn take_list(&mut self, frame: &JsonFrame) {
        self.answer(frame.reference.as_deref());
        let rooms = frame.rooms.clone().unwrap();
        for room in rooms.values() {
            self.check_listed(room);
        }
        self.list = Some(rooms);
    }

    /// Panics unless the list agrees with what the client knows of the room it is in, and with the list
    /// before.
    fn check_listed(&self, listed: &RoomInFrame) {
        let (users, seq) = (listed.user_count.unwrap(), listed.seq.unwrap());
        if let Some(room) = &self.room
            && room.id == listed.id
            && !self.is_leaving
        {
            let members = room.members.as_ref().unwrap();
            assert_eq!(users, members.len(), "the list has another number of users: {members:?}");
            assert!(seq < room.next_seq, "the list is ahead of the room");
        }
        if let Some(before) = self.list.as_ref().and_then(|list| list.get(&listed.id)) {
            assert!(seq >= before.seq.unwrap(), "the list goes back");
        }
    }

    fn take_room_added(&mut self, frame: &JsonFrame, coverage: &mut Coverage) {
        let room = frame.room.clone().unwrap();
        if frame.reference.is_some() {
            self.answer(frame.reference.as_deref());
            coverage.hit("created a room");
        }
        self.check_listed(&room);
        if let Some(list) = &mut self.list {
            list.insert(room.id, room);
        }
    }

    fn take_room_changed(&mut self, frame: &JsonFrame, coverage: &mut Coverage) {
        let room = frame.room.clone().unwrap();
        self.check_listed(&room);
        let list = self.list.as_mut().expect("only those who asked are told");
        let before = list.insert(room.id, room);
        assert!(before.is_some(), "an unknown room has changed");
        coverage.hit("list changed");
    }

    fn take_message(&mut self, json: &str, frame: &JsonFrame, around: &mut Around<'_>) {
        let (room, seq) = (frame.room_id.unwrap(), frame.seq.unwrap());
        around.store.check_committed(room, seq, json);
        let is_own = frame.from.as_ref().unwrap().id == self.id();
        let heard = self.room.as_mut().filter(|view| view.id == room && view.next_seq <= seq);
        let reference = frame.reference.as_deref().filter(|_| is_own);
        if let Some(view) = heard {
            assert_eq!(seq, view.next_seq, "a gap in room {room}");
            view.next_seq += 1;
            self.check_author(frame);
            around.memory.see(room, seq);
        } else {
            let is_answer = is_own && self.to_enter == Some(room);
            assert!(reference.is_some() || is_answer, "message {seq} of room {room}, unexpectedly");
            around.coverage.hit(if is_answer { "said before entering" } else { "repeated" });
        }
        self.answer(reference);
        if let Some(reference) = reference
            && around.memory.acknowledge(self.id(), reference, room, seq)
        {
            around.coverage.hit("acknowledged");
        }
    }

    fn take_room(&mut self, json: &str, frame: &JsonFrame, around: &mut Around<'_>) {
        self.answer(frame.reference.as_deref());
        assert!(json.len() <= self.max_frame_bytes, "a room of {} bytes", json.len());
        let id = frame.room.as_ref().unwrap().id;
        let seq = frame.seq.unwrap();
        let users = frame.users.iter().flatten();
        let members: BTreeMap<u64, String> =
            users.map(|user| (user.id, user.name.clone())).collect();
        assert_eq!(members.get(&self.id()), self.user.as_ref().map(|user| &user.name));
        if let Some(room) = &self.room {
            assert_eq!(room.id, id, "the client has not left its room");
            assert_eq!(room.members.as_ref(), Some(&members), "the client knows others");
            assert_eq!(room.next_seq, seq + 1, "the client knows the last message");
            around.coverage.hit("entered again");
        }
        around.coverage.hit("entered");
        assert_eq!(frame.epoch.as_deref(), Some(&*around.store.epoch()));
        let events = self.take_events(id, frame, around);
        if let Some((_, last)) = events {
            assert_eq!(last, seq, "the last message is missing");
        }
        self.check_complete(frame, id, seq, events, around);
        around.memory.see(id, seq);
        self.to_enter = None;
        let away = frame.users.iter().flatten().filter(|user| user.away).map(|user| user.id);
        let away = self.follows_presence.then(|| away.collect());
        self.room = Some(RoomView { id, members: Some(members), away, next_seq: seq + 1 });
    }

    /// Panics if `complete` is a lie.
    fn check_complete(
        &self,
        frame: &JsonFrame,
        room: u64,
        seq: u64,
        events: Option<(u64, u64)>,
        around: &mut Around<'_>,
    ) {
        let (store, is_complete) = (around.store, frame.complete.unwrap());
        let reference = frame.reference.as_deref().unwrap_or_default();
        let Some(asked) = self.asked_since.get(reference) else {
            assert!(is_complete || store.was_unreadable(room), "nothing was asked for");
            return;
        };
        let can_join = asked.is_right_epoch && asked.seq <= seq;
        if is_complete {
            assert!(can_join, "cannot join {asked:?} to {seq}");
            let first = events.map_or(seq + 1, |(first, _)| first);
            assert_eq!(first, asked.seq + 1, "complete, but messages are missing");
            around.coverage.hit("joined what the client knew");
        } else {
            around.coverage.hit("complete: false");
            // With its names, a message takes less than half as much again as it weighs.
            let max_bytes = self.max_frame_bytes.saturating_sub(700) * 2 / 3;
            let has_all = can_join && store.has_all(room, asked.seq, seq, max_bytes);
            assert!(!has_all || store.was_unreadable(room), "{asked:?} can be joined to {seq}");
            if can_join && !has_all && !store.was_unreadable(room) {
                around.coverage.hit("older messages were dropped");
            }
        }
    }

    fn take_page(&mut self, json: &str, frame: &JsonFrame, around: &mut Around<'_>) {
        self.answer(frame.reference.as_deref());
        let room = frame.room_id.unwrap();
        let events = self.take_events(room, frame, around);
        let first = events.map_or(u64::MAX, |(first, _)| first);
        around.coverage.hit("page");
        assert!(json.len() <= self.max_frame_bytes, "a page of {} bytes", json.len());
        if frame.newer.unwrap() {
            around.coverage.hit("page in the middle");
        }
        if !frame.more.unwrap() {
            around.coverage.hit("last page");
            let is_there = first != u64::MAX && first > 1;
            let has_more = is_there && around.store.has_all(room, first - 2, first - 1, usize::MAX);
            assert!(!has_more, "there is more before {first}");
        }
    }

    /// Checks the messages of an answer; returns the first and the last `seq`.
    fn take_events(
        &self,
        room: u64,
        frame: &JsonFrame,
        around: &mut Around<'_>,
    ) -> Option<(u64, u64)> {
        let mut range: Option<(u64, u64)> = None;
        for event in frame.events.iter().flatten() {
            let said = JsonFrame::parse(event.get());
            let seq = said.seq.unwrap();
            around.store.check_committed(room, seq, event.get());
            let (first, last) = range.unwrap_or((seq, seq - 1));
            assert_eq!(seq, last + 1, "a gap in an answer");
            range = Some((first, seq));
            let author = said.from.unwrap().id;
            if let Some(reference) = said.reference.filter(|_| author == self.id())
                && around.memory.acknowledge(author, &reference, room, seq)
            {
                around.coverage.hit("acknowledged by the history");
            }
        }
        range
    }

    fn take_error(&mut self, frame: &JsonFrame, around: &mut Around<'_>) {
        let code = frame.code.as_deref().unwrap();
        let (failed_commits, failed_reads) = around.store.failures();
        match code {
            "not_saved" => assert!(failed_commits > 0, "nothing has failed"),
            "not_readable" => {
                assert!(failed_reads > 0, "nothing has failed");
                around.coverage.hit("not readable");
            }
            _ => {}
        }
        if let Some(reference) = &frame.reference {
            self.answer(Some(reference));
            let who = (self.id(), self.connection);
            around.memory.refuse(who, (reference, code), around.store, around.coverage);
        }
    }
}
