//! The whole state of the chat as bytes, and back.
//!
//! The same state always has the same bytes, so two chats can be compared by a hash of them. Indexes are
//! not written, since they follow from the rest. Bytes that are malformed, or whose parts do not fit
//! together, are refused and never cause a panic.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::references::{ReferenceCounts, ReferenceHash, References};
use super::resumption::{Away, Resumption};
use super::room::Lifetime;
use super::{
    Chat, ConnectionId, EntryId, Erased, Erasure, IdLimits, Link, NodeId, Position, ResumeKey,
    Room, RoomId, Rules, Shares, Source, Unsaved, User, UserId, Version,
};

/// The first bytes of every snapshot. The number goes up when the rest is written differently.
const HEADER: &[u8] = b"wschat 4";

/// The bytes are not a snapshot of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedSnapshot;

impl Chat {
    /// Writes the whole state.
    pub(crate) fn write_snapshot(&self) -> Vec<u8> {
        let mut out = SnapshotWriter(HEADER.to_vec());
        out.rules(&self.rules);
        out.number(self.last_entry.term);
        out.number(self.last_entry.n);
        out.duration(self.now);
        out.number(self.last_user);
        out.number(self.last_room);
        out.number(self.reserved.user);
        out.number(self.reserved.room);
        out.all(self.rooms.iter(), |out, (id, room)| {
            out.number(id.0);
            out.room(room);
        });
        out.all(self.users.iter(), |out, (id, user)| {
            out.number(id.0);
            out.user(user);
        });
        out.all(self.unsaved.iter(), |out, unsaved| {
            out.number(unsaved.room.0);
            out.number(unsaved.author.0);
            out.option(unsaved.reference.as_ref(), |out, name| out.text(name));
        });
        out.0
    }

    /// Reads a whole state.
    pub(crate) fn read_snapshot(bytes: &[u8]) -> Result<Self, MalformedSnapshot> {
        let mut from = SnapshotReader(bytes.strip_prefix(HEADER).ok_or(MalformedSnapshot)?);
        let mut chat = Self {
            rules: from.rules()?,
            last_entry: EntryId { term: from.number()?, n: from.number()? },
            now: from.duration()?,
            users: BTreeMap::new(),
            last_user: from.number()?,
            links: BTreeMap::new(),
            resumable: BTreeMap::new(),
            reference_counts: ReferenceCounts::default(),
            away: BTreeSet::new(),
            away_shares: Shares::default(),
            rooms: BTreeMap::new(),
            last_room: from.number()?,
            reserved: IdLimits { user: from.number()?, room: from.number()? },
            expiries: BTreeSet::new(),
            room_shares: Shares::default(),
            unsaved: Vec::new(),
        };
        for (id, room) in from.all(|from| Ok((RoomId(from.number()?), from.room()?)))? {
            let is_numbered = (1..=chat.last_room).contains(&id.0);
            ensure(is_numbered && !chat.rooms.contains_key(&id))?;
            chat.insert_room(id, room);
        }
        for (id, user) in from.all(|from| Ok((UserId(from.number()?), from.user()?)))? {
            chat.add_to_indexes(id, &user)?;
            let is_numbered = (1..=chat.last_user).contains(&id.0);
            ensure(is_numbered && chat.users.insert(id, user).is_none())?;
        }
        ensure(chat.rooms.values().all(expires_if_empty))?;
        chat.unsaved = from.all(|from| {
            let (room, author) = (RoomId(from.number()?), UserId(from.number()?));
            Ok(Unsaved { room, author, reference: from.option(SnapshotReader::text)? })
        })?;
        ensure(from.0.is_empty())?;
        Ok(chat)
    }

    fn add_to_indexes(&mut self, id: UserId, user: &User) -> Result<(), MalformedSnapshot> {
        let away = user.resumption.as_ref().and_then(|resumption| resumption.away);
        ensure(user.link.is_some() != away.is_some())?;
        ensure(!user.is_subscribed || (user.link.is_some() && user.room.is_some()))?;
        if let Some(link) = user.link {
            ensure(self.links.insert(link, id).is_none())?;
        }
        if let Some(room) = user.room {
            self.rooms.get_mut(&room).ok_or(MalformedSnapshot)?.members.insert(id);
        }
        if let Some(resumption) = &user.resumption {
            ensure(self.resumable.insert(resumption.key, id).is_none())?;
            self.reference_counts.change(id, 0, resumption.references.len());
        }
        if let Some(away) = away {
            self.note_away(id, away, user.source);
        }
        Ok(())
    }
}

