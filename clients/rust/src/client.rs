//! The client: connects, sends, waits, and connects again.

use std::collections::VecDeque;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::Message;
use tungstenite::http::Uri;

use crate::backoff::wait;
use crate::core::{Core, Saved, enter, rooms};
use crate::event::{Event, HistoryPage, Page, Refusal, Room, read};
use crate::queue::Kind;
use crate::wire::{Dial, Loss, NOT_V2, Socket, dial, hear, open};

/// A connection that lasted longer than this was a success.
const STABLE: Duration = Duration::from_secs(5);

/// The silence after a ping that means that the connection is lost.
const PONG_PATIENCE: Duration = Duration::from_secs(10);

/// The ping interval of a server that does not say it.
const PING_INTERVAL_MS: u64 = 30_000;

/// The longest frame that is read if [`Config::max_frame_bytes`] is not set.
const LONGEST_FRAME: usize = 16 << 20;

/// Which server, and how.
///
/// ```
/// use wschat_client::Config;
///
/// let config = Config {
///     name: Some("Echo".to_owned()),
///     max_frame_bytes: Some(1 << 20),
///     ..Config::new("ws://127.0.0.1:8776/")
/// };
/// ```
///
/// To go on after the program's own restart, where it was and with what is not answered:
///
/// ```no_run
/// use wschat_client::{Client, Config};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let saved = serde_json::from_str(&std::fs::read_to_string("bot.json")?)?;
/// let client = Client::new(Config { saved, ..Config::new("ws://127.0.0.1:8776/") })?;
/// std::fs::write("bot.json", serde_json::to_string(&client.saved())?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The address, which begins with `ws://`, or with `wss://` where the feature `native-tls` is on.
    pub url: String,
    /// The user's name. It is set again when the session could not be resumed.
    pub name: Option<String>,
    /// Asks the server for no longer frames; 4096 at least. Without it, frames of up to 16 MiB are read.
    pub max_frame_bytes: Option<usize>,
    /// Features of the server to use, such as `presence`: their frames come as [`Event::Other`].
    pub features: Vec<String>,
    /// What an earlier client has saved.
    pub saved: Saved,
}

/// A client of one server. See [the crate](crate).
pub struct Client {
    uri: Uri,
    dial: Dial,
    core: Core,
    open: Option<Open>,
    failures: u32,
    retry_at: Option<Instant>,
    longest_frame: usize,
    has_ended: bool,
    /// Events that came while a question was waited for.
    events: VecDeque<Event>,
}

struct Open {
    socket: Socket,
    since: Instant,
    heard: Instant,
    has_pinged: bool,
}

/// Why a client cannot go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The address of the server is not one, and why.
    Url(String),
    /// A message needs a room: call [`Client::enter`] before.
    NoRoom,
    /// The server refused a question.
    Refused(Refusal),
    /// The client must not come back: the server has said so, or the client is at fault.
    Stopped(String),
    /// The client has ended already.
    Ended,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) | Self::Stopped(why) => write!(f, "{why}"),
            Self::NoRoom => write!(f, "enter a room before you say something"),
            Self::Refused(refusal) => write!(f, "{} ({})", refusal.message, refusal.code),
            Self::Ended => write!(f, "this client has ended"),
        }
    }
}

impl std::error::Error for Error {}

impl Config {
    /// The server at this address, without name and features.
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), ..Self::default() }
    }

    fn hello(&self) -> Option<Value> {
        let mut hello = json!({ "type": "hello", "features": self.features });
        if let Some(bytes) = self.max_frame_bytes {
            hello["maxFrameBytes"] = json!(bytes);
        }
        (self.max_frame_bytes.is_some() || !self.features.is_empty()).then_some(hello)
    }
}

impl Client {
    /// A client that connects when it is first asked for an event.
    pub fn new(config: Config) -> Result<Self, Error> {
        let uri: Uri = config.url.parse().map_err(|why| {
            let url = &config.url;
            Error::Url(format!("{url} is not an address: {why}"))
        })?;
        let dial = dial(&uri).map_err(|why| Error::Url(format!("{}: {why}", config.url)))?;
        Self::over(config, dial)
    }

    /// Like [`Client::new`], over connections that `dial` opens.
    pub fn over(config: Config, dial: Dial) -> Result<Self, Error> {
        let uri = config.url.parse().map_err(|why| Error::Url(format!("{}: {why}", config.url)))?;
        let longest_frame = config.max_frame_bytes.unwrap_or(LONGEST_FRAME);
        let mut core = Core::default();
        (core.hello, core.name, core.saved) = (config.hello(), config.name, config.saved);
        core.queue.jobs = std::mem::take(&mut core.saved.jobs);
        Ok(Self {
            uri,
            dial,
            core,
            open: None,
            failures: 0,
            retry_at: None,
            longest_frame,
            has_ended: false,
            events: VecDeque::new(),
        })
    }

