//! The clients of a crash run, each in a thread of its own: they send texts, change rooms, lose their
//! connection and resume, until the run is over.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::link::{End, How, Link, Plan};
use crate::client::{UPGRADE, upgrade_offering};
use crate::model::{BaseJournal, BaseSeen, Model, Person, RoomId, Rules, Seen, person};
use crate::random::Random;

/// The beginning of the last text in each room.
pub(crate) const END: &str = "the end";

/// The state that all clients and the conductor share.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) rooms: u64,
    /// Odd from just before the server is killed until it listens again.
    pub(crate) generation: AtomicU64,
    /// How many text frames all clients have received.
    pub(crate) progress: AtomicU64,
    pub(crate) cuts: AtomicU64,
    pub(crate) resumes: AtomicU64,
    /// Half-open connections that the server closed as replaced.
    pub(crate) replaced: AtomicU64,
    /// Clients send nothing new any more.
    pub(crate) is_over: AtomicBool,
    /// How many clients have nothing pending since then.
    pub(crate) at_rest: AtomicUsize,
    /// The run has failed: all clients stop.
    pub(crate) has_failed: AtomicBool,
    /// The longest absence of a client, in frames to the others.
    pub(crate) longest_absence: usize,
    /// Whether the disk may fail: then clients send one text at a time, so that a refusal cannot change
    /// their order.
    may_fail: bool,
    /// How many texts were refused, because they could not be saved.
    pub(crate) refusals: AtomicU64,
    /// Whether outboxes are so small that a client may become a slow consumer on a busy machine.
    is_narrow: bool,
    /// How often that happened.
    pub(crate) fallen_behind: AtomicU64,
}

impl World {
    pub(crate) fn new(
        address: SocketAddr,
        rooms: u64,
        longest_absence: usize,
        rules: &Rules,
    ) -> Self {
        Self {
            address,
            rooms,
            generation: AtomicU64::new(0),
            progress: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
            resumes: AtomicU64::new(0),
            replaced: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            at_rest: AtomicUsize::new(0),
            has_failed: AtomicBool::new(false),
            longest_absence,
            may_fail: rules.may_fail,
            refusals: AtomicU64::new(0),
            is_narrow: rules.is_narrow,
            fallen_behind: AtomicU64::new(0),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::SeqCst)
    }

    /// Whether a connection of this generation may have been lost because the server was killed.
    fn excuses(&self, generation: u64) -> bool {
        generation % 2 == 1 || self.generation.load(Ordering::SeqCst) != generation
    }

    /// Whether a connection of this generation may have been lost for this reason.
    fn excuses_loss(&self, generation: u64, why: &str) -> bool {
        if self.is_narrow && why.contains("slow consumer") {
            self.fallen_behind.fetch_add(1, Ordering::SeqCst);
            return true;
        }
        self.excuses(generation) || self.has_failed()
    }

    fn connect(&self, random: &mut Random) -> Option<(Link, u64)> {
        let plan = (!self.is_over()).then(|| Plan::new(random));
        while !self.has_failed() {
            let generation = self.generation.load(Ordering::SeqCst);
            match Link::connect(self.address, plan) {
                Ok(link) => return Some((link, generation)),
                // The server is restarting.
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        }
        None
    }

    /// Reads the next text. Once the run is over, the link is no longer cut.
    fn next(&self, link: &mut Link) -> Result<String, End> {
        if self.is_over() {
            link.plan = None;
        }
        let text = link.text()?;
        self.progress.fetch_add(1, Ordering::SeqCst);
        Ok(text)
    }

    /// A text was refused, because it could not be saved. Returns after a moment, to send it again.
    fn note_refusal(&self) {
        self.refusals.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(1));
    }

