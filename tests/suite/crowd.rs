//! Many clients in one room: everyone gets every text once, and all in one and the same order.
//!
//! The server is the real program, so that its descriptors and the clients' are not the same
//! process's. Few threads play all clients, each with its share of them in one `poll`.

use std::env;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::json;

use crate::client::{Client, Door, PATIENCE};
use crate::frame::{self, TEXT};
use crate::host::{Program, eventually};

/// How many clients there are, unless `WSCHAT_CROWD` says otherwise. `WSCHAT_CROWD=2000` takes
/// `ulimit -n 4096` or more.
const CLIENTS: usize = 200;

const SENDERS: usize = 10;
const TEXTS_EACH: usize = 200;

/// How many clients one thread plays.
const SHARE: usize = 250;

/// What the conductor says when everyone is in the room, and when everything has been said.
const BEGIN: &str = "now";
const END: &str = "thank you";

/// What the conductor repeats until the slow one has left.
const FILLER: &str = "and ";

/// A client that compares what it gets with what another one got.
struct Listener {
    tcp: TcpStream,
    /// Read, and not yet looked at.
    unread: Vec<u8>,
    /// How far in the reference it has come; `None` before the beginning.
    at: Option<usize>,
}

fn clients() -> usize {
    env::var("WSCHAT_CROWD").map_or(CLIENTS, |text| text.parse().expect("a number of clients"))
}

/// What is told to the room from the frame after the beginning to the one of the end.
type Reference = Arc<OnceLock<Vec<u8>>>;

#[test]
fn everyone_gets_everything_once_and_in_one_order() {
    check(false);
}

#[test]
fn one_who_never_reads_is_closed_and_nobody_else_notices() {
    check(true);
}

fn check(with_slow_one: bool) {
    let program = Program::start_after(
        "ulimit -S -n $(ulimit -H -n)",
        json!({
            "limits": {
                "maxConnections": 0,
                "messagesPerSecond": 0,
                // Far less than all that is said, and far more than a client leaves lying.
                "outboxMaxBytes": if with_slow_one { 65_536 } else { 16 << 20 },
                "pingIntervalMs": 3_600_000,
            }
        }),
    );
    let began = Instant::now();
    let reference = Reference::default();
    let slow = with_slow_one.then(|| program.door.knock_narrowly().into_user().into_member());
    let crowd = clients();
    let shares = crowd.div_ceil(SHARE);
    let everyone_is_in = Arc::new(Barrier::new(shares + 1));
    let listening: Vec<_> = (0..shares)
        .map(|share| {
            let len = SHARE.min(crowd - share * SHARE);
            let (door, reference, barrier) =
                (program.door.clone(), reference.clone(), everyone_is_in.clone());
            thread::spawn(move || listen(&door, len, &reference, &barrier))
        })
        .collect();
    everyone_is_in.wait();
    println!("{crowd} are in the room after {:?}", began.elapsed());

    let began = Instant::now();
    // Nobody leaves before everyone has compared: that would be told, too.
    let mut senders: Vec<Client> = (0..SENDERS).map(|_| program.door.member()).collect();
    let mut conductor = program.door.member();
    let told = conduct(&mut conductor, &mut senders, slow.as_ref().map(|slow| slow.id));
    check_order(&told, slow.as_ref().map(|slow| slow.id));
    assert!(reference.set(told).is_ok(), "it is set here alone");
    let listeners: Vec<Vec<Listener>> = listening
        .into_iter()
        .map(|thread| thread.join().expect("these got exactly what the conductor got"))
        .collect();
    let texts = SENDERS * TEXTS_EACH;
    println!("{texts} texts to {crowd} clients in {:?}", began.elapsed());
    drop(listeners);
    if let Some(slow) = slow {
        let gone = format!("user {} from 127.0.0.1 gone after", slow.id);
        drop(slow);
        eventually("the log says why the slow one went", || {
            let log = program.log();
            let line = log.lines().find(|line| line.contains(&gone));
            line.is_some_and(|line| line.ends_with("slow consumer (1013)"))
        });
    }
}

