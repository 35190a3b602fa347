//! What the operator takes out of the history: a copy of all of it, or what was said in a room.
//!
//! The thread that serves the request runs it, and writes as it reads, so that no answer is in memory as a whole.
//! The listener gives what an answer is written to.

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

impl Commands {
    /// Carries out a command whose answer is long: `/v1/backup` or `/v1/export`. `None`: there is none of this method
    /// and path.
    ///
    /// `begin` sends the head of the response, with this media type, and returns what the body is written to. Before
    /// that, an error is the answer. `is_over`: the server stops, and nobody waits for the rest.
    pub(crate) fn stream<W: Write>(
        &self,
        (method, path, query): (&str, &str, &str),
        begin: impl FnOnce(&str) -> io::Result<W>,
        is_over: &dyn Fn() -> bool,
    ) -> Option<Result<(), Answer>> {
        let done = match (method, path) {
            ("GET", "/v1/backup") => self.backup(begin, is_over),
            ("GET", "/v1/export") => self.export(query, begin, is_over),
            _ => return None,
        };
        Some(done.map_err(|failure| Err::<(), _>(failure).into()))
    }

    /// Lines of JSON while the copy is made, one that says how long it is, and the copy.
    fn backup<W: Write>(
        &self,
        begin: impl FnOnce(&str) -> io::Result<W>,
        is_over: &dyn Fn() -> bool,
    ) -> Result<(), Failure> {
        let mut begin = Some(begin);
        let mut out = None;
        let made = self.archive.backup(&mut |done, total| {
            if let Some(begin) = begin.take() {
                out = begin("application/octet-stream").ok();
            }
            let line = json!({ "phase": "copying", "done": done, "total": total });
            let is_sent = out.as_mut().is_some_and(|out| write_line(out, &line).is_ok());
            // Otherwise nobody waits for it any more.
            if is_sent && !is_over() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        match (made, out) {
            (Ok(backup), Some(mut out)) => {
                // A client that has gone needs no answer.
                let _ = send(backup, &mut out, is_over);
                Ok(())
            }
            (Err(error), Some(mut out)) => {
                let _ = write_line(&mut out, &json!({ "error": error.to_string() }));
                Ok(())
            }
            (Err(error), None) if begin.is_some() => Err((status(&error), error.to_string())),
            (_, None) => Ok(()),
        }
    }

    /// A message a line, the oldest first.
    fn export<W: Write>(
        &self,
        query: &str,
        begin: impl FnOnce(&str) -> io::Result<W>,
        is_over: &dyn Fn() -> bool,
    ) -> Result<(), Failure> {
        let room = query.strip_prefix("room=").and_then(|id| id.parse().ok()).map(RoomId);
        let room = room.ok_or_else(|| bad("Say which room: ?room=N, an id."))?;
        let rooms = self.ask(Control::Rooms)?;
        if !rooms.iter().any(|known| known.id == room.0) {
            let error = format!("There is no room {}. GET /v1/rooms lists them.", room.0);
            return Err((404, error));
        }
        let failed = |error: &ArchiveError| (status(error), error.to_string());
        let mut pages = self.archive.pages(room).map_err(|error| failed(&error))?;
        // The first page before the head, so that an error can be the answer.
        let first = pages.next().transpose().map_err(|error| failed(&error.into()))?;
        let Ok(mut out) = begin("application/jsonl") else { return Ok(()) };
        for page in first.map(Ok).into_iter().chain(pages) {
            let written = match page {
                Ok(page) => {
                    page.iter().try_for_each(|said| write_line(&mut out, &line(room, said)))
                }
                Err(error) => {
                    // In the midst of an answer, it is the last line.
                    let _ = write_line(&mut out, &json!({ "error": error.to_string() }));
                    return Ok(());
                }
            };
            if written.is_err() || is_over() {
                return Ok(());
            }
        }
        let _ = out.flush();
        Ok(())
    }
}

fn send(backup: Backup, out: &mut impl Write, is_over: &dyn Fn() -> bool) -> io::Result<()> {
    let Backup { mut file, bytes } = backup;
    write_line(out, &json!({ "phase": "sending", "total": bytes }))?;
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let length = file.read(&mut block)?;
        if length == 0 || is_over() {
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

fn write_line(out: &mut impl Write, line: &Value) -> io::Result<()> {
    writeln!(out, "{line}")?;
    out.flush()
}

fn status(error: &ArchiveError) -> u16 {
    match error {
        ArchiveError::Memory | ArchiveError::Busy => 409,
        ArchiveError::Cancelled | ArchiveError::Closed => 503,
        ArchiveError::History(error) if error.may_pass() => 507,
        ArchiveError::History(_) => 500,
    }
}

#[cfg(test)]
mod tests;
