//! Random runs against a second oracle: every frame to every client, of both protocols, is exactly the
//! one that `docs/` promise, to the byte, and the schema takes it.
//!
//! One client acts at a time, so everything but times, secrets and the texts of errors is known in
//! advance. The server is killed now and then, and clients leave, vanish and resume.
//! `WSCHAT_RANDOM_SECONDS` sets how long it takes, and `WSCHAT_RANDOM_SEED` repeats a run.

mod oracle;
mod requests;
mod schema;
mod shown;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::client::{Client, UPGRADE, V2, upgrade_offering};
use crate::frame::{self, TEXT};
use crate::host::Program;
use crate::random::{self, Random, setting};
use oracle::{
    ANY, MAX_NAME, MAX_ROOMS, MAX_TEXT, MAX_TITLE, ON_ENTER, Oracle, TIME, UserId, Version,
};
use schema::Schema;

/// How long a run takes without `WSCHAT_RANDOM_SECONDS`.
const SECONDS: u64 = 10;

/// The most clients at a time.
const CLIENTS: usize = 8;

/// How far the server's clock may be from this one's.
const CLOCK: Duration = Duration::from_secs(60);

const ROOMS: [&str; 3] = ["Room 1", "\"Room\" 2", "Ræum 3 👋"];

struct Run {
    program: Program,
    oracle: Oracle,
    schema: Schema,
    clients: BTreeMap<UserId, Client>,
    /// The place in each room's states that a follower of the list was told last, and the seq.
    told: BTreeMap<(UserId, u64), (usize, u64)>,
    /// What may still come.
    optional: BTreeMap<UserId, Vec<String>>,
    /// Times that the server chose, by their number.
    times: BTreeMap<u32, String>,
    /// The types of the frames seen, each with the protocol.
    kinds: BTreeSet<String>,
    began: Duration,
    frames: u64,
    requests: u64,
    kills: u64,
}

fn settings() -> Value {
    json!({
        "rooms": ROOMS,
        "limits": {
            "messagesPerSecond": 0,
            "roomsPerSecond": 0,
            "maxRooms": MAX_ROOMS,
            "maxNameChars": MAX_NAME,
            "maxTitleChars": MAX_TITLE,
            "maxTextChars": MAX_TEXT,
            "historyOnEnter": ON_ENTER,
            "historyMaxEvents": 1_000_000,
            "roomListIntervalMs": 0,
            "resumeGraceSeconds": 86_400,
            "emptyRoomTtlSeconds": 86_400,
            "pingIntervalMs": 3_600_000,
        },
    })
}

#[test]
fn every_frame_is_exactly_the_documented_one() {
    let seconds = setting("WSCHAT_RANDOM_SECONDS").unwrap_or(SECONDS);
    let seed = setting("WSCHAT_RANDOM_SEED").unwrap_or_else(random::seed);
    println!("WSCHAT_RANDOM_SEED={seed} WSCHAT_RANDOM_SECONDS={seconds}");
    let mut run = Run::new();
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut random = Random(seed);
    // Long histories would make each step slower: begin anew from time to time. Also before the first room
    // goes that nobody has entered for a minute.
    while Instant::now() < until {
        let until = until.min(Instant::now() + Duration::from_secs(30));
        for _ in 0..3_000 {
            run.step(&mut random);
            if Instant::now() >= until {
                break;
            }
        }
        run.end();
        let Run { kinds, frames, requests, kills, .. } = run;
        run = Run { kinds, frames, requests, kills, ..Run::new() };
    }
    println!(
        "{} frames for {} requests, over {} kills: {:?}",
        run.frames, run.requests, run.kills, run.kinds
    );
}

impl Run {
    fn new() -> Self {
        Self {
            program: Program::durable(settings()),
            oracle: Oracle::new(&ROOMS),
            schema: Schema::read(),
            clients: BTreeMap::new(),
            told: BTreeMap::new(),
            optional: BTreeMap::new(),
            times: BTreeMap::new(),
            kinds: BTreeSet::new(),
            began: now(),
            frames: 0,
            requests: 0,
            kills: 0,
        }
    }

