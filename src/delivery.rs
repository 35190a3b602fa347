//! From outputs to bytes in outboxes: what each client gets in this tick, encoded once.
//!
//! Owns each connection's outbox, its user, and its seat in a room. The dispatcher's thread runs it. All
//! events of a room in one tick become one buffer of finished frames for each version of the protocol that
//! has a seat there. Each seat has a cursor into the buffer: a client that enters in mid-tick gets the
//! frames from its cursor on. Before a client gets a reply, it gets the slice of its room's buffer up to
//! now, so replies and room events keep their order, and a change of membership never ends a buffer. While
//! a client waits for an answer from the history, all its later frames are held back. Which client gets
//! what is decided in `chat`.

mod audience;
mod client;
mod counts;
mod everyone;
mod heaviest;
mod held_back;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use self::audience::Audience;
use self::client::{Client, Part, hold, send_all, send_parts};
use self::counts::Counts;
use self::heaviest::heaviest;
use self::held_back::Held;
use crate::chat::{ConnectionId, Effect, Link, RoomId, Rules, UserId, Welcome};
use crate::input::{Arrival, Secret};
use crate::memory::Memory;
use crate::net::stop::LINGER;
use crate::outbox::{Full, Outbox, Piece};
use crate::output::Output;
use crate::pace::Pace;
use crate::protocol::{CloseReason, Outgoing, ServerInfo, Version};
use crate::recall::{PendingQuery, Query};

/// How many outboxes are prefetched at once. That takes little longer than prefetching one, and these fit
/// into the processor's caches many times over.
const PREFETCHED_SEATS: usize = 16;

/// All clients, and what they get in this tick.
#[derive(Debug)]
pub(crate) struct Delivery {
    server: ServerInfo,
    memory: Arc<Memory>,
    /// That of the history.
    epoch: Arc<str>,
    clients: HashMap<ConnectionId, Client>,
    users: HashMap<UserId, ConnectionId>,
    /// Rooms with seats, and rooms that had an event in this tick.
    rooms: HashMap<RoomId, Audience>,
    /// The frames of all replies of this tick.
    replies: BytesMut,
    /// Clients that have parts or are closing. All others get only the rest of their room's buffer.
    touched: Vec<ConnectionId>,
    /// Rooms that had an event in this tick.
    told: Vec<RoomId>,
    /// Slow consumers: clients that can be sent nothing more.
    fallen_behind: Vec<ConnectionId>,
    counts: Counts,
}

impl Delivery {
    /// `server` and `epoch` are what clients are told about the server and its history when they are
    /// welcomed.
    pub(crate) fn new(server: ServerInfo, epoch: Arc<str>, memory: Arc<Memory>) -> Self {
        Self {
            server,
            memory,
            epoch,
            clients: HashMap::new(),
            users: HashMap::new(),
            rooms: HashMap::new(),
            replies: BytesMut::new(),
            touched: Vec::new(),
            told: Vec::new(),
            fallen_behind: Vec::new(),
            counts: Counts::default(),
        }
    }

    pub(crate) fn set_server(&mut self, server: ServerInfo) {
        self.server = server;
    }

    /// What clients are told of the rules from now on.
    pub(crate) fn set_rules(&mut self, rules: &Rules) {
        self.server.set_rules(rules);
    }

    /// Adds a client. It is welcomed when the chat has given it a user.
    pub(crate) fn connect(
        &mut self,
        connection: ConnectionId,
        outbox: Arc<Outbox>,
        pace: Arc<Pace>,
        arrival: Arrival,
    ) {
        let version = arrival.version();
        let client = Client::new(outbox, pace, version, arrival.into_credentials());
        self.clients.insert(connection, client);
    }

