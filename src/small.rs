//! The program in a build without the feature `cli`: a settings file and the server, and nothing else.
//!
//! SIGTERM and SIGINT end it at once, as `kill -9` would: what was said is saved, and clients come back.

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use log::{Log, Metadata, Record};
use wschat::{Server, Settings};

/// Writes the log to stderr, one line each.
struct StderrLog;

/// Serves until the end, with the settings of `--settings FILE` or the defaults.
pub(crate) fn run() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "wschat: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let settings = match arguments.as_slice() {
        [] => Settings::default(),
        [option, file] if option == OsStr::new("--settings") => Settings::load(Path::new(file))?,
        _ => return Err("this build takes `--settings FILE` and nothing else".into()),
    };
    if settings.username.is_some() {
        return Err("this build cannot change the user: remove \"username\"".into());
    }
    log::set_logger(&StderrLog)?;
    log::set_max_level(settings.log.level);
    let server = Server::start(settings)?;
    let _ = writeln!(io::stdout(), "wschat listens on {}", server.local_addr());
    Ok(server.join()?)
}

impl Log for StderrLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // At level `trace` tungstenite logs whole messages, which must not be in the log.
        !metadata.target().starts_with("tungstenite")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("[{}] {}", record.level(), record.args()).escape_debug().to_string();
            let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
        }
    }

    fn flush(&self) {}
}
