//! Fuzzing over the network: random bytes, requests and frames, from many short connections.
//!
//! Afterwards the server still works, has not panicked, and has freed threads and memory. The seed is
//! printed; `WSCHAT_NOISE_SEED` repeats the same noise.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Endpoint, UPGRADE};
use crate::frame::{self, TEXT};
use crate::host::{Program, eventually};
use crate::random::{self, Random, setting};

/// The duration without `WSCHAT_NOISE_SECONDS`.
const SECONDS: u64 = 5;

const THREADS: u64 = 4;

/// By how much resident memory may grow, in KiB: the allocator keeps some for each thread that ran at
/// the same time.
const TOLERANCE_KIB: u64 = 8 * 1024;

#[test]
fn noise_does_no_harm() {
    let seconds = setting("WSCHAT_NOISE_SECONDS").unwrap_or(SECONDS);
    let seed = setting("WSCHAT_NOISE_SEED").unwrap_or_else(random::seed);
    println!("WSCHAT_NOISE_SEED={seed} WSCHAT_NOISE_SECONDS={seconds}");

    let program = Program::start(json!({
        "log": { "level": "error" },
        "limits": {
            "handshakeTimeoutMs": 500,
            "pingIntervalMs": 500,
            "pongTimeoutMs": 500,
            "maxRooms": 50,
            "roomsPerSecond": 0,
            "emptyRoomTtlSeconds": 1,
        }
    }));
    make_noise(&program.endpoint, !seed, Duration::from_secs(1));
    expect_no_sessions(&program);
    let (threads, before) = (program.status("Threads"), program.status("VmRSS"));

    let connections = make_noise(&program.endpoint, seed, Duration::from_secs(seconds));
    expect_no_sessions(&program);
    let after = program.status("VmRSS");
    assert_eq!(program.status("Threads"), threads);
    println!("{connections} connections; {before} KiB before, {after} KiB after");
    assert!(after <= before + TOLERANCE_KIB, "{before} KiB before, {after} KiB after");
    assert!(connections > 10, "{connections}");

    let mut user = program.endpoint.connect();
    user.send(UPGRADE);
    user.expect_switch();
    user.request("nonsense");
    // Rooms that the noise created may still be removed, and every client is told.
    while !user.text().contains("bad_json") {}
    assert_eq!(program.log(), "", "no noise is an error, let alone a panic");
}

/// Waits until no session thread is left.
fn expect_no_sessions(program: &Program) {
    eventually("all sessions have ended", || !program.threads().contains_key("session"));
}

/// Makes noise from several threads, connection after connection; returns the number of connections.
fn make_noise(endpoint: &Endpoint, seed: u64, duration: Duration) -> u64 {
    let until = Instant::now() + duration;
    thread::scope(|scope| {
        let noisy: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let mut connections = 0;
                    while Instant::now() < until {
                        // Each connection has its own seed, independent of those before it.
                        let seed = seed ^ (thread << 48) ^ (connections << 16);
                        disturb(endpoint, &mut Random(seed));
                        connections += 1;
                    }
                    connections
                })
            })
            .collect();
        noisy.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

/// One connection: usually upgrades, sends random input in pieces of random sizes, and closes.
fn disturb(endpoint: &Endpoint, random: &mut Random) {
    let Ok(mut tcp) = TcpStream::connect(endpoint.address) else { panic!("the server listens") };
    tcp.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    tcp.set_read_timeout(Some(Duration::from_millis(1 + random.below(20) as u64))).unwrap();
    let mut noise = opening(random);
    for _ in 0..random.below(30) {
        noise.extend(utterance(random));
    }
    let mut rest = &noise[..];
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(1 + random.below(rest.len()));
        if tcp.write_all(piece).is_err() {
            return;
        }
        rest = later;
    }
    // Some read for a while, some close at once.
    if random.one_in(2) {
        let mut answer = [0; 4096];
        while match tcp.read(&mut answer) {
            Ok(len) => len > 0,
            Err(error) => error.kind() == ErrorKind::Interrupted,
        } {}
    }
}

fn opening(random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0 => random.bytes(300),
        1 => {
            let mut request = UPGRADE.as_bytes().to_vec();
            let at = random.below(request.len());
            request[at] = random.byte();
            request
        }
        2 => UPGRADE.as_bytes()[..random.below(UPGRADE.len())].to_vec(),
        _ => UPGRADE.as_bytes().to_vec(),
    }
}

/// A request in a frame; either may be malformed.
fn utterance(random: &mut Random) -> Vec<u8> {
    let mut json = match random.below(4) {
        0 => random.bytes(200),
        1 => value(random, 4).into_bytes(),
        _ => request(random).into_bytes(),
    };
    if random.one_in(10) && !json.is_empty() {
        let at = random.below(json.len());
        json[at] = random.byte();
    }
    match random.below(40) {
        0 => random.bytes(50),
        1 => frame::masked(random.byte(), &json),
        2 => frame::header(random.byte(), random.next() >> random.below(64)),
        3 => frame::masked(frame::PING, &json[..json.len().min(125)]),
        4 => frame::close(u16::from(random.byte()) * 20, "bye"),
        5 => {
            let (start, end) = json.split_at(random.below(json.len() + 1));
            [frame::masked(frame::FIRST_FRAGMENT, start), frame::masked(frame::LAST_FRAGMENT, end)]
                .concat()
        }
        _ => frame::masked(TEXT, &json),
    }
}

fn request(random: &mut Random) -> String {
    let kind = random.pick(&[
        "list_rooms",
        "enter_room",
        "enter_room",
        "leave_room",
        "text",
        "text",
        "gif",
        "create_room",
        "change_name",
    ]);
    let member = random.pick(&["roomId", "text", "gifId", "title", "name"]);
    let odd = value(random, 2);
    let room = random.below(6);
    let said = "chatter ".repeat(1 + random.below(20));
    let mut request = format!(
        r#"{{"type":"{kind}","roomId":{room},"gifId":"{room}","text":"{said}","title":"{room}","name":"{room}"}}"#
    );
    if random.one_in(4) {
        request = format!(r#"{{"type":"{kind}","{member}":{odd}}}"#);
    }
    request
}

/// Any JSON value, not deeper than `depth`.
fn value(random: &mut Random, depth: usize) -> String {
    match random.below(if depth == 0 { 5 } else { 7 }) {
        0 => "null".to_owned(),
        1 => random.next().to_string(),
        2 => format!("-{}.{}e{}", random.byte(), random.byte(), random.byte()),
        3 => format!("{:?}", String::from_utf8_lossy(&random.bytes(20))),
        4 => format!(r#""\ud8{:02x}\u{:04x}""#, random.byte(), random.byte()),
        5 => {
            let values: Vec<_> = (0..random.below(4)).map(|_| value(random, depth - 1)).collect();
            format!("[{}]", values.join(","))
        }
        _ => {
            let key = random.pick(&["type", "text", "roomId", "\\u0000", ""]);
            format!(r#"{{"{key}":{}}}"#, value(random, depth - 1))
        }
    }
}