    /// Enters a room, and leaves the one before. Returns the `ref`, which [`Event::Done`] or
    /// [`Event::Refused`] has later; so do the other methods that change something.
    pub fn enter(&mut self, room: u64) -> String {
        self.core.push(Kind::Enter { room }, enter(room))
    }

    /// Leaves the room.
    pub fn leave(&mut self) -> String {
        self.core.push(Kind::Leave, json!({ "type": "leave_room" }))
    }

    /// Says a text in the room that was entered last, exactly once.
    pub fn say(&mut self, text: &str) -> Result<String, Error> {
        self.tell(json!({ "type": "text", "text": text }))
    }

    /// Sends a GIF to the room that was entered last, exactly once.
    pub fn gif(&mut self, id: u64) -> Result<String, Error> {
        self.tell(json!({ "type": "gif", "gifId": id }))
    }

    fn tell(&mut self, mut request: Value) -> Result<String, Error> {
        let room = self.core.target().ok_or(Error::NoRoom)?;
        request["roomId"] = json!(room);
        Ok(self.core.push(Kind::Say { room }, request))
    }

    /// Changes the user's name, also for later sessions.
    pub fn rename(&mut self, name: &str) -> String {
        self.core.name = Some(name.to_owned());
        self.core.push(Kind::Harmless, json!({ "type": "change_name", "name": name }))
    }

    /// Creates a room, without entering it. [`Event::Done`] has its id.
    pub fn create_room(&mut self, title: &str) -> String {
        self.core.push(Kind::Create, json!({ "type": "create_room", "title": title }))
    }

    /// The list of rooms. From now on, its changes are among the events.
    pub fn rooms(&mut self) -> Result<Vec<Room>, Error> {
        Ok(rooms(&self.ask(json!({ "type": "list_rooms" }))?))
    }

    /// Reads a part of the history of a room, with at most `limit` (1 to 100) messages.
    ///
    /// ```no_run
    /// use wschat_client::{Client, Error, HistoryPage, Page};
    ///
    /// /// The whole history of a room, the newest page first.
    /// fn read_all(client: &mut Client, room: u64) -> Result<Vec<HistoryPage>, Error> {
    ///     let mut pages = vec![client.history(room, Page::Newest, 100)?];
    ///     while let Some(first) = pages.last().filter(|page| page.more).and_then(HistoryPage::first) {
    ///         pages.push(client.history(room, Page::Before(first), 100)?);
    ///     }
    ///     Ok(pages)
    /// }
    /// ```
    pub fn history(&mut self, room: u64, page: Page, limit: u8) -> Result<HistoryPage, Error> {
        let mut request = json!({ "type": "history", "roomId": room, "limit": limit });
        match page {
            Page::Newest => {}
            Page::Before(seq) => request["before"] = json!(seq),
            Page::After(seq) => request["after"] = json!(seq),
            Page::Around(seq) => request["around"] = json!(seq),
        }
        read(&self.ask(request)?).ok_or_else(|| Error::Stopped(NOT_V2.to_owned()))
    }

