//! How values are written as bytes, and read back.
//!
//! Owns the form of numbers, texts and what is made of them, for whoever has to write the chat or an action.
//! Each value has one form only. Numbers are written as LEB128. A value of variable length has its length in
//! front. Whatever the bytes are, reading them never panics, and takes no more memory than follows from how
//! many there are. Any thread may use it.

use std::sync::Arc;
use std::time::Duration;

use super::{Erasure, ResumeKey, RoomId, Rules, Source, UserId};

/// The bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// What has been written.
pub(crate) struct ByteWriter(pub(crate) Vec<u8>);

impl ByteWriter {
    pub(crate) fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.0.push(0x80 | number.to_le_bytes()[0]);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.number(flag.into());
    }

    pub(crate) fn duration(&mut self, duration: Duration) {
        self.number(duration.as_secs());
        self.number(duration.subsec_nanos().into());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(crate) fn all<T>(
        &mut self,
        values: impl ExactSizeIterator<Item = T>,
        write: impl Fn(&mut Self, T),
    ) {
        self.number(values.len() as u64);
        for value in values {
            write(self, value);
        }
    }

    pub(crate) fn rules(&mut self, rules: &Rules) {
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

    pub(crate) fn source(&mut self, source: Source) {
        let (is_v6, number) = match source {
            Source::V4(address) => (false, address.into()),
            Source::V6(prefix) => (true, prefix),
        };
        self.flag(is_v6);
        self.number(number);
    }

    pub(crate) fn key(&mut self, key: ResumeKey) {
        self.0.extend_from_slice(&key.0);
    }

    pub(crate) fn erasure(&mut self, what: Erasure) {
        let (kind, number) = match what {
            Erasure::User(user) => (0, user.0),
            Erasure::Room(room) => (1, room.0),
            Erasure::Before(time) => (2, time),
        };
        self.number(kind);
        self.number(number);
    }
}

/// What is still to be read.
pub(crate) struct ByteReader<'a>(pub(crate) &'a [u8]);

pub(crate) type Read<T> = Result<T, Malformed>;

impl<'a> ByteReader<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    pub(crate) fn number(&mut self) -> Read<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = u64::from(self.array::<1>()?[0]);
            let part = (byte & 0x7f) << shift;
            number |= part;
            if byte & 0x80 == 0 {
                // The last byte of a longer number is never 0, and nothing of it is lost.
                let is_shortest = shift == 0 || byte > 0;
                ensure(is_shortest && part >> shift == byte)?;
                return Ok(number);
            }
        }
        Err(Malformed)
    }

    pub(crate) fn size(&mut self) -> Read<usize> {
        usize::try_from(self.number()?).map_err(|_| Malformed)
    }

    pub(crate) fn flag(&mut self) -> Read<bool> {
        match self.number()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    pub(crate) fn duration(&mut self) -> Read<Duration> {
        let secs = self.number()?;
        let nanos = u32::try_from(self.number()?).ok().filter(|nanos| *nanos < 1_000_000_000);
        Ok(Duration::new(secs, nanos.ok_or(Malformed)?))
    }

    pub(crate) fn text(&mut self) -> Read<&'a str> {
        let len = self.size()?;
        std::str::from_utf8(self.take(len)?).map_err(|_| Malformed)
    }

    pub(crate) fn shared_text(&mut self) -> Read<Arc<str>> {
        self.text().map(Arc::from)
    }

    pub(crate) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    pub(crate) fn all<T>(&mut self, read: impl Fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        // The vector grows with what is read: a length alone takes no memory.
        (0..self.size()?).map(|_| read(self)).collect()
    }

    /// Refuses bytes that are left over.
    pub(crate) fn end(&self) -> Read<()> {
        ensure(self.0.is_empty())
    }

    pub(crate) fn rules(&mut self) -> Read<Rules> {
        Ok(Rules {
            rooms: self.all(|from| from.text().map(str::to_owned))?,
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

    pub(crate) fn source(&mut self) -> Read<Source> {
        let (is_v6, number) = (self.flag()?, self.number()?);
        if is_v6 {
            return Ok(Source::V6(number));
        }
        number.try_into().map(Source::V4).map_err(|_| Malformed)
    }

    pub(crate) fn key(&mut self) -> Read<ResumeKey> {
        self.array().map(ResumeKey)
    }

    pub(crate) fn erasure(&mut self) -> Read<Erasure> {
        let (kind, number) = (self.number()?, self.number()?);
        match kind {
            0 => Ok(Erasure::User(UserId(number))),
            1 => Ok(Erasure::Room(RoomId(number))),
            2 => Ok(Erasure::Before(number)),
            _ => Err(Malformed),
        }
    }
}

pub(crate) fn ensure(is_whole: bool) -> Read<()> {
    if is_whole { Ok(()) } else { Err(Malformed) }
}
