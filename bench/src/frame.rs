//! WebSocket frames (RFC 6455, section 5.2): parsing a server's frames and masking a client's.

/// Larger frames are malformed; the largest expected one is the list of rooms.
const MAX_PAYLOAD_BYTES: u64 = 64 << 20;

/// RFC 6455 requires a fresh key per frame so that a hostile page cannot control the bytes on the wire.
/// There is no page here, and a fixed key allows masking before the run. It is not zero, which would let
/// a server skip unmasking.
pub const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// A complete frame at the start of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
    /// Header and payload together.
    pub length: usize,
}

/// The bytes are not an unfragmented frame of a server.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// Parses the frame at the start of `bytes`; `None` if it is incomplete.
#[inline]
pub fn scan(bytes: &[u8]) -> Result<Option<Frame<'_>>, Malformed> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let opcode = first & 0x0f;
    // A final frame with no extension in use, not a continuation, and not masked.
    if first & 0xf0 != FIN || opcode == CONTINUATION || second & MASKED != 0 {
        return Err(Malformed);
    }
    let (header, size) = match second {
        126 => match rest.first_chunk::<2>() {
            Some(size) => (4, u64::from(u16::from_be_bytes(*size))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(size) => (10, u64::from_be_bytes(*size)),
            None => return Ok(None),
        },
        size => (2, u64::from(*size)),
    };
    if size > MAX_PAYLOAD_BYTES {
        return Err(Malformed);
    }
    let length = header + usize::try_from(size).map_err(|_| Malformed)?;
    Ok(bytes.get(header..length).map(|payload| Frame { opcode, payload, length }))
}

/// Appends a masked frame; returns the length of its header.
pub fn push_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) -> usize {
    let start = out.len();
    out.push(FIN | opcode);
    match payload.len() {
        // The guards make the narrowing exact.
        #[allow(clippy::cast_possible_truncation)]
        size @ 0..126 => out.push(MASKED | size as u8),
        #[allow(clippy::cast_possible_truncation)]
        size @ 126..0x1_0000 => {
            out.push(MASKED + 126);
            out.extend_from_slice(&(size as u16).to_be_bytes());
        }
        size => {
            out.push(MASKED + 127);
            out.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    let header = out.len() - start;
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_frame(size: usize) -> Vec<u8> {
        let mut masked = Vec::new();
        let header = push_masked(&mut masked, TEXT, &vec![b'x'; size]);
        let mut frame = masked[..header - MASK.len()].to_vec();
        frame[1] &= !MASKED;
        frame.resize(frame.len() + size, b'x');
        frame
    }

    #[test]
    fn every_form_of_the_length_is_parsed_once_complete() {
        for size in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let frame = server_frame(size);
            for cut in [0, 1, 2, 3, 9, frame.len() - 1] {
                if cut < frame.len() {
                    assert_eq!(scan(&frame[..cut]), Ok(None), "{cut} of a frame of {size}");
                }
            }
            let mut followed = frame.clone();
            followed.push(0xff);
            let scanned = scan(&followed).unwrap().unwrap();
            assert_eq!((scanned.opcode, scanned.payload.len()), (TEXT, size));
            assert_eq!(scanned.length, frame.len());
        }
    }

    #[test]
    fn frames_that_no_server_may_send_are_malformed() {
        for bytes in [[0x01, 0x00], [0x80, 0x00], [0xc1, 0x00], [0x81, 0x80]] {
            assert_eq!(scan(&bytes), Err(Malformed), "{bytes:02x?}");
        }
        assert_eq!(scan(&[0x81, 127, 1, 0, 0, 0, 0, 0, 0, 0]), Err(Malformed));
    }

    #[test]
    fn masking_matches_the_example_of_rfc_6455() {
        let mut out = Vec::new();
        assert_eq!(push_masked(&mut out, TEXT, b"Hello"), 6);
        assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }
}
