//! The whole state of the chat as bytes, and back.
//!
//! The same state always has the same bytes, so two chats can be compared by a hash of them. Indexes are
//! not written, since they follow from the rest. Bytes that are malformed, or whose parts do not fit
//! together, are refused and never cause a panic.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::coding::{ByteReader, ByteWriter, Malformed, Read, ensure};
use super::references::{ReferenceCounts, ReferenceHash, References};
use super::resumption::{Away, Resumption};
use super::room::Lifetime;
use super::{
    Chat, ConnectionId, EntryId, Erased, IdLimits, Link, NodeId, Position, Room, RoomId, Shares,
    Unsaved, User, UserId, Version,
};

/// The first bytes of every snapshot. The number goes up when the rest is written differently.
const HEADER: &[u8] = b"wschat 4";

/// The bytes are not a snapshot of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedSnapshot;

impl Chat {
    /// Writes the whole state.
    pub(crate) fn write_snapshot(&self) -> Vec<u8> {
        let mut out = ByteWriter(HEADER.to_vec());
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
        let from = bytes.strip_prefix(HEADER).ok_or(MalformedSnapshot)?;
        Self::read_state(ByteReader(from)).map_err(|Malformed| MalformedSnapshot)
    }

    fn read_state(mut from: ByteReader<'_>) -> Read<Self> {
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
            Ok(Unsaved { room, author, reference: from.option(ByteReader::shared_text)? })
        })?;
        from.end()?;
        Ok(chat)
    }

    fn add_to_indexes(&mut self, id: UserId, user: &User) -> Read<()> {
        let away = user.resumption.as_ref().and_then(|resumption| resumption.away);
        ensure(user.link.is_some() != away.is_some())?;
        ensure(!user.is_subscribed || (user.link.is_some() && user.room.is_some()))?;
        if let Some(link) = user.link {
            ensure(self.links.insert(link, id).is_none())?;
        }
        if let Some(room) = user.room {
            self.rooms.get_mut(&room).ok_or(Malformed)?.members.insert(id);
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

/// Whether a room has a time to be removed exactly if it is empty, unless it is permanent.
fn expires_if_empty(room: &Room) -> bool {
    match room.lifetime {
        Lifetime::Permanent { .. } => true,
        Lifetime::Temporary { removed_at } => removed_at.is_some() == room.members.is_empty(),
    }
}

impl ByteWriter {
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
            out.erasure(erased.what);
            out.number(erased.up_to);
            out.number(erased.time);
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

    fn resumption(&mut self, resumption: &Resumption) {
        self.key(resumption.key);
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

impl ByteReader<'_> {
    fn room(&mut self) -> Read<Room> {
        Ok(Room {
            title: self.shared_text()?,
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
        Ok(Erased { what: self.erasure()?, up_to: self.number()?, time: self.number()? })
    }

    fn user(&mut self) -> Read<User> {
        Ok(User {
            name: self.shared_text()?,
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

    fn resumption(&mut self) -> Read<Resumption> {
        let key = self.key()?;
        let away =
            self.option(|from| Ok(Away { until: from.duration()?, has_nothing: from.flag()? }))?;
        let sweep_at = self.size()?;
        let sent = self.all(|from| {
            let hash = ReferenceHash(u128::from_be_bytes(from.array()?));
            let position = from.option(|from| {
                Ok(Position { room: RoomId(from.number()?), seq: from.number()? })
            })?;
            Ok((hash, position.ok_or(Malformed)?))
        })?;
        let order: VecDeque<ReferenceHash> = sent.iter().map(|(hash, _)| *hash).collect();
        let sent: BTreeMap<_, _> = sent.into_iter().collect();
        ensure(sent.len() == order.len())?;
        Ok(Resumption { key, away, references: References { sent, order, sweep_at } })
    }
}
