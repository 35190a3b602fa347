//! `wschat-bench`: a load generator for servers of wschat's base protocol that accounts for every
//! delivery.
//!
//! One thread does everything. To spend little on each delivery, which could be mistaken for the
//! server's cost, it waits in epoll, finds frames by their headers, parses no JSON on the hot path, and
//! sends texts that were masked before the run.
//!
//! | file | owns |
//! |---|---|
//! | `options.rs` | the command line |
//! | `target.rs` | the URL, and whether that server may be loaded |
//! | `frame.rs` | parsing and masking frames |
//! | `marker.rs` | the bytes in each text that identify its sender, number and time |
//! | `ledger.rs`, `ledger/order.rs` | which client must receive which messages, in which order |
//! | `stream.rs` | one socket, plain or TLS |
//! | `client.rs` | one client: handshake, reading and writing |
//! | `crowd.rs` | the epoll loop and all clients |
//! | `clock.rs`, `usage.rs` | time; CPU and memory of processes and the kernel |
//! | `scenario/` | the scenarios |
//! | `report.rs`, `report/table.rs`, `progress.rs` | the output |

#![forbid(unsafe_code)]

mod client;
mod clock;
mod crowd;
mod frame;
mod ledger;
mod marker;
mod options;
mod progress;
mod report;
mod scenario;
mod stream;
mod target;
mod usage;

use std::io::{self, Write};
use std::process::ExitCode;

use self::options::{HELP, Task};

/// The run was completed, and the server failed it.
const BROKEN: u8 = 1;
/// The run could not be completed.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    match options::parse(lexopt::Parser::from_env()) {
        Ok(Task::Help) => print(HELP),
        Ok(Task::Version) => print(concat!("wschat-bench ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Task::Run(options)) => match scenario::run(&options) {
            Ok(report) => {
                print(&if options.json { report.to_json() } else { report.to_table() });
                if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(BROKEN) }
            }
            Err(error) => fail(&error.to_string()),
        },
        Err(error) => fail(&format!("{error} (--help shows the usage)")),
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}

fn fail(why: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "wschat-bench: {why}");
    ExitCode::from(FAILED)
}