    /// Waits until the others have received some more frames.
    fn stay_away(&self, random: &mut Random) {
        let until =
            self.progress.load(Ordering::SeqCst) + random.below(self.longest_absence) as u64;
        while self.progress.load(Ordering::SeqCst) < until && !self.is_over() && !self.has_failed()
        {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A client of `wschat.v2`.
pub(crate) struct Life<'a> {
    pub(crate) world: &'a World,
    pub(crate) model: Model,
    pub(crate) random: Random,
    /// Whether it changes its room and its name.
    pub(crate) is_restless: bool,
    /// Half-open connections, each with the generation of the server that has it.
    frozen: Vec<(Link, u64)>,
    /// How many connections it gave up before the welcome. The server may handle the handshake of such a
    /// connection after that of the next one, and then take the next one for the older.
    overtaken: u32,
    is_at_rest: bool,
}

impl<'a> Life<'a> {
    pub(crate) fn new(world: &'a World, name: &str, room: RoomId, random: Random) -> Self {
        Self {
            world,
            model: Model::new(name, room),
            random,
            is_restless: false,
            frozen: Vec::new(),
            overtaken: 0,
            is_at_rest: false,
        }
    }

    /// Connects, enters, and loses its connection.
    pub(crate) fn begin(&mut self) {
        let mut link = Link::connect(self.world.address, None).expect("the server listens");
        self.enter(&mut link).expect("nothing is cut yet");
        self.model.gone("cut at the beginning");
    }

    /// Runs until the end of the run; returns its model.
    pub(crate) fn live(mut self) -> Model {
        while let Some((mut link, generation)) = self.world.connect(&mut self.random) {
            match self.talk(&mut link, generation) {
                Ok(()) => break,
                Err(End::Cut) => self.cut(link, generation),
                Err(End::Lost(why)) => {
                    self.model.gone(&why);
                    if self.overtaken > 0 && why.contains("4001") {
                        self.overtaken -= 1;
                    } else if !self.world.excuses_loss(generation, &why) {
                        self.complain(format!("the connection was lost: {why}"));
                    }
                }
            }
        }
        self.model
    }

    fn complain(&mut self, what: String) {
        self.model.journal.seen.push(Seen::Error(what));
    }

    fn cut(&mut self, link: Link, generation: u64) {
        let plan = link.plan.expect("it was cut by plan");
        self.world.cuts.fetch_add(1, Ordering::SeqCst);
        // Whether the cut came before the welcome: the server may not know the session yet.
        let is_unknown = matches!(self.model.journal.seen.last(), Some(Seen::Gone(_)) | None);
        self.overtaken += u32::from(is_unknown);
        let how = if plan.how == How::Freeze && is_unknown { How::Close } else { plan.how };
        self.model.gone(&format!("cut: {how:?}"));
        match how {
            How::Close => drop(link),
            How::Abort => link.abort(),
            How::Freeze => self.frozen.push((link, generation)),
        }
        if self.random.one_in(4) {
            self.world.stay_away(&mut self.random);
        }
    }

    /// Uses one connection until it is lost, or until the run is over (`Ok`).
    fn talk(&mut self, link: &mut Link, generation: u64) -> Result<(), End> {
        let is_back = self.model.token.is_some();
        self.enter(link)?;
        if is_back {
            self.world.resumes.fetch_add(1, Ordering::SeqCst);
        }
        self.resend(link)?;
        let window = if self.world.may_fail { 1 } else { 1 + self.random.below(8) };
        loop {
            if self.world.is_over() {
                link.plan = None;
                let is_quiet = self.model.pending.is_empty() && self.model.is_listening;
                if is_quiet && !self.is_at_rest {
                    self.is_at_rest = true;
                    self.world.at_rest.fetch_add(1, Ordering::SeqCst);
                }
            } else {
                while self.model.is_listening && self.model.pending.len() < window {
                    self.act(link)?;
                }
            }
            if self.hear(link)? && self.is_at_rest {
                return Ok(());
            }
            if std::mem::take(&mut self.model.was_refused) {
                self.world.note_refusal();
                self.resend(link)?;
            }
            self.check_frozen(generation);
        }
    }

    /// Opens the WebSocket, and enters the room.
    fn enter(&mut self, link: &mut Link) -> Result<(), End> {
        link.send(upgrade_offering(&self.model.offer()).as_bytes())?;
        let head = link.head()?;
        if !head.contains("\r\nsec-websocket-protocol: wschat.v2\r\n") {
            return Err(End::Lost(format!("refused: {head}")));
        }
        self.hear(link)?;
        let request = self.model.enter(self.model.room);
        link.request(&request)?;
        // Half of the clients resend at once, before they are told which texts were saved.
        if self.random.one_in(2) {
            self.resend(link)?;
        }
        while !self.model.is_listening {
            self.hear(link)?;
        }
        Ok(())
    }

    /// Resends everything that is pending, in order.
    fn resend(&mut self, link: &mut Link) -> Result<(), End> {
        for place in 0..self.model.pending.len() {
            let request = self.model.resend(place);
            link.request(&request)?;
        }
        Ok(())
    }

    /// Sends a random request.
    fn act(&mut self, link: &mut Link) -> Result<(), End> {
        let is_idle = self.model.pending.is_empty();
        let request = match self.random.below(40) {
            0 if self.is_restless && is_idle => {
                let room = self.random.below(usize::try_from(self.world.rooms).unwrap()) as u64 + 1;
                self.model.enter(room)
            }
            1 if self.is_restless && is_idle => {
                let name = format!("{} {}", self.model.journal.name, self.random.below(1_000));
                self.model.rename(&name)
            }
            // The present room again.
            2 => self.model.enter(self.model.room),
            3 => r#"{"type":"typing"}"#.to_owned(),
            4 => {
                let room = 1 + self.random.below(usize::try_from(self.world.rooms).unwrap()) as u64;
                let before = 1 + self.random.below(2_000) as u64;
                let limit = 1 + self.random.below(100) as u64;
                self.model.ask_history(room, before, limit)
            }
            5 => r#"{"type":"list_rooms"}"#.to_owned(),
            _ => self.model.say(),
        };
        link.request(&request)
    }

    /// Handles the next text; whether it announces the end.
    fn hear(&mut self, link: &mut Link) -> Result<bool, End> {
        let text = self.world.next(link)?;
        self.model.take(&text);
        let seen = self.model.journal.seen.last();
        Ok(matches!(seen, Some(Seen::Told { said, .. }) if said.what.starts_with(END)))
    }

    /// Checks that the server closed the half-open connections when this client resumed.
    fn check_frozen(&mut self, generation: u64) {
        for (mut link, its_generation) in std::mem::take(&mut self.frozen) {
            link.plan = None;
            match link.close_reason() {
                Ok((4001, reason)) if reason == "replaced" => {
                    self.world.replaced.fetch_add(1, Ordering::SeqCst);
                }
                // It reads nothing, so a small outbox may be full before the client resumes.
                Ok((1013, _)) if self.world.is_narrow => {}
                // The server was killed.
                Err(End::Lost(_)) if self.world.excuses(its_generation) => {}
                other => self.complain(format!(
                    "a half-open connection of generation {its_generation} ended as {other:?} in {generation}"
                )),
            }
        }
    }
}

/// Runs a client of the base protocol, which moves between rooms. It never sends a text twice.
pub(crate) fn live_in_base(
    world: &World,
    name: &str,
    room: RoomId,
    mut random: Random,
) -> (Vec<BaseJournal>, Vec<String>) {
    let mut base = Base { world, name, room, texts: 0, journals: Vec::new(), is_at_rest: false };
    let mut complaints = Vec::new();
    while let Some((mut link, generation)) = world.connect(&mut random) {
        match base.talk(&mut link, &mut random) {
            Ok(()) => break,
            Err(End::Cut) => {
                world.cuts.fetch_add(1, Ordering::SeqCst);
                if link.plan.is_some_and(|plan| plan.how == How::Abort) {
                    link.abort();
                }
            }
            Err(End::Lost(why)) => {
                if !world.excuses_loss(generation, &why) {
                    complaints.push(format!("{name}: the connection was lost: {why}"));
                }
            }
        }
    }
    (base.journals, complaints)
}

/// A client of the base protocol.
struct Base<'a> {
    world: &'a World,
    name: &'a str,
    /// The room that it is in or has asked to enter.
    room: RoomId,
    texts: u64,
    /// One for each stay in a room.
    journals: Vec<BaseJournal>,
    is_at_rest: bool,
}

impl Base<'_> {
    fn talk(&mut self, link: &mut Link, random: &mut Random) -> Result<(), End> {
        link.send(UPGRADE.as_bytes())?;
        link.head()?;
        let welcome: Value = serde_json::from_str(&self.world.next(link)?).expect("JSON");
        let user = person(&welcome["user"]).expect("a welcome");
        self.enter(link, &user, false)?;
        let mut pending: Option<String> = None;
        let mut is_in = false;
        loop {
            if is_in && pending.is_none() && !self.world.is_over() {
                if random.one_in(30) {
                    self.room = 1 + random.below(usize::try_from(self.world.rooms).unwrap()) as u64;
                    // It is in the old room until it is told that it has left it.
                    is_in = self.move_on(link, &user)?;
                    continue;
                }
                self.texts += 1;
                let what = format!("{}:{}", self.name, self.texts);
                self.note(BaseSeen::Sends(what.clone()));
                say(link, &what)?;
                pending = Some(what);
            } else if is_in && pending.is_none() && !self.is_at_rest {
                link.plan = None;
                self.is_at_rest = true;
                self.world.at_rest.fetch_add(1, Ordering::SeqCst);
            }
            let text = self.world.next(link)?;
            if self.world.may_fail && text.contains(r#""code":"not_saved""#) {
                self.world.note_refusal();
                // Nobody was told, so it may be sent again.
                pending.iter().try_for_each(|what| say(link, what))?;
                continue;
            }
            let Some(seen) = base_seen(&text) else { continue };
            match &seen {
                BaseSeen::Entered(who) if who.id == user.id => is_in = true,
                BaseSeen::Told { from, what } if from.id == user.id => {
                    pending.take_if(|pending| pending == what);
                }
                BaseSeen::Told { what, .. } if what.starts_with(END) && self.is_at_rest => {
                    return Ok(());
                }
                _ => {}
            }
            self.note(seen);
        }
    }

