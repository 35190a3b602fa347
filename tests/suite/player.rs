//! Plays transcripts with real clients: what each client sends and receives, line by line.
//!
//! | line | means |
//! |---|---|
//! | `A connects` | client A opens a WebSocket; its welcome is not read yet |
//! | `A offers …` | the same, and offers these subprotocols, of which the server selects `wschat.v2` |
//! | `A resumes B` | the same, and resumes the session of B, which may be an earlier A |
//! | `A > …` | A sends this text; consecutive requests go out in one segment |
//! | `A closes` | A sends a Close frame with 1000, in the same segment as the requests before it |
//! | `A closes 1001` | the same with this code |
//! | `A < …` | the next text that A receives is exactly this one |
//! | `A closed` | A receives a Close frame with 1000, and then the end of the connection |
//! | `A closed 4001 replaced` | the same with this code and text |
//! | `A ends` | A shuts down its writing side without a Close frame |
//! | `A ended` | the connection of A ends, without a Close frame |
//! | `A vanishes` | A closes its socket without a Close frame |
//! | `A aborts` | A resets its connection |
//! | `operator POST /v1/kick …` | the operator sends this command with this body, and waits for the answer |
//! | `operator < 200 …` | that answer was exactly this one |
//! | `server dies` | the server is killed and restarted; all connections are gone |
//!
//! These words stand for values of `wschat.v2` that are not known in advance: `TIME` for the present
//! time, `TOKEN` for the secret of a session, `EPOCH` for the epoch of the history, which must not change,
//! `SOMEBODY` for a new user whose id may follow a gap after a restart, `NEW` for the id of a room that
//! may, too, and `,…}` for the rest of a welcome. In a request, `EPOCH` is that epoch.
//!
//! At the end of a transcript no client may have received anything else.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wschat::ServerHandle;

use crate::client::{Client, Endpoint, UPGRADE, V2, upgrade_offering};
use crate::companions::Companions;
use crate::frame::{self, Frame, TEXT};
use crate::host::{Host, Program};
use crate::nodes::Nodes;

/// How much the times of the server and of the test may differ, in milliseconds. Both read the same
/// clock, one after the other.
const TOLERANCE_MS: u64 = 2;

pub(crate) struct Player<'a> {
    /// Each connection goes to the next one.
    endpoints: Vec<Endpoint>,
    nodes: Option<&'a Nodes>,
    connections: usize,
    program: Option<&'a mut Program>,
    operated: Option<&'a ServerHandle>,
    /// The answer to the operator's last command.
    answer: String,
    companions: Option<&'a mut Companions>,
    clients: BTreeMap<String, Client>,
    /// The latest session of each name.
    tokens: BTreeMap<String, String>,
    /// The bytes that a client is about to send at once.
    outgoing: Option<(String, Vec<u8>)>,
    epoch: Option<String>,
    /// The highest user id so far.
    last_user: u64,
    /// When the transcript began, in Unix milliseconds.
    began: u64,
}

