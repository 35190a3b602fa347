//! The necessary minimum of RFC 6455, section 5.2: whole frames, no fragments.

use std::ops::Range;

pub const TEXT: u8 = 0x1;
pub const CLOSE: u8 = 0x8;

const MASK_BYTES: usize = 4;

/// Unmasks the frame at the start of `bytes` in place. Returns its opcode and the range of its payload;
/// `None` if it is incomplete.
pub fn unmask(bytes: &mut [u8]) -> Option<(u8, Range<usize>)> {
    let opcode = bytes.first()? & 0x0f;
    let (header, size) = match bytes.get(1)? & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(*bytes[2..].first_chunk()?))),
        127 => (10, u64::from_be_bytes(*bytes[2..].first_chunk()?)),
        size => (2, u64::from(size)),
    };
    let start = header + MASK_BYTES;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    let mask: [u8; MASK_BYTES] = *bytes.get(header..)?.first_chunk()?;
    let payload = bytes.get_mut(start..end)?;
    for chunk in payload.chunks_mut(MASK_BYTES) {
        for (byte, key) in chunk.iter_mut().zip(mask) {
            *byte ^= key;
        }
    }
    Some((opcode, start..end))
}

/// Appends a frame with the concatenated parts as its payload.
pub fn push(out: &mut Vec<u8>, opcode: u8, parts: &[&[u8]]) {
    out.push(0x80 | opcode);
    let size: usize = parts.iter().map(|part| part.len()).sum();
    match (u8::try_from(size), u16::try_from(size)) {
        (Ok(size @ 0..126), _) => out.push(size),
        (_, Ok(size)) => {
            out.push(126);
            out.extend_from_slice(&size.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
}