    /// Asks anything else that `docs/protocol-v2.md` has, such as `users`, and waits for the answer;
    /// keeps the events meanwhile. The question may be asked again after a loss.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), wschat_client::Error> {
    /// # let mut client = wschat_client::Client::new(wschat_client::Config::new("ws://localhost"))?;
    /// let page = client.ask(serde_json::json!({ "type": "users", "roomId": 1, "limit": 10 }))?;
    /// println!("{} of {}", page["users"], page["userCount"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ask(&mut self, question: Value) -> Result<Value, Error> {
        let reference = self.core.push(Kind::Question, question);
        loop {
            if let Some(answer) = self.core.answers.remove(&reference) {
                return answer.map_err(Error::Refused);
            }
            self.turn(None)?;
            self.events.append(&mut self.core.events);
        }
    }

    /// Waits until everything is answered, at most so long; whether it is. Keeps the events meanwhile.
    pub fn flush(&mut self, within: Duration) -> Result<bool, Error> {
        let until = Instant::now() + within;
        while !self.core.queue.jobs.is_empty() {
            if Instant::now() >= until {
                return Ok(false);
            }
            self.turn(Some(until))?;
            self.events.append(&mut self.core.events);
        }
        Ok(true)
    }

    /// The next event, or `None` if nothing happens within this time.
    pub fn next_within(&mut self, within: Duration) -> Result<Option<Event>, Error> {
        self.next_until(Some(Instant::now() + within))
    }

    /// What to store in order to go on after a restart of the program.
    pub fn saved(&self) -> Saved {
        let jobs = self.core.queue.jobs.iter().filter(|job| job.kind != Kind::Question);
        Saved { jobs: jobs.cloned().collect(), ..self.core.saved.clone() }
    }

    /// Closes the connection. The user stays in its room until the server has waited for it to resume:
    /// to leave at once, call [`Client::leave`] and [`Client::flush`] before.
    pub fn close(mut self) {
        if let Some(mut open) = self.open.take() {
            let _ = open.socket.close(None).and_then(|()| open.socket.flush());
        }
    }

    fn next_until(&mut self, until: Option<Instant>) -> Result<Option<Event>, Error> {
        loop {
            let kept = self.events.pop_front().or_else(|| self.core.events.pop_front());
            if kept.is_some() {
                return Ok(kept);
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(None);
            }
            self.turn(until)?;
        }
    }

    /// Connects, or sends what is to be sent and takes what comes next.
    fn turn(&mut self, until: Option<Instant>) -> Result<(), Error> {
        if self.has_ended {
            return Err(Error::Ended);
        }
        let result = if self.open.is_some() { self.talk(until) } else { self.connect(until) };
        result.or_else(|loss| self.lose(loss))
    }

    fn connect(&mut self, until: Option<Instant>) -> Result<(), Loss> {
        let now = Instant::now();
        let at = self.retry_at.unwrap_or(now);
        let wake = until.map_or(at, |until| at.min(until));
        thread::sleep(wake.saturating_duration_since(now));
        if wake < at {
            return Ok(());
        }
        let stream = (self.dial)().map_err(|error| Loss::Failed(error.to_string()))?;
        let session = self.core.saved.session.as_deref();
        let socket = open(&self.uri, stream, session, self.longest_frame)?;
        let now = Instant::now();
        self.open = Some(Open { socket, since: now, heard: now, has_pinged: false });
        Ok(())
    }

    fn talk(&mut self, until: Option<Instant>) -> Result<(), Loss> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let now = Instant::now();
        while let Some(request) = self.core.next_request(now) {
            open.socket.send(Message::text(request))?;
        }
        let ping_interval = self.core.limits.ping_interval_ms.unwrap_or(PING_INTERVAL_MS);
        let silent_at = open.heard
            + Duration::from_millis(ping_interval)
            + if open.has_pinged { PONG_PATIENCE } else { Duration::ZERO };
        let wake = [until, self.core.not_before, Some(silent_at)].into_iter().flatten().min();
        let wait = wake.unwrap_or(silent_at).saturating_duration_since(now);
        // What was refused without asking the server is an event already.
        if !self.core.events.is_empty() {
            return Ok(());
        }
        match hear(&mut open.socket, wait)? {
            Some(message) => {
                (open.heard, open.has_pinged) = (Instant::now(), false);
                if let Message::Text(text) = message {
                    self.core.take(&text, open.heard).map_err(Loss::Failed)?;
                }
            }
            None if Instant::now() < silent_at => {}
            None if open.has_pinged => {
                return Err(Loss::Failed("nothing comes from the server any more".to_owned()));
            }
            None => {
                open.socket.send(Message::Ping(Vec::new().into()))?;
                open.has_pinged = true;
            }
        }
        Ok(())
    }

    /// Plans the next attempt, or ends.
    fn lose(&mut self, loss: Loss) -> Result<(), Error> {
        let (why, is_final) = match loss {
            Loss::Closed(code, reason) => {
                if code == 1009 && self.core.queue.is_in_flight {
                    self.core.refuse("too_big", &reason);
                }
                (format!("closed by the server: {code} {reason}"), stays_away(code))
            }
            Loss::Final(why) => (why, true),
            Loss::Failed(why) => (why, false),
        };
        if self.open.take().is_some_and(|open| open.since.elapsed() > STABLE) {
            self.failures = 0;
        }
        self.core.lose();
        if is_final {
            self.has_ended = true;
            return Err(Error::Stopped(why));
        }
        let retry_in = wait(self.failures);
        self.failures += 1;
        self.retry_at = Some(Instant::now() + retry_in);
        self.core.events.push_back(Event::Disconnected { why, retry_in });
        Ok(())
    }
}

/// Whether a client that is closed with this code must not reconnect. The range decides about codes
/// that this version does not know.
fn stays_away(code: u16) -> bool {
    matches!(code, 1002 | 1003 | 1007 | 4000..=4499)
}

/// The events, until the client must not come back. Then the reason comes, and nothing after it.
impl Iterator for Client {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_until(None) {
            Ok(event) => event.map(Ok),
            Err(Error::Ended) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Client");
        shown.field("uri", &self.uri).field("is_connected", &self.open.is_some());
        shown.finish_non_exhaustive()
    }
}
