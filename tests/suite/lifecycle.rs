//! Starting and stopping the server as a library: every client is told, and no thread or port remains
//! in use.

use std::collections::BTreeMap;
use std::env;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use wschat::{Server, Settings, StartError};

use crate::client::{Client, Endpoint, PATIENCE, UPGRADE};
use crate::frame::{CLOSE, PING, masked};
use crate::host::{Host, eventually, threads_of};

/// Set in the child process of [`in_own_process`].
const IN_OWN_PROCESS: &str = "WSCHAT_TEST_IN_OWN_PROCESS";

/// Runs the test of this name in a process of its own, so that it can count threads.
#[track_caller]
fn in_own_process(test: &str, run: impl FnOnce()) {
    if env::var_os(IN_OWN_PROCESS).is_some() {
        return run();
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(IN_OWN_PROCESS, "1")
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
fn expect_port_free(endpoint: &Endpoint) {
    assert!(TcpStream::connect(endpoint.address).is_err(), "the port is in use");
    TcpListener::bind(endpoint.address).expect("the address is free");
}

/// A user in room 1 who does not read, with more in its outbox than its socket takes.
pub(crate) fn slow_consumer(endpoint: &Endpoint) -> Client {
    let mut speaker = endpoint.member();
    let slow_consumer = endpoint.connect_with_small_buffer().into_user().into_member();
    speaker.text();
    let text = "x".repeat(4_000);
    for _ in 0..200 {
        speaker.say(&text);
        speaker.text();
    }
    slow_consumer
}

#[test]
fn a_shutdown_closes_every_client_with_1001() {
    for host in [Host::start(), Host::with_tls(|_| {})] {
        let mut outside = host.endpoint.user();
        let mut member = host.endpoint.member();
        host.handle.shutdown();
        for client in [&mut outside, &mut member] {
            let (code, text) = client.skip_to_close();
            assert_eq!((code, &*text), (1001, "server stopping"));
        }
        drop((outside, member));
        host.handle.join().unwrap();
        expect_port_free(&host.endpoint);
    }
}

/// With a socket that systemd keeps, a restart refuses nobody: also not who has been accepted last.
#[test]
fn a_handshake_that_has_just_begun_is_not_cut_off_by_the_shutdown() {
    let is_answered = || {
        let host = Host::start();
        let (mut client, (first, rest)) = (host.endpoint.connect(), UPGRADE.split_at(20));
        client.send(first);
        // Connections are accepted in order.
        let mut next = host.endpoint.user();
        host.handle.shutdown();
        assert_eq!(next.skip_to_close().0, 1001);
        let answer = client.try_send(rest).ok().and_then(|()| client.read_to_head());
        drop((client, next));
        host.handle.join().unwrap();
        answer.is_some_and(|head| head.starts_with("HTTP/1.1 101 "))
    };
    // A machine that stands still for half a second may miss it now and then.
    let answered = (0..20).filter(|_| is_answered()).count();
    assert!(answered >= 10, "{answered} of 20");
}

#[test]
fn requests_before_the_shutdown_are_answered() {
    let host = Host::with(|settings| settings.limits.messages_per_second = 0.0);
    let mut user = host.endpoint.member();
    for number in 0..100 {
        user.say(&number.to_string());
    }
    user.expect(r#"{"type":"text","text":"0","from":{"id":1,"name":"User 1"}}"#);
    host.handle.shutdown();
    // Those that arrived in time are answered without a gap, and the Close frame comes last.
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
    in_own_process("lifecycle::after_join_no_thread_is_left", || {
        assert_eq!(threads(), BTreeMap::new());
        let host = Host::start();
        let clients: Vec<Client> = (0..20).map(|_| host.endpoint.member()).collect();
        let silent = host.endpoint.connect();
        let expected =
            [("dispatcher", 1), ("flusher", 1), ("listener", 1), ("recall", 1), ("session", 21)];
        let expected = expected.map(|(name, count)| (name.to_owned(), count));
        eventually("every connection has a thread", || {
            threads() == BTreeMap::from(expected.clone())
        });
        host.handle.shutdown();
        drop((clients, silent));
        host.handle.join().unwrap();
        // The kernel may list a joined thread for another moment.
        eventually("no thread is left", || threads().is_empty());
        expect_port_free(&host.endpoint);
    });
}

#[test]
fn a_session_that_ends_ends_its_thread() {
    in_own_process("lifecycle::a_session_that_ends_ends_its_thread", || {
        let host = Host::start();
        for _ in 0..10 {
            host.endpoint.member().close();
            drop(host.endpoint.member());
            host.endpoint.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        }
        eventually("no session is left", || !threads().contains_key("session"));
    });
}

#[test]
fn dropping_the_handle_is_a_shutdown_and_leaves_no_thread() {
    in_own_process("lifecycle::dropping_the_handle_is_a_shutdown_and_leaves_no_thread", || {
        let host = Host::start();
        let mut user = host.endpoint.user();
        let endpoint = host.endpoint.clone();
        drop(host);
        assert_eq!(user.skip_to_close().0, 1001);
        drop(user);
        eventually("no thread is left", || threads().is_empty());
        expect_port_free(&endpoint);
    });
}

#[test]
fn shutdown_and_join_may_be_repeated() {
    let host = Host::start();
    host.handle.shutdown();
    host.handle.shutdown();
    host.handle.join().unwrap();
    host.handle.join().unwrap();
    host.handle.shutdown();
}

#[test]
fn one_thread_may_join_while_another_shuts_down() {
    let host = Host::start();
    let mut user = host.endpoint.user();
    thread::scope(|scope| {
        let joined = scope.spawn(|| host.handle.join());
        user.expect_nothing_more();
        let is_joined = joined.is_finished();
        host.handle.shutdown();
        assert!(!is_joined, "the server still ran");
        assert_eq!(user.skip_to_close().0, 1001);
        drop(user);
        joined.join().unwrap().unwrap();
    });
}

#[test]
fn servers_in_one_process_are_independent() {
    let hosts = [Host::start(), Host::with_tls(|_| {}), Host::start()];
    let mut users: Vec<Client> = hosts.iter().map(|host| host.endpoint.member()).collect();
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
    let mut clients: Vec<Client> = (0..8).map(|_| host.endpoint.member()).collect();
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                // Sends the next text when the last has come back, until the Close frame comes.
                let text = "x".repeat(200);
                let until = Instant::now() + PATIENCE * 2;
                loop {
                    assert!(Instant::now() < until, "the server goes on");
                    client.say(&text);
                    let frame = client.frame();
                    if frame.first == CLOSE {
                        assert_eq!(frame.close_reason().0, 1001);
                        return client.expect_end();
                    }
                }
            });
        }
        let mut witness = host.endpoint.member();
        for _ in 0..1_000 {
            witness.frame();
        }
        host.handle.shutdown();
        assert_eq!(witness.skip_to_close().0, 1001);
    });
    drop(clients);
    host.handle.join().unwrap();
    expect_port_free(&host.endpoint);
}

