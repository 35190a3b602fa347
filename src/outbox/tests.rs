use std::io::Read;
use std::net::TcpListener;

use bytes::BufMut;

use super::*;
use crate::net::admission::{Admission, AdmissionLimits, Admitted};
use crate::protocol::ping_frame;

/// What goes out in front of the first frame.
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";

fn bounds(max_queued: usize) -> Bounds {
    Bounds { max_queued, write_timeout: Duration::from_secs(10) }
}

/// An outbox, the other end of its socket, and the flusher, which does not run.
fn unanswered(bounds: Bounds) -> (Arc<Outbox>, TcpStream, Flushing) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let tcp = Tcp::Own(listener.accept().unwrap().0);
    let admission = Arc::<Admission>::default();
    let Admitted::Serve(ticket) = admission.admit(None, AdmissionLimits::default()) else {
        panic!("no limit")
    };
    let (flusher, flushing) = Flusher::new().unwrap();
    let answer = Bytes::from_static(ANSWER);
    let outbox = Outbox::new(
        Stream::Plain,
        tcp,
        (ConnectionId(1), ticket),
        answer,
        bounds,
        Arc::new(flusher),
    );
    (Arc::new(outbox), client, flushing)
}

/// The same, with the answer and a ping behind it.
pub(crate) fn outbox_and_client(max_queued: usize) -> (Arc<Outbox>, TcpStream, Flushing) {
    let (outbox, mut client, flushing) = unanswered(bounds(max_queued));
    outbox.send(&[Piece::whole(&ping_frame())]).unwrap();
    client.read_exact(&mut [0; ANSWER.len() + 2]).unwrap();
    (outbox, client, flushing)
}

/// A text frame of `len` bytes in all, filled with `fill`.
fn frame(fill: u8, len: usize) -> Bytes {
    let mut frame = BytesMut::with_capacity(len);
    frame.put_slice(&[0x81, 127]);
    frame.put_u64((len - 10) as u64);
    frame.put_bytes(fill, len - 10);
    frame.freeze()
}

/// Sends frames until one has to wait; returns how many bytes that took.
fn fill_socket(outbox: &Arc<Outbox>) -> usize {
    let mut sent = 0;
    while is_flushed(outbox) {
        let chunk = frame(b'f', 100_000);
        outbox.send(&[Piece::whole(&chunk)]).unwrap();
        sent += chunk.len();
    }
    sent
}

fn is_flushed(outbox: &Outbox) -> bool {
    outbox.lock().is_flushed()
}

/// Flushes as long as it takes the client to read.
pub(crate) fn flush_whole(outbox: &Outbox) {
    while matches!(outbox.flush(), Flushed::InPart(_)) {
        std::thread::yield_now();
    }
}

/// Reads to the end while flushing, as flusher and client would.
fn read_to_end(outbox: &Outbox, mut client: TcpStream) -> Vec<u8> {
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut received = Vec::new();
            client.read_to_end(&mut received).map(|_| received)
        });
        flush_whole(outbox);
        // It fails when the outbox has done so itself, and the client is gone already.
        let _ = outbox.tcp().shutdown(Shutdown::Write);
        reading.join().unwrap().unwrap()
    })
}

#[test]
fn what_the_socket_takes_is_written_at_once_and_calls_nobody() {
    let (outbox, mut client, flushing) = outbox_and_client(1_000);
    let chunk = Bytes::from_static(b"\x81\x01a\x81\x01b\x81\x01c");
    let pieces =
        [Piece { chunk: &chunk, start: 3, end: 9 }, Piece { chunk: &chunk, start: 0, end: 3 }];
    outbox.send(&pieces).unwrap();
    let mut received = [0; 9];
    client.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"\x81\x01b\x81\x01c\x81\x01a");
    assert!(is_flushed(&outbox));
    assert_eq!(flushing.called(), 0);
}

#[test]
fn the_answer_goes_out_with_the_first_frame() {
    let (outbox, mut client, _flushing) = unanswered(bounds(1_000));
    outbox.finish(CloseReason::ServerStopping, Instant::now());
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    assert_eq!(received, [ANSWER, b"\x88\x11\x03\xe9server stopping"].concat());
}

#[test]
fn the_backlog_is_cut_behind_the_answer_too() {
    let (outbox, client, _flushing) = unanswered(bounds(usize::MAX));
    // No room for the answer, let alone for what follows.
    while fill(outbox.tcp()) {}
    outbox.send(&[Piece::whole(&frame(b'a', 20_000))]).unwrap();
    outbox.send(&[Piece::whole(&frame(b'b', 20_000))]).unwrap();
    outbox.finish(CloseReason::SlowConsumer, Instant::now());
    let received = read_to_end(&outbox, client);
    let close = close_frame(CloseReason::SlowConsumer).unwrap();
    let received =
        received.iter().position(|byte| *byte != b'.').map(|at| &received[at..]).unwrap();
    // The socket may have had room for a little of it after all.
    let whole = [ANSWER, &frame(b'a', 20_000), &close].concat();
    assert!(received == [ANSWER, &close].concat() || received == whole);
}

/// Writes past the outbox; false when the socket takes nothing more.
fn fill(tcp: &TcpStream) -> bool {
    crate::net::stream::write_now(tcp, &[b'.'; 4096]).is_ok()
}

