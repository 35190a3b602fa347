//! The answer to one HTTP request: its head, and its body as it comes. Pure, but for the stream it is given.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

/// A longer head does not come from a wschat.
const MAX_HEAD_BYTES: u64 = 16 * 1024;

/// The longest body that is read whole: 100,000 clients with long names fit into it.
const MAX_TEXT_BYTES: u64 = 64 * 1024 * 1024;

/// An answer whose body has not been read yet.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: BufReader<Body>,
}

/// The body, whose end the head tells how to find. Only with `ToEnd` a server that dies is not noticed.
pub(super) struct Body {
    stream: BufReader<Box<dyn Read>>,
    left: Left,
}

/// What is left of a body.
enum Left {
    Bytes(u64),
    /// As much of the present chunk, and more chunks (RFC 9112 §7.1).
    Chunks(u64),
    ToEnd,
}

impl Answer {
    /// Reads the head. An error of the kind `InvalidData` means that this is no HTTP.
    pub(super) fn read(stream: Box<dyn Read>) -> io::Result<Self> {
        let mut stream = BufReader::new(stream);
        let mut head = Vec::new();
        let mut limited = (&mut stream).take(MAX_HEAD_BYTES);
        while !head.ends_with(b"\r\n\r\n") {
            if limited.read_until(b'\n', &mut head)? == 0 {
                let kind =
                    if head.is_empty() { ErrorKind::UnexpectedEof } else { ErrorKind::InvalidData };
                return Err(kind.into());
            }
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        response.parse(&head).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        let field = |name: &str| {
            let field = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
            field.and_then(|field| std::str::from_utf8(field.value).ok())
        };
        let length = field("Content-Length").and_then(|length| length.parse().ok());
        let left = match field("Transfer-Encoding") {
            Some("chunked") => Left::Chunks(0),
            Some(_) => return Err(io::Error::new(ErrorKind::InvalidData, "an encoded body")),
            None => length.map_or(Left::ToEnd, Left::Bytes),
        };
        let status = response.code.unwrap_or_default();
        Ok(Self { status, body: BufReader::new(Body { stream, left }) })
    }

    /// Reads the whole body, which is text.
    pub(super) fn text(self) -> io::Result<String> {
        let mut text = String::new();
        self.body.take(MAX_TEXT_BYTES).read_to_string(&mut text)?;
        Ok(text)
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if matches!(self.left, Left::Chunks(0)) {
            self.left = self.next_chunk()?;
        }
        let left = match &mut self.left {
            Left::ToEnd => return self.stream.read(buffer),
            Left::Bytes(left) | Left::Chunks(left) => left,
        };
        let most = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.stream.read(&mut buffer[..most])?;
        if read == 0 && most > 0 {
            return Err(too_early());
        }
        *left -= read as u64;
        if matches!(self.left, Left::Chunks(0)) {
            self.line()?;
        }
        Ok(read)
    }
}

impl Body {
    /// Reads the size of the next chunk. The last one is empty.
    fn next_chunk(&mut self) -> io::Result<Left> {
        let line = self.line()?;
        match httparse::parse_chunk_size(&line) {
            Ok(httparse::Status::Complete((_, 0))) => Ok(Left::Bytes(0)),
            Ok(httparse::Status::Complete((_, size))) => Ok(Left::Chunks(size)),
            _ => Err(io::Error::new(ErrorKind::InvalidData, "a chunk without a size")),
        }
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.stream).take(MAX_HEAD_BYTES).read_until(b'\n', &mut line)?;
        if line.ends_with(b"\n") { Ok(line) } else { Err(too_early()) }
    }
}

fn too_early() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the answer ends too early")
}