    /// What has been counted since the last call.
    pub(crate) fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// The connections that have not ended.
    pub(crate) fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        self.clients.keys().copied()
    }

    /// The connections of clients that cannot resume.
    pub(crate) fn base_clients(&self) -> impl Iterator<Item = ConnectionId> {
        let base = self.clients.iter().filter(|(_, client)| client.version == Version::Base);
        base.map(|(connection, _)| *connection)
    }

    /// The pace of a client.
    pub(crate) fn pace(&self, connection: ConnectionId) -> Option<&Pace> {
        Some(&*self.clients.get(&connection)?.pace)
    }

    /// The pace of the client that leads to this user.
    pub(crate) fn pace_of(&self, user: UserId) -> Option<&Pace> {
        self.pace(*self.users.get(&user)?)
    }

    /// Takes one output. Returns a query for `recall`, if there is one to send now.
    pub(crate) fn take(&mut self, output: Output) -> Option<PendingQuery> {
        match output {
            Output::Effect(effect) => self.follow(&effect),
            Output::Query { to, query } => return self.query(to, query),
            Output::QueryResult { connection, frames } => return self.answer(connection, frames),
            Output::Send { to, frames } => {
                let frames = self.memory.hold(frames);
                for connection in to {
                    self.add_part(connection, Part::Shared(frames.clone()));
                }
            }
            Output::Typing { room, from, person, time } => {
                let (person, reference) = (&person, None);
                let outgoing = Outgoing::Typing { room, time, person, reference };
                self.tell_others(room, from, &outgoing);
            }
            Output::Refuse { to, error } => self.send(to, &Outgoing::Error(&error)),
            Output::Close { connection, reason } => self.close(connection, reason),
            #[cfg(feature = "cluster")]
            Output::Replace { user } => {
                if let Some(connection) = self.users.get(&user) {
                    self.close(*connection, CloseReason::Replaced);
                }
            }
        }
        None
    }

    fn follow(&mut self, effect: &Effect) {
        match effect {
            Effect::Connected { link, welcome } => self.welcome(*link, welcome),
            Effect::Superseded { link } => self.close(link.connection, CloseReason::Replaced),
            Effect::TurnedAway { link } => self.close(link.connection, CloseReason::CannotSave),
            Effect::Kicked { link } => self.close(link.connection, CloseReason::Kicked),
            Effect::Announce { text, time } => {
                self.tell_everyone(&Outgoing::Announcement { text, time: *time });
            }
            Effect::Subscribe { user, room } => self.subscribe(*user, *room),
            Effect::Unsubscribe { user } => {
                if let Some(connection) = self.users.get(user) {
                    self.unsubscribe(*connection);
                }
            }
            Effect::Tell { room, time, event } => {
                let (room, time) = (*room, *time);
                let outgoing = Outgoing::Event { room, time, event };
                self.tell(room, event.author(), &outgoing);
            }
            Effect::Reply { to, time, reply, reference } => {
                if let Some(connection) = self.users.get(to) {
                    let (time, reference) = (*time, reference.as_deref());
                    self.send(*connection, &Outgoing::Reply { reply, time, reference });
                }
            }
            // The dispatcher handles these and does not pass them on.
            Effect::ShowRoom { .. }
            | Effect::Repeat { .. }
            | Effect::PresenceChanged { .. }
            | Effect::RoomListChanged { .. }
            | Effect::Store(_) => {}
        }
    }

    /// Welcomes a client whose user is known now, and closes the connection that led to this user before.
    fn welcome(&mut self, link: Link, welcome: &Welcome) {
        let (connection, user) = (link.connection, welcome.person.id);
        if let Some(before) = self.users.insert(user, connection) {
            self.close(before, CloseReason::Replaced);
        }
        let Some(client) = self.clients.get_mut(&connection) else { return };
        client.outbox.set_user(user);
        let credentials = client.credentials.take().filter(|_| welcome.can_resume);
        let secret = credentials.as_ref().and_then(|credentials| {
            if welcome.resumed { credentials.resumed.as_ref() } else { Some(&credentials.fresh) }
        });
        let (secret, version) = (secret.map(Secret::text), client.version);
        let (server, epoch) = (&self.server, &*self.epoch);
        let outgoing = Outgoing::Welcome { welcome, secret, epoch, server };
        let start = self.replies.len();
        version.encode(&outgoing, &mut self.replies);
        let end = self.replies.len();
        self.add_part(connection, Part::Reply(start..end));
    }

    /// Closes the connection as soon as this tick's frames have been delivered to it. If the client has
    /// closed it, the results that it waits for come first. If it is closing already, the first reason
    /// stays: otherwise a replaced client could be told to reconnect.
    fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        self.unsubscribe(connection);
        let Some(client) = self.clients.get_mut(&connection) else { return };
        if client.ending.is_some() {
            return;
        }
        client.ending = Some(reason);
        self.touched.push(connection);
        let user = client.outbox.user();
        if self.users.get(&user) == Some(&connection) {
            self.users.remove(&user);
        }
    }

    /// Closes all connections at once and delivers nothing more. They have until `until` to take what is
    /// queued for them.
    pub(crate) fn close_all(&mut self, reason: CloseReason, until: Instant) {
        self.rooms.clear();
        self.users.clear();
        for (_, client) in self.clients.drain() {
            client.outbox.finish(reason, until);
        }
    }

    /// Gives the user a seat in `room`: it gets the room's events from now on.
    fn subscribe(&mut self, user: UserId, room: RoomId) {
        let Some(&connection) = self.users.get(&user) else { return };
        let Some(client) = self.clients.get_mut(&connection) else { return };
        let audience = self.rooms.entry(room).or_default();
        let is_waiting = client.is_waiting();
        let (outbox, version) = (client.outbox.clone(), client.version);
        client.seat = Some((room, audience.add(connection, outbox, version, is_waiting)));
    }

    /// Removes the client's seat. The client still gets the room's events up to now.
    fn unsubscribe(&mut self, connection: ConnectionId) {
        self.take_slice(connection);
        let Some((room, index)) = self.clients.get_mut(&connection).and_then(|c| c.seat.take())
        else {
            return;
        };
        let Some(audience) = self.rooms.get_mut(&room) else { return };
        if let Some(moved) = audience.remove(index)
            && let Some(client) = self.clients.get_mut(&moved)
        {
            client.seat = Some((room, index));
        }
        if audience.seats.is_empty() && !audience.is_told() {
            self.rooms.remove(&room);
        }
    }

    /// Sends an event to all seats of `room`, at the cost of its author.
    fn tell(&mut self, room: RoomId, author: UserId, event: &Outgoing<'_>) {
        let audience = self.rooms.get_mut(&room);
        self.counts.told(event, audience.as_ref().map_or(0, |audience| audience.seats.len()));
        let Some(audience) = audience else { return };
        let was_told = audience.is_told();
        let bytes = audience.tell(|version, buffer| version.encode(event, buffer));
        // Not every version has a frame for every event.
        if !was_told && audience.is_told() {
            self.told.push(room);
        }
        if let Some(pace) = self.pace_of(author) {
            pace.charge_told(bytes);
        }
    }

    /// Sends an event to all seats of `room` except that of one client.
    fn tell_others(&mut self, room: RoomId, but: ConnectionId, event: &Outgoing<'_>) {
        // Earlier events are for this client, too.
        self.take_slice(but);
        let author = self.clients.get(&but).map_or(UserId(0), |client| client.outbox.user());
        self.tell(room, author, event);
        if let Some((own_room, index)) = self.clients.get(&but).and_then(|client| client.seat)
            && own_room == room
            && let Some(audience) = self.rooms.get_mut(&room)
        {
            audience.skip(index);
        }
    }

    /// Sends something to one client.
    fn send(&mut self, to: ConnectionId, outgoing: &Outgoing<'_>) {
        let Some(client) = self.clients.get(&to) else { return };
        self.counts.sent(outgoing);
        let start = self.replies.len();
        client.version.encode(outgoing, &mut self.replies);
        let end = self.replies.len();
        self.add_part(to, Part::Reply(start..end));
    }

    /// Holds back all later output for the user until [`Delivery::answer`]. Returns the query if it is to
    /// be sent to `recall` now: a client has one query there at a time, and its others wait. A client with
    /// too many waiting queries is a slow consumer.
    fn query(&mut self, to: UserId, query: Query) -> Option<PendingQuery> {
        let connection = *self.users.get(&to)?;
        self.add_part(connection, Part::Placeholder);
        let client = self.clients.get_mut(&connection)?;
        let held_back = client.held_back.get_or_insert_default();
        let Ok(query) = held_back.ask(query, client.outbox.max_queued()) else {
            self.fallen_behind.push(connection);
            return None;
        };
        Some(client.pending(connection, query?))
    }

    /// Sends a client the answer to its oldest query, and the frames that were held back behind it. Does
    /// nothing if the client is gone. Returns the client's next query, if it has one.
    fn answer(&mut self, connection: ConnectionId, frames: Bytes) -> Option<PendingQuery> {
        let client = self.clients.get_mut(&connection)?;
        let held_back = client.held_back.as_mut()?;
        let ready = held_back.answer(self.memory.hold(frames));
        let next = held_back.next_query();
        if held_back.is_idle() {
            client.held_back = None;
        }
        if send_all(client, &ready, &mut self.counts.bytes) == Err(Full) && !client.end_as_slow() {
            self.fallen_behind.push(connection);
        }
        if client.ending.is_some() {
            self.touched.push(connection);
        }
        let next = next.map(|query| client.pending(connection, query));
        self.mark_seat(connection);
        next
    }

    /// Hands everything to the outboxes and begins the next tick.
    ///
    /// Returns the slow consumers, which are to be disconnected.
    pub(crate) fn deliver(&mut self) -> Vec<ConnectionId> {
        for room in &self.told {
            if let Some(audience) = self.rooms.get_mut(room) {
                audience.close(&self.memory);
            }
        }
        let replies = self.memory.hold(std::mem::take(&mut self.replies).freeze());
        for connection in std::mem::take(&mut self.touched) {
            self.deliver_parts(connection, &replies);
        }
        for room in std::mem::take(&mut self.told) {
            self.deliver_room(room);
        }
        drop(replies);
        let excess = self.memory.excess();
        if excess > 0 {
            self.fallen_behind.extend(heaviest(&self.clients, excess));
        }
        std::mem::take(&mut self.fallen_behind)
    }

    /// Hands a client its parts and the rest of its room's frames, and closes it if it is ending.
    fn deliver_parts(&mut self, connection: ConnectionId, replies: &Bytes) {
        let Some(client) = self.clients.get_mut(&connection) else { return };
        if client.ending.is_none_or(|reason| !reason.drops_backlog()) {
            if let Some((room, index)) = client.seat
                && let Some(audience) = self.rooms.get_mut(&room)
            {
                let version = client.version;
                let end = audience.chunk(version).len();
                let start = std::mem::replace(&mut audience.seats[index].cursor, end);
                client.parts.push(Part::Told(room, version, start..end));
            }
            if send_parts(client, replies, &self.rooms, &mut self.counts.bytes) == Err(Full)
                && !client.end_as_slow()
            {
                self.fallen_behind.push(connection);
            }
            if client.is_waiting() {
                self.mark_seat(connection);
            }
        }
        self.finish_if_due(connection);
    }

    fn finish_if_due(&mut self, connection: ConnectionId) {
        let Some(client) = self.clients.get_mut(&connection) else { return };
        if let Some(reason) = client.ending {
            if client.is_waiting() && reason.waits_for_answers() {
                return;
            }
            client.outbox.finish(reason, Instant::now() + LINGER);
            self.clients.remove(&connection);
        }
    }

    /// Hands each seat of a room its slice of this tick's frames.
    fn deliver_room(&mut self, room: RoomId) {
        let Some(audience) = self.rooms.get_mut(&room) else { return };
        let held_bytes = &mut self.counts.bytes;
        let mut bytes = 0;
        let chunks = audience.take_chunks();
        for row in audience.seats.chunks_mut(PREFETCHED_SEATS) {
            for seat in row.iter() {
                seat.outbox.prefetch();
            }
            for seat in row {
                let start = std::mem::take(&mut seat.cursor);
                let chunk = &chunks[seat.version.index()];
                if start == chunk.len() {
                    continue;
                }
                let sent = if seat.is_waiting {
                    let held = Held::Frames(chunk.slice(start..));
                    let client = self.clients.get_mut(&seat.connection);
                    client.map_or(Ok(()), |client| hold(client, [held].into_iter(), held_bytes))
                } else {
                    bytes += chunk.len() - start;
                    seat.outbox.send(&[Piece { chunk, start, end: chunk.len() }])
                };
                if sent == Err(Full) {
                    self.fallen_behind.push(seat.connection);
                }
            }
        }
        self.counts.bytes += bytes as u64;
        if audience.seats.is_empty() {
            self.rooms.remove(&room);
        }
    }

    fn add_part(&mut self, to: ConnectionId, part: Part) {
        self.take_slice(to);
        if let Some(client) = self.clients.get_mut(&to) {
            if client.parts.is_empty() {
                self.touched.push(to);
            }
            client.parts.push(part);
        }
    }

    /// Adds the room's frames from the client's cursor up to now to its parts.
    fn take_slice(&mut self, connection: ConnectionId) {
        let Some(client) = self.clients.get_mut(&connection) else { return };
        let Some((room, index)) = client.seat else { return };
        let Some(audience) = self.rooms.get_mut(&room) else { return };
        let (start, end) = audience.skip(index);
        if start < end {
            if client.parts.is_empty() {
                self.touched.push(connection);
            }
            client.parts.push(Part::Told(room, client.version, start..end));
        }
    }

    /// Notes in the client's seat whether its frames are held back.
    fn mark_seat(&mut self, connection: ConnectionId) {
        if let Some(client) = self.clients.get(&connection)
            && let Some((room, index)) = client.seat
            && let Some(audience) = self.rooms.get_mut(&room)
        {
            audience.seats[index].is_waiting = client.is_waiting();
        }
    }
}

#[cfg(test)]
impl Delivery {
    /// Whether nothing is known of any connection, between ticks.
    pub(crate) fn knows_nobody(&self) -> bool {
        let is_idle = self.touched.is_empty() && self.told.is_empty() && self.replies.is_empty();
        is_idle && self.clients.is_empty() && self.users.is_empty() && self.rooms.is_empty()
    }

    /// The most that is held back for one client, in bytes.
    pub(crate) fn max_held_back(&self) -> usize {
        let bytes = |client: &Client| client.held_back.as_ref().map_or(0, |held| held.bytes());
        self.clients.values().map(bytes).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