#[test]
fn the_rest_is_queued_the_flusher_called_once_and_the_order_kept() {
    let (outbox, client, flushing) = outbox_and_client(usize::MAX);
    let mut expected = fill_socket(&outbox);
    assert_eq!(flushing.called(), 1);
    for fill in *b"xyz" {
        let chunk = frame(fill, 1_000);
        outbox.send(&[Piece::whole(&chunk)]).unwrap();
        expected += chunk.len();
    }
    assert_eq!(flushing.called(), 1, "the flusher knows already");
    let received = read_to_end(&outbox, client);
    assert_eq!(received.len(), expected);
    let tail = &received[expected - 3_000..];
    assert_eq!(tail, [frame(b'x', 1_000), frame(b'y', 1_000), frame(b'z', 1_000)].concat());
    assert!(is_flushed(&outbox));
}

#[test]
fn a_full_outbox_takes_nothing_more_but_one_long_frame_never_fills_it() {
    let (outbox, _client, _flushing) = outbox_and_client(50_000);
    fill_socket(&outbox);
    let ping = ping_frame();
    let mut taken = 0;
    while outbox.send(&[Piece::whole(&frame(b'm', 30_000))]).is_ok() {
        taken += 1;
    }
    assert!(taken <= 2, "{taken} frames of 30,000 bytes in a queue of 50,000");
    assert_eq!(outbox.send(&[Piece::whole(&ping)]), Err(Full));

    let (outbox, client, _flushing) = outbox_and_client(50_000);
    let long = frame(b'l', 20_000_000);
    assert_eq!(outbox.send(&[Piece::whole(&long)]), Ok(()));
    assert_eq!(read_to_end(&outbox, client), long);
}

#[test]
fn the_close_frame_comes_last_and_nothing_after_it() {
    let (outbox, client, _flushing) = outbox_and_client(1_000);
    outbox.send(&[Piece::whole(&Bytes::from_static(b"\x81\x01a"))]).unwrap();
    outbox.finish(CloseReason::ServerStopping, Instant::now());
    outbox.finish(CloseReason::TooFast, Instant::now());
    outbox.send(&[Piece::whole(&ping_frame())]).unwrap();
    assert_eq!(outbox.ending().unwrap().reason, CloseReason::ServerStopping);
    assert_eq!(read_to_end(&outbox, client), b"\x81\x01a\x88\x11\x03\xe9server stopping");
}

#[test]
fn a_slow_consumer_gets_the_rest_of_a_begun_frame_and_then_the_close_frame() {
    let (outbox, client, _flushing) = outbox_and_client(usize::MAX);
    let begun = fill_socket(&outbox);
    // Two more frames in the begun chunk's place in the queue, and one chunk behind it.
    outbox.send(&[Piece::whole(&frame(b'x', 100_000))]).unwrap();
    outbox.finish(CloseReason::SlowConsumer, Instant::now());
    let received = read_to_end(&outbox, client);
    let close = close_frame(CloseReason::SlowConsumer).unwrap();
    assert_eq!(received.len(), begun + close.len());
    assert!(received.ends_with(&close));
    assert!(!received.contains(&b'x'));
}

#[test]
fn the_backlog_is_cut_at_the_next_frame_inside_a_chunk() {
    let (outbox, client, _flushing) = outbox_and_client(usize::MAX);
    let many = [frame(b'a', 100_000).as_ref(), &frame(b'b', 100_000)].concat().repeat(100);
    let many = Bytes::from(many);
    outbox.send(&[Piece::whole(&many)]).unwrap();
    assert!(!is_flushed(&outbox), "20 MB are more than a socket takes");
    outbox.finish(CloseReason::SlowConsumer, Instant::now());
    let received = read_to_end(&outbox, client);
    let close = close_frame(CloseReason::SlowConsumer).unwrap();
    let frames = received.len() - close.len();
    assert_eq!(frames % 100_000, 0, "whole frames only");
    assert!(frames < many.len());
    assert_eq!(received[..frames], many[..frames]);
    assert!(received.ends_with(&close));
}

#[test]
fn a_client_that_takes_nothing_for_too_long_is_not_sent_more() {
    for (seconds, is_taken) in [(10, Ok(())), (0, Err(Full))] {
        let write_timeout = Duration::from_secs(seconds);
        let (outbox, _client, _flushing) =
            unanswered(Bounds { max_queued: usize::MAX, write_timeout });
        fill_socket(&outbox);
        assert_eq!(outbox.send(&[Piece::whole(&ping_frame())]), is_taken);
    }
}

#[test]
fn a_broken_socket_swallows_what_is_sent() {
    let (outbox, client, _flushing) = outbox_and_client(1_000);
    // Closing with unread input sends RST.
    outbox.send(&[Piece::whole(&ping_frame())]).unwrap();
    client.peek(&mut [0]).unwrap();
    drop(client);
    while !outbox.lock().broken {
        outbox.send(&[Piece::whole(&ping_frame())]).unwrap();
    }
    outbox.send(&[Piece::whole(&frame(b'x', 1_000_000))]).unwrap();
    assert!(is_flushed(&outbox));
}
