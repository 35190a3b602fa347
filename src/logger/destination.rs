//! Where the log goes: a file or stderr, and what form of line belongs there.
//!
//! Opened by the thread that starts or reloads; written to by the log's thread only.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use wschat::{LogFormat, LogSettings};

use super::line::Form;

/// systemd sets it to the device and inode of the stream that leads to its journal.
const JOURNAL_STREAM: &str = "JOURNAL_STREAM";

/// An open file or stderr.
#[derive(Debug)]
pub(crate) struct Destination {
    file: File,
    pub(super) form: Form,
    /// A part of a line has been written, and then no more.
    is_torn: bool,
}

impl Destination {
    /// Opens the file of the settings. The error names it.
    pub(crate) fn open(settings: &LogSettings) -> io::Result<Self> {
        let (file, is_journal) = match &settings.file {
            None => {
                let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
                let is_journal = leads_to_journal(&stderr);
                (stderr, is_journal)
            }
            Some(path) => {
                let file = OpenOptions::new().append(true).create(true).open(path);
                let name = |error: io::Error| {
                    let why = format!("log.file {} cannot be written: {error}", path.display());
                    io::Error::new(error.kind(), why)
                };
                (file.map_err(name)?, false)
            }
        };
        Ok(Self::new(file, form(settings.format, is_journal)))
    }

    pub(super) fn new(file: File, form: Form) -> Self {
        Self { file, form, is_torn: false }
    }

    /// Writes a line, in one piece if the system takes it so. Waits as long as that takes.
    pub(super) fn write(&mut self, line: &str) -> io::Result<()> {
        let text = if self.is_torn { format!("\n{line}") } else { line.to_owned() };
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.is_torn = true;
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Whoever shares stderr may have made it non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], None)?;
                }
                Err(error) => return Err(error),
            }
        }
        self.is_torn = false;
        Ok(())
    }
}

fn form(format: LogFormat, is_journal: bool) -> Form {
    match format {
        LogFormat::Json => Form::Json,
        LogFormat::Auto if is_journal => Form::Journal,
        LogFormat::Auto | LogFormat::Text => Form::Text,
    }
}

fn leads_to_journal(stderr: &File) -> bool {
    let Ok(stream) = std::env::var(JOURNAL_STREAM) else { return false };
    rustix::fs::fstat(stderr).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}
