//! A model client of `wschat.v2`: it does what a correct client does to lose nothing, and records
//! everything in a journal. [`check`] decides whether several journals are consistent.
//!
//! It is pure: requests and frames are strings, and it knows nothing of connections.

mod check;
mod replay;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

pub(crate) use check::{Rules, Violation, check};

pub(crate) type RoomId = u64;
pub(crate) type UserId = u64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) name: String,
}

/// A text, or a GIF, for which `what` is `gif ID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) seq: u64,
    pub(crate) time: u64,
    pub(crate) from: Person,
    pub(crate) what: String,
    pub(crate) reference: Option<String>,
}

/// A `room` frame, the answer to `enter_room`.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) room: RoomId,
    pub(crate) users: Vec<Person>,
    pub(crate) epoch: String,
    pub(crate) seq: u64,
    pub(crate) complete: bool,
    pub(crate) events: Vec<Said>,
}

/// Something that a client sent or received.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    Welcome {
        user: Person,
        token: String,
        resumed: bool,
        room: Option<RoomId>,
    },
    SendsEnter {
        room: RoomId,
        since: Option<(String, u64)>,
    },
    SendsName(String),
    SendsText {
        reference: String,
        what: String,
        room: RoomId,
    },
    Room(Snapshot),
    Told {
        room: RoomId,
        said: Said,
    },
    Entered {
        room: RoomId,
        user: Person,
    },
    Left {
        room: RoomId,
        user: Person,
    },
    Renamed {
        user: UserId,
        name: String,
    },
    /// A page of the history, and what was asked for.
    Page {
        room: RoomId,
        before: u64,
        limit: u64,
        events: Vec<Said>,
        more: bool,
    },
    /// The list of rooms, or a change of it, shows this last seq of a room.
    Listed {
        room: RoomId,
        seq: u64,
    },
    Error(String),
    /// The connection ended, and why.
    Gone(#[expect(dead_code, reason = "printed with the journal")] String),
}

/// Everything that one client sent and received, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    pub(crate) name: String,
    pub(crate) seen: Vec<Seen>,
}

/// Something that a client of the base protocol sent or received.
#[derive(Clone, Debug)]
pub(crate) enum BaseSeen {
    Sends(String),
    Told { from: Person, what: String },
    Entered(Person),
    Left(Person),
}

/// Everything that a client of the base protocol sent and received on one connection, while it was in
/// one room.
#[derive(Clone, Debug)]
pub(crate) struct BaseJournal {
    pub(crate) name: String,
    pub(crate) user: Person,
    pub(crate) room: RoomId,
    /// Whether the user was in another room before, on the same connection.
    pub(crate) has_moved: bool,
    pub(crate) seen: Vec<BaseSeen>,
}

/// The history of a room at the end, as a new client reads it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) epoch: String,
    /// The last seq of the room.
    pub(crate) seq: u64,
    pub(crate) events: Vec<Said>,
}

pub(crate) type Truth = BTreeMap<RoomId, Kept>;

/// A correct client.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) journal: Journal,
    /// The room that it is in or has asked to enter.
    pub(crate) room: RoomId,
    pub(crate) user: Option<Person>,
    pub(crate) token: Option<String>,
    /// Whether the answer to `enter_room` has arrived.
    pub(crate) is_listening: bool,
    /// Texts that are not acknowledged yet, each with its `ref`, in the order of sending.
    pub(crate) pending: VecDeque<(String, String)>,
    /// Whether the server could not save a text, which has to be sent again.
    pub(crate) was_refused: bool,
    /// The pages of history that it has asked for: room, `before` and `limit`, by `ref`.
    asked: BTreeMap<String, (RoomId, u64, u64)>,
    /// Epoch and last seq that it has seen of each room.
    known: BTreeMap<RoomId, (String, u64)>,
    texts: u64,
    pages: u64,
}

impl Model {
    pub(crate) fn new(name: &str, room: RoomId) -> Self {
        Self {
            journal: Journal { name: name.to_owned(), seen: Vec::new() },
            room,
            user: None,
            token: None,
            is_listening: false,
            pending: VecDeque::new(),
            was_refused: false,
            asked: BTreeMap::new(),
            known: BTreeMap::new(),
            texts: 0,
            pages: 0,
        }
    }

    /// The subprotocols to offer in the next handshake.
    pub(crate) fn offer(&self) -> String {
        match &self.token {
            None => "wschat.v2".to_owned(),
            Some(token) => format!("wschat.v2, session.{token}"),
        }
    }

    /// The request to enter this room, since what it has seen last.
    pub(crate) fn enter(&mut self, room: RoomId) -> String {
        self.room = room;
        self.is_listening = false;
        let since = self.known.get(&room).cloned();
        let mut request = json!({ "type": "enter_room", "roomId": room });
        if let Some((epoch, seq)) = &since {
            request["since"] = json!({ "epoch": epoch, "seq": seq });
        }
        self.journal.seen.push(Seen::SendsEnter { room, since });
        request.to_string()
    }

    /// The request to send the next text, which is the client's name and a counter.
    pub(crate) fn say(&mut self) -> String {
        self.texts += 1;
        let what = format!("{}:{}", self.journal.name, self.texts);
        let reference = format!("r{}", self.texts);
        self.pending.push_back((reference, what));
        self.resend(self.pending.len() - 1)
    }

    /// The request to send a pending text again.
    pub(crate) fn resend(&mut self, place: usize) -> String {
        let (reference, what) = self.pending[place].clone();
        let request = json!({ "type": "text", "text": what, "ref": reference }).to_string();
        self.journal.seen.push(Seen::SendsText { reference, what, room: self.room });
        request
    }

