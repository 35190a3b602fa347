//! Starting and stopping a server as a library: everyone is told, and nothing is left behind.

use std::collections::BTreeMap;
use std::env;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use wschat::{Server, Settings, StartError};

use crate::client::{Client, Door, PATIENCE};
use crate::frame::CLOSE;
use crate::host::{Host, eventually, threads_of};

/// Says to the child of [`alone`] that it is the one.
const IS_ALONE: &str = "WSCHAT_TEST_IS_ALONE";

/// Runs the test of this name in a process of its own, where all threads are its own.
#[track_caller]
fn alone(test: &str, run: impl FnOnce()) {
    if env::var_os(IS_ALONE).is_some() {
        return run();
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(IS_ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}

/// The server's threads in this process, by kind.
fn threads() -> BTreeMap<String, usize> {
    threads_of("self")
}

#[track_caller]
fn expect_that_nobody_listens(door: &Door) {
    assert!(TcpStream::connect(door.address).is_err(), "somebody listens");
    TcpListener::bind(door.address).expect("the address is free again");
}

/// A user in room 1 who does not read, for whom more is waiting than goes into the socket. Everyone
/// is welcome to leave it alone.
pub(crate) fn stuffed(door: &Door) -> Client {
    let mut speaker = door.member();
    let stuffed = door.knock_narrowly().into_user().into_member();
    speaker.text();
    let text = "x".repeat(4_000);
    for _ in 0..200 {
        speaker.say(&text);
        speaker.text();
    }
    stuffed
}

#[test]
fn a_shutdown_is_told_to_everyone() {
    for host in [Host::start(), Host::with_tls(|_| {})] {
        let mut outside = host.door.user();
        let mut member = host.door.member();
        host.handle.shutdown();
        for client in [&mut outside, &mut member] {
            let (code, text) = client.skip_to_close();
            assert_eq!((code, &*text), (1001, "server stopping"));
        }
        drop((outside, member));
        host.handle.join().unwrap();
        expect_that_nobody_listens(&host.door);
    }
}

#[test]
fn what_was_asked_before_the_shutdown_is_answered() {
    let host = Host::with(|settings| settings.limits.messages_per_second = 0.0);
    let mut user = host.door.member();
    for number in 0..100 {
        user.say(&number.to_string());
    }
    user.expect(r#"{"type":"text","text":"0","from":{"id":1,"name":"User 1"}}"#);
    host.handle.shutdown();
    // However many got through: none is missing, and the Close frame comes last.
    let mut number = 1;
    loop {
        let frame = user.frame();
        if frame.first == CLOSE {
            assert_eq!(frame.close_reason().0, 1001);
            break;
        }
        let expected =
            format!(r#"{{"type":"text","text":"{number}","from":{{"id":1,"name":"User 1"}}}}"#);
        assert_eq!(String::from_utf8(frame.payload).unwrap(), expected);
        number += 1;
    }
    user.expect_end();
}

#[test]
fn after_join_no_thread_is_left() {
    alone("lifecycle::after_join_no_thread_is_left", || {
        assert_eq!(threads(), BTreeMap::new());
        let host = Host::start();
        let clients: Vec<Client> = (0..20).map(|_| host.door.member()).collect();
        let silent = host.door.knock();
        let expected =
            [("dispatcher", 1), ("flusher", 1), ("listener", 1), ("recall", 1), ("session", 21)];
        let expected = expected.map(|(name, count)| (name.to_owned(), count));
        eventually("everyone has a thread", || threads() == BTreeMap::from(expected.clone()));
        host.handle.shutdown();
        drop((clients, silent));
        host.handle.join().unwrap();
        // A thread that was joined is still listed for a moment, while the kernel takes it down.
        eventually("no thread is left", || threads().is_empty());
        expect_that_nobody_listens(&host.door);
    });
}

#[test]
fn a_session_that_ends_takes_its_thread_along() {
    alone("lifecycle::a_session_that_ends_takes_its_thread_along", || {
        let host = Host::start();
        for _ in 0..10 {
            host.door.member().close();
            drop(host.door.member());
            host.door.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        }
        eventually("no session is left", || !threads().contains_key("session"));
    });
}

#[test]
fn dropping_the_handle_is_a_shutdown_and_leaves_no_thread() {
    alone("lifecycle::dropping_the_handle_is_a_shutdown_and_leaves_no_thread", || {
        let host = Host::start();
        let mut user = host.door.user();
        let door = host.door.clone();
        drop(host);
        assert_eq!(user.skip_to_close().0, 1001);
        drop(user);
        eventually("no thread is left", || threads().is_empty());
        expect_that_nobody_listens(&door);
    });
}

#[test]
fn shutting_down_and_joining_twice_is_once() {
    let host = Host::start();
    host.handle.shutdown();
    host.handle.shutdown();
    host.handle.join().unwrap();
    host.handle.join().unwrap();
    host.handle.shutdown();
}

#[test]
fn another_thread_may_join_while_one_shuts_down() {
    let host = Host::start();
    let mut user = host.door.user();
    thread::scope(|scope| {
        let joined = scope.spawn(|| host.handle.join());
        user.expect_nothing_more();
        assert!(!joined.is_finished(), "the server serves");
        host.handle.shutdown();
        assert_eq!(user.skip_to_close().0, 1001);
        drop(user);
        joined.join().unwrap().unwrap();
    });
}

#[test]
fn servers_in_one_process_know_nothing_of_each_other() {
    let hosts = [Host::start(), Host::with_tls(|_| {}), Host::start()];
    let mut users: Vec<Client> = hosts.iter().map(|host| host.door.member()).collect();
    for user in &mut users {
        assert_eq!(user.id, 1);
        user.say("here");
        user.expect(r#"{"type":"text","text":"here","from":{"id":1,"name":"User 1"}}"#);
    }
    let [first, ..] = &hosts;
    first.handle.shutdown();
    assert_eq!(users.remove(0).skip_to_close().0, 1001);
    first.handle.join().unwrap();
    for user in &mut users {
        user.expect_nothing_more();
    }
}

#[test]
fn a_shutdown_under_load() {
    let host = Host::with(|settings| {
        settings.limits.messages_per_second = 0.0;
        settings.limits.drain_timeout_ms = 10_000;
    });
    let mut clients: Vec<Client> = (0..8).map(|_| host.door.member()).collect();
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                // As fast as it comes back, until the Close frame comes back instead.
                let text = "x".repeat(200);
                loop {
                    client.say(&text);
                    let frame = client.frame();
                    if frame.first == CLOSE {
                        assert_eq!(frame.close_reason().0, 1001);
                        return client.expect_end();
                    }
                }
            });
        }
        let mut witness = host.door.member();
        for _ in 0..1_000 {
            witness.frame();
        }
        host.handle.shutdown();
        assert_eq!(witness.skip_to_close().0, 1001);
    });
    drop(clients);
    host.handle.join().unwrap();
    expect_that_nobody_listens(&host.door);
}