#[test]
fn a_slow_consumer_delays_the_shutdown_no_longer_than_the_drain_timeout() {
    let host = Host::with(|settings| {
        settings.limits.messages_per_second = 0.0;
        settings.limits.drain_timeout_ms = 1_000;
    });
    let _stuffed = slow_consumer(&host.endpoint);
    let began = Instant::now();
    host.handle.shutdown();
    host.handle.join().unwrap();
    let elapsed = began.elapsed();
    // The timeout is 1,000 ms. Less than 500 ms would mean that the server did not drain.
    assert!(elapsed > Duration::from_millis(500), "{elapsed:?}");
    assert!(elapsed < Duration::from_millis(1_500), "{elapsed:?}");
}

#[test]
fn one_client_that_does_not_close_holds_up_nobody() {
    for host in [Host::with(|settings| settings.limits.drain_timeout_ms = 600_000), {
        Host::with_tls(|settings| settings.limits.drain_timeout_ms = 600_000)
    }] {
        let stays = host.endpoint.member();
        let mut others: Vec<Client> = (0..20).map(|_| host.endpoint.user()).collect();
        // It has its response, and keeps the connection.
        let visitor = host.endpoint.connect();
        host.handle.shutdown();
        for client in &mut others {
            assert_eq!(client.skip_to_close().0, 1001);
        }
        drop(others);
        let began = Instant::now();
        host.handle.join().unwrap();
        assert!(began.elapsed() < PATIENCE / 3, "{:?}", began.elapsed());
        drop((stays, visitor));
    }
}

#[test]
fn a_client_that_reads_slowly_gets_everything_before_the_end() {
    let host = Host::with(|settings| {
        settings.limits.messages_per_second = 0.0;
        settings.limits.drain_timeout_ms = 600_000;
    });
    let mut slow = slow_consumer(&host.endpoint);
    let mut stays = host.endpoint.user();
    host.handle.shutdown();
    // The one that has been sent everything is cut off meanwhile.
    assert_eq!(stays.frame().close_reason().0, 1001);
    eventually("it is cut off", || stays.try_send(masked(PING, b"")).is_err());
    let mut texts = 0;
    let code = loop {
        let frame = slow.frame();
        if frame.first == CLOSE {
            break frame.close_reason().0;
        }
        texts += usize::from(frame.payload.starts_with(b"{\"type\":\"text\""));
    };
    assert_eq!((code, texts), (1001, 200));
    host.handle.join().unwrap();
}

#[test]
fn without_a_drain_timeout_the_shutdown_does_not_wait() {
    let host = Host::with(|settings| {
        settings.limits.messages_per_second = 0.0;
        settings.limits.drain_timeout_ms = 0;
    });
    let _stuffed = slow_consumer(&host.endpoint);
    let began = Instant::now();
    host.stop();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_shutdown_does_not_wait_for_handshakes() {
    for host in [Host::start(), Host::with_tls(|_| {})] {
        let bare = Endpoint { address: host.endpoint.address, root: None };
        let mut silent = bare.connect();
        let mut half = bare.connect();
        half.send("GET / HTT");
        let began = Instant::now();
        host.stop();
        assert!(began.elapsed() < PATIENCE / 10, "{:?}", began.elapsed());
        silent.expect_cut();
        half.expect_cut();
    }
}

#[test]
fn a_port_in_use_is_reported() {
    let host = Host::start();
    let port = host.endpoint.address.port();
    let error = Server::start(Settings { port, ..Settings::default() }).unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&format!("127.0.0.1 port {port}")), "{text}");
    assert!(text.contains("another program listens there"), "{text}");
}

#[test]
fn dropping_a_server_that_never_ran_frees_its_port() {
    let server = Server::bind(Settings { port: 0, ..Settings::default() }).unwrap();
    let endpoint = Endpoint { address: server.local_addr(), root: None };
    let mut early = endpoint.connect();
    drop(server);
    early.expect_cut();
    expect_port_free(&endpoint);
}
