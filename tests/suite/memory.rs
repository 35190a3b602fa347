//! All clients together may take only so much memory, and whoever takes most gives first.

use std::io::ErrorKind;

use crate::admin::{get, socket};
use crate::client::{Client, UPGRADE, V2};
use crate::frame::{self, Frame};
use crate::host::{Host, eventually};

/// The least that the settings allow: room for 128 connections, 4 MiB of frames, and 1 MiB of messages that
/// have come in part.
const LITTLE: usize = 16 << 20;

#[test]
fn there_are_no_more_connections_than_the_memory_allows() {
    let host = Host::with(|settings| settings.limits.max_memory_bytes = LITTLE);
    let users: Vec<Client> = (0..128).map(|_| host.endpoint.user()).collect();
    let mut refused = host.endpoint.connect();
    refused.send(UPGRADE);
    assert_eq!(refused.response().status, 503);
    drop(users);
}

#[test]
fn queues_that_need_too_much_memory_are_closed_and_nobody_else_notices() {
    let (_directory, socket) = socket();
    let host = Host::with(|settings| {
        settings.admin.listen = Some(socket.display().to_string());
        settings.limits.max_memory_bytes = LITTLE;
        settings.limits.messages_per_second = 0.0;
        settings.limits.max_message_bytes = 1 << 20;
        settings.limits.max_text_chars = 1_000_000;
        settings.limits.outbox_max_bytes = 64 << 20;
    });
    let mut author = host.endpoint.v2_user();
    author.request(r#"{"type":"enter_room","roomId":1}"#);
    author.skip_to("room");
    author.say(&"x".repeat(900_000));
    author.skip_to("text");
    let mut members = [host.endpoint.member(), host.endpoint.member()];

    let mut greedy: Vec<Client> = (0..6)
        .map(|_| {
            let mut client = host.endpoint.connect_with_small_buffer().offer(V2).0;
            for _ in 0..20 {
                client.request(r#"{"type":"history","roomId":1}"#);
            }
            client.request(r#"{"type":"leave_room"}"#);
            client
        })
        .collect();
    // Closed, or answered up to the last request. Who reads too late is cut off before its Close frame.
    let ends = greedy.iter_mut().filter_map(|client| {
        loop {
            match client.frame_or_cut() {
                Ok(Some(frame)) if frame.payload.starts_with(br#"{"type":"error""#) => return None,
                Ok(Some(Frame { first: frame::CLOSE, payload })) => return Some(Some(payload)),
                Ok(Some(_)) => {}
                Ok(None) => return Some(None),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Some(None),
                Err(error) => panic!("{error}"),
            }
        }
    });
    let slow = [&1013_u16.to_be_bytes()[..], b"slow consumer"].concat();
    let ends: Vec<Option<Vec<u8>>> = ends.collect();
    assert!(
        !ends.is_empty(),
        "6 times 20 answers of 900 KB do not fit into 4 MiB and the buffers of the kernel"
    );
    assert!(ends.iter().flatten().all(|payload| *payload == slow));
    // The server counts an ending after the client has seen it.
    eventually("each is counted as a slow consumer, and nobody else", || {
        let page = String::from_utf8(get(&socket, "/metrics").body).unwrap();
        let sample = r#"wschat_connection_endings_total{reason="slow_consumer"} "#;
        let count = page.lines().find_map(|line| line.strip_prefix(sample));
        count.expect(&page).parse() == Ok(ends.len())
    });
    members[0].say("still here");
    members[1].skip_to("text");
}

#[test]
fn messages_that_come_in_part_leave_room_for_others() {
    let part = [frame::header(frame::TEXT, 65_000), vec![b' '; 60_000]].concat();
    check_parts(&part, &vec![b' '; 5_000]);
}

/// What comes between the fragments of a message does not complete it.
#[test]
fn fragments_with_pongs_between_them_leave_room_for_others() {
    let first = frame::masked(frame::FIRST_FRAGMENT, &vec![b' '; 60_000]);
    let part = [first, frame::masked(frame::PONG, b"")].concat();
    let last = frame::masked(frame::LAST_FRAGMENT, &vec![b' '; 4_000]);
    check_parts(&part, &last);
}

/// Sends this part of a message from many clients, and then its rest.
fn check_parts(part: &[u8], rest: &[u8]) {
    let host = Host::with(|settings| {
        settings.limits.max_memory_bytes = LITTLE;
        settings.limits.messages_per_second = 0.0;
    });
    let mut hoarders: Vec<Client> = (0..40)
        .map(|_| {
            let mut client = host.endpoint.user();
            client.send(part);
            client
        })
        .collect();
    let mut calm = host.endpoint.member();
    calm.say("still here");
    calm.skip_to("text");
    // The rest of the message shows whether the part was kept.
    let mut closed = 0;
    for client in &mut hoarders {
        if client.try_send(rest).is_err()
            || client.frame_or_end().is_none_or(|it| it.first == frame::CLOSE)
        {
            closed += 1;
        }
    }
    assert!(closed > 20, "40 parts of 60 KB do not fit into 1 MiB: {closed}");
}
