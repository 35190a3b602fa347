//! Plays transcripts: what each client sends and gets, line by line, with real clients.
//!
//! | line | means |
//! |---|---|
//! | `A connects` | a client A opens a WebSocket, and takes no welcome yet |
//! | `A offers …` | likewise, with this offer of subprotocols, of which the server takes `wschat.v2` |
//! | `A resumes B` | A offers `wschat.v2` and the session of B, who may be A before |
//! | `A > …` | A sends this text; requests in a row go out in one segment |
//! | `A closes` | A sends a Close frame with 1000, in one segment with the requests before it |
//! | `A < …` | the next text that A gets is exactly this one |
//! | `A closed` | the next that A gets is a Close frame with 1000, and the end of the connection |
//! | `A closed 4001 replaced` | likewise with this code and text |
//! | `A ends` | A says that it will send no more, without a Close frame |
//! | `A ended` | the connection of A ends, without a Close frame |
//! | `A vanishes` | A is gone without a word |
//! | `A aborts` | A is gone with a reset |
//! | `server dies` | the server is killed and started again; nobody is connected any more |
//!
//! What `wschat.v2` says cannot all be known before, so these words stand for it in what is got:
//! `TIME` for the time now, `TOKEN` for the secret of a session, `EPOCH` for the epoch, always the
//! same for one room, `SOMEBODY` for a user whom nobody has seen yet, after a restart that may pass
//! over ids, and `,…}` for the rest of a welcome. In what is sent, `EPOCH` is that epoch.
//!
//! At the end of a transcript nobody may have got anything that is not in it.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::client::{Client, Door, UPGRADE, V2, upgrade_offering};
use crate::companions::Companions;
use crate::frame::{self, Frame, TEXT};
use crate::host::Program;

/// How much the clocks of the server and of the test may differ, in milliseconds: they are the same
/// clock, read one after the other.
const TOLERANCE_MS: u64 = 2;

pub(crate) struct Player<'a> {
    door: Door,
    program: Option<&'a mut Program>,
    companions: Option<&'a mut Companions>,
    clients: BTreeMap<String, Client>,
    /// The session that each name had last.
    tokens: BTreeMap<String, String>,
    /// What one client is about to send, all at once.
    outgoing: Option<(String, Vec<u8>)>,
    epochs: BTreeMap<u64, String>,
    /// The highest id that was welcomed.
    last_user: u64,
    /// When the transcript began, in Unix milliseconds.
    began: u64,
}

impl<'a> Player<'a> {
    pub(crate) fn new(door: &Door) -> Self {
        Self {
            door: door.clone(),
            program: None,
            companions: None,
            clients: BTreeMap::new(),
            tokens: BTreeMap::new(),
            outgoing: None,
            epochs: BTreeMap::new(),
            last_user: 0,
            began: now(),
        }
    }

    /// With the program that is meant where the server dies.
    pub(crate) fn of(program: &'a mut Program) -> Self {
        let player = Self::new(&program.door);
        Self { program: Some(program), ..player }
    }

    /// With these in the rooms, who talk after every line.
    pub(crate) fn with(self, companions: &'a mut Companions) -> Self {
        Self { companions: Some(companions), ..self }
    }

    pub(crate) fn play(mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            println!("{line}");
            let (name, rest) = line.split_once(' ').expect("a name and what it does");
            let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            match verb {
                ">" => {
                    let request = self.with_epoch(rest);
                    self.queue(name, &frame::masked(TEXT, request.as_bytes()));
                }
                "closes" => self.queue(name, &frame::close(1000, "")),
                _ => {
                    self.send();
                    self.act(name, verb, rest);
                }
            }
            if let Some(companions) = &mut self.companions {
                companions.talk();
            }
        }
        self.send();
        for name in self.clients.keys().cloned().collect::<Vec<_>>() {
            self.client(&name).request(r#"{"type":"anything more?"}"#);
            self.expect(
                &name,
                r#"{"type":"error","code":"unknown_type","message":"There is no request of type \"anything more?\"."}"#,
            );
        }
    }

    fn act(&mut self, name: &str, verb: &str, rest: &str) {
        match verb {
            "connects" => self.connect(name, UPGRADE, None),
            "offers" => self.connect(name, &upgrade_offering(rest), Some(V2)),
            "resumes" => {
                let token = self.tokens.get(rest).expect("one who has been welcomed");
                let request = upgrade_offering(&format!("{V2}, session.{token}"));
                self.connect(name, &request, Some(V2));
            }
            "<" => self.expect(name, rest),
            "ends" => self.client(name).shut_down_writing(),
            "closed" => {
                let reason = if rest.is_empty() { "1000" } else { rest };
                let (code, text) = reason.split_once(' ').unwrap_or((reason, ""));
                let mut client = self.take(name);
                let frame = self.frame_or_end(&mut client).expect("a Close frame before the end");
                assert_eq!(frame.close_reason(), (code.parse().expect("a code"), text));
                client.expect_end();
            }
            "ended" => {
                let mut client = self.take(name);
                assert_eq!(self.frame_or_end(&mut client), None, "sent to {name}");
            }
            "vanishes" => drop(self.take(name)),
            "aborts" => self.take(name).abort(),
            "dies" => {
                self.clients.clear();
                let program = self.program.as_mut().expect("a program that can be killed");
                program.kill();
                program.restart();
            }
            _ => panic!("nobody knows how to: {verb}"),
        }
    }