#[test]
fn one_who_never_reads_delays_the_end_no_longer_than_allowed() {
    let host = Host::with(|settings| {
        settings.limits.messages_per_second = 0.0;
        settings.limits.drain_timeout_ms = 1_000;
    });
    let _stuffed = stuffed(&host.door);
    let began = Instant::now();
    host.handle.shutdown();
    host.handle.join().unwrap();
    let elapsed = began.elapsed();
    // 1,000 ms is the limit. Less than 500 would mean that nobody was waited for.
    assert!(elapsed > Duration::from_millis(500), "{elapsed:?}");
    assert!(elapsed < Duration::from_millis(1_500), "{elapsed:?}");
}

#[test]
fn without_a_drain_the_end_comes_at_once() {
    let host = Host::with(|settings| {
        settings.limits.messages_per_second = 0.0;
        settings.limits.drain_timeout_ms = 0;
    });
    let _stuffed = stuffed(&host.door);
    let began = Instant::now();
    host.stop();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn those_who_have_not_shaken_hands_are_not_waited_for() {
    for host in [Host::start(), Host::with_tls(|_| {})] {
        let bare = Door { address: host.door.address, root: None };
        let mut silent = bare.knock();
        let mut half = bare.knock();
        half.send("GET / HTT");
        let began = Instant::now();
        host.stop();
        assert!(began.elapsed() < PATIENCE / 10, "{:?}", began.elapsed());
        silent.expect_cut();
        half.expect_cut();
    }
}

#[test]
fn a_port_in_use_is_an_error_that_says_so() {
    let host = Host::start();
    let port = host.door.address.port();
    let error = Server::start(Settings { port, ..Settings::default() }).unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&format!("127.0.0.1 port {port}")), "{text}");
    assert!(text.contains("another program listens there"), "{text}");
}

#[test]
fn a_server_that_is_bound_but_does_not_run_frees_its_port() {
    let server = Server::bind(Settings { port: 0, ..Settings::default() }).unwrap();
    let door = Door { address: server.local_addr(), root: None };
    let mut early = door.knock();
    drop(server);
    early.expect_cut();
    expect_that_nobody_listens(&door);
}