    fn step(&mut self, random: &mut Random) {
        if random.one_in(400) {
            return self.kill();
        }
        let ids: Vec<UserId> = self.clients.keys().copied().collect();
        if ids.len() < 2 || ids.len() < CLIENTS && random.one_in(20) {
            return self.connect(random);
        }
        let id = ids[random.below(ids.len())];
        if random.one_in(40) {
            return self.disconnect(id, random);
        }
        // Some requests go out together.
        let count = if random.one_in(4) { 2 + random.below(4) } else { 1 };
        let mut bytes = Vec::new();
        for _ in 0..count {
            let asked = requests::request(random, &mut self.oracle, id, count == 1);
            self.requests += 1;
            self.check_request(id, &asked);
            bytes.extend(frame::masked(TEXT, asked.json.as_bytes()));
        }
        // What is not answered must not meet the next client's requests.
        if !self.oracle.answers_last(id) {
            bytes.extend(frame::masked(TEXT, br#"{"type":"done?"}"#));
            self.oracle.refuse(id, "unknown_type", None, None);
        }
        self.clients.get_mut(&id).expect("a client").send(bytes);
        self.receive();
    }

    fn check_request(&mut self, id: UserId, asked: &requests::Asked) {
        let Ok(value) = serde_json::from_str::<Value>(&asked.json) else { return };
        let version = self.oracle.users[&id].version;
        let is_known = self.schema.has_request(version, &value);
        assert_eq!(is_known, !asked.is_malformed, "the schema about {}", asked.json);
        let kind = format!("{version:?} to {}", value["type"].as_str().unwrap_or_default());
        if !asked.is_malformed && self.kinds.insert(kind) {
            for wrong in schema::wrong_requests(&value) {
                assert!(!self.schema.has_request(version, &wrong), "in the schema: {wrong}");
            }
        }
    }

    /// A new user, or one who resumes, perhaps in place of its living connection.
    fn connect(&mut self, random: &mut Random) {
        let sessions = self.oracle.users.iter().filter(|(_, user)| user.version == Version::V2);
        let sessions: Vec<UserId> = sessions.map(|(&id, _)| id).collect();
        let mut client = self.program.endpoint.connect();
        if !sessions.is_empty() && random.one_in(2) {
            let id = sessions[random.below(sessions.len())];
            let secret = &self.oracle.users[&id].secret;
            client.send(upgrade_offering(&format!("{V2}, session.{secret}")));
            client.expect_switch_to(Some(V2));
            let old = self.clients.remove(&id);
            let welcome = client.text();
            self.optional.remove(&id);
            let expected = self.oracle.resume(id);
            self.compare_welcome(&welcome, &expected);
            if let Some(mut old) = old {
                assert_eq!(old.skip_to_close(), (4001, "replaced".to_owned()));
            }
            self.clients.insert(id, client);
            return;
        }
        let version = if random.one_in(3) { Version::Base } else { Version::V2 };
        if version == Version::Base {
            client.send(UPGRADE);
            client.expect_switch();
        } else {
            client.send(upgrade_offering(V2));
            client.expect_switch_to(Some(V2));
        }
        let welcome = client.text();
        let value: Value = serde_json::from_str(&welcome).expect(&welcome);
        let id = value["user"]["id"].as_u64().expect(&welcome);
        // After a restart, some may be left out.
        let last = self.oracle.last_user;
        let is_next = id == last + 1 || self.kills > 0 && id > last;
        assert!(is_next, "{id} after {last}");
        if let Some(epoch) = value["epoch"].as_str() {
            let known = &mut self.oracle.epoch;
            if known.is_empty() {
                epoch.clone_into(known);
            }
        }
        let expected =
            self.oracle.connect(version, id, value["session"].as_str().unwrap_or_default());
        self.compare_welcome(&welcome, &expected);
        self.clients.insert(id, client);
    }

    fn compare_welcome(&mut self, welcome: &str, expected: &str) {
        if expected.ends_with('}') {
            assert_eq!(welcome, expected);
            return self.note(Version::Base, welcome);
        }
        // The documents leave the rest open: the features and limits.
        let (_, rest) = welcome.split_once(r#","features":"#).expect("features");
        let begins = &welcome[..welcome.len() - rest.len() - r#""features":"#.len()];
        self.compare(begins, expected);
        self.note(Version::V2, welcome);
    }

    fn disconnect(&mut self, id: UserId, random: &mut Random) {
        let client = self.clients.remove(&id).expect("a client");
        self.optional.remove(&id);
        match random.below(3) {
            0 => client.close(),
            1 => client.abort(),
            _ => drop(client),
        }
        let was_in = self.oracle.users[&id].room;
        self.oracle.disconnect(id);
        if let Some(room) = was_in {
            self.wait_until_noticed(room);
        }
        self.receive();
    }

    /// Waits until the members of this room are shown as they should be: the server takes a moment to
    /// notice the end of a connection.
    fn wait_until_noticed(&mut self, room: u64) {
        let expected = self.oracle.users_frame(room, 0, 250, None);
        let (mut observer, _) = self.program.endpoint.connect_offering(V2);
        self.oracle.last_user = observer.id;
        let mut found = String::new();
        for _ in 0..10_000 {
            observer.request(&format!(r#"{{"type":"users","roomId":{room}}}"#));
            found = observer.text();
            if found == expected {
                break;
            }
        }
        assert_eq!(found, expected, "the server does not notice who has gone");
        observer.close();
    }

    fn kill(&mut self) {
        self.program.kill();
        self.program.restart();
        self.kills += 1;
        self.clients.clear();
        self.optional.clear();
        self.told.clear();
        self.oracle.restart();
        self.learn_next_room();
    }

    /// After a kill some ids of rooms may be left out. The next room shows how many.
    fn learn_next_room(&mut self) {
        let (mut observer, _) = self.program.endpoint.connect_offering(V2);
        self.oracle.last_user = observer.id;
        let title = format!("After kill {}", self.kills);
        observer.request(&json!({ "type": "create_room", "title": title }).to_string());
        let answer = observer.json();
        observer.close();
        if answer["code"] == "too_many_rooms" {
            return;
        }
        let id = answer["room"]["id"].as_u64().expect("room_added");
        assert!(self.oracle.add_room_at(id, &title), "the id {id} has been used before");
    }

    /// Reads everything that the oracle expects.
    fn receive(&mut self) {
        let mut expected: BTreeMap<UserId, VecDeque<String>> = BTreeMap::new();
        for sent in self.oracle.take() {
            if sent.is_optional {
                self.optional.entry(sent.to).or_default().push(sent.frame);
            } else {
                expected.entry(sent.to).or_default().push_back(sent.frame);
            }
        }
        for (id, frames) in expected {
            for frame in frames {
                self.expect(id, &frame);
            }
        }
        self.oracle.settle(&self.times);
    }

    /// Reads up to this frame. Before it, changes of the list may come, and what is optional.
    fn expect(&mut self, id: UserId, expected: &str) {
        let version = self.oracle.users[&id].version;
        loop {
            let found = self.clients.get_mut(&id).expect("a client").text();
            self.note(version, &found);
            if self.matches(&found, expected) {
                // An answer with the whole list has everything up to now.
                if found.starts_with(r#"{"type":"list_rooms","#) {
                    let rooms = self.oracle.rooms.iter();
                    let latest = rooms.map(|(&room, it)| {
                        let seq = it.states.last().map_or(0, |state| state.1);
                        ((id, room), (it.states.len() - 1, seq))
                    });
                    self.told.extend(latest);
                }
                return;
            }
            if self.is_news(id, &found) || self.is_optional(id, &found) {
                continue;
            }
            let shown = expected.replace([TIME, ANY], "*");
            let same = found.bytes().zip(shown.bytes()).take_while(|(a, b)| a == b).count();
            let around = |text: &str| {
                let bytes: Vec<u8> =
                    text.bytes().skip(same.saturating_sub(200)).take(400).collect();
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let (found, shown) = (around(&found), around(&shown));
            panic!("user {id} got, around byte {same},\n{found}\ninstead of\n{shown}");
        }
    }

    /// Whether this tells a follower of the list a state that a room has had since it was told last.
    fn is_news(&mut self, id: UserId, found: &str) -> bool {
        let begins = [r#"{"type":"room_changed","room":"#, r#"{"type":"room_added","room":"#];
        let rest = begins.iter().find_map(|begin| found.strip_prefix(begin));
        let Some(state) = rest.and_then(|rest| rest.strip_suffix('}')) else { return false };
        if !self.oracle.users[&id].follows {
            return false;
        }
        let value: Value = serde_json::from_str(state).expect(found);
        let number = |name: &str| value[name].as_u64().expect(found);
        let (room, count, seq) = (number("id"), number("userCount"), number("seq"));
        let Some(oracle::Room { title, states, .. }) = self.oracle.rooms.get(&room) else {
            return false;
        };
        // Its seq is shown a little later, once the message is saved.
        let told = self.told.get(&(id, room)).copied().unwrap_or_default();
        let known = states[told.0..].iter().position(|state| state.0 == count);
        let last_seq = states.last().map_or(0, |state| state.1);
        let title = oracle::quoted(title);
        let exact = format!(r#"{{"id":{room},"title":{title},"userCount":{count},"seq":{seq}}}"#);
        let Some(place) = known.filter(|_| (told.1..=last_seq).contains(&seq)) else {
            return false;
        };
        self.told.insert((id, room), (told.0 + place, seq));
        state == exact
    }

    fn is_optional(&mut self, id: UserId, found: &str) -> bool {
        let frames = self.optional.get(&id).cloned().unwrap_or_default();
        frames.iter().any(|frame| self.matches(found, frame))
    }

    #[track_caller]
    fn compare(&mut self, found: &str, expected: &str) {
        let shown = expected.replace([TIME, ANY], "*");
        assert!(self.matches(found, expected), "\n{found}\ninstead of\n{shown}");
    }

    /// Compares, and learns the times.
    fn matches(&mut self, found: &str, expected: &str) -> bool {
        let mut learned = BTreeMap::new();
        let mut rest = found;
        let mut pieces = expected.split(TIME);
        // Between two marks, there is the number of a time.
        let mut is_number = false;
        for piece in &mut pieces {
            if is_number {
                let number: u32 = piece.parse().expect("the number of a time");
                let len = rest.bytes().take_while(u8::is_ascii_digit).count();
                let time = &rest[..len];
                let known = self.times.get(&number).or(learned.get(&number));
                if known.is_some_and(|known| known != time)
                    || known.is_none() && !self.is_in_run(time)
                {
                    return false;
                }
                learned.insert(number, time.to_owned());
                rest = &rest[len..];
            } else {
                let Some(after) = strip(rest, piece) else { return false };
                rest = after;
            }
            is_number = !is_number;
        }
        if !rest.is_empty() {
            return false;
        }
        self.times.extend(learned);
        true
    }

    /// Whether this is a time since the run began.
    fn is_in_run(&self, time: &str) -> bool {
        let Ok(time) = time.parse().map(Duration::from_millis) else { return false };
        time + CLOCK > self.began && time < now() + CLOCK
    }

    /// Every frame is in the schema, and a wrong one of its kind is not.
    fn note(&mut self, version: Version, found: &str) {
        self.frames += 1;
        let value: Value = serde_json::from_str(found).expect(found);
        assert!(self.schema.has_frame(version, &value), "not in the schema: {found}");
        let kind = format!("{version:?} {}", value["type"].as_str().expect(found));
        if self.kinds.insert(kind) {
            for wrong in schema::wrong(&value) {
                assert!(!self.schema.has_frame(version, &wrong), "in the schema: {wrong}");
            }
        }
    }

    /// Nobody has got anything else.
    fn end(&mut self) {
        let ids: Vec<UserId> = self.clients.keys().copied().collect();
        for id in ids {
            let client = self.clients.get_mut(&id).expect("a client");
            client.request(r#"{"type":"anything more?"}"#);
            let expected = r#"{"type":"error","code":"unknown_type","message":"There is no request of type \"anything more?\"."}"#;
            self.expect(id, expected);
        }
        let log = self.program.log();
        assert!(!log.contains("panick"), "{log}");
    }
}

/// What follows after `piece`, in which [`ANY`] stands for a JSON string.
fn strip<'a>(found: &'a str, piece: &str) -> Option<&'a str> {
    let mut rest = found;
    for (at, part) in piece.split(ANY).enumerate() {
        if at > 0 {
            let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            strings.next()?.ok()?;
            rest = &rest[strings.byte_offset()..];
        }
        rest = rest.strip_prefix(part)?;
    }
    Some(rest)
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970")
}

#[test]
fn the_comparison_finds_what_differs() {
    let mut run = Run::new();
    let expected = format!(r#"{{"a":{ANY},"time":{TIME}7{TIME}}}"#);
    let now = now().as_millis();
    assert!(!run.matches(r#"{"a":"x","time":5}"#, &expected), "an old time");
    assert!(!run.matches(&format!(r#"{{"a":7,"time":{now}}}"#), &expected), "no string");
    assert!(!run.matches(&format!(r#"{{"a":"x","time":{now},"b":1}}"#), &expected), "too much");
    assert!(run.matches(&format!(r#"{{"a":"x\"","time":{now}}}"#), &expected));
    assert!(!run.matches(&format!(r#"{{"a":"x","time":{}}}"#, now + 1), &expected), "two times");
    assert!(run.times.contains_key(&7));
}
