//! Reading one request and writing its answer, for as long as that may take.
//!
//! The thread that serves the request runs it. What the request asks is left to `routes`.

use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use rustix::event::PollFlags;
use serde_json::json;

use super::commands::Answer;
use super::history::Stream;
use super::socket::SocketStream;
use crate::net::http::{ParsedHead, RequestHead, Response, parse_head};
use crate::net::stop::{Stop, Wakeup};

const MAX_HEAD_BYTES: usize = 8 << 10;
const MAX_BODY_BYTES: usize = 64 << 10;

/// How long a request may take to come, and how long a client may take nothing of the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of a long answer is sent at once.
const CHUNK_BYTES: usize = 64 << 10;

/// How long a connection stays open after the answer, so that the answer arrives.
const LINGER: Duration = Duration::from_secs(1);

/// A request with its body.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) head: RequestHead,
    pub(super) body: Vec<u8>,
}

/// An answer: all at once, or written bit by bit.
pub(super) enum Reply {
    Whole(Response),
    Stream(Stream),
}

/// A connection whose reads and writes wait, but not for ever, and not once the listener ends.
pub(super) struct Connection {
    stream: SocketStream,
    stop: Arc<Stop>,
    /// When the request has to be there.
    read_until: Instant,
}

impl Connection {
    pub(super) fn new(stream: SocketStream, stop: Arc<Stop>) -> Self {
        Self { stream, stop, read_until: Instant::now() + PATIENCE }
    }

    /// Reads the request. The inner error is the answer to one that is refused.
    pub(super) fn read_request(&mut self) -> io::Result<Result<Request, Response>> {
        let mut bytes = Vec::new();
        let (head, length) = loop {
            match parse_head(&bytes, MAX_HEAD_BYTES) {
                ParsedHead::Complete(head, length) => break (*head, length),
                ParsedHead::Refused(response) => return Ok(Err(response)),
                ParsedHead::Partial => {}
            }
            self.read_more(&mut bytes)?;
        };
        let length_of_body = match body_length(&head) {
            Ok(length) => length,
            Err(response) => return Ok(Err(response)),
        };
        let mut body = bytes.split_off(length);
        while body.len() < length_of_body {
            self.read_more(&mut body)?;
        }
        body.truncate(length_of_body);
        Ok(Ok(Request { head, body }))
    }

    /// Writes the answer to a request of this method, and closes the connection.
    pub(super) fn answer(mut self, reply: Reply, method: &Method) -> io::Result<()> {
        match reply {
            Reply::Whole(response) => self.write_all(&response.into_bytes(method))?,
            Reply::Stream(Stream { media_type, write }) => {
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncache-control: no-store\r\n\
                     transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
                );
                self.write_all(head.as_bytes())?;
                write(&mut BufWriter::with_capacity(CHUNK_BYTES, Chunks(&mut self)))?;
                self.write_all(b"0\r\n\r\n")?;
            }
        }
        self.linger();
        Ok(())
    }

    fn read_more(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut buf = [0; 4_096];
        loop {
            match self.stream.read(&mut buf) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => {
                    bytes.extend_from_slice(&buf[..len]);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait(PollFlags::IN, self.read_until)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn wait(&self, interest: PollFlags, until: Instant) -> io::Result<()> {
        match self.stop.wait(&self.stream, interest, Some(until))? {
            Wakeup::Ready => Ok(()),
            Wakeup::TimedOut => Err(ErrorKind::TimedOut.into()),
            Wakeup::Stopping => Err(io::Error::other("the server has ended")),
        }
    }

    /// Waits until the client has closed: unread input would destroy an answer that is on its way.
    fn linger(&mut self) {
        self.stream.end_output();
        self.read_until = Instant::now() + LINGER;
        let mut rest = Vec::new();
        while Instant::now() < self.read_until && self.read_more(&mut rest).is_ok() {
            rest.clear();
        }
    }
}

impl Write for Connection {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        loop {
            match self.stream.write(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait(PollFlags::OUT, Instant::now() + PATIENCE)?;
                }
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes each piece as a chunk (RFC 9112 §7.1). An answer that breaks off lacks the last chunk, so that is noticed.
struct Chunks<'a>(&'a mut Connection);

impl Write for Chunks<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if !piece.is_empty() {
            let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
            self.0.write_all(&chunk)?;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// JSON with an HTTP status.
pub(super) fn json_response(answer: Answer) -> Response {
    let Answer { status, body } = answer;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    body_response(status, "application/json", body + "\n")
}

/// A refusal: a sentence that says what to do.
pub(super) fn refusal(status: StatusCode, error: &str) -> Response {
    let body = json!({ "error": error }).to_string();
    json_response(Answer { status: status.as_u16(), body })
}

/// An answer that nobody is to keep.
pub(super) fn body_response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response {
    let header = |name: HeaderName, value| (name, HeaderValue::from_static(value));
    let headers =
        [header(header::CONTENT_TYPE, content_type), header(header::CACHE_CONTROL, "no-store")];
    let response = Response::new(status, body.into());
    headers.into_iter().fold(response, |response, (name, value)| response.with(name, value))
}

fn body_length(head: &RequestHead) -> Result<usize, Response> {
    if head.headers.contains_key(header::TRANSFER_ENCODING) {
        let text = "Send the body with a Content-Length, not in chunks.";
        return Err(refusal(StatusCode::LENGTH_REQUIRED, text));
    }
    if !head.headers.contains_key(header::CONTENT_LENGTH) {
        return Ok(0);
    }
    match head.single(&header::CONTENT_LENGTH).and_then(|length| length.parse().ok()) {
        Some(length) if length <= MAX_BODY_BYTES => Ok(length),
        Some(_) => {
            let text = format!("The body has at most {MAX_BODY_BYTES} bytes.");
            Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, &text))
        }
        None => Err(refusal(StatusCode::BAD_REQUEST, "The Content-Length is no number.")),
    }
}