    /// The request to change its name.
    pub(crate) fn rename(&mut self, name: &str) -> String {
        self.journal.seen.push(Seen::SendsName(name.to_owned()));
        json!({ "type": "change_name", "name": name }).to_string()
    }

    /// The request for a page of the history of a room.
    pub(crate) fn ask_history(&mut self, room: RoomId, before: u64, limit: u64) -> String {
        self.pages += 1;
        let reference = format!("h{}", self.pages);
        let request = json!({
            "type": "history", "roomId": room, "before": before, "limit": limit, "ref": reference,
        });
        self.asked.insert(reference, (room, before, limit));
        request.to_string()
    }

    pub(crate) fn gone(&mut self, how: &str) {
        self.is_listening = false;
        self.journal.seen.push(Seen::Gone(how.to_owned()));
    }

    /// Handles a frame from the server.
    pub(crate) fn take(&mut self, text: &str) {
        let value: Value = serde_json::from_str(text).expect(text);
        match value["type"].as_str().expect(text) {
            "typing" => return,
            "list_rooms" => {
                let rooms = value["rooms"].as_object().expect(text);
                return self.journal.seen.extend(rooms.values().map(listed));
            }
            "room_added" | "room_changed" => {
                return self.journal.seen.push(listed(&value["room"]));
            }
            "history" => {
                let page = self.page(&value).unwrap_or_else(|| panic!("not a page: {text}"));
                return self.journal.seen.push(page);
            }
            _ => {}
        }
        let seen = seen_in(&value).unwrap_or_else(|| panic!("not a frame of wschat.v2: {text}"));
        match &seen {
            Seen::Welcome { user, token, .. } => {
                self.user = Some(user.clone());
                self.token = Some(token.clone());
            }
            Seen::Room(snapshot) => {
                self.is_listening = true;
                self.known.insert(snapshot.room, (snapshot.epoch.clone(), snapshot.seq));
                for said in &snapshot.events {
                    self.acknowledge(said);
                }
            }
            Seen::Told { room, said } => {
                if let Some((_, seq)) = self.known.get_mut(room) {
                    *seq = said.seq.max(*seq);
                }
                self.acknowledge(said);
            }
            // It was saved, but is no longer kept: that is an acknowledgement, too.
            Seen::Error(_) if value["code"] == "already_said" => {
                self.pending.retain(|(reference, _)| value["ref"] != **reference);
            }
            Seen::Error(_) if value["code"] == "not_saved" => self.was_refused = true,
            Seen::Left { user, .. } if Some(user.id) == self.id() => self.is_listening = false,
            _ => {}
        }
        self.journal.seen.push(seen);
    }

    fn page(&mut self, value: &Value) -> Option<Seen> {
        let (room, before, limit) = self.asked.remove(value["ref"].as_str()?)?;
        if value["roomId"] != room {
            return None;
        }
        let (events, more) = (events(&value["events"])?, value["more"].as_bool()?);
        Some(Seen::Page { room, before, limit, events, more })
    }

    fn id(&self) -> Option<UserId> {
        self.user.as_ref().map(|user| user.id)
    }

    /// Its own text with its `ref` acknowledges a pending one.
    fn acknowledge(&mut self, said: &Said) {
        if Some(said.from.id) == self.id() && said.reference.is_some() {
            self.pending.retain(|(reference, _)| Some(reference) != said.reference.as_ref());
        }
    }
}

/// Parses a frame of `wschat.v2`.
fn seen_in(value: &Value) -> Option<Seen> {
    let room = value["roomId"].as_u64();
    Some(match value["type"].as_str()? {
        "welcome" => Seen::Welcome {
            user: person(&value["user"])?,
            token: value["session"].as_str()?.to_owned(),
            resumed: value["resumed"].as_bool()?,
            room,
        },
        "room" => Seen::Room(snapshot(value)?),
        "text" | "gif" => Seen::Told { room: room?, said: said(value)? },
        "enter_room" => Seen::Entered { room: room?, user: person(&value["user"])? },
        "leave_room" => Seen::Left { room: room?, user: person(&value["user"])? },
        "change_name" => Seen::Renamed {
            user: value["userId"].as_u64()?,
            name: value["newName"].as_str()?.to_owned(),
        },
        "error" => Seen::Error(value.to_string()),
        _ => return None,
    })
}

/// A room in the list.
fn listed(room: &Value) -> Seen {
    let number = |name: &str| room[name].as_u64().unwrap_or_else(|| panic!("no {name} in {room}"));
    Seen::Listed { room: number("id"), seq: number("seq") }
}

pub(crate) fn snapshot(value: &Value) -> Option<Snapshot> {
    Some(Snapshot {
        room: value["room"]["id"].as_u64()?,
        users: value["users"].as_array()?.iter().map(person).collect::<Option<_>>()?,
        epoch: value["epoch"].as_str()?.to_owned(),
        seq: value["seq"].as_u64()?,
        complete: value["complete"].as_bool()?,
        events: events(&value["events"])?,
    })
}

pub(crate) fn events(value: &Value) -> Option<Vec<Said>> {
    value.as_array()?.iter().map(said).collect()
}

fn said(value: &Value) -> Option<Said> {
    let what = match value["type"].as_str()? {
        "text" => value["text"].as_str()?.to_owned(),
        "gif" => format!("gif {}", value["gifId"].as_u64()?),
        _ => return None,
    };
    Some(Said {
        seq: value["seq"].as_u64()?,
        time: value["time"].as_u64()?,
        from: person(&value["from"])?,
        what,
        reference: value["ref"].as_str().map(str::to_owned),
    })
}

pub(crate) fn person(value: &Value) -> Option<Person> {
    Some(Person { id: value["id"].as_u64()?, name: value["name"].as_str()?.to_owned() })
}
