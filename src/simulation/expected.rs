//! What each connection has to be sent: the naive way from recorded entries to frames, one connection at a
//! time, without cursors, shared buffers or outboxes. It is compared byte by byte with what clients get.
//!
//! On the way the recorded entries are applied to a second chat, and from somewhere in the middle to a third
//! that was restored from a snapshot.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::answers::{is_answer, is_welcome};
use super::attendance::Attendance;
use super::coverage::Coverage;
use super::frames::JsonFrame;
use super::recorder::Recorded;
use super::store::FaultyStore;
use crate::chat::{
    Action, Chat, ConnectionId, Effect, Entry, Event, Link, NodeId, Refusal, Reply, RoomId, Rules,
    Stored, UserId, Version, Welcome,
};
use crate::output::Output;
use crate::protocol::{
    CloseReason, Hello, HelloRequest, LocalRequest, Outgoing, PREVIEW_USERS, Reference,
    RoomPreview, RoomSnapshot, Since, UserEntry, UserList, users_frame,
};
use crate::recall::{Lookup, Query};

/// The code with which clients close. Their requests are answered first.
pub(super) const CLOSED_BY_CLIENT: u16 = 1000;

/// See the module's documentation.
pub(super) struct ExpectedDelivery {
    /// That of the history.
    epoch: Arc<str>,
    max_frame: usize,
    chat: Chat,
    restored: Option<Chat>,
    /// How many entries are to come before the snapshot.
    until_snapshot: u64,
    attendance: Attendance,
    /// What the tick leads to.
    outputs: Vec<Output>,
    users: BTreeMap<UserId, ConnectionId>,
    seats: BTreeMap<ConnectionId, RoomId>,
    streams: BTreeMap<ConnectionId, ExpectedStream>,
}

/// What one connection has not got yet.
struct ExpectedStream {
    version: Version,
    frames: VecDeque<ExpectedFrame>,
    ending: Option<CloseReason>,
    /// Nothing follows any more.
    is_over: bool,
}

#[derive(Debug)]
enum ExpectedFrame {
    Exactly(Bytes),
    Welcome(Welcome),
    /// Read from the history at some time.
    Answer(Query),
}

impl ExpectedDelivery {
    pub(super) fn new(
        rules: &Rules,
        epoch: &Arc<str>,
        max_frame: usize,
        until_snapshot: u64,
    ) -> Self {
        Self {
            max_frame,
            epoch: epoch.clone(),
            chat: Chat::restore(rules.clone(), Stored::default()).0,
            restored: None,
            until_snapshot,
            attendance: Attendance::new(rules),
            outputs: Vec::new(),
            users: BTreeMap::new(),
            seats: BTreeMap::new(),
            streams: BTreeMap::new(),
        }
    }

    /// The replayed chat, and the one that was restored from a snapshot, if that has happened.
    pub(super) fn replayed(&self) -> (&Chat, Option<&Chat>) {
        (&self.chat, self.restored.as_ref())
    }

    pub(super) fn take(
        &mut self,
        recorded: Recorded,
        store: &FaultyStore,
        coverage: &mut Coverage,
    ) {
        match recorded {
            Recorded::Entry(entry, since) => self.entry(entry, since, store, coverage),
            Recorded::Request { connection, request, reference, time } => {
                self.request(connection, request, reference, time);
            }
            Recorded::Refuse { connection: to, error } => {
                self.outputs.push(Output::Refuse { to, error });
            }
            Recorded::Close { connection, reason } => {
                self.outputs.push(Output::Close { connection, reason });
            }
            Recorded::Recalled => {}
        }
    }

    /// The tick is over.
    pub(super) fn end_tick(&mut self, store: &FaultyStore) {
        let said = |output: &Output| {
            matches!(output, Output::Effect(Effect::Tell { event: Event::Said(_), .. }))
        };
        assert!(!self.outputs.iter().any(said), "a message is delivered before it is committed");
        assert_eq!(store.take_outcome(), None, "the chat was not told what the history did");
        self.deliver();
    }

    /// The server has stopped.
    pub(super) fn stop(&mut self) {
        self.deliver();
        for stream in self.streams.values_mut().filter(|stream| !stream.is_over) {
            stream.ending = Some(CloseReason::ServerStopping);
            stream.is_over = true;
        }
    }

