//! A message as the bytes that are kept in Redis.
//!
//! Its number is not in them, since it is the id of the entry in the room's stream. Whatever the bytes are,
//! reading them never panics. The keeper's thread writes them, and whoever reads a history reads them.

use crate::chat::{ByteReader, ByteWriter, Content, Malformed, Person, Said, UserId};

/// The first byte. It goes up when the rest is written differently.
const VERSION: u64 = 1;

const TEXT: u64 = 0;
const GIF: u64 = 1;
const ERASED: u64 = 2;

pub(super) fn encode(said: &Said) -> Vec<u8> {
    let Said { seq: _, time, from, content, reference } = said;
    let mut out = ByteWriter(Vec::with_capacity(said.weight()));
    out.number(VERSION);
    out.number(*time);
    out.number(from.id.0);
    out.text(&from.name);
    match content {
        Content::Text(text) => {
            out.number(TEXT);
            out.text(text);
        }
        Content::Gif(gif) => {
            out.number(GIF);
            out.number(*gif);
        }
        Content::Erased => out.number(ERASED),
    }
    out.option(reference.as_ref(), |out, reference| out.text(reference));
    out.0
}

/// The message with this number.
pub(super) fn decode(seq: u64, bytes: &[u8]) -> Result<Said, Malformed> {
    let mut bytes = ByteReader(bytes);
    if bytes.number()? != VERSION {
        return Err(Malformed);
    }
    let time = bytes.number()?;
    let from = Person { id: UserId(bytes.number()?), name: bytes.shared_text()? };
    let content = match bytes.number()? {
        TEXT => Content::Text(bytes.text()?.to_owned()),
        GIF => Content::Gif(bytes.number()?),
        ERASED => Content::Erased,
        _ => return Err(Malformed),
    };
    let reference = bytes.option(ByteReader::shared_text)?;
    bytes.end()?;
    Ok(Said { seq, time, from, content, reference })
}

#[cfg(test)]
mod tests;
