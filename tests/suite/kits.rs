//! The Rust client and the example bots against the real server, which is killed while they talk.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::json;
use wschat_client::{Client, Config, Content, Event, Page, Stream};

use crate::client;
use crate::host::{Host, Program, skipped};

#[expect(dead_code, reason = "its `main` is not called here")]
#[path = "../../clients/rust/examples/echo_bot.rs"]
mod echo_bot;

/// How many texts are said while the server is killed.
const TEXTS: u64 = 60;

fn config(address: SocketAddr) -> Config {
    Config::new(&format!("ws://{address}/"))
}

/// The next event of interest.
fn next(client: &mut Client) -> Event {
    client.next().expect("the client goes on").expect("no error")
}

/// All texts of room 1, the oldest first.
fn history(client: &mut Client) -> Vec<String> {
    let mut texts = Vec::new();
    let mut page = client.history(1, Page::Newest, 100).unwrap();
    loop {
        let older = page.messages().filter_map(|message| match message.content {
            Content::Text { text } => Some(text),
            Content::Gif { .. } => None,
        });
        texts = older.chain(texts).collect();
        match page.first().filter(|_| page.more) {
            Some(first) => page = client.history(1, Page::Before(first), 100).unwrap(),
            None => return texts,
        }
    }
}

/// A connection that ends after so many bytes.
struct Short(TcpStream, usize);

impl io::Read for Short {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.1.min(buf.len());
        let read = self.0.read(&mut buf[..len])?;
        self.1 -= read;
        Ok(read)
    }
}

impl io::Write for Short {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stream for Short {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(timeout)
    }
}

#[test]
fn the_rust_client_says_each_text_once_while_the_server_is_killed() {
    let mut program = Program::durable(json!({ "limits": { "messagesPerSecond": 0 } }));
    let address = program.endpoint.address;
    // Connections are cut as well.
    let mut count = 0;
    let dial = Box::new(move || {
        count += 1;
        let limit = if count % 2 == 0 { usize::MAX } else { 2_500 + 700 * count };
        Ok(Box::new(Short(TcpStream::connect(address)?, limit)) as Box<dyn Stream>)
    });
    let mut client = Client::over(config(address), dial).unwrap();
    client.enter(1);
    let mut waiting: BTreeMap<String, u64> = BTreeMap::new();
    let (mut said, mut heard, mut losses) = (0, Vec::new(), 0);
    while heard.len() < usize::try_from(TEXTS).unwrap() || !waiting.is_empty() {
        if waiting.len() < 5 && said < TEXTS {
            said += 1;
            waiting.insert(client.say(&said.to_string()).unwrap(), said);
            if said % 20 == 10 {
                program.kill();
                program.restart();
            }
        }
        match next(&mut client) {
            Event::Message(message) => heard.push(message),
            Event::Done { reference, seq, .. } => {
                if let Some(number) = waiting.remove(&reference) {
                    assert_eq!(seq, Some(number), "in order");
                }
            }
            Event::Disconnected { .. } => losses += 1,
            Event::Connected { resumed, .. } => assert_eq!(resumed, losses > 0),
            Event::Entered { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(losses >= 3, "{losses}");
    let expected: Vec<String> = (1..=TEXTS).map(|number| number.to_string()).collect();
    assert_eq!(history(&mut client), expected);
    assert!(heard.iter().map(|message| message.seq).eq(1..=TEXTS), "no gap and no repeat");
}

#[test]
fn the_rust_client_follows_rooms_and_names() {
    let host = Host::start();
    let name = Some("Ada".to_owned());
    let ada = Config { name, max_frame_bytes: Some(65_536), ..config(host.endpoint.address) };
    let mut ada = Client::new(ada).unwrap();
    assert_eq!(ada.rooms().unwrap().len(), 3);
    let created = ada.create_room("Attic");
    let room = loop {
        if let Event::Done { reference, room: Some(room), .. } = next(&mut ada)
            && reference == created
        {
            break room;
        }
    };
    ada.enter(room);
    let mut ben = Client::new(config(host.endpoint.address)).unwrap();
    ben.enter(room);
    assert!(ben.flush(client::PATIENCE).unwrap() && ada.flush(client::PATIENCE).unwrap());
    ada.gif(3).unwrap();
    ada.leave();
    assert!(ada.flush(client::PATIENCE).unwrap());
    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(Event::UserLeft { .. })) {
        seen.push(next(&mut ben));
    }
    let is_gif = |event: &Event| matches!(event, Event::Message(message) if message.content == Content::Gif { id: 3 } && message.from.name == "Ada");
    assert!(seen.iter().any(is_gif), "{seen:?}");
    assert!(ada.say("nowhere").is_err());
}

/// Asks a bot while the server is killed: it answers each question once.
fn expect_echoes(program: &mut Program, is_there: impl Fn(&str) -> bool) {
    let mut client = Client::new(config(program.endpoint.address)).unwrap();
    client.enter(1);
    let mut answers = Vec::new();
    // The bot answers only what is said after it has entered.
    wait_for_members(&mut client, 2);
    for round in 1..=3 {
        client.say(&format!("echo {round}")).unwrap();
        if round == 2 {
            assert!(client.flush(client::PATIENCE).unwrap());
            program.kill();
            program.restart();
        }
        while answers.len() < round {
            if let Event::Message(message) = next(&mut client)
                && let Content::Text { text } = message.content
                && is_there(&text)
            {
                answers.push(text);
            }
        }
    }
    assert_eq!(answers, ["1", "2", "3"]);
    let all = history(&mut client);
    assert_eq!(all.len(), 6, "{all:?}");
}

fn wait_for_members(client: &mut Client, count: u64) {
    let mut members = 0;
    while members < count {
        match next(client) {
            Event::Entered { user_count, .. } => members = user_count,
            Event::UserEntered { .. } => members += 1,
            _ => {}
        }
    }
}

#[test]
fn the_rust_bot_answers_each_text_once() {
    let mut program = Program::durable(json!({}));
    let url = format!("ws://{}/", program.endpoint.address);
    // It ends with the test.
    thread::spawn(move || echo_bot::echo(&url, 1));
    expect_echoes(&mut program, |text| !text.starts_with("echo "));
}

/// Ends the bot with the test.
struct Bot(Child);

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Python that has `websockets`.
fn python() -> Option<String> {
    let chosen = std::env::var("PYTHON").ok();
    let candidates = chosen.into_iter().chain(["python3".into(), "/usr/bin/python3".into()]);
    candidates.into_iter().find(|python| {
        let mut command = Command::new(python);
        command.args(["-c", "import websockets"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

#[test]
fn the_python_bot_answers_each_text_once() {
    let Some(python) = python() else {
        skipped("there is no python3 with websockets");
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python/echo_bot.py");
    let lines = std::fs::read_to_string(script).unwrap().lines().count();
    assert!(lines <= 60, "{lines} lines are too many for an example");
    let mut program = Program::durable(json!({}));
    let url = format!("ws://{}/", program.endpoint.address);
    let mut command = Command::new(python);
    let bot = command.arg(script).args([&url, "1"]).stderr(Stdio::null()).spawn().unwrap();
    let bot = Bot(bot);
    expect_echoes(&mut program, |text| !text.starts_with("echo "));
    drop(bot);
}
