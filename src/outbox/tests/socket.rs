//! Outboxes over real sockets: full kernel buffers, resets, and the flusher's thread.

use std::io::Read;
use std::net::TcpListener;
use std::thread;

use super::*;

/// An outbox over a real socket, the client's end of it, and the flusher, which does not run yet.
fn outbox_and_client(max_queued: usize) -> (Arc<Outbox>, TcpStream, FlusherThread) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let tcp = Tcp::Own(listener.accept().unwrap().0);
    let (handle, flusher) = Flusher::new(Memory::plenty()).unwrap();
    let outbox = Outbox::new(parts(CONNECTION, tcp, bounds(max_queued), &Arc::new(handle)));
    (outbox, client, flusher)
}

/// Sends frames until one has to wait; returns how many bytes that took.
fn fill_socket(outbox: &Arc<Outbox>) -> usize {
    let mut sent = 0;
    while is_flushed(outbox) {
        let chunk = frame(b'f', 100_000);
        send(outbox, &chunk).unwrap();
        sent += chunk.len();
    }
    sent
}

/// Drops the outbox and reads to the end, with the flusher on a thread of its own as in the server.
fn read_to_end(outbox: Arc<Outbox>, mut client: TcpStream, flusher: FlusherThread) -> Vec<u8> {
    let flushing = thread::spawn(|| flusher.run());
    drop(outbox);
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    drop(client);
    flushing.join().unwrap().unwrap();
    received
}

#[test]
fn the_flusher_sends_what_a_full_socket_did_not_take() {
    let (outbox, client, flusher) = outbox_and_client(usize::MAX);
    let mut expected = fill_socket(&outbox);
    for fill in *b"xyz" {
        let chunk = frame(fill, 1_000);
        send(&outbox, &chunk).unwrap();
        expected += chunk.len();
    }
    let long = frame(b'l', 20_000_000);
    send(&outbox, &long).unwrap();
    let received = read_to_end(outbox, client, flusher);
    assert_eq!(received.len(), expected + long.len());
    let tail = &received[expected - 3_000..expected];
    assert_eq!(tail, [frame(b'x', 1_000), frame(b'y', 1_000), frame(b'z', 1_000)].concat());
    assert!(received.ends_with(&long));
}

#[test]
fn a_full_socket_is_cut_at_a_frame_boundary() {
    let (outbox, client, flusher) = outbox_and_client(usize::MAX);
    let many = [frame(b'a', 100_000).as_ref(), &frame(b'b', 100_000)].concat().repeat(100);
    let many = Bytes::from(many);
    send(&outbox, &many).unwrap();
    assert!(!is_flushed(&outbox), "20 MB are more than a socket takes");
    outbox.finish(CloseReason::SlowConsumer, soon());
    let received = read_to_end(outbox, client, flusher);
    let close = close_frame(CloseReason::SlowConsumer).unwrap();
    let frames = received.len() - close.len();
    assert_eq!(frames % 100_000, 0, "whole frames only");
    assert!(frames < many.len());
    assert_eq!(received[..frames], many[..frames]);
    assert!(received.ends_with(&close));
}

#[test]
fn nothing_is_queued_for_a_socket_that_was_reset() {
    let (outbox, client, _flusher) = outbox_and_client(1_000);
    // Closing with unread input sends RST.
    send(&outbox, &ping_frame()).unwrap();
    client.peek(&mut [0]).unwrap();
    drop(client);
    while outbox.hot.writer.guard().state != State::Broken {
        send(&outbox, &ping_frame()).unwrap();
    }
    send(&outbox, &frame(b'x', 1_000_000)).unwrap();
    assert!(is_flushed(&outbox));
}
