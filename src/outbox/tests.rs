//! Outboxes over connections in memory, with the flusher driven by hand. What only the kernel can show is
//! in `socket`.

mod socket;
mod turns;

use bytes::BufMut;

use super::memory::parts;
use super::*;
use crate::memory::Memory;
use crate::net::stream::MemorySocket;
use crate::protocol::ping_frame;

/// What goes out in front of the first frame.
const UPGRADE_RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";

const CONNECTION: ConnectionId = ConnectionId(1);

/// An outbox, its client, and the flusher.
struct Rig {
    outbox: Arc<Outbox>,
    socket: MemorySocket,
    flusher: FlusherThread,
}

impl Rig {
    fn new(max_queued: usize) -> Self {
        let (handle, flusher) = Flusher::new(Memory::plenty()).unwrap();
        let (outbox, socket) = memory_outbox(CONNECTION, max_queued, &Arc::new(handle));
        Self { outbox, socket, flusher }
    }

    /// With these bounds, and a client that has not been sent its upgrade response.
    fn not_upgraded(bounds: Arc<Bounds>) -> Self {
        let (handle, flusher) = Flusher::new(Memory::plenty()).unwrap();
        let socket = MemorySocket::new();
        let tcp = Tcp::Memory(socket.clone());
        let upgrade_response = Bytes::from_static(UPGRADE_RESPONSE);
        let parts = parts(CONNECTION, tcp, bounds, &Arc::new(handle));
        Self { outbox: Outbox::new(OutboxParts { upgrade_response, ..parts }), socket, flusher }
    }

    /// The socket takes `bytes` more, and the flusher notices.
    fn make_room(&mut self, bytes: usize) {
        self.socket.set_room(bytes);
        while self.flusher.take_next_request().is_some() {}
        self.flusher.socket_ready(CONNECTION);
    }

    /// All that the client has been sent since it was last asked, once it reads again.
    fn read_all(&mut self) -> Vec<u8> {
        self.make_room(usize::MAX);
        assert!(is_flushed(&self.outbox));
        self.socket.take_written()
    }
}

fn bounds(max_queued: usize) -> Arc<Bounds> {
    Bounds::new(max_queued, Duration::MAX)
}

/// A text frame of `len` bytes in all, filled with `fill`.
fn frame(fill: u8, len: usize) -> Bytes {
    let mut frame = BytesMut::with_capacity(len);
    frame.put_slice(&[0x81, 127]);
    frame.put_u64((len - 10) as u64);
    frame.put_bytes(fill, len - 10);
    frame.freeze()
}

fn send(outbox: &Arc<Outbox>, frames: &Bytes) -> Result<(), Full> {
    outbox.send(&[Piece::whole(frames)])
}

fn is_flushed(outbox: &Outbox) -> bool {
    outbox.hot.writer.guard().is_flushed()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(3_600)
}

#[test]
fn what_the_socket_takes_is_written_at_once_without_the_flusher() {
    let rig = Rig::new(1_000);
    let chunk = Bytes::from_static(b"\x81\x01a\x81\x01b\x81\x01c");
    let pieces =
        [Piece { chunk: &chunk, start: 3, end: 9 }, Piece { chunk: &chunk, start: 0, end: 3 }];
    rig.outbox.send(&pieces).unwrap();
    assert_eq!(rig.socket.take_written(), b"\x81\x01b\x81\x01c\x81\x01a");
    assert!(is_flushed(&rig.outbox));
    assert_eq!(rig.flusher.pending_requests(), 0);
}

#[test]
fn the_upgrade_response_goes_out_with_the_first_frame() {
    let rig = Rig::not_upgraded(bounds(1_000));
    assert_eq!(rig.socket.take_written(), b"");
    rig.outbox.finish(CloseReason::ServerStopping, soon());
    let expected = [UPGRADE_RESPONSE, b"\x88\x11\x03\xe9server stopping"].concat();
    assert_eq!(rig.socket.take_written(), expected);
}