fn ensure(is_whole: bool) -> Result<(), MalformedSnapshot> {
    if is_whole { Ok(()) } else { Err(MalformedSnapshot) }
}

/// Whether a room has a time to be removed exactly if it is empty, unless it is permanent.
fn expires_if_empty(room: &Room) -> bool {
    match room.lifetime {
        Lifetime::Permanent { .. } => true,
        Lifetime::Temporary { removed_at } => removed_at.is_some() == room.members.is_empty(),
    }
}

/// Numbers are written as LEB128. A value of variable length has its length in front.
struct SnapshotWriter(Vec<u8>);

impl SnapshotWriter {
    fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.0.push(0x80 | number.to_le_bytes()[0]);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    fn flag(&mut self, flag: bool) {
        self.number(flag.into());
    }

    fn duration(&mut self, duration: Duration) {
        self.number(duration.as_secs());
        self.number(duration.subsec_nanos().into());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn all<T>(&mut self, values: impl ExactSizeIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        self.number(values.len() as u64);
        for value in values {
            write(self, value);
        }
    }

    fn rules(&mut self, rules: &Rules) {
        self.all(rules.rooms.iter(), |out, title| out.text(title));
        self.number(rules.max_rooms as u64);
        self.number(rules.max_name_chars as u64);
        self.number(rules.max_title_chars as u64);
        self.number(rules.max_text_chars as u64);
        self.duration(rules.empty_room_ttl);
        self.duration(rules.resume_grace);
        self.duration(rules.reload_grace);
        self.number(rules.max_away as u64);
        self.number(rules.max_kept);
        self.number(rules.max_references as u64);
    }

    fn room(&mut self, room: &Room) {
        self.text(&room.title);
        match room.lifetime {
            Lifetime::Permanent { place } => {
                self.flag(true);
                self.number(place as u64);
            }
            Lifetime::Temporary { removed_at } => {
                self.flag(false);
                self.option(removed_at, Self::duration);
            }
        }
        self.option(room.source, Self::source);
        self.number(room.last_seq);
        self.number(room.saved_seq);
        self.all(room.erasures.iter(), |out, erased| {
            let (kind, number) = match erased.what {
                Erasure::User(user) => (0, user.0),
                Erasure::Room(room) => (1, room.0),
                Erasure::Before(time) => (2, time),
            };
            for number in [kind, number, erased.up_to, erased.time] {
                out.number(number);
            }
        });
    }

    fn user(&mut self, user: &User) {
        self.text(&user.name);
        self.flag(user.version == Version::V2);
        self.option(user.source, Self::source);
        self.option(user.link, |out, link| {
            out.number(link.node.0);
            out.number(link.connection.0);
        });
        self.option(user.room, |out, room| out.number(room.0));
        self.flag(user.is_subscribed);
        self.option(user.resumption.as_deref(), Self::resumption);
    }

    fn source(&mut self, source: Source) {
        let (is_v6, number) = match source {
            Source::V4(address) => (false, address.into()),
            Source::V6(prefix) => (true, prefix),
        };
        self.flag(is_v6);
        self.number(number);
    }

    fn resumption(&mut self, resumption: &Resumption) {
        self.0.extend_from_slice(&resumption.key.0);
        self.option(resumption.away, |out, away| {
            out.duration(away.until);
            out.flag(away.has_nothing);
        });
        let References { sent, order, sweep_at } = &resumption.references;
        self.number(*sweep_at as u64);
        self.all(order.iter(), |out, hash| {
            out.0.extend_from_slice(&hash.0.to_be_bytes());
            // Every hash in `order` is in `sent`.
            out.option(sent.get(hash), |out, position| {
                out.number(position.room.0);
                out.number(position.seq);
            });
        });
    }
}

/// What is still to be read.
struct SnapshotReader<'a>(&'a [u8]);

type Read<T> = Result<T, MalformedSnapshot>;

