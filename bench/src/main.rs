//! `wschat-bench`: loads a server that speaks wschat's base protocol, and accounts for every delivery.
//!
//! One thread does everything. It waits in epoll, scans frames by their headers, never parses JSON
//! on the hot path, and sends texts that were masked before the run began: whatever it spends on
//! a delivery would otherwise be mistaken for the server's own cost.
//!
//! | file | owns |
//! |---|---|
//! | `options.rs` | the command line |
//! | `target.rs` | the URL, and which ones may be loaded |
//! | `frame.rs` | frames: scanning what comes, masking what goes |
//! | `marker.rs` | the few bytes in each text that say who sent it, and when |
//! | `ledger.rs`, `ledger/order.rs` | who must have received what, in which order |
//! | `stream.rs` | one socket, plain or TLS |
//! | `client.rs` | one client: its handshake, its bytes in and out |
//! | `crowd.rs` | the epoll loop and all clients |
//! | `clock.rs`, `usage.rs` | time; what processes and the kernel spent |
//! | `scenario/` | what is measured |
//! | `report.rs`, `report/table.rs`, `progress.rs` | what is shown |

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

/// The run was carried out, and the server failed it.
const BROKEN: u8 = 1;
/// The run could not be carried out.
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