impl<'a> Player<'a> {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        Self {
            endpoints: vec![endpoint.clone()],
            nodes: None,
            connections: 0,
            program: None,
            operated: None,
            answer: String::new(),
            companions: None,
            clients: BTreeMap::new(),
            tokens: BTreeMap::new(),
            outgoing: None,
            epoch: None,
            last_user: 0,
            began: now(),
        }
    }

    /// Plays against a program, which `server dies` kills.
    pub(crate) fn of(program: &'a mut Program) -> Self {
        let player = Self::new(&program.endpoint);
        Self { program: Some(program), ..player }
    }

    /// Plays against the nodes of a cluster.
    pub(crate) fn on(nodes: &'a Nodes) -> Self {
        let endpoints = nodes.programs.iter().map(|node| node.endpoint.clone()).collect();
        let player = Self::new(&nodes.programs[0].endpoint);
        Self { endpoints, nodes: Some(nodes), ..player }
    }

    /// Plays against a server in this process, which the operator commands.
    pub(crate) fn operating(host: &'a Host) -> Self {
        Self { operated: Some(&host.handle), ..Self::new(&host.endpoint) }
    }

    /// With these companions in the rooms, who talk after every line.
    pub(crate) fn with(self, companions: &'a mut Companions) -> Self {
        Self { companions: Some(companions), ..self }
    }

    pub(crate) fn play(mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            println!("{line}");
            let (name, rest) = line.split_once(' ').expect("a name and a verb");
            let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            match verb {
                ">" => {
                    let request = self.with_epoch(rest);
                    self.queue(name, &frame::masked(TEXT, request.as_bytes()));
                }
                "closes" => {
                    let code = if rest.is_empty() { "1000" } else { rest };
                    self.queue(name, &frame::close(code.parse().expect("a code"), ""));
                }
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
            "<" if name == "operator" => assert_eq!(self.answer, rest),
            "GET" | "POST" => {
                let (path, body) = rest.split_once(' ').unwrap_or((rest, ""));
                let operated = self.operated.expect("a server to command");
                let (status, answer) = operated.command(verb, path, body);
                self.answer = format!("{status} {answer}");
            }
            "connects" => self.connect(name, UPGRADE, None),
            "offers" => self.connect(name, &upgrade_offering(rest), Some(V2)),
            "resumes" => {
                let token = self.tokens.get(rest).expect("a name with a session");
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
            _ => panic!("unknown verb: {verb}"),
        }
    }

    /// The next frame, or `None` at the end of the stream. Skips what companions say.
    fn frame_or_end(&self, client: &mut Client) -> Option<Frame> {
        loop {
            let frame = client.frame_or_end()?;
            let is_visible = frame.first != TEXT
                || self.companions.as_ref().is_none_or(|companions| {
                    let text = String::from_utf8(frame.payload.clone()).expect("UTF-8");
                    companions.without(text).is_some()
                });
            if is_visible {
                return Some(frame);
            }
        }
    }

    fn connect(&mut self, name: &str, request: &str, protocol: Option<&str>) {
        self.meet();
        let endpoint = &self.endpoints[self.connections % self.endpoints.len()];
        self.connections += 1;
        let mut client = endpoint.connect();
        client.send(request);
        client.expect_switch_to(protocol);
        let old = self.clients.insert(name.to_owned(), client);
        assert!(old.is_none(), "{name} is already connected");
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
            if expected.contains(r#""room":{"id":NEW,"#) {
                let value: Value = serde_json::from_str(&found).expect(&found);
                let id = format!(r#""room":{{"id":{},"#, value["room"]["id"]);
                folded = folded.replace(&id, r#""room":{"id":NEW,"#);
            }
            assert_eq!(folded, expected, "sent to {name}, who got {found}");
        }
    }

    /// Replaces values that are not known in advance by their words, and checks them.
    #[track_caller]
    fn folded(&mut self, name: &str, text: &str) -> String {
        let value: Value = serde_json::from_str(text).expect(text);
        if let Some(token) = value["session"].as_str() {
            let is_token = token.len() == 32
                && token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            assert!(is_token, "{text}");
            self.tokens.insert(name.to_owned(), token.to_owned());
            let id = value["user"]["id"].as_u64().expect(text);
            assert!(
                value["resumed"] == true || id > self.last_user,
                "an id that was used before: {text}"
            );
            self.last_user = id.max(self.last_user);
        }
        if let Some(epoch) = value["epoch"].as_str() {
            let known = self.epoch.get_or_insert_with(|| epoch.to_owned());
            assert_eq!(epoch, known, "a new epoch");
            assert!(!epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
        let mut folded = text.to_owned();
        if value["type"] == "welcome"
            && let Some(rest) = folded.find(r#","epoch":"#)
        {
            folded.replace_range(rest.., ",…}");
        }
        for (before, word) in
            [(r#""time":"#, "TIME"), (r#""session":"#, "TOKEN"), (r#""epoch":"#, "EPOCH")]
        {
            let mut at = 0;
            while let Some(found) = folded[at..].find(before) {
                let start = at + found + before.len();
                let len = folded[start..].find([',', '}']).expect("another member or the end");
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

    /// Replaces `EPOCH` in a request by the epoch of the history.
    fn with_epoch(&self, request: &str) -> String {
        match &self.epoch {
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
            self.meet();
            self.client(&name).send(bytes);
        }
    }

    /// What a client does, its node does knowing what other nodes have shown to others, as on one machine.
    fn meet(&self) {
        if let Some(nodes) = self.nodes {
            nodes.meet();
        }
    }

    fn client(&mut self, name: &str) -> &mut Client {
        self.clients.get_mut(name).expect("a client that is connected")
    }

    fn take(&mut self, name: &str) -> Client {
        self.clients.remove(name).expect("a client that is connected")
    }
}

/// Plays the transcript with these limits, only with the history in a file.
#[track_caller]
pub(crate) fn play_durably(limits: &Value, script: &str) {
    let mut program = Program::durable(json!({ "limits": limits }));
    Player::of(&mut program).play(script);
    assert!(!program.log().contains("panick"), "{}", program.log());
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    u64::try_from(now).expect("before the year 500 million")
}
