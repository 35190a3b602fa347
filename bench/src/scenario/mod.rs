//! The scenarios, and what they share: connecting all clients.

mod fanout;
mod idle;
mod storm;

use std::error::Error;
use std::time::Duration;
use std::{fmt, io};

use crate::client::{Ending, Handler};
use crate::clock::MILLISECOND;
use crate::crowd::Crowd;
use crate::options::{Options, Scenario};
use crate::progress::Progress;
use crate::report::Report;
use crate::usage::Process;

/// How often the progress line is redrawn and time limits are checked.
const TICK: u64 = 100 * MILLISECOND;

/// Setup ends when no frame has arrived for this time: clients are still told of the last ones that
/// entered.
const QUIET: u64 = 200 * MILLISECOND;
const QUIET_AT_MOST: u64 = 10_000 * MILLISECOND;

/// Why a run could not be completed.
#[derive(Debug)]
pub enum RunError {
    Io(io::Error),
    NoProcess(u32),
    /// Not every client could connect and enter its room.
    Setup {
        ready: usize,
        clients: usize,
        why: String,
    },
}

/// Runs the scenario.
pub fn run(options: &Options) -> Result<Report, RunError> {
    let server = match options.pid {
        Some(pid) => Some(Process::find(pid).ok_or(RunError::NoProcess(pid))?),
        None => None,
    };
    match &options.scenario {
        Scenario::Fanout(fanout) => fanout::run(options, fanout, server),
        Scenario::Storm { clients, churn } => storm::run(options, *clients, *churn, server),
        Scenario::Idle { clients, rooms, rest } => {
            idle::run(options, *clients, *rooms, *rest, server)
        }
    }
}

/// How many clients are ready, and how many were lost.
#[derive(Debug, Default)]
struct Attendance {
    ready: usize,
    lost: usize,
    why: Option<String>,
}

/// A scenario's handler.
trait Scene: Handler {
    fn attendance(&self) -> &Attendance;
}

impl Attendance {
    fn note(&mut self, ending: Ending) {
        if let Ending::Lost(why) = ending {
            self.lost += 1;
            self.why.get_or_insert(why);
        }
    }

    fn first_reason(&self) -> &str {
        self.why.as_deref().unwrap_or("the setup took too long")
    }

    /// The failure to report if connections were lost.
    fn failure(&self) -> Option<String> {
        (self.lost > 0).then(|| format!("connections lost: {}; {}", self.lost, self.first_reason()))
    }
}

/// Connects one client for each of `rooms`, a limited number at a time, until each is ready or lost, or
/// the setup time is over.
fn gather<S: Scene>(
    crowd: &mut Crowd,
    scene: &mut S,
    options: &Options,
    rooms: &[Option<u32>],
    progress: &Progress,
) -> Result<(), RunError> {
    let mut opened = 0;
    let deadline = crowd.now() + nanoseconds(options.setup);
    let mut next_tick = crowd.now();
    let count = rooms.iter().flatten().max().map_or(1, |room| *room as usize);
    loop {
        let Attendance { ready, lost, .. } = scene.attendance();
        let settled = ready + lost;
        while opened < rooms.len() && opened - settled < options.concurrency {
            // Rooms come in turn, so this spreads the members of each over the nodes.
            crowd.open(opened, opened % count + opened / count, rooms[opened])?;
            opened += 1;
        }
        let now = crowd.now();
        if settled == rooms.len() || now >= deadline {
            return Ok(());
        }
        if now >= next_tick {
            let what = format!("connecting: {settled} of {}", rooms.len());
            progress.show(settled as u64, rooms.len() as u64, &what);
            next_tick = now + TICK;
        }
        crowd.turn(next_tick, scene)?;
    }
}

/// Fails unless every client is ready.
fn all_ready(attendance: &Attendance, clients: usize) -> Result<(), RunError> {
    let Attendance { ready, lost, .. } = *attendance;
    if ready == clients && lost == 0 {
        return Ok(());
    }
    Err(RunError::Setup { ready, clients, why: attendance.first_reason().to_owned() })
}

/// Waits until `last_event` has not changed for a while.
fn settle<S: Scene>(
    crowd: &mut Crowd,
    scene: &mut S,
    last_event: impl Fn(&S) -> u64,
) -> Result<(), RunError> {
    let begun = crowd.now();
    loop {
        let quiet_at = last_event(scene).max(begun) + QUIET;
        let now = crowd.now();
        if now >= quiet_at || now >= begun + QUIET_AT_MOST {
            return Ok(());
        }
        crowd.turn(quiet_at, scene)?;
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NoProcess(pid) => write!(f, "there is no process {pid}"),
            Self::Setup { ready, clients, why } => {
                write!(f, "only {ready} of {clients} clients are ready: {why}")
            }
        }
    }
}

impl Error for RunError {}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
