//! What the operator can do to the running chat: see who is there, kick, announce, erase.
//!
//! Takes the body of a request, asks the dispatcher, and answers in JSON. The thread that serves the request
//! runs it. How requests come is left to the listener.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use log::info;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::chat::{Erasure, RoomId, UserId};
use crate::history::{Archive, ArchiveError};
use crate::input::{ChatStatus, Control, Input, RoomStatus, Whom};
use crate::mailbox::WeakMailboxSender;

/// How long the dispatcher may take for an answer. It only takes long if the disk does.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same where the answer is of use only now.
const GLANCE: Duration = Duration::from_secs(1);

/// What the commands need.
#[derive(Debug)]
pub(crate) struct Commands {
    inputs: WeakMailboxSender<Input>,
    pub(super) archive: Archive,
}

/// The answer to a command, as JSON with its HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Why a command came to nothing: the HTTP status, and what to do.
pub(super) type Failure = (u16, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KickRequest {
    user: Option<u64>,
    address: Option<IpAddr>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnnounceRequest {
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EraseRequest {
    user: Option<u64>,
    room: Option<u64>,
    before: Option<u64>,
}

#[derive(Serialize)]
struct Rooms {
    rooms: Vec<RoomStatus>,
}

impl Commands {
    pub(crate) fn new(inputs: WeakMailboxSender<Input>, archive: Archive) -> Self {
        Self { inputs, archive }
    }

    /// How many users and rooms there are; `None` if the dispatcher does not answer soon.
    pub(super) fn chat(&self) -> Option<ChatStatus> {
        let deadline = Instant::now() + GLANCE;
        Control::ask(self.inputs.upgrade()?, deadline, Control::Status)
    }

    /// Carries out a command. `None`: there is none of this method and path. To erase messages may take a while; the
    /// chat goes on.
    pub(crate) fn answer(&self, method: &str, path: &str, body: &[u8]) -> Option<Answer> {
        Some(match (method, path) {
            ("GET", "/v1/rooms") => self.ask(Control::Rooms).map(|rooms| Rooms { rooms }).into(),
            ("GET", "/v1/clients") => self.ask(Control::Clients).into(),
            ("POST", "/v1/kick") => self.kick(body).into(),
            ("POST", "/v1/announce") => self.announce(body).into(),
            ("POST", "/v1/erase") => self.erase(body).into(),
            _ => return None,
        })
    }

    fn kick(&self, body: &[u8]) -> Result<Value, Failure> {
        let KickRequest { user, address, reason } = parse(body)?;
        let (whom, nobody) = match (user, address) {
            (Some(id), None) => (Whom::User(UserId(id)), format!("There is no user {id}.")),
            (None, Some(address)) => {
                (Whom::Address(address), format!("There is nobody from {address}."))
            }
            _ => return Err(bad("Say who: give either \"user\", an id, or \"address\".")),
        };
        let kicked = self.ask(|answer| Control::Kick { whom, reason, answer })?;
        if kicked.is_empty() {
            return Err((404, format!("{nobody} GET /v1/clients lists who is there.")));
        }
        Ok(json!({ "kicked": kicked.iter().map(|user| user.0).collect::<Vec<_>>() }))
    }

    fn announce(&self, body: &[u8]) -> Result<Value, Failure> {
        let AnnounceRequest { text } = parse(body)?;
        let told = self.ask(|answer| Control::Announce { text, answer })?;
        Ok(json!({ "told": told.map_err(|flaw| bad(&flaw))? }))
    }

    fn erase(&self, body: &[u8]) -> Result<Value, Failure> {
        let what = match parse(body)? {
            EraseRequest { user: Some(id), room: None, before: None } => Erasure::User(UserId(id)),
            EraseRequest { user: None, room: Some(id), before: None } => Erasure::Room(RoomId(id)),
            EraseRequest { user: None, room: None, before: Some(time) } => Erasure::Before(time),
            _ => {
                return Err(bad(
                    "Say what: give one of \"user\" and \"room\", an id, or \"before\", a Unix time in \
                     milliseconds.",
                ));
            }
        };
        let reach = self.ask(|answer| Control::Reach { what, answer })?;
        let Some(rooms) = &reach else {
            return Err((404, "There is no such room. GET /v1/rooms lists them.".to_owned()));
        };
        let erased = self.archive.erase(what, rooms).map_err(|error| {
            let status = match error {
                ArchiveError::Closed => 503,
                ArchiveError::Busy => 409,
                _ => 500,
            };
            (status, format!("Not everything is erased: {error}"))
        })?;
        let which = match what {
            Erasure::User(user) => format!("of user {}", user.0),
            Erasure::Room(room) => format!("in room {}", room.0),
            Erasure::Before(time) => format!("from before {time} (Unix time in milliseconds)"),
        };
        // If the server stops meanwhile, all clients are gone, and the messages all the same, unless others go on.
        let told = self.ask(|answer| Control::Erased { what, reach, answer });
        if self.archive.erases_later() {
            told.map_err(|(status, error)| {
                (status, format!("Perhaps nothing is erased: {error}"))
            })?;
        }
        info!("the operator has erased {erased} messages {which}");
        Ok(json!({ "erased": erased }))
    }

    /// Asks the dispatcher.
    pub(super) fn ask<T>(&self, control: impl FnOnce(Sender<T>) -> Control) -> Result<T, Failure> {
        let stopping = || (503, "The server is stopping. Try again when it runs.".to_owned());
        let (sender, answer) = bounded(1);
        let inputs = self.inputs.upgrade().ok_or_else(stopping)?;
        inputs.send(Input::Control(Box::new(control(sender)))).map_err(|_| stopping())?;
        // Waiting with a sender in hand would keep the dispatcher running.
        drop(inputs);
        answer.recv_timeout(PATIENCE).map_err(|error| {
            if error.is_timeout() {
                (503, "The server does not answer. Its log may say why.".to_owned())
            } else {
                stopping()
            }
        })
    }
}

impl Answer {
    /// There is no such command.
    pub(crate) fn unknown() -> Self {
        let error = "There is no such command: see docs/operations.md.".to_owned();
        Err::<(), _>((404, error)).into()
    }
}

impl<T: Serialize> From<Result<T, Failure>> for Answer {
    fn from(result: Result<T, Failure>) -> Self {
        match result {
            Ok(value) => {
                let body = serde_json::to_string(&value).expect("all keys are strings");
                Self { status: 200, body }
            }
            Err((status, error)) => Self { status, body: json!({ "error": error }).to_string() },
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| bad(&format!("The body is wrong: {error}")))
}

pub(super) fn bad(error: &str) -> Failure {
    (400, error.to_owned())
}