/// Has the senders send all their texts, makes the slow one feel it if there is one, and returns
/// what the room is told meanwhile.
fn conduct(conductor: &mut Client, senders: &mut [Client], slow: Option<u64>) -> Vec<u8> {
    conductor.say(BEGIN);
    skip_past(conductor, BEGIN);
    thread::scope(|scope| {
        for (number, sender) in senders.iter_mut().enumerate() {
            scope.spawn(move || {
                skip_past(sender, BEGIN);
                for text in 0..TEXTS_EACH {
                    let text = format!("{number}:{text}");
                    sender.say(&text);
                    // The next one goes when this one has come round.
                    skip_past(sender, &text);
                }
            });
        }
        let mut told = Vec::new();
        let mut left = SENDERS * TEXTS_EACH;
        let mut slow_is_in = slow.is_some();
        let filler = FILLER.repeat(1_000);
        // What is said alone might still fit into the buffers on the way to the slow one.
        while left > 0 || slow_is_in {
            if left == 0 {
                conductor.say(&filler);
                left += 1;
            }
            let payload = conductor.frame().payload;
            left -= usize::from(payload.starts_with(br#"{"type":"text","#));
            slow_is_in &= !payload.starts_with(br#"{"type":"leave_room","#);
            told.extend(frame::unmasked(TEXT, &payload));
        }
        conductor.say(END);
        loop {
            let payload = conductor.frame().payload;
            told.extend(frame::unmasked(TEXT, &payload));
            if says(&payload, END) {
                return told;
            }
        }
    })
}

/// Every text of every sender is there once, in the order of its sender, and nothing else is, save
/// that the slow one leaves.
fn check_order(told: &[u8], slow: Option<u64>) {
    let mut next = [0; SENDERS];
    let mut at = 0;
    let mut slow_left = 0;
    while let Some((frame, len)) = frame::parse(&told[at..]) {
        at += len;
        let value: serde_json::Value = serde_json::from_slice(&frame.payload).unwrap();
        if value["type"] == "leave_room" {
            assert_eq!(value["user"]["id"].as_u64(), slow, "{value}");
            slow_left += 1;
            continue;
        }
        let text = value["text"].as_str().expect("a text");
        if text == END || text.starts_with(FILLER) {
            continue;
        }
        let (sender, number) = text.split_once(':').unwrap();
        let sender: usize = sender.parse().unwrap();
        assert_eq!(number.parse(), Ok(next[sender]), "of sender {sender}");
        next[sender] += 1;
    }
    assert_eq!(at, told.len());
    assert_eq!(next, [TEXTS_EACH; SENDERS]);
    assert_eq!(slow_left, usize::from(slow.is_some()), "the slow one leaves once");
}

/// Plays `len` clients: enters, waits for everyone else, and compares what each gets. Returns them
/// still connected.
fn listen(
    door: &Door,
    len: usize,
    reference: &Reference,
    everyone_is_in: &Barrier,
) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = (0..len).map(|_| Listener::enter(door)).collect();
    // Whoever is in reads while the rest come: entering is told to everyone, too.
    let mut is_waiting = true;
    thread::scope(|scope| {
        let waiting = scope.spawn(|| everyone_is_in.wait());
        while is_waiting {
            is_waiting = !waiting.is_finished();
            turn(&mut listeners, reference, Duration::from_millis(20));
        }
    });
    let until = Instant::now() + PATIENCE * 10;
    while listeners.iter().any(|listener| !listener.is_done(reference)) {
        assert!(Instant::now() < until, "somebody did not get everything");
        turn(&mut listeners, reference, Duration::from_millis(200));
    }
    listeners
}

/// Reads what there is for each of these clients.
fn turn(listeners: &mut [Listener], reference: &Reference, timeout: Duration) {
    let timeout = Timespec::try_from(timeout).unwrap();
    let mut fds: Vec<PollFd<'_>> =
        listeners.iter().map(|listener| PollFd::new(&listener.tcp, PollFlags::IN)).collect();
    poll(&mut fds, Some(&timeout)).unwrap();
    let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
    drop(fds);
    for (listener, is_ready) in listeners.iter_mut().zip(ready) {
        if is_ready {
            listener.read();
        }
        listener.compare(reference);
    }
}

impl Listener {
    fn enter(door: &Door) -> Self {
        let member = door.member();
        let (tcp, unread) = member.into_plain();
        tcp.set_nonblocking(true).unwrap();
        Self { tcp, unread, at: None }
    }

    fn read(&mut self) {
        let mut buf = [0; 16_384];
        match self.tcp.read(&mut buf) {
            Ok(0) => panic!("the server has closed a client that reads"),
            Ok(len) => self.unread.extend_from_slice(&buf[..len]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Looks at what has come: until the beginning frame by frame, and from there at the bytes.
    fn compare(&mut self, reference: &Reference) {
        let mut used = 0;
        while self.at.is_none()
            && let Some((frame, len)) = frame::parse(&self.unread[used..])
        {
            used += len;
            assert_eq!(frame.first, TEXT, "closed: {frame:?}");
            if says(&frame.payload, BEGIN) {
                self.at = Some(0);
            }
        }
        if let (Some(at), Some(reference)) = (&mut self.at, reference.get()) {
            let news = &self.unread[used..];
            let expected = &reference[*at..];
            let len = news.len().min(expected.len());
            assert!(news[..len] == expected[..len], "it differs between {at} and {}", *at + len);
            assert_eq!(news.len(), len, "more than everything");
            *at += len;
            used += len;
        }
        self.unread.drain(..used);
    }

    fn is_done(&self, reference: &Reference) -> bool {
        reference.get().is_some_and(|reference| self.at == Some(reference.len()))
    }
}

impl Client {
    /// The connection itself, and what has been read of it already.
    fn into_plain(self) -> (TcpStream, Vec<u8>) {
        (self.tcp().try_clone().unwrap(), self.into_unread())
    }
}

fn skip_past(client: &mut Client, text: &str) {
    while !says(&client.frame().payload, text) {}
}

fn says(payload: &[u8], text: &str) -> bool {
    payload
        .strip_prefix(br#"{"type":"text","text":""#)
        .and_then(|rest| rest.strip_prefix(text.as_bytes()))
        .is_some_and(|rest| rest.starts_with(br#"","#))
}