    fn entry(
        &mut self,
        entry: Entry,
        mut since: Option<Box<Since>>,
        store: &FaultyStore,
        coverage: &mut Coverage,
    ) {
        let action = entry.action.clone();
        if let Action::Connect { link, version, .. } = action {
            let stream =
                ExpectedStream { version, frames: VecDeque::new(), ending: None, is_over: false };
            self.streams.insert(link.connection, stream);
        }
        let effects = self.apply(entry, coverage);
        match action {
            Action::Saved | Action::NotSaved => {
                let is_saved = action == Action::Saved;
                assert_eq!(store.take_outcome(), Some(is_saved), "not what the history did");
                if !is_saved {
                    coverage.hit("not saved");
                    self.refuse_unsaved(coverage);
                }
                self.deliver();
            }
            Action::SetRules(_) => coverage.hit("rules changed"),
            _ => {}
        }
        for effect in effects {
            self.follow(effect, &mut since);
        }
    }

    /// Applies the entry to the second and the third chat.
    fn apply(&mut self, entry: Entry, coverage: &mut Coverage) -> Vec<Effect> {
        if self.until_snapshot == 0 && self.restored.is_none() {
            self.restored = Some(Chat::read_snapshot(&self.chat.write_snapshot()).unwrap());
        }
        self.until_snapshot = self.until_snapshot.saturating_sub(1);
        let mut effects = Vec::new();
        self.chat.apply(entry.clone(), &mut effects);
        self.attendance.check(&entry, &effects, coverage);
        if let Some(restored) = &mut self.restored {
            let mut same = Vec::new();
            restored.apply(entry, &mut same);
            assert_eq!(same, effects, "the restored chat has other effects");
        }
        effects
    }

    fn follow(&mut self, effect: Effect, since: &mut Option<Box<Since>>) {
        let output = match effect {
            Effect::Store(_) | Effect::RoomListChanged { .. } | Effect::PresenceChanged { .. } => {
                return;
            }
            Effect::ShowRoom { to, room: id, up_to: seq, reference } => {
                let room = self.chat.room(id).unwrap();
                let users = UserList::new(self.users_after(id, UserId(0)), room.user_count());
                let (user, users) = (self.chat.person(to).unwrap(), Arc::new(users));
                let title = room.title().into();
                let snapshot = RoomSnapshot { id, title, users, user, seq };
                let what = Lookup::Room { snapshot, since: since.take(), max_frame: 0 };
                Output::Query { to, query: Query { what, reference } }
            }
            Effect::Repeat { to, position, reference } => {
                let what = Lookup::Message(position);
                Output::Query { to, query: Query { what, reference } }
            }
            effect => Output::Effect(effect),
        };
        self.outputs.push(output);
    }

