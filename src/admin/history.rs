//! What the operator takes out of the history: a copy of all of it, or what was said in a room.
//!
//! The thread that serves the request runs it, and writes as it reads, so that no answer is in memory as a whole.
//! The listener gives what an answer is written to.

use std::fmt;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use serde_json::{Value, json};

use super::Commands;
use super::commands::{Answer, Failure, bad};
use crate::chat::{Content, RoomId, Said};
use crate::history::{ArchiveError, Backup};
use crate::input::Control;

/// How much of a copy is sent at once.
const BLOCK_BYTES: usize = 64 << 10;

type Body = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()>>;

/// The answer to a command that is long. It is written bit by bit.
pub(crate) struct Stream {
    pub(crate) media_type: &'static str,
    /// Writes it. What fails on the way is its last line, as an error in JSON.
    pub(crate) write: Body,
}

impl Commands {
    /// Carries out a command whose answer is long: `/v1/backup` or `/v1/export`. `None`: there is none of this method
    /// and path.
    pub(crate) fn stream(
        &self,
        method: &str,
        path: &str,
        query: &str,
    ) -> Option<Result<Stream, Answer>> {
        let stream = match (method, path) {
            ("GET", "/v1/backup") => self.backup(),
            ("GET", "/v1/export") => self.export(query),
            _ => return None,
        };
        Some(stream.map_err(|failure| Err::<(), _>(failure).into()))
    }

    /// Lines of JSON while the copy is made, one that says how long it is, and the copy.
    fn backup(&self) -> Result<Stream, Failure> {
        let start = self.archive.backup().map_err(|error| failure(&error))?;
        let write = move |out: &mut dyn Write| {
            let copied = start.copy(&mut |done, total| {
                let line = json!({ "phase": "copying", "done": done, "total": total });
                match write_line(out, &line) {
                    Ok(()) => ControlFlow::Continue(()),
                    // Nobody waits for it any more.
                    Err(_) => ControlFlow::Break(()),
                }
            });
            match copied {
                Ok(backup) => send(backup, out),
                Err(error) => write_line(out, &json!({ "error": error.to_string() })),
            }
        };
        Ok(Stream { media_type: "application/octet-stream", write: Box::new(write) })
    }

    /// A message a line, the oldest first.
    fn export(&self, query: &str) -> Result<Stream, Failure> {
        let room = query.strip_prefix("room=").and_then(|id| id.parse().ok()).map(RoomId);
        let room = room.ok_or_else(|| bad("Say which room: ?room=N, an id."))?;
        let rooms = self.ask(Control::Rooms)?;
        if !rooms.iter().any(|known| known.id == room.0) {
            let error = format!("There is no room {}. GET /v1/rooms lists them.", room.0);
            return Err((404, error));
        }
        let mut pages = self.archive.pages(room).map_err(|error| failure(&error))?;
        // The first page at once, so that an error can be the answer.
        let first = pages.next().transpose().map_err(|error| failure(&error.into()))?;
        let write = move |out: &mut dyn Write| {
            for page in first.map(Ok).into_iter().chain(pages) {
                match page {
                    Ok(page) => {
                        page.iter().try_for_each(|said| writeln!(out, "{}", line(room, said)))?;
                    }
                    Err(error) => {
                        return write_line(out, &json!({ "error": error.to_string() }));
                    }
                }
            }
            out.flush()
        };
        Ok(Stream { media_type: "application/jsonl", write: Box::new(write) })
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Stream").field("media_type", &self.media_type).finish_non_exhaustive()
    }
}

fn send(backup: Backup, out: &mut dyn Write) -> io::Result<()> {
    let Backup { mut file, bytes } = backup;
    write_line(out, &json!({ "phase": "sending", "total": bytes }))?;
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let length = file.read(&mut block)?;
        if length == 0 {
            return out.flush();
        }
        out.write_all(&block[..length])?;
    }
}

fn line(room: RoomId, said: &Said) -> Value {
    let from = json!({ "id": said.from.id.0, "name": &*said.from.name });
    let mut line = json!({ "roomId": room.0, "seq": said.seq, "time": said.time, "from": from });
    match &said.content {
        Content::Text(text) => line["text"] = json!(text),
        Content::Gif(gif) => line["gifId"] = json!(gif),
        Content::Erased => {}
    }
    line
}

fn write_line(out: &mut dyn Write, line: &Value) -> io::Result<()> {
    writeln!(out, "{line}")?;
    out.flush()
}

fn failure(error: &ArchiveError) -> Failure {
    let status = match error {
        ArchiveError::Memory | ArchiveError::Busy => 409,
        #[cfg(feature = "cluster")]
        ArchiveError::Shared => 409,
        ArchiveError::Cancelled | ArchiveError::Closed => 503,
        ArchiveError::History(error) if error.may_pass() => 507,
        ArchiveError::History(_) => 500,
    };
    (status, error.to_string())
}

#[cfg(test)]
mod tests;
