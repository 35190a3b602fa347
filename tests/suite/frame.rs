//! Frames by hand (RFC 6455 §5.2): valid and invalid ones to send, and a strict parser for what the
//! server sends.

// First bytes of a frame: FIN and the opcode.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
// First bytes of the fragments of a text.
pub(crate) const FIRST_FRAGMENT: u8 = 0x01;
pub(crate) const MIDDLE_FRAGMENT: u8 = 0x00;
pub(crate) const LAST_FRAGMENT: u8 = 0x80;

/// Bit of the second byte: the payload is masked.
const MASKED: u8 = 0x80;

/// Values of the second byte: the length follows in two bytes, or in eight.
const MEDIUM: u8 = 0x7e;
const LONG: u8 = 0x7f;

/// The masking key of the example in §5.7; any key would do.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame from the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Code and text of a Close frame; 1005 if it has no code (§7.4.1).
    pub(crate) fn close_reason(&self) -> (u16, &str) {
        assert_eq!(self.first, CLOSE, "not a Close frame: {self:?}");
        match &self.payload[..] {
            [] => (1005, ""),
            [high, low, text @ ..] => {
                let text = std::str::from_utf8(text).expect("the reason is UTF-8");
                (u16::from_be_bytes([*high, *low]), text)
            }
            [_] => panic!("a Close frame with half a code"),
        }
    }
}

/// A masked frame, as a client has to send it.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, payload.len() as u64);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// An unmasked frame, as only the server may send it.
pub(crate) fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    [&head(first, 0, payload.len() as u64)[..], payload].concat()
}

/// A Close frame with this code and text.
pub(crate) fn close(code: u16, text: &str) -> Vec<u8> {
    masked(CLOSE, &[&code.to_be_bytes(), text.as_bytes()].concat())
}

/// The header of a masked frame that claims a payload of `len` bytes, with the masking key.
pub(crate) fn header(first: u8, len: u64) -> Vec<u8> {
    [&head(first, MASKED, len)[..], &MASK].concat()
}

fn head(first: u8, mask: u8, len: u64) -> Vec<u8> {
    let mut head = vec![first];
    if let Ok(short @ ..MEDIUM) = u8::try_from(len) {
        head.push(mask | short);
    } else if let Ok(medium) = u16::try_from(len) {
        head.push(mask | MEDIUM);
        head.extend(medium.to_be_bytes());
    } else {
        head.push(mask | LONG);
        head.extend(len.to_be_bytes());
    }
    head
}

/// The first frame in `bytes` and its length, once it is complete.
///
/// Panics on what the server must not send: masked frames, reserved bits, fragments, long control
/// frames, and lengths in more bytes than necessary.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    assert!(matches!(first, TEXT | CLOSE | PING | PONG), "the server sent a frame 0x{first:02x}");
    assert_eq!(second & MASKED, 0, "the server sent a masked frame");
    let (start, len) = match second {
        MEDIUM => {
            let len = u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap());
            assert!(len >= 126, "{len} in 16 bits");
            (4, u64::from(len))
        }
        LONG => {
            let len = u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap());
            assert!(len > u64::from(u16::MAX), "{len} in 64 bits");
            (10, len)
        }
        short => (2, u64::from(short)),
    };
    assert!(first == TEXT || start == 2, "a control frame of {len} bytes");
    let end = start + usize::try_from(len).unwrap();
    let payload = bytes.get(start..end)?.to_vec();
    Some((Frame { first, payload }, end))
}

#[test]
fn frames_match_the_examples_of_the_rfc() {
    assert_eq!(masked(TEXT, b"Hello"), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    assert_eq!(unmasked(TEXT, b"Hello"), b"\x81\x05Hello");
    assert_eq!(header(BINARY, 256)[..4], *b"\x82\xfe\x01\x00");
    assert_eq!(header(BINARY, 65_536)[..10], *b"\x82\xff\0\0\0\0\0\x01\0\0");
    let hello = Frame { first: TEXT, payload: b"Hello".to_vec() };
    assert_eq!(parse(b"\x81\x05Hello\x89"), Some((hello, 7)));
    assert_eq!(parse(b"\x81\x05Hell"), None);
}
