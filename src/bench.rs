//! The server's inner loops, each as one unit of work that the micro-benchmarks in `benches/` time.
//!
//! Owns the state that such a unit needs. No server uses it: it exists only with the feature `bench`, for
//! this crate's own benchmarks. It is not part of the API, and may change or disappear at any time. The
//! caller's thread runs it, and measuring is left to the caller.

use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use crate::chat::{
    Action, Chat, ConnectionId, Content, Effect, Entry, EntryId, Event, Link, NodeId, Person,
    Request, RoomId, Rules, Said, Source, Stored, UserId, Version, Welcome,
};
use crate::delivery::Delivery;
use crate::input::Arrival;
use crate::memory::Memory;
use crate::outbox::{Flusher, discarding_outbox};
use crate::output::Output;
use crate::pace::Pace;
use crate::protocol::{Outgoing, ServerInfo};

/// The room that everything happens in.
const ROOM: RoomId = RoomId(1);

/// The author of all messages; a member of every room here.
const AUTHOR: UserId = UserId(1);

/// The text of all messages: 64 characters.
const TEXT: &str = "sixty-four characters are what a text in a chat has, more or les";

/// Parses one request, and says whether it is valid.
pub fn parse(text: &str) -> bool {
    black_box(Version::Base.parse(text)).is_ok()
}

/// An event that is encoded again and again, into one buffer.
#[derive(Debug)]
pub struct Encoding {
    event: Event,
    out: BytesMut,
}

impl Encoding {
    /// A text of 64 characters.
    pub fn text() -> Self {
        Self::of(Event::Said(text()))
    }

    /// A user enters.
    pub fn enter() -> Self {
        Self::of(Event::Entered(author()))
    }

    fn of(event: Event) -> Self {
        Self { event, out: BytesMut::with_capacity(1_024) }
    }

    /// Encodes the event as a frame, and returns its length in bytes.
    pub fn encode(&mut self) -> usize {
        self.out.clear();
        let outgoing = Outgoing::Event { room: ROOM, time: 0, event: &self.event };
        Version::Base.encode(&outgoing, &mut self.out);
        self.out.len()
    }
}

/// A chat whose one room has members, and a user who is not in it. Nothing is delivered.
#[derive(Debug)]
pub struct Talk {
    chat: Chat,
    effects: Vec<Effect>,
    outsider: Link,
}

impl Talk {
    /// With `members` in the room, at least one.
    pub fn of(members: u64) -> Self {
        let rules = Rules::sample(&["room"]);
        let (chat, _) = Chat::restore(rules, Stored::default());
        let mut talk = Self { chat, effects: Vec::new(), outsider: link(members + 1) };
        for link in (1..=members).map(link) {
            talk.apply(connect(link));
            talk.ask(link, Request::EnterRoom(ROOM));
        }
        let link = talk.outsider;
        talk.apply(connect(link));
        talk.effects.clear();
        talk
    }

    /// A member sends a text, which is copied for it, and the text is saved. Returns the number of effects:
    /// 2.
    pub fn text(&mut self) -> usize {
        self.ask(link(AUTHOR.0), Request::Say(Content::Text(TEXT.into()), None));
        self.apply(Action::Saved);
        self.take_effects()
    }

    /// A user enters and leaves again. Returns the number of effects: 6.
    pub fn enter_and_leave(&mut self) -> usize {
        self.ask(self.outsider, Request::EnterRoom(ROOM));
        self.ask(self.outsider, Request::LeaveRoom(None));
        self.take_effects()
    }

    fn ask(&mut self, link: Link, request: Request) {
        self.apply(Action::Ask { link, request, reference: None });
    }

    fn apply(&mut self, action: Action) {
        let entry = Entry { id: EntryId::default(), at: Duration::ZERO, time: 0, action };
        self.chat.apply(entry, &mut self.effects);
    }

    fn take_effects(&mut self) -> usize {
        let count = black_box(&self.effects).len();
        self.effects.clear();
        count
    }
}

/// A room whose members' outboxes discard all frames: a tick without its system calls.
#[derive(Debug)]
pub struct Tick {
    delivery: Delivery,
    said: Said,
}

impl Tick {
    /// With `members` in the room. Fails when the process is out of descriptors.
    pub fn of(members: u64) -> io::Result<Self> {
        // Nothing is ever queued, so the flusher's thread has nothing to do.
        let flusher = Arc::new(Flusher::new(Memory::plenty())?.0);
        let delivery = Delivery::new(ServerInfo::sample(), "0".into(), Memory::plenty());
        let mut tick = Self { delivery, said: text() };
        for id in 1..=members {
            let (link, person) = (link(id), Person { id: UserId(id), name: "User".into() });
            let outbox = discarding_outbox(link.connection, &flusher);
            tick.delivery.connect(link.connection, outbox, Pace::unlimited(), Arrival::Base);
            let version = Version::Base;
            let welcome =
                Welcome { person, version, resumed: false, can_resume: false, room: None, time: 0 };
            tick.follow(Effect::Connected { link, welcome });
            tick.follow(Effect::Subscribe { user: UserId(id), room: ROOM });
        }
        // The first frame of a connection is copied behind its upgrade response.
        tick.run(1);
        Ok(tick)
    }

    /// Delivers this many texts to every member in one tick. Each is encoded once. Returns the number of
    /// slow consumers: 0.
    pub fn run(&mut self, texts: usize) -> usize {
        for _ in 0..texts {
            let event = Event::Said(self.said.clone());
            self.follow(Effect::Tell { room: ROOM, time: 0, event });
        }
        self.delivery.deliver().len()
    }

    fn follow(&mut self, effect: Effect) {
        self.delivery.take(Output::Effect(effect));
    }
}

fn connect(link: Link) -> Action {
    let (source, version) = (Source::SAMPLE, Version::Base);
    Action::Connect { link, source, version, resume: None }
}

fn link(connection: u64) -> Link {
    Link { node: NodeId(0), connection: ConnectionId(connection) }
}

fn text() -> Said {
    let content = Content::Text(TEXT.into());
    Said { seq: 1, time: 0, from: author(), content, reference: None }
}

fn author() -> Person {
    Person { id: AUTHOR, name: "User 1".into() }
}