    /// Asks to enter its room, and begins a journal for it.
    fn enter(&mut self, link: &mut Link, user: &Person, has_moved: bool) -> Result<(), End> {
        let (name, user, room) = (self.name.to_owned(), user.clone(), self.room);
        self.journals.push(BaseJournal { name, user, room, has_moved, seen: Vec::new() });
        link.request(&format!(r#"{{"type":"enter_room","roomId":{room}}}"#))
    }

    /// Moves to its room; whether it is there already. What comes before it has left belongs to the room
    /// before.
    fn move_on(&mut self, link: &mut Link, user: &Person) -> Result<bool, End> {
        let before = self.journals.last().map(|journal| journal.room);
        if before == Some(self.room) {
            return Ok(true);
        }
        let at = self.journals.len() - 1;
        self.enter(link, user, true)?;
        loop {
            let Some(seen) = base_seen(&self.world.next(link)?) else { continue };
            let has_left = matches!(&seen, BaseSeen::Left(who) if who.id == user.id);
            self.journals[at].seen.push(seen);
            if has_left {
                return Ok(false);
            }
        }
    }

    fn note(&mut self, seen: BaseSeen) {
        self.journals.last_mut().expect("a journal").seen.push(seen);
    }
}

fn say(link: &mut Link, what: &str) -> Result<(), End> {
    link.request(&format!(r#"{{"type":"text","text":"{what}"}}"#))
}

/// Parses a frame of the base protocol, which must be exact to the byte.
fn base_seen(text: &str) -> Option<BaseSeen> {
    let value: Value = serde_json::from_str(text).expect(text);
    let written = |person: &Person| format!(r#"{{"id":{},"name":"{}"}}"#, person.id, person.name);
    let user = |value: &Value| person(value).unwrap_or_else(|| panic!("no user in {text}"));
    let (seen, expected) = match value["type"].as_str().expect(text) {
        "text" => {
            let (from, what) = (user(&value["from"]), value["text"].as_str().expect(text));
            let expected =
                format!(r#"{{"type":"text","text":"{what}","from":{}}}"#, written(&from));
            (BaseSeen::Told { from, what: what.to_owned() }, expected)
        }
        kind @ ("enter_room" | "leave_room") => {
            let user = user(&value["user"]);
            let expected = format!(r#"{{"type":"{kind}","user":{}}}"#, written(&user));
            let is_entering = kind == "enter_room";
            (if is_entering { BaseSeen::Entered(user) } else { BaseSeen::Left(user) }, expected)
        }
        "change_name" => return None,
        _ => panic!("not a frame of the base protocol, or not requested: {text}"),
    };
    assert_eq!(text, expected);
    Some(seen)
}
