//! The gzip of a text that begins with what is only known at the start, and ends with what was compressed when wschat
//! was built. Pure.
//!
//! So the program needs no compressor. Both parts are blocks of one DEFLATE stream (RFC 1951): the beginning is
//! *stored*, which ends at a whole byte, as the rest must begin.

/// The most that one stored block has (RFC 1951 §3.2.4).
const MAX_STORED: usize = 0xffff;

/// The gzip (RFC 1952) of `head` followed by `rest`. `deflated` is the whole DEFLATE stream of `rest`. There is no time
/// stamp, so the same text has the same bytes.
pub(super) fn gzip(head: &[u8], rest: &[u8], deflated: &[u8]) -> Vec<u8> {
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    for block in head.chunks(MAX_STORED) {
        let length = u16::try_from(block.len()).expect("no chunk is longer");
        gzip.push(0); // stored, and not the last
        gzip.extend_from_slice(&length.to_le_bytes());
        gzip.extend_from_slice(&(!length).to_le_bytes());
        gzip.extend_from_slice(block);
    }
    gzip.extend_from_slice(deflated);
    gzip.extend_from_slice(&crc32(&[head, rest]).to_le_bytes());
    let length = u32::try_from(head.len() + rest.len()).expect("no page has gigabytes");
    gzip.extend_from_slice(&length.to_le_bytes());
    gzip
}

/// The checksum of RFC 1952 §8, bit by bit: it is for a few kilobytes, once.
fn crc32(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().copied().flatten();
    !bytes.fold(!0, |sum: u32, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::Compression;
    use flate2::read::GzDecoder;
    use flate2::write::DeflateEncoder;

    use super::*;

    #[test]
    fn it_unpacks_to_both_parts() {
        let rest = b"and a rest, and a rest, and a rest";
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(rest).unwrap();
        let deflated = encoder.finish().unwrap();
        for length in [0, 1, 1_000, MAX_STORED, MAX_STORED + 1, 200_000] {
            let head: Vec<u8> = (0..length).map(|at: usize| at.to_le_bytes()[0]).collect();
            let mut unpacked = Vec::new();
            let gzip = gzip(&head, rest, &deflated);
            GzDecoder::new(&gzip[..]).read_to_end(&mut unpacked).unwrap();
            assert!(unpacked == [&head[..], rest].concat(), "{length}");
        }
    }
}