#[test]
fn the_rest_of_a_short_write_is_queued_and_flushed_in_order() {
    let mut rig = Rig::new(usize::MAX);
    rig.socket.set_room(400);
    for fill in *b"xyz" {
        send(&rig.outbox, &frame(fill, 1_000)).unwrap();
    }
    assert_eq!(rig.socket.take_written(), frame(b'x', 1_000)[..400]);
    assert_eq!(rig.flusher.pending_requests(), 1, "one request is enough");

    assert_eq!(rig.flusher.take_next_request(), Some(CONNECTION));
    assert_eq!(rig.flusher.take_next_request(), None);
    assert_eq!(rig.flusher.watched(), [CONNECTION]);
    rig.make_room(1_000);
    rig.make_room(1);
    assert_eq!(rig.flusher.watched(), [CONNECTION]);
    rig.make_room(usize::MAX);
    assert_eq!(rig.flusher.watched(), []);
    let all = [frame(b'x', 1_000), frame(b'y', 1_000), frame(b'z', 1_000)].concat();
    assert_eq!(rig.socket.take_written(), all[400..]);

    rig.socket.stall();
    send(&rig.outbox, &ping_frame()).unwrap();
    assert_eq!(rig.flusher.pending_requests(), 1, "a new backlog is a new request");
}

#[test]
fn a_full_outbox_takes_nothing_more_but_one_long_frame_never_fills_it() {
    let mut rig = Rig::new(50_000);
    rig.socket.stall();
    send(&rig.outbox, &frame(b'a', 30_000)).unwrap();
    send(&rig.outbox, &frame(b'b', 30_000)).unwrap();
    assert_eq!(send(&rig.outbox, &ping_frame()), Err(Full));
    rig.make_room(10_000);
    assert_eq!(send(&rig.outbox, &ping_frame()), Ok(()), "50,000 bytes are not above the limit");
    assert_eq!(send(&rig.outbox, &ping_frame()), Err(Full));
    rig.read_all();
    assert_eq!(send(&rig.outbox, &ping_frame()), Ok(()));

    rig.socket.stall();
    assert_eq!(send(&rig.outbox, &frame(b'l', 1_000_000)), Ok(()));
}

#[test]
fn a_client_that_takes_nothing_for_the_write_timeout_is_a_slow_consumer() {
    for (write_timeout, taken) in [(Duration::MAX, Ok(())), (Duration::ZERO, Err(Full))] {
        let rig = Rig::not_upgraded(Bounds::new(usize::MAX, write_timeout));
        rig.socket.stall();
        assert_eq!(send(&rig.outbox, &ping_frame()), Ok(()));
        assert_eq!(send(&rig.outbox, &ping_frame()), taken);
    }
}

#[test]
fn the_close_frame_comes_last() {
    let mut rig = Rig::new(1_000);
    rig.socket.set_room(1);
    send(&rig.outbox, &Bytes::from_static(b"\x81\x01a")).unwrap();
    rig.outbox.finish(CloseReason::ServerStopping, soon());
    rig.outbox.finish(CloseReason::TooFast, soon());
    send(&rig.outbox, &ping_frame()).unwrap();
    assert_eq!(rig.outbox.ending().unwrap().reason, CloseReason::ServerStopping);
    assert!(!rig.socket.is_write_shut_down());
    assert_eq!(rig.read_all(), b"\x81\x01a\x88\x11\x03\xe9server stopping");
    assert!(rig.socket.is_write_shut_down() && !rig.socket.is_cut_off());
}

#[test]
fn a_slow_consumer_gets_the_rest_of_a_frame_and_then_the_close_frame() {
    let close = close_frame(CloseReason::SlowConsumer).unwrap();
    let two = Bytes::from([frame(b'a', 1_000), frame(b'b', 1_000)].concat());
    // How much the socket takes at first, and how many of the frames go out.
    for (room, frames) in [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (2_000, 2)] {
        let mut rig = Rig::new(usize::MAX);
        rig.socket.set_room(room);
        send(&rig.outbox, &two).unwrap();
        send(&rig.outbox, &frame(b'c', 1_000)).unwrap();
        rig.outbox.finish(CloseReason::SlowConsumer, soon());
        let expected = [&two[..frames * 1_000], &close].concat();
        assert_eq!(rig.read_all(), expected, "{room} bytes of the first write");
    }
}

