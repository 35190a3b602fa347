//! `backup` and `export`: what the running server sends, into a file.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::path::Path;

use serde::Deserialize;

use super::part_file::PartFile;
use super::progress::Progress;
use super::table::size;
use crate::cli::answer::Answer;
use crate::cli::client::AdminClient;
use crate::cli::error::ProgramError;
use crate::cli::say;

/// The longest line of an answer. A message is far shorter.
const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;

/// A line before the bytes of a backup, or one instead of what could not be sent.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Error {
        error: String,
    },
    Phase {
        phase: Phase,
        #[serde(default)]
        done: u64,
        total: u64,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    Copying,
    Sending,
}

/// Saves the whole history as a file of SQLite. Nothing is left if that fails.
pub(in crate::cli) fn backup(
    client: &AdminClient,
    file: &Path,
    may_replace: bool,
    is_json: bool,
) -> Result<(), ProgramError> {
    let mut part = PartFile::create(file, may_replace)?;
    let mut answer = client.get("/v1/backup")?;
    let mut progress = Progress::default();
    let bytes = loop {
        let line = next_line(client, &mut answer)?.ok_or_else(|| ended_early(client))?;
        if is_json {
            say(&line);
        }
        match serde_json::from_str(&line) {
            Ok(Line::Error { error }) => return Err(refused(&error)),
            Ok(Line::Phase { phase: Phase::Copying, done, total }) => {
                progress.show("copying", done, total);
            }
            Ok(Line::Phase { phase: Phase::Sending, total, .. }) => break total,
            Err(_) => return Err(client.is_no_wschat()),
        }
    };
    receive(client, answer, bytes, |done, block| {
        progress.show("receiving", done, bytes);
        part.write(block)
    })?;
    part.finish()?;
    drop(progress);
    if !is_json {
        say(&format!("{}: {}\n", file.display(), size(bytes)));
    }
    Ok(())
}

/// Prints the messages of a room, or saves them in a file.
pub(in crate::cli) fn export(
    client: &AdminClient,
    room: u64,
    file: Option<&Path>,
    may_replace: bool,
) -> Result<(), ProgramError> {
    let mut part = file.map(|file| PartFile::create(file, may_replace)).transpose()?;
    let mut answer = client.get(&format!("/v1/export?room={room}"))?;
    let mut out = io::stdout().lock();
    while let Some(line) = next_line(client, &mut answer)? {
        // A message has other members.
        if let Ok(Line::Error { error }) = serde_json::from_str(&line) {
            return Err(refused(&error));
        }
        match &mut part {
            Some(part) => part.write(line.as_bytes())?,
            None => match out.write_all(line.as_bytes()) {
                // Whoever reads it has seen enough.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                written => written.map_err(|error| {
                    ProgramError::Command(format!("the output cannot be written: {error}"))
                })?,
            },
        }
    }
    part.map_or(Ok(()), PartFile::finish)
}

/// The next line, with its end.
fn next_line(client: &AdminClient, answer: &mut Answer) -> Result<Option<String>, ProgramError> {
    let mut line = String::new();
    let read = (&mut answer.body).take(MAX_LINE_BYTES).read_line(&mut line);
    match read.map_err(|error| client.broke_off(&error))? {
        0 => Ok(None),
        _ if line.ends_with('\n') => Ok(Some(line)),
        _ => Err(ended_early(client)),
    }
}

/// Reads exactly this many bytes, a block at a time.
fn receive(
    client: &AdminClient,
    mut answer: Answer,
    bytes: u64,
    mut take: impl FnMut(u64, &[u8]) -> Result<(), ProgramError>,
) -> Result<(), ProgramError> {
    let mut block = vec![0; 256 * 1024];
    let mut done = 0;
    while done < bytes {
        let most = usize::try_from(bytes - done).unwrap_or(usize::MAX).min(block.len());
        match answer.body.read(&mut block[..most]) {
            Ok(0) => return Err(ended_early(client)),
            Ok(read) => {
                done += read as u64;
                take(done, &block[..read])?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(client.broke_off(&error)),
        }
    }
    Ok(())
}

fn ended_early(client: &AdminClient) -> ProgramError {
    client.broke_off(&io::Error::new(ErrorKind::UnexpectedEof, "the answer ends too early"))
}

fn refused(why: &str) -> ProgramError {
    ProgramError::Command(format!("the server gives up: {why}"))
}