    fn users_after(&self, room: RoomId, after: UserId) -> impl Iterator<Item = UserEntry<'_>> {
        let room = self.chat.room(room).unwrap();
        let members = self.chat.members_after(room, after);
        members.map(|(id, name, away)| UserEntry { id: id.0, name, away })
    }

    fn previews(&mut self, to: UserId, rooms: &[RoomId], reference: Reference) {
        let preview = |&id: &RoomId| {
            let count = self.chat.room(id)?.user_count();
            let users = UserList::new(self.users_after(id, UserId(0)).take(PREVIEW_USERS), count);
            Some(RoomPreview { id, users, seq: self.chat.last_seq(id) })
        };
        let rooms = rooms.iter().filter_map(preview).collect();
        let what = Lookup::Previews { rooms, max_frame: 0 };
        self.outputs.push(Output::Query { to, query: Query { what, reference } });
    }

    fn request(
        &mut self,
        connection: ConnectionId,
        request: LocalRequest,
        reference: Reference,
        time: u64,
    ) {
        let link = Link { node: NodeId(0), connection };
        let Some((to, is_in)) = self.chat.user_at(link) else { return };
        let refusal = match request {
            LocalRequest::ListRooms { .. } => {
                let version = self.streams[&connection].version;
                let rooms = version.list_rooms(&self.chat);
                let reference = reference.as_deref();
                let (rooms, epoch) = (&rooms, &*self.epoch);
                let frames = version.frame(&Outgoing::RoomList { rooms, epoch, reference });
                return self.outputs.push(Output::Send { to: vec![connection], frames });
            }
            LocalRequest::History { room, part, limit, .. } if self.chat.room(room).is_some() => {
                let what = Lookup::Page { room, part, limit, max_bytes: (0, 0) };
                return self.outputs.push(Output::Query { to, query: Query { what, reference } });
            }
            LocalRequest::Users { room, after, limit } if self.chat.room(room).is_some() => {
                let users = self.users_after(room, after);
                let count = self.chat.room(room).unwrap().user_count();
                let reference = reference.as_deref();
                let frames = users_frame(room, users, limit, count, reference, usize::MAX);
                return self.outputs.push(Output::Send { to: vec![connection], frames });
            }
            LocalRequest::History { room, .. } | LocalRequest::Users { room, .. } => {
                Refusal::UnknownRoom(room)
            }
            LocalRequest::Previews(rooms) => return self.previews(to, &rooms, reference),
            LocalRequest::Typing(Some(meant)) if is_in != Some(meant) => {
                Refusal::NotInThisRoom(meant)
            }
            LocalRequest::Typing(_) => match (is_in, self.chat.person(to)) {
                (Some(room), Some(person)) => {
                    let reference = reference.as_deref();
                    let outgoing = Outgoing::Typing { room, time, person: &person, reference };
                    if reference.is_some() {
                        let frames = Version::V2.frame(&outgoing);
                        self.outputs.push(Output::Send { to: vec![connection], frames });
                    }
                    return;
                }
                _ => Refusal::NotInRoom,
            },
            LocalRequest::Hello(HelloRequest { presence, mentions, max_frame_bytes }) => {
                let max_frame_bytes = self.max_frame.min(max_frame_bytes.unwrap_or(usize::MAX));
                let hello = Hello { presence, mentions, max_frame_bytes };
                let outgoing = Outgoing::Hello { hello, reference: reference.as_deref() };
                let frames = Version::V2.frame(&outgoing);
                return self.outputs.push(Output::Send { to: vec![connection], frames });
            }
        };
        let reply = Reply::Refused(refusal);
        self.outputs.push(Output::Effect(Effect::Reply { to, time: 0, reply, reference }));
    }

    /// The history has not saved what was said: each author is refused, and nobody sees it.
    fn refuse_unsaved(&mut self, coverage: &mut Coverage) {
        let is_own = |it: &Output| {
            matches!(it, Output::Effect(Effect::Reply { reply: Reply::Said(..), .. }))
        };
        self.outputs.retain(|output| !is_own(output));
        for output in &mut self.outputs {
            let (to, reference) = match output {
                Output::Effect(Effect::Tell { event: Event::Said(said), .. }) => {
                    (said.from.id, said.reference.clone())
                }
                Output::Query { to, query } => match &mut query.what {
                    Lookup::Room { snapshot, .. } => {
                        snapshot.seq = snapshot.seq.min(self.chat.last_seq(snapshot.id));
                        continue;
                    }
                    Lookup::Message(at) if at.seq > self.chat.last_seq(at.room) => {
                        coverage.hit("not saved: a repeat in the same tick");
                        (*to, query.reference.clone())
                    }
                    Lookup::Message(_) | Lookup::Page { .. } | Lookup::Previews { .. } => continue,
                },
                _ => continue,
            };
            let reply = Reply::Refused(Refusal::NotSaved);
            *output = Output::Effect(Effect::Reply { to, time: 0, reply, reference });
        }
    }

    fn deliver(&mut self) {
        for output in std::mem::take(&mut self.outputs) {
            match output {
                Output::Effect(effect) => self.deliver_effect(effect),
                Output::Query { to, query } => {
                    if let Some(connection) = self.users.get(&to) {
                        self.push(*connection, ExpectedFrame::Answer(query));
                    }
                }
                Output::Send { to, frames } => {
                    self.push(to[0], ExpectedFrame::Exactly(frames));
                }
                Output::Refuse { to, error } => self.send(to, &Outgoing::Error(&error)),
                Output::Close { connection, reason } => self.close(connection, reason),
                Output::QueryResult { .. } | Output::Typing { .. } => unreachable!("not made here"),
                #[cfg(feature = "cluster")]
                Output::Replace { .. } => unreachable!("there is one node"),
            }
        }
        for stream in self.streams.values_mut() {
            stream.is_over |= stream.ending.is_some();
        }
    }

    fn deliver_effect(&mut self, effect: Effect) {
        match effect {
            Effect::Connected { link, welcome } => {
                let user = welcome.person.id;
                if let Some(before) = self.users.insert(user, link.connection) {
                    self.close(before, CloseReason::Replaced);
                }
                self.push(link.connection, ExpectedFrame::Welcome(welcome));
            }
            Effect::Superseded { link } => self.close(link.connection, CloseReason::Replaced),
            Effect::TurnedAway { link } => self.close(link.connection, CloseReason::CannotSave),
            Effect::Kicked { link } => self.close(link.connection, CloseReason::Kicked),
            Effect::Announce { text, time } => {
                for connection in self.users.values().copied().collect::<Vec<_>>() {
                    self.send(connection, &Outgoing::Announcement { text: &text, time });
                }
            }
            Effect::Subscribe { user, room } => {
                if let Some(connection) = self.users.get(&user) {
                    self.seats.insert(*connection, room);
                }
            }
            Effect::Unsubscribe { user } => {
                if let Some(connection) = self.users.get(&user) {
                    self.seats.remove(connection);
                }
            }
            Effect::Tell { room, time, event } => {
                let here = |(connection, at): (&ConnectionId, &RoomId)| {
                    (*at == room).then_some(*connection)
                };
                let members: Vec<_> = self.seats.iter().filter_map(here).collect();
                for connection in members {
                    self.send(connection, &Outgoing::Event { room, time, event: &event });
                }
            }
            Effect::Reply { to, time, reply, reference } => {
                if let Some(connection) = self.users.get(&to) {
                    let reference = reference.as_deref();
                    self.send(*connection, &Outgoing::Reply { reply: &reply, time, reference });
                }
            }
            Effect::ShowRoom { .. }
            | Effect::Repeat { .. }
            | Effect::RoomListChanged { .. }
            | Effect::PresenceChanged { .. }
            | Effect::Store(_) => unreachable!("turned into something else"),
        }
    }

    fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        self.seats.remove(&connection);
        self.users.retain(|_, at| *at != connection);
        if let Some(stream) = self.streams.get_mut(&connection) {
            stream.ending.get_or_insert(reason);
        }
    }

    fn send(&mut self, to: ConnectionId, outgoing: &Outgoing<'_>) {
        let Some(stream) = self.streams.get(&to) else { return };
        let frame = stream.version.frame(outgoing);
        if !frame.is_empty() {
            self.push(to, ExpectedFrame::Exactly(frame));
        }
    }

    fn push(&mut self, to: ConnectionId, frame: ExpectedFrame) {
        if let Some(stream) = self.streams.get_mut(&to).filter(|stream| !stream.is_over) {
            stream.frames.push_back(frame);
        }
    }
}

