//! The marker: the first bytes of every text, which identify its deliveries.
//!
//! ```text
//! wsb:51c3 00002a 0000000f 0000004c4b40      without the spaces
//!     run  sender sequence sent at (ns)      hexadecimal
//! ```
//!
//! It is plain ASCII, so that a server's JSON does not change it, and has a fixed length, so that it is
//! at the same offset in every frame.

use crate::frame::{self, MASK};

/// The length of a marker, which is also that of the shortest text.
pub const LENGTH: usize = 34;

const START: &[u8] = b"wsb:";
const RUN: usize = 4;
const SENDER: usize = 8;
const SEQUENCE: usize = 14;
const SENT_AT: usize = 22;

/// A marker as it is written in a text.
pub type Raw = [u8; LENGTH];

/// The content of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// Distinguishes this run from another one in the same rooms.
    pub run: u16,
    /// The sending client; at most 24 bits.
    pub sender: u32,
    /// Counts up by one from 0 for each sender.
    pub sequence: u32,
    /// Nanoseconds on the run's clock; at most 48 bits, which is three days.
    pub sent_at: u64,
}

impl Marker {
    pub fn to_raw(self) -> Raw {
        let mut raw = [0; LENGTH];
        raw[..RUN].copy_from_slice(START);
        write_hex(&mut raw[RUN..SENDER], u64::from(self.run));
        write_hex(&mut raw[SENDER..SEQUENCE], u64::from(self.sender));
        write_hex(&mut raw[SEQUENCE..SENT_AT], u64::from(self.sequence));
        write_hex(&mut raw[SENT_AT..], self.sent_at);
        raw
    }

    /// Parses a marker.
    pub fn from_raw(raw: &Raw) -> Option<Self> {
        if !raw.starts_with(START) {
            return None;
        }
        Some(Self {
            run: u16::try_from(read_hex(&raw[RUN..SENDER])?).ok()?,
            sender: u32::try_from(read_hex(&raw[SENDER..SEQUENCE])?).ok()?,
            sequence: u32::try_from(read_hex(&raw[SEQUENCE..SENT_AT])?).ok()?,
            sent_at: read_hex(&raw[SENT_AT..])?,
        })
    }
}

/// Finds the markers in a server's frames, which have them at the same offset.
#[derive(Debug, Default)]
pub struct Finder {
    offset: usize,
}

impl Finder {
    /// Finds the marker in the payload of a frame.
    #[inline]
    pub fn find<'a>(&mut self, payload: &'a [u8]) -> Option<&'a Raw> {
        match at(payload, self.offset) {
            Some(raw) => Some(raw),
            None => self.search(payload),
        }
    }

    #[cold]
    fn search<'a>(&mut self, payload: &'a [u8]) -> Option<&'a Raw> {
        let offset = payload.windows(START.len()).position(|window| window == START)?;
        self.offset = offset;
        at(payload, offset)
    }
}

#[inline]
fn at(payload: &[u8], offset: usize) -> Option<&Raw> {
    payload.get(offset..)?.first_chunk::<LENGTH>().filter(|raw| raw.starts_with(START))
}

/// A text request that is already masked, except for its marker.
#[derive(Debug)]
pub struct Template {
    frame: Vec<u8>,
    /// The offset of the marker in the frame.
    offset: usize,
    /// The bytes of the mask that apply to the marker.
    key: Raw,
}

impl Template {
    /// A template for texts of `bytes` bytes, the marker included.
    pub fn new(bytes: usize) -> Self {
        const HEAD: &[u8] = br#"{"type":"text","text":""#;
        let mut payload = HEAD.to_vec();
        payload.resize(HEAD.len() + bytes.max(LENGTH), b'.');
        payload.extend_from_slice(br#""}"#);
        let mut frame = Vec::new();
        let header = frame::push_masked(&mut frame, frame::TEXT, &payload);
        let mut key = [0; LENGTH];
        for (index, byte) in key.iter_mut().enumerate() {
            *byte = MASK[(HEAD.len() + index) % MASK.len()];
        }
        Self { frame, offset: header + HEAD.len(), key }
    }

    /// Appends a frame with this marker.
    pub fn push(&self, out: &mut Vec<u8>, marker: Marker) {
        let start = out.len() + self.offset;
        out.extend_from_slice(&self.frame);
        let raw = marker.to_raw();
        for (index, byte) in out[start..start + LENGTH].iter_mut().enumerate() {
            *byte = raw[index] ^ self.key[index];
        }
    }
}

fn write_hex(out: &mut [u8], mut value: u64) {
    for byte in out.iter_mut().rev() {
        *byte = b"0123456789abcdef"[(value & 0xf) as usize];
        value >>= 4;
    }
}

fn read_hex(digits: &[u8]) -> Option<u64> {
    digits
        .iter()
        .try_fold(0, |value, digit| Some(value << 4 | u64::from(char::from(*digit).to_digit(16)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: Marker =
        Marker { run: 0x51c3, sender: 0x2a, sequence: 0xf, sent_at: 0x0000_004c_4b40 };

    #[test]
    fn a_marker_is_read_as_it_was_written() {
        let raw = MARKER.to_raw();
        assert_eq!(&raw, b"wsb:51c300002a0000000f0000004c4b40");
        assert_eq!(Marker::from_raw(&raw), Some(MARKER));
        assert_eq!(Marker::from_raw(b"wsb:51c300002a0000000f0000004c4b4!"), None);
    }

    #[test]
    fn a_frame_of_a_template_unmasks_to_the_request() {
        for bytes in [0, 64, 200, 70_000] {
            let mut out = b"before".to_vec();
            Template::new(bytes).push(&mut out, MARKER);
            let text = String::from_utf8([&MARKER.to_raw()[..], &vec![b'.'; bytes]].concat());
            let text = &text.unwrap()[..bytes.max(LENGTH)];
            let mut expected = b"before".to_vec();
            let request = format!(r#"{{"type":"text","text":"{text}"}}"#);
            frame::push_masked(&mut expected, frame::TEXT, request.as_bytes());
            assert!(out == expected, "a text of {bytes} bytes");
        }
    }

    #[test]
    fn a_marker_is_found_wherever_the_server_puts_it() {
        let raw = MARKER.to_raw();
        let mut finder = Finder::default();
        for head in ["", r#"{"type":"text","text":""#, r#"{"from":{"id":1},"text":""#] {
            let payload = [head.as_bytes(), &raw].concat();
            assert_eq!(finder.find(&payload), Some(&raw), "after {head}");
            assert_eq!(finder.find(&payload), Some(&raw), "after {head}, again");
            assert_eq!(finder.find(&payload[..payload.len() - 1]), None, "cut off");
        }
        assert_eq!(finder.find(br#"{"type":"enter_room","user":{"id":7}}"#), None);
    }
}
