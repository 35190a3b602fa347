//! Counts WebSocket frames in what a client sends (RFC 6455 §5.2). Pure.
//!
//! tungstenite handles pongs, empty fragments and the like by itself and says nothing of them, yet each
//! costs time. Whether frames are valid is left to it.

/// The length of the masking key.
const MASK_BYTES: usize = 4;

/// In the first byte of a frame: it is the last one of its message.
const FINAL: u8 = 0x80;

/// In the first byte of a frame: it is no part of a message, and may come between two that are.
const CONTROL: u8 = 0x08;

/// In the first byte of a frame: the kind of a Close frame.
const CLOSE: u8 = 0x08;

/// In the second byte of a frame: a masking key follows the length.
const MASKED: u8 = 0x80;

/// Follows the headers of one client's frames.
#[derive(Debug, Default)]
pub(super) struct FrameCounter {
    /// The first bytes of a header of which not all have come.
    header: [u8; 10],
    header_len: usize,
    /// The rest of a frame, after those.
    rest: u64,
    /// The first byte of that frame.
    first: u8,
    /// The length of a message of which not all has come.
    partial: usize,
    /// The first byte of the first frame without a mask.
    unmasked: Option<u8>,
}

impl FrameCounter {
    /// Returns how many frames begin with what follows the bytes before.
    pub(super) fn count(&mut self, mut bytes: &[u8]) -> usize {
        let mut frames = 0;
        while !bytes.is_empty() {
            let skipped = usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len());
            self.rest -= skipped as u64;
            self.note_content(skipped);
            bytes = &bytes[skipped..];
            let Some((&first, more)) = bytes.split_first() else { break };
            if self.header_len == 0 {
                frames += 1;
            }
            self.header[self.header_len] = first;
            self.header_len += 1;
            bytes = more;
            if let Some(rest) = self.rest_of_frame() {
                (self.rest, self.first) = (rest, self.header[0]);
                if self.header[1] & MASKED == 0 {
                    self.unmasked.get_or_insert(self.first);
                }
                self.header_len = 0;
                self.note_content(0);
            }
        }
        frames
    }

    /// Whether the first frame without a mask is a Close frame.
    pub(super) fn is_closed_unmasked(&self) -> bool {
        self.unmasked == Some(FINAL | CLOSE)
    }

    /// How many bytes have come of a message that is not complete.
    pub(super) fn partial(&self) -> usize {
        self.partial
    }

    /// Counts content of the present frame for its message.
    fn note_content(&mut self, len: usize) {
        if self.first & CONTROL == 0 {
            self.partial += len;
            if self.rest == 0 && self.first & FINAL != 0 {
                self.partial = 0;
            }
        }
    }

    /// How many bytes follow the header, once its length field is complete.
    fn rest_of_frame(&self) -> Option<u64> {
        let header = &self.header[..self.header_len];
        let second = *header.get(1)?;
        let payload = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes(header.get(2..4)?.try_into().ok()?)),
            127 => u64::from_be_bytes(header.get(2..10)?.try_into().ok()?),
            len => u64::from(len),
        };
        let mask = if second & MASKED == 0 { 0 } else { MASK_BYTES as u64 };
        Some(payload.saturating_add(mask))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame of this length.
    fn frame(len: usize) -> Vec<u8> {
        let mut frame = vec![0x81];
        match len {
            ..126 => frame.push(0x80 | u8::try_from(len).unwrap()),
            126..65_536 => {
                frame.push(0xfe);
                frame.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(0xff);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        frame.extend(vec![0xff; MASK_BYTES + len]);
        frame
    }

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 0, 0, 3];
        let bytes: Vec<u8> = lengths.iter().flat_map(|len| frame(*len)).collect();
        for piece in [1, 2, 3, 7, 1_024, bytes.len()] {
            let mut counter = FrameCounter::default();
            let frames: usize = bytes.chunks(piece).map(|piece| counter.count(piece)).sum();
            assert_eq!(frames, lengths.len(), "pieces of {piece}");
            assert_eq!((counter.header_len, counter.rest), (0, 0), "pieces of {piece}");
        }
    }

    #[test]
    fn a_message_is_partial_until_its_last_frame_is_complete() {
        let mut counter = FrameCounter::default();
        let mut after = |first: u8, bytes: &[u8]| {
            let len = u8::try_from(bytes.len()).unwrap();
            counter.count(&[&[first, len][..], bytes].concat());
            counter.partial()
        };
        let (text, more, pong, end) = (0x01, 0x00, 0x8a, 0x80);
        assert_eq!(after(text, &[7; 100]), 100);
        assert_eq!(after(pong, &[7; 50]), 100, "it comes in between");
        assert_eq!(after(more, &[7; 20]), 120);
        assert_eq!(after(pong, &[]), 120);
        assert_eq!(after(end, &[]), 0);
        assert_eq!(after(pong, &[7; 50]), 0);
        assert_eq!(after(text | end, &[7; 125]), 0);
        counter.count(&[0x81, 100]);
        counter.count(&[7; 60]);
        assert_eq!(counter.partial(), 60);
        counter.count(&[7; 40]);
        assert_eq!(counter.partial(), 0);
    }

    #[test]
    fn only_a_close_frame_that_is_the_first_without_mask_counts_as_one() {
        let (masked, unmasked) = ([0x88, 0x80, 1, 2, 3, 4], [0x88, 2, 3, 0xe9]);
        let is_closed_after = |frames: &[&[u8]]| {
            let mut counter = FrameCounter::default();
            frames.concat().chunks(3).for_each(|piece| _ = counter.count(piece));
            counter.is_closed_unmasked()
        };
        assert!(is_closed_after(&[&frame(200), &unmasked]));
        assert!(is_closed_after(&[&masked, &[0x88, 0], &[0x81, 0]]));
        assert!(!is_closed_after(&[&masked]));
        assert!(!is_closed_after(&[&[0x81, 1, b'a'], &unmasked]));
        assert!(!is_closed_after(&[&[0x89, 0], &unmasked]));
    }

    #[test]
    fn a_frame_without_mask_or_of_any_length_is_counted_once() {
        let mut counter = FrameCounter::default();
        assert_eq!(counter.count(&[0x8a, 0, 0x8a, 0]), 2);
        assert_eq!(counter.count(&[0x81, 0xff]), 1);
        assert_eq!(counter.count(&[0xff; 8]), 0);
        assert_eq!(counter.count(&vec![0; 100_000]), 0);
    }
}