/// What clients get, compared.
impl ExpectedDelivery {
    /// Panics unless the client was to get this frame now.
    pub(super) fn accept(
        &mut self,
        connection: ConnectionId,
        raw: &[u8],
        frame: &JsonFrame,
        store: &FaultyStore,
    ) {
        let stream = self.streams.get_mut(&connection).unwrap();
        let is_expected = match stream.frames.front() {
            Some(ExpectedFrame::Exactly(expected)) => **expected == *raw,
            Some(ExpectedFrame::Welcome(welcome)) => is_welcome(welcome, frame),
            Some(ExpectedFrame::Answer(query)) => is_answer(query, frame, store),
            None => false,
        };
        if is_expected {
            stream.frames.pop_front();
            return;
        }
        // These are paced, so when they come is the lobby's business.
        let is_paced = match stream.version {
            Version::Base => frame.kind == "list_rooms",
            Version::V2 => {
                let kinds = ["typing", "room_added", "room_changed", "room_removed", "presence"];
                kinds.contains(&&*frame.kind) && frame.reference.is_none()
            }
        };
        let text = String::from_utf8_lossy(raw);
        let front = stream.frames.front();
        assert!(is_paced, "connection {} got {text}\ninstead of {front:?}", connection.0);
    }

    /// The server has closed the connection, with this code. Panics unless it was to.
    pub(super) fn check_close(&self, connection: ConnectionId, code: Option<u16>) {
        let stream = &self.streams[&connection];
        // A connection that ends may be too slow for its last frames.
        let possible = [stream.ending, stream.ending.and(Some(CloseReason::SlowConsumer))];
        let fits = |reason: &CloseReason| reason.code() == code;
        let Some(reason) = possible.into_iter().flatten().find(fits) else {
            panic!("connection {} was closed with {code:?}, not {possible:?}", connection.0);
        };
        let front = stream.frames.front();
        let is_held_back = matches!(front, Some(ExpectedFrame::Answer(_)));
        let got_all = front.is_none()
            || reason.drops_backlog()
            || (is_held_back && code != Some(CLOSED_BY_CLIENT));
        assert!(got_all, "connection {} was closed before {front:?}", connection.0);
    }

    /// How many frames wait for an answer from the history, the answer included.
    pub(super) fn held_back(&self, connection: ConnectionId) -> usize {
        let Some(stream) = self.streams.get(&connection) else { return 0 };
        let is_answer = |frame: &ExpectedFrame| matches!(frame, ExpectedFrame::Answer(_));
        let before = stream.frames.iter().take_while(|frame| !is_answer(frame)).count();
        stream.frames.len() - before
    }

    /// Panics if the client has not got everything.
    pub(super) fn check_complete(&self, connection: ConnectionId) {
        let frames = &self.streams[&connection].frames;
        assert!(frames.is_empty(), "connection {} still misses {frames:?}", connection.0);
    }

    pub(super) fn forget(&mut self, connection: ConnectionId) {
        if let Some(stream) = self.streams.get(&connection).filter(|stream| stream.is_over) {
            assert!(stream.ending.is_some());
            self.streams.remove(&connection);
        }
    }
}
