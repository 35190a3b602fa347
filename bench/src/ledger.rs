//! The ledger: which client must receive which messages, in which order.
//!
//! Each room has a log of its messages, in the order in which they were first received; each member has
//! a cursor into it. A delivery that equals the entry at the cursor is correct, and while the server
//! works well this comparison of a few bytes is all the work there is. Any other delivery takes a slow
//! path, which keeps these counts exact:
//!
//! - **missing**: of sent × members, those that never arrived;
//! - **duplicated**: arrived again at the same member;
//! - **misrouted**: arrived at a member of another room;
//! - **out of order**: arrived at a member after a message that must follow it, because the same sender
//!   sent that one later, or because another member received the two in the other order. If members
//!   disagree about messages of different senders, the order of the first one counts as correct;
//! - **unknown**: looks like a message, but was never sent in this run.

mod order;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use serde::Serialize;

use crate::marker::{Marker, Raw};

/// After so many entries, a log drops those that every member has received.
const TRIM_EVERY: usize = 1 << 14;

type MessageId = (u32, u32);

/// The messages of one run and their deliveries.
#[derive(Debug)]
pub struct Ledger {
    run: u16,
    rooms: Vec<Room>,
    members: Vec<Member>,
    senders: Vec<Sender>,
    counts: Counts,
}

/// The counts of a run. It is clean if every message was delivered once and in order, and nothing else
/// was delivered.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Messages sent.
    pub sent: u64,
    /// Expected deliveries: one to each member of the sender's room, the sender included.
    pub expected: u64,
    /// Expected deliveries that arrived, without duplicates.
    pub received: u64,
    pub missing: u64,
    pub duplicated: u64,
    pub misrouted: u64,
    pub out_of_order: u64,
    pub unknown: u64,
}

#[derive(Debug)]
struct Room {
    members: Vec<u32>,
    log: VecDeque<Entry>,
    /// How many entries were dropped from the front of the log.
    base: u64,
    trim_at: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    text: Raw,
    id: MessageId,
    sent_at: u64,
}

#[derive(Debug)]
struct Member {
    room: u32,
    /// Counts from the first entry of the log, dropped ones included.
    cursor: u64,
    /// Messages before the cursor that this member has not received.
    skipped: BTreeSet<MessageId>,
}

#[derive(Debug, Default)]
struct Sender {
    sent: u32,
    /// All messages with a smaller sequence number were received by some member, except `unseen`.
    seen: u32,
    unseen: BTreeSet<u32>,
}

#[derive(Debug, Default)]
struct Counts {
    received: u64,
    duplicated: u64,
    misrouted: u64,
    out_of_order: u64,
    unknown: u64,
}

/// The message of an expected delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    pub sender: u32,
    pub sequence: u32,
    pub sent_at: u64,
}

impl Ledger {
    /// A ledger for clients 0, 1, 2 and so on; `room_of` has the room of each, from 0.
    pub fn new(run: u16, room_of: &[u32]) -> Self {
        let mut rooms = Vec::new();
        let mut members = Vec::with_capacity(room_of.len());
        for (client, &room) in (0u32..).zip(room_of) {
            if rooms.len() <= room as usize {
                rooms.resize_with(room as usize + 1, Room::new);
            }
            rooms[room as usize].members.push(client);
            members.push(Member { room, cursor: 0, skipped: BTreeSet::new() });
        }
        let senders = room_of.iter().map(|_| Sender::default()).collect();
        Self { run, rooms, members, senders, counts: Counts::default() }
    }

    /// Records that a client sends its next message; returns its marker.
    pub fn send(&mut self, client: usize, sent_at: u64) -> Marker {
        let sender = &mut self.senders[client];
        let sequence = sender.sent;
        sender.sent += 1;
        // There are fewer than 2^24 clients.
        #[allow(clippy::cast_possible_truncation)]
        Marker { run: self.run, sender: client as u32, sequence, sent_at }
    }

    /// Records a delivery to a client. Returns it if it was expected, in order or not.
    #[inline]
    pub fn deliver(&mut self, client: usize, text: &Raw) -> Option<Delivery> {
        let member = &mut self.members[client];
        let room = &self.rooms[member.room as usize];
        if let Some(entry) = room.at(member.cursor)
            && entry.text == *text
        {
            member.cursor += 1;
            self.counts.received += 1;
            return Some(entry.delivery());
        }
        self.deliver_unlike(client, text)
    }