#[test]
fn a_slow_consumer_gets_its_upgrade_response_too() {
    let close = close_frame(CloseReason::SlowConsumer).unwrap();
    let length = UPGRADE_RESPONSE.len();
    for (room, is_started) in [(0, false), (length, false), (length + 1, true)] {
        let mut rig = Rig::not_upgraded(bounds(usize::MAX));
        rig.socket.set_room(room);
        send(&rig.outbox, &frame(b'a', 1_000)).unwrap();
        send(&rig.outbox, &frame(b'b', 1_000)).unwrap();
        rig.outbox.finish(CloseReason::SlowConsumer, soon());
        let started = if is_started { frame(b'a', 1_000) } else { Bytes::new() };
        assert_eq!(rig.read_all(), [UPGRADE_RESPONSE, &started, &close].concat(), "{room} bytes");
    }
}

#[test]
fn nothing_is_queued_for_a_connection_that_failed() {
    let mut rig = Rig::new(1_000);
    rig.socket.stall();
    send(&rig.outbox, &frame(b'x', 2_000)).unwrap();
    rig.make_room(0);
    assert_eq!(rig.flusher.watched(), [CONNECTION]);
    rig.socket.reset();
    rig.flusher.socket_ready(CONNECTION);
    assert_eq!(rig.flusher.watched(), []);
    assert_eq!(send(&rig.outbox, &frame(b'x', 2_000)), Ok(()));
    assert!(is_flushed(&rig.outbox));
    assert_eq!(rig.flusher.pending_requests(), 0);
}

#[test]
fn a_connection_that_is_not_closed_by_its_deadline_is_cut_off() {
    // One client stalls before the Close frame, the other has it and does not close.
    for room in [0, usize::MAX] {
        let mut rig = Rig::new(1_000);
        let until = soon();
        rig.socket.set_room(room);
        rig.outbox.finish(CloseReason::ServerStopping, until);
        assert_eq!(rig.flusher.take_next_request(), Some(CONNECTION));
        assert_eq!(rig.flusher.deadlines(), [(until, CONNECTION)]);
        rig.flusher.time_passes(Instant::now());
        assert!(!rig.socket.is_cut_off());
        rig.flusher.time_passes(until);
        assert!(rig.socket.is_cut_off());
        assert_eq!(rig.flusher.deadlines(), []);
        assert_eq!(rig.flusher.watched(), []);
    }
}

#[test]
fn while_the_server_stops_only_a_client_that_still_takes_something_has_all_the_time() {
    let half_an_hour = Duration::from_secs(1_800);
    for (room, is_drained_first) in [(0, true), (usize::MAX, true), (usize::MAX, false)] {
        let mut rig = Rig::new(1_000);
        let soon = Instant::now() + half_an_hour;
        let until = soon + half_an_hour;
        rig.socket.set_room(room);
        if is_drained_first {
            rig.outbox.flusher.drain();
        }
        rig.outbox.finish(CloseReason::ServerStopping, until);
        assert_eq!(rig.flusher.take_next_request(), Some(CONNECTION));
        if !is_drained_first {
            assert_eq!(rig.flusher.deadlines(), [(until, CONNECTION)]);
            rig.outbox.flusher.drain();
            assert_eq!(rig.flusher.take_next_request(), None);
        }
        if room == 0 {
            rig.flusher.time_passes(soon);
            assert!(!rig.socket.is_cut_off(), "it has not been sent everything");
            rig.make_room(usize::MAX);
        }
        assert!(!rig.socket.is_cut_off());
        rig.flusher.time_passes(soon);
        assert!(rig.socket.is_cut_off());
    }
}

#[test]
fn a_connection_that_the_client_closed_is_not_waited_for() {
    let mut rig = Rig::new(1_000);
    rig.outbox.finish(CloseReason::ClosedByClient(Some(1000)), soon());
    assert_eq!(rig.socket.take_written(), b"\x88\x02\x03\xe8");
    assert_eq!(rig.flusher.take_next_request(), None);
    assert!(!rig.socket.is_write_shut_down(), "it is closed when the last handle is dropped");
}
