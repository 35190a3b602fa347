//! What the micro-benchmarks in `benches/` time: the server's inner loops, each as one unit of work.
//!
//! Owns the state that such a unit needs, and nothing that a server runs. It is there with the feature
//! `bench` only, for this crate's own benchmarks, and is no part of the API: it may change or go at
//! any time. The caller's thread runs it, and measuring is left to the caller.

use std::hint::black_box;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::chat::{
    Action, Chat, Command, Content, Effect, Event, Person, Remembered, Request, RoomId, Rules,
    Said, UserId,
};
use crate::delivery::Delivery;
use crate::net::admission::{Admission, AdmissionLimits, Admitted};
use crate::net::stream::{Stream, Tcp};
use crate::outbox::{Bounds, ConnectionId, Flusher, Outbox};
use crate::protocol::{Version, parse_request, push_event, push_said};

/// The room that everything happens in.
const ROOM: RoomId = RoomId(1);

/// Who speaks, and who is shown as the author; a member of every room here.
const AUTHOR: UserId = UserId(1);

/// What is said: 64 characters.
const TEXT: &str = "sixty-four characters are what a text in a chat has, more or les";

/// Parses one request, and says whether it is one.
pub fn parse(text: &str) -> bool {
    black_box(parse_request(text)).is_ok()
}

/// An event that is encoded again and again, into one buffer.
#[derive(Debug)]
pub struct Encoding {
    event: Encoded,
    out: BytesMut,
}

#[derive(Debug)]
enum Encoded {
    Said(Said),
    Other(Event),
}

impl Encoding {
    /// A text of 64 characters.
    pub fn text() -> Self {
        Self::of(Encoded::Said(text()))
    }

    /// Somebody's entering.
    pub fn enter() -> Self {
        Self::of(Encoded::Other(Event::Entered(author())))
    }

    fn of(event: Encoded) -> Self {
        Self { event, out: BytesMut::with_capacity(1_024) }
    }

    /// Encodes the event as a frame, and returns its length in bytes.
    pub fn encode(&mut self) -> usize {
        self.out.clear();
        match &self.event {
            Encoded::Said(said) => push_said(&mut self.out, said),
            Encoded::Other(event) => push_event(&mut self.out, event),
        }
        self.out.len()
    }
}

/// A chat whose one room has members, and somebody who is not in it. Nothing is delivered.
#[derive(Debug)]
pub struct Talk {
    chat: Chat,
    effects: Vec<Effect>,
    outsider: UserId,
}

impl Talk {
    /// With `members` in the room, at least one.
    pub fn of(members: u64) -> Self {
        let rules = Rules {
            rooms: vec!["room".into()],
            max_rooms: 0,
            max_name_chars: 100,
            max_title_chars: 100,
            max_text_chars: 1_000,
            empty_room_ttl: Duration::ZERO,
            room_list_interval: Duration::ZERO,
            resume_grace: Duration::ZERO,
            max_away: 0,
            max_kept: 0,
            max_age: None,
        };
        let (chat, _) = Chat::restore(rules, Remembered::default());
        let outsider = UserId(members + 1);
        let mut talk = Self { chat, effects: Vec::new(), outsider };
        for id in (1..=members).map(UserId) {
            talk.apply(id, Action::Connect);
            talk.apply(id, Action::Request(Request::EnterRoom(ROOM, None)));
        }
        talk.apply(outsider, Action::Connect);
        talk.effects.clear();
        talk
    }

    /// A member says a text, which is copied for it. Returns how many effects that has: 1.
    pub fn text(&mut self) -> usize {
        self.apply(AUTHOR, Action::Request(Request::Text(TEXT.into())));
        self.take_effects()
    }

    /// Somebody enters and leaves again. Returns how many effects that has: 4.
    pub fn enter_and_leave(&mut self) -> usize {
        self.apply(self.outsider, Action::Request(Request::EnterRoom(ROOM, None)));
        self.apply(self.outsider, Action::Request(Request::LeaveRoom));
        self.take_effects()
    }

    fn apply(&mut self, author: UserId, action: Action) {
        let command = Command { at: Duration::ZERO, time: 0, author, action, reference: None };
        self.chat.apply(command, &mut self.effects);
        self.chat.kept();
    }

    fn take_effects(&mut self) -> usize {
        let count = black_box(&self.effects).len();
        self.effects.clear();
        count
    }
}

/// A room whose members' outboxes swallow what they get: everything of a tick but its system calls.
#[derive(Debug)]
pub struct Tick {
    delivery: Delivery,
    said: Said,
}

impl Tick {
    /// With `members` in the room. Fails when there is no socket for them to share.
    pub fn of(members: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let tcp = Arc::new(TcpStream::connect(listener.local_addr()?)?);
        // Nothing is ever queued, so nobody has to run the flusher.
        let flusher = Arc::new(Flusher::new()?.0);
        let admission = Arc::<Admission>::default();
        let bounds = Bounds { max_queued: 1_000_000, write_timeout: Duration::from_secs(10) };
        let mut tick = Self { delivery: Delivery::default(), said: text() };
        for id in 1..=members {
            let Admitted::Serve(ticket) = admission.admit(None, AdmissionLimits::default()) else {
                unreachable!("limits of 0 are none")
            };
            let (tcp, flusher, answer) = (tcp.clone(), flusher.clone(), Bytes::new());
            let outbox = Outbox::new(
                Stream::Swallowing,
                Tcp::Shared(tcp),
                (ConnectionId(id), ticket),
                answer,
                bounds,
                flusher,
            );
            tick.delivery.connect(ConnectionId(id), Arc::new(outbox), Version::Base);
            tick.delivery.enter(ROOM, ConnectionId(id));
        }
        // The first frame would carry the answer to the upgrade.
        tick.run(1);
        Ok(tick)
    }

    /// The room is told `texts`, which are encoded once and delivered to every member in one tick.
    /// Returns how many members have fallen behind: none.
    pub fn run(&mut self, texts: usize) -> usize {
        for _ in 0..texts {
            self.delivery.say(ROOM, &self.said);
        }
        self.delivery.deliver().len()
    }
}

fn text() -> Said {
    let content = Content::Text(TEXT.into());
    Said { seq: 1, time: 0, from: author(), content, reference: None }
}

fn author() -> Person {
    Person { id: AUTHOR, name: "User 1".into() }
}