impl SnapshotReader<'_> {
    fn take(&mut self, len: usize) -> Read<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(MalformedSnapshot)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Read<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = u64::from(self.take(1)?[0]);
            number |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(MalformedSnapshot)
    }

    fn size(&mut self) -> Read<usize> {
        usize::try_from(self.number()?).map_err(|_| MalformedSnapshot)
    }

    fn flag(&mut self) -> Read<bool> {
        match self.number()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(MalformedSnapshot),
        }
    }

    fn duration(&mut self) -> Read<Duration> {
        let secs = self.number()?;
        let nanos = u32::try_from(self.number()?).ok().filter(|nanos| *nanos < 1_000_000_000);
        Ok(Duration::new(secs, nanos.ok_or(MalformedSnapshot)?))
    }

    fn text(&mut self) -> Read<Arc<str>> {
        let len = self.size()?;
        std::str::from_utf8(self.take(len)?).map(Arc::from).map_err(|_| MalformedSnapshot)
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    fn all<T>(&mut self, read: impl Fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        // The vector grows with what is read: a length alone takes no memory.
        (0..self.size()?).map(|_| read(self)).collect()
    }

    fn rules(&mut self) -> Read<Rules> {
        Ok(Rules {
            rooms: self.all(|from| from.text().map(|title| title.to_string()))?,
            max_rooms: self.size()?,
            max_name_chars: self.size()?,
            max_title_chars: self.size()?,
            max_text_chars: self.size()?,
            empty_room_ttl: self.duration()?,
            resume_grace: self.duration()?,
            reload_grace: self.duration()?,
            max_away: self.size()?,
            max_kept: self.number()?,
            max_references: self.size()?,
        })
    }

    fn room(&mut self) -> Read<Room> {
        Ok(Room {
            title: self.text()?,
            members: BTreeSet::new(),
            lifetime: if self.flag()? {
                Lifetime::Permanent { place: self.size()? }
            } else {
                Lifetime::Temporary { removed_at: self.option(Self::duration)? }
            },
            source: self.option(Self::source)?,
            last_seq: self.number()?,
            saved_seq: self.number()?,
            erasures: self.all(Self::erased)?.into(),
        })
    }

    fn erased(&mut self) -> Read<Erased> {
        let (kind, number) = (self.number()?, self.number()?);
        let what = match kind {
            0 => Erasure::User(UserId(number)),
            1 => Erasure::Room(RoomId(number)),
            2 => Erasure::Before(number),
            _ => return Err(MalformedSnapshot),
        };
        Ok(Erased { what, up_to: self.number()?, time: self.number()? })
    }

    fn user(&mut self) -> Read<User> {
        Ok(User {
            name: self.text()?,
            version: if self.flag()? { Version::V2 } else { Version::Base },
            source: self.option(Self::source)?,
            link: self.option(|from| {
                let (node, connection) = (NodeId(from.number()?), ConnectionId(from.number()?));
                Ok(Link { node, connection })
            })?,
            room: self.option(|from| from.number().map(RoomId))?,
            is_subscribed: self.flag()?,
            resumption: self.option(|from| from.resumption().map(Box::new))?,
        })
    }

    fn source(&mut self) -> Read<Source> {
        let (is_v6, number) = (self.flag()?, self.number()?);
        if is_v6 {
            return Ok(Source::V6(number));
        }
        number.try_into().map(Source::V4).map_err(|_| MalformedSnapshot)
    }

    fn resumption(&mut self) -> Read<Resumption> {
        let key = ResumeKey(self.take(32)?.try_into().map_err(|_| MalformedSnapshot)?);
        let away =
            self.option(|from| Ok(Away { until: from.duration()?, has_nothing: from.flag()? }))?;
        let sweep_at = self.size()?;
        let sent = self.all(|from| {
            let bytes = from.take(16)?.try_into().map_err(|_| MalformedSnapshot)?;
            let position = from.option(|from| {
                Ok(Position { room: RoomId(from.number()?), seq: from.number()? })
            })?;
            let hash = ReferenceHash(u128::from_be_bytes(bytes));
            Ok((hash, position.ok_or(MalformedSnapshot)?))
        })?;
        let order: VecDeque<ReferenceHash> = sent.iter().map(|(hash, _)| *hash).collect();
        let sent: BTreeMap<_, _> = sent.into_iter().collect();
        ensure(sent.len() == order.len())?;
        Ok(Resumption { key, away, references: References { sent, order, sweep_at } })
    }
}
