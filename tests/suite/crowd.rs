//! Many clients in one room: each gets every text once, and all get them in the same order.
//!
//! The server is the real program, so that its descriptors do not count towards the limit of this
//! process. A few threads play all clients, each polling its share of them.

use std::env;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::json;

use crate::client::{Client, Endpoint, PATIENCE};
use crate::frame::{self, TEXT};
use crate::host::{Program, eventually};

/// The number of clients without `WSCHAT_CROWD`. `WSCHAT_CROWD=2000` needs `ulimit -n 4096` or more.
const CLIENTS: usize = 200;

const SENDERS: usize = 10;
const TEXTS_EACH: usize = 200;

/// The number of clients that one thread plays.
const SHARE: usize = 250;

/// What the conductor says when everyone is in the room, and when all texts have been told.
const BEGIN: &str = "now";
const END: &str = "thank you";

/// What the conductor repeats until the slow consumer has left.
const FILLER: &str = "and ";

/// A client that compares what it receives with what the conductor received.
struct Listener {
    tcp: TcpStream,
    /// Received, but not yet compared.
    unread: Vec<u8>,
    /// The position in the reference; `None` before [`BEGIN`].
    at: Option<usize>,
}

fn clients() -> usize {
    env::var("WSCHAT_CROWD").map_or(CLIENTS, |text| text.parse().expect("a number of clients"))
}

/// All frames that the room is sent after [`BEGIN`], up to and including [`END`].
type Reference = Arc<OnceLock<Vec<u8>>>;

#[test]
fn everyone_gets_every_text_once_and_in_the_same_order() {
    check(false);
}

#[test]
fn a_slow_consumer_is_closed_and_nobody_else_is_affected() {
    check(true);
}

#[test]
fn a_crowd_that_does_not_close_ends_within_the_drain_timeout() {
    const DRAIN: Duration = Duration::from_secs(1);
    let mut program = Program::start_after(
        "ulimit -S -n $(ulimit -H -n)",
        json!({ "limits": { "maxConnections": 0, "drainTimeoutMs": 1_000 } }),
    );
    // Nobody in it reads, so nobody answers the Close frame.
    let crowd: Vec<_> = (0..clients()).map(|_| program.endpoint.user()).collect();
    program.signal("TERM");
    let began = Instant::now();
    assert_eq!(program.wait().code(), Some(0), "{}", program.log());
    let elapsed = began.elapsed();
    assert!(elapsed < DRAIN, "{} are gone after {elapsed:?}", crowd.len());
}

fn check(with_slow_one: bool) {
    let program = Program::start_after(
        "ulimit -S -n $(ulimit -H -n)",
        json!({
            "limits": {
                "maxConnections": 0,
                "messagesPerSecond": 0,
                // Far less than all texts together, and far more than a client that reads ever has queued.
                "outboxMaxBytes": if with_slow_one { 65_536 } else { 16 << 20 },
                "pingIntervalMs": 3_600_000,
            }
        }),
    );
    let began = Instant::now();
    let reference = Reference::default();
    let slow = with_slow_one
        .then(|| program.endpoint.connect_with_small_buffer().into_user().into_member());
    let crowd = clients();
    let shares = crowd.div_ceil(SHARE);
    let missing = Arc::new(AtomicUsize::new(shares));
    let listening: Vec<_> = (0..shares)
        .map(|share| {
            let len = SHARE.min(crowd - share * SHARE);
            let (endpoint, reference, missing) =
                (program.endpoint.clone(), reference.clone(), missing.clone());
            thread::spawn(move || listen(&endpoint, len, &reference, &missing))
        })
        .collect();
    let until = Instant::now() + PATIENCE * 10;
    while missing.load(Ordering::Acquire) > 0 {
        let has_failed = listening.iter().any(JoinHandle::is_finished);
        assert!(!has_failed && Instant::now() < until, "not everyone came in; {}", program.log());
        thread::sleep(Duration::from_millis(5));
    }
    println!("{crowd} are in the room after {:?}", began.elapsed());

    let began = Instant::now();
    // Nobody leaves before all have compared, because the room would be told.
    let mut senders: Vec<Client> = (0..SENDERS).map(|_| program.endpoint.member()).collect();
    let mut conductor = program.endpoint.member();
    let told = conduct(&mut conductor, &mut senders, slow.as_ref().map(|slow| slow.id));
    check_order(&told, slow.as_ref().map(|slow| slow.id));
    assert!(reference.set(told).is_ok(), "it is set only here");
    let listeners: Vec<Vec<Listener>> = listening
        .into_iter()
        .map(|thread| thread.join().expect("every client receives what the conductor receives"))
        .collect();
    let texts = SENDERS * TEXTS_EACH;
    println!("{texts} texts to {crowd} clients in {:?}", began.elapsed());
    drop(listeners);
    if let Some(slow) = slow {
        let gone = format!("user {} from 127.0.0.1 gone after", slow.id);
        drop(slow);
        eventually("the log names the slow consumer", || {
            let log = program.log();
            let line = log.lines().find(|line| line.contains(&gone));
            line.is_some_and(|line| line.ends_with("slow consumer (1013)"))
        });
    }
}

/// Has the senders send all their texts, and more until the slow consumer, if any, has left. Returns
/// what the room was sent.
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
                    // Sends the next one when this one has come back.
                    skip_past(sender, &text);
                }
            });
        }
        let mut told = Vec::new();
        let mut left = SENDERS * TEXTS_EACH;
        let mut slow_is_in = slow.is_some();
        let filler = FILLER.repeat(1_000);
        // The texts alone might still fit into the buffers on the way to the slow consumer.
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

/// Checks that every text occurs once, in its sender's order, and nothing else but the leaving of the
/// slow consumer.
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
    assert_eq!(slow_left, usize::from(slow.is_some()), "the slow consumer leaves once");
}

/// Plays `len` clients, which together are one of those who are missing: enters, and compares what each receives. Returns them
/// still connected.
fn listen(
    endpoint: &Endpoint,
    len: usize,
    reference: &Reference,
    missing: &AtomicUsize,
) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = (0..len).map(|_| Listener::enter(endpoint)).collect();
    missing.fetch_sub(1, Ordering::Release);
    // Reads also while others enter, because everyone is told of each.
    let until = Instant::now() + PATIENCE * 20;
    while listeners.iter().any(|listener| !listener.is_done(reference)) {
        assert!(Instant::now() < until, "a client did not receive everything");
        turn(&mut listeners, reference, Duration::from_millis(200));
    }
    listeners
}

/// Reads from these clients once.
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
    fn enter(endpoint: &Endpoint) -> Self {
        let member = endpoint.member();
        let (tcp, unread) = member.into_plain();
        tcp.set_nonblocking(true).unwrap();
        Self { tcp, unread, at: None }
    }

    fn read(&mut self) {
        let mut buf = [0; 16_384];
        match self.tcp.read(&mut buf) {
            Ok(0) => panic!("the server closed a client that reads"),
            Ok(len) => self.unread.extend_from_slice(&buf[..len]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Looks for [`BEGIN`] frame by frame, and compares bytes from there on.
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
            assert_eq!(news.len(), len, "more than the conductor received");
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
    /// The connection, and what was read from it already.
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