    /// The next frame, or `None` at the end of the stream; what companions say is passed over.
    fn frame_or_end(&self, client: &mut Client) -> Option<Frame> {
        loop {
            let frame = client.frame_or_end()?;
            let is_to_be_seen = frame.first != TEXT
                || self.companions.as_ref().is_none_or(|companions| {
                    let text = String::from_utf8(frame.payload.clone()).expect("UTF-8");
                    companions.without(text).is_some()
                });
            if is_to_be_seen {
                return Some(frame);
            }
        }
    }

    fn connect(&mut self, name: &str, request: &str, protocol: Option<&str>) {
        let mut client = self.door.knock();
        client.send(request);
        client.expect_switch_to(protocol);
        let old = self.clients.insert(name.to_owned(), client);
        assert!(old.is_none(), "{name} is connected");
    }

    #[track_caller]
    fn expect(&mut self, name: &str, expected: &str) {
        let companions = self.companions.as_deref();
        let client = self.clients.get_mut(name).expect("a client that is connected");
        let found = match companions {
            None => client.text(),
            Some(companions) => loop {
                if let Some(text) = companions.without(client.text()) {
                    break text;
                }
            },
        };
        if found != expected {
            let mut folded = self.folded(name, &found);
            if expected.contains(r#""user":SOMEBODY,"#) {
                let id = self.last_user;
                let user = format!(r#""user":{{"id":{id},"name":"User {id}"}}"#);
                folded = folded.replace(&user, r#""user":SOMEBODY"#);
            }
            assert_eq!(folded, expected, "sent to {name}, who got {found}");
        }
    }

    /// The text with words for what cannot be known before.
    #[track_caller]
    fn folded(&mut self, name: &str, text: &str) -> String {
        let value: Value = serde_json::from_str(text).expect(text);
        if let Some(token) = value["session"].as_str() {
            let is_token = token.len() == 32
                && token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            assert!(is_token, "{text}");
            self.tokens.insert(name.to_owned(), token.to_owned());
            let id = value["user"]["id"].as_u64().expect(text);
            assert!(value["resumed"] == true || id > self.last_user, "seen before: {text}");
            self.last_user = id.max(self.last_user);
        }
        if let (Some(room), Some(epoch)) = (value["room"]["id"].as_u64(), value["epoch"].as_str()) {
            let known = self.epochs.entry(room).or_insert_with(|| epoch.to_owned());
            assert_eq!(epoch, known, "a new epoch of room {room}");
            assert!(!epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
        let mut folded = text.to_owned();
        if value["type"] == "welcome"
            && let Some(rest) = folded.find(r#","server":{"#)
        {
            folded.replace_range(rest.., ",…}");
        }
        for (before, word) in
            [(r#""time":"#, "TIME"), (r#""session":"#, "TOKEN"), (r#""epoch":"#, "EPOCH")]
        {
            let mut at = 0;
            while let Some(found) = folded[at..].find(before) {
                let start = at + found + before.len();
                let len = folded[start..].find([',', '}']).expect("more members, or an end");
                if word == "TIME" {
                    let time = folded[start..start + len].parse().expect("a time in milliseconds");
                    let plausible = self.began - TOLERANCE_MS..=now() + TOLERANCE_MS;
                    assert!(plausible.contains(&time), "{time} is not in {plausible:?}");
                }
                folded.replace_range(start..start + len, word);
                at = start;
            }
        }
        folded
    }

    /// The request with the epoch where it says `EPOCH`.
    fn with_epoch(&self, request: &str) -> String {
        let room = serde_json::from_str(&request.replace("EPOCH", "0"));
        let room = room.ok().and_then(|value: Value| value["roomId"].as_u64());
        match room.and_then(|room| self.epochs.get(&room)) {
            Some(epoch) => request.replace("EPOCH", &format!("{epoch:?}")),
            None => request.to_owned(),
        }
    }

    fn queue(&mut self, name: &str, frame: &[u8]) {
        if self.outgoing.as_ref().is_some_and(|(author, _)| author != name) {
            self.send();
        }
        let (_, bytes) = self.outgoing.get_or_insert_with(|| (name.to_owned(), Vec::new()));
        bytes.extend_from_slice(frame);
    }

    fn send(&mut self) {
        if let Some((name, bytes)) = self.outgoing.take() {
            self.client(&name).send(bytes);
        }
    }

    fn client(&mut self, name: &str) -> &mut Client {
        self.clients.get_mut(name).expect("a client that is connected")
    }

    fn take(&mut self, name: &str) -> Client {
        self.clients.remove(name).expect("a client that is connected")
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    u64::try_from(now).expect("before the year 500 million")
}
