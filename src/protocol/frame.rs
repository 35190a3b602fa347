//! The frames that the server sends (RFC 6455 §5.2): never masked, never fragmented.
//!
//! tungstenite reads and checks what clients send. Outgoing frames are built here, directly in a
//! shared buffer, so that one encoding serves every receiver.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

use super::CloseReason;

const FIN_TEXT: u8 = 0x81;
const FIN_CLOSE: u8 = 0x88;
const FIN_PING: u8 = 0x89;

/// The length of the header for a payload of 126 to 65,535 bytes.
const MEDIUM_HEADER: usize = 4;

/// Appends a text frame with `value` as JSON.
pub(super) fn push_json_frame(out: &mut BytesMut, value: &impl Serialize) {
    push_text_frame(out, |out| {
        serde_json::to_writer(out.writer(), value).expect("memory takes all, and keys are numbers");
    });
}

/// The length of the longest header of a frame that the server sends.
pub(super) const MAX_HEADER: usize = 10;

/// Appends a text frame whose payload is what `write` appends.
pub(super) fn push_text_frame(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    let body = start + MEDIUM_HEADER;
    out.put_bytes(0, MEDIUM_HEADER);
    write(out);
    let len = out.len() - body;
    // The length of the header depends on that of the payload. Unless it is as expected, move the payload.
    if let Ok(short @ ..126) = u8::try_from(len) {
        out[start] = FIN_TEXT;
        out[start + 1] = short;
        out.copy_within(body.., start + 2);
        out.truncate(start + 2 + len);
    } else if let Ok(medium) = u16::try_from(len) {
        out[start] = FIN_TEXT;
        out[start + 1] = 126;
        out[start + 2..body].copy_from_slice(&medium.to_be_bytes());
    } else {
        out.put_bytes(0, 6);
        out.copy_within(body..body + len, body + 6);
        out[start] = FIN_TEXT;
        out[start + 1] = 127;
        out[start + 2..start + 10].copy_from_slice(&(len as u64).to_be_bytes());
    }
}

/// The Close frame for `reason` (RFC 6455 §5.5.1). `None` if the connection is already lost.
pub(crate) fn close_frame(reason: CloseReason) -> Option<Bytes> {
    if reason == CloseReason::ConnectionLost {
        return None;
    }
    let mut frame = BytesMut::with_capacity(64);
    frame.put_slice(&[FIN_CLOSE, 0]);
    if let Some(code) = reason.code() {
        frame.put_u16(code);
        if !matches!(reason, CloseReason::ClosedByClient(_)) {
            frame.put_slice(reason.text().as_bytes());
        }
    }
    frame[1] = u8::try_from(frame.len() - 2).expect("close texts are short");
    Some(frame.freeze())
}

/// A Ping frame without payload (RFC 6455 §5.5.2).
pub(crate) fn ping_frame() -> Bytes {
    Bytes::from_static(&[FIN_PING, 0])
}

/// The end of the frame that byte `at` is inside of, or `at` itself if a frame begins there.
///
/// `frames` must be whole frames built by this module.
pub(crate) fn frame_end(frames: &[u8], at: usize) -> usize {
    let mut end = 0;
    while end < at {
        let (header, len) = match frames[end + 1] {
            126 => (4, u64::from(u16::from_be_bytes([frames[end + 2], frames[end + 3]]))),
            127 => {
                let mut len = [0; 8];
                len.copy_from_slice(&frames[end + 2..end + 10]);
                (10, u64::from_be_bytes(len))
            }
            short => (2, u64::from(short)),
        };
        end += header + usize::try_from(len).expect("the frame is in memory");
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_frame(len: usize) -> BytesMut {
        let mut out = BytesMut::new();
        push_text_frame(&mut out, |out| out.put_bytes(b'x', len));
        out
    }

    #[test]
    fn headers_are_as_long_as_the_payload_needs() {
        let heads: [(usize, &[u8]); 6] = [
            (0, &[0x81, 0]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 0xff, 0xff]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
            (70_000, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]),
        ];
        for (len, head) in heads {
            let frame = text_frame(len);
            assert_eq!(&frame[..head.len()], head, "{len} bytes");
            assert_eq!(frame.len(), head.len() + len);
            assert!(frame[head.len()..].iter().all(|byte| *byte == b'x'), "{len} bytes");
        }
    }

    #[test]
    fn frames_follow_each_other_without_a_gap_and_their_ends_are_found() {
        let mut out = BytesMut::new();
        let mut ends = vec![0];
        for len in [3, 126, 70_000, 0, 125] {
            push_text_frame(&mut out, |out| out.put_bytes(b'x', len));
            ends.push(out.len());
        }
        for pair in ends.windows(2) {
            let (start, end) = (pair[0], pair[1]);
            assert_eq!(frame_end(&out, start), start);
            assert_eq!(frame_end(&out, start + 1), end);
            assert_eq!(frame_end(&out, end - 1), end);
        }
    }

    #[test]
    fn close_frames_carry_code_and_text() {
        let frame = close_frame(CloseReason::SlowConsumer).unwrap();
        assert_eq!(frame, b"\x88\x0f\x03\xf5slow consumer".as_slice());
        let echo = close_frame(CloseReason::ClosedByClient(Some(1000))).unwrap();
        assert_eq!(echo, b"\x88\x02\x03\xe8".as_slice());
        let bare = close_frame(CloseReason::ClosedByClient(None)).unwrap();
        assert_eq!(bare, b"\x88\x00".as_slice());
        assert_eq!(close_frame(CloseReason::ConnectionLost), None);
    }
}