    /// A delivery that is not the entry at the cursor: the first of its message, or a fault.
    fn deliver_unlike(&mut self, client: usize, text: &Raw) -> Option<Delivery> {
        let marker = Marker::from_raw(text).filter(|marker| self.was_sent(marker));
        let Some(marker) = marker else {
            self.counts.unknown += 1;
            return None;
        };
        let room = self.members[client].room;
        if room != self.members[marker.sender as usize].room {
            self.counts.misrouted += 1;
            return None;
        }
        let id = (marker.sender, marker.sequence);
        if self.senders[marker.sender as usize].see(marker.sequence) {
            self.log(client, Entry { text: *text, id, sent_at: marker.sent_at });
        }
        let member = &mut self.members[client];
        if member.skipped.remove(&id) {
            if !self.move_back(client, id) {
                self.counts.out_of_order += 1;
            }
        } else {
            let room = &self.rooms[room as usize];
            let Some(ahead) = room.from(member.cursor).position(|entry| entry.id == id) else {
                self.counts.duplicated += 1;
                return None;
            };
            member.skipped.extend(room.from(member.cursor).take(ahead).map(|entry| entry.id));
            member.cursor += ahead as u64 + 1;
        }
        self.counts.received += 1;
        self.trim(client);
        Some(marker.into())
    }

    fn was_sent(&self, marker: &Marker) -> bool {
        marker.run == self.run
            && self
                .senders
                .get(marker.sender as usize)
                .is_some_and(|sender| marker.sequence < sender.sent)
    }

    /// Inserts a message into its room's log when the first member receives it: at that member's cursor,
    /// or as close to it as the order of its sender allows. Members that are past that place skip it.
    fn log(&mut self, client: usize, entry: Entry) {
        let Member { room, cursor, .. } = self.members[client];
        let room = &mut self.rooms[room as usize];
        let (sender, sequence) = entry.id;
        let is_earlier = |other: &Entry| other.id.0 == sender && other.id.1 < sequence;
        let is_later = |other: &Entry| other.id.0 == sender && other.id.1 > sequence;
        let mut place = cursor;
        if let Some(index) = room.from(cursor).rposition(is_earlier) {
            place = cursor + index as u64 + 1;
        } else if self.senders[sender as usize].seen > sequence + 1
            && let Some(index) = room.log.iter().position(is_later)
        {
            place = place.min(room.base + index as u64);
        }
        for &member in &room.members {
            let member = &mut self.members[member as usize];
            if member.cursor > place {
                member.cursor += 1;
                member.skipped.insert(entry.id);
            }
        }
        let index = room.index(place);
        room.log.insert(index, entry);
    }

    /// Drops the part of the log that every member is past. Members keep their sets of skipped messages.
    fn trim(&mut self, client: usize) {
        let room = &mut self.rooms[self.members[client].room as usize];
        if room.log.len() < room.trim_at {
            return;
        }
        let cursors = room.members.iter().map(|&member| self.members[member as usize].cursor);
        let past = cursors.min().unwrap_or(room.base);
        room.log.drain(..room.index(past));
        room.base = past;
        // If a member is far behind, the next deliveries must not try again each time.
        room.trim_at = room.log.len() + TRIM_EVERY;
    }

    /// Counts a text without a marker.
    pub fn note_unknown(&mut self) {
        self.counts.unknown += 1;
    }

    /// How many of its own messages a client has sent.
    pub fn sent_by(&self, client: usize) -> u32 {
        self.senders[client].sent
    }

    /// The counts so far. Deliveries that have not arrived yet count as missing.
    pub fn account(&self) -> Account {
        let sent = |sender: &Sender| u64::from(sender.sent);
        let audience = |member: &Member| self.rooms[member.room as usize].members.len() as u64;
        let expected: u64 = self
            .senders
            .iter()
            .zip(&self.members)
            .map(|(sender, member)| sent(sender) * audience(member))
            .sum();
        let Counts { received, duplicated, misrouted, out_of_order, unknown } = self.counts;
        Account {
            sent: self.senders.iter().map(sent).sum(),
            expected,
            received,
            missing: expected - received,
            duplicated,
            misrouted,
            out_of_order,
            unknown,
        }
    }
}

impl Sender {
    /// Records that a member received a message; returns whether it is the first one.
    fn see(&mut self, sequence: u32) -> bool {
        if sequence < self.seen {
            return self.unseen.remove(&sequence);
        }
        self.unseen.extend(self.seen..sequence);
        self.seen = sequence + 1;
        true
    }
}

impl Room {
    fn new() -> Self {
        Self { members: Vec::new(), log: VecDeque::new(), base: 0, trim_at: TRIM_EVERY }
    }

    /// The index of a place in the log. No cursor is before the base.
    #[inline]
    #[allow(clippy::cast_possible_truncation)]
    fn index(&self, place: u64) -> usize {
        (place - self.base) as usize
    }

    #[inline]
    fn at(&self, place: u64) -> Option<&Entry> {
        self.log.get(self.index(place))
    }

    fn from(&self, place: u64) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.log.range(self.index(place)..)
    }
}

impl Entry {
    #[inline]
    fn delivery(&self) -> Delivery {
        let (sender, sequence) = self.id;
        Delivery { sender, sequence, sent_at: self.sent_at }
    }
}

impl From<Marker> for Delivery {
    fn from(marker: Marker) -> Self {
        Self { sender: marker.sender, sequence: marker.sequence, sent_at: marker.sent_at }
    }
}
