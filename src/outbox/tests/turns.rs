//! What others do while a thread has the turn, as a session has while it decrypts: here, the test. A call
//! that waited for the turn would never return.

use super::*;
use crate::protocol::frame_end;

/// The frames of one letter each in `written`, as a string.
fn letters(written: &[u8]) -> String {
    let mut rest = written;
    let mut letters = String::new();
    while !rest.is_empty() {
        let (frame, next) = rest.split_at(frame_end(rest, 1));
        letters.push(char::from(frame[frame.len() - 1]));
        rest = next;
    }
    letters
}

fn letter(letter: u8) -> Bytes {
    Bytes::from(vec![0x81, 1, letter])
}

#[test]
fn what_is_sent_meanwhile_goes_out_in_order() {
    let rig = Rig::not_upgraded(bounds(1_000));
    let turn = rig.outbox.wait_for_turn();
    send(&rig.outbox, &letter(b'a')).unwrap();
    let two = [letter(b'b'), letter(b'c')];
    rig.outbox.send(&[Piece::whole(&two[0]), Piece::whole(&two[1])]).unwrap();
    assert_eq!(rig.socket.take_written(), b"");
    drop(turn);
    let written = rig.socket.take_written();
    let frames = written.strip_prefix(UPGRADE_RESPONSE).expect("the response comes first");
    assert_eq!(letters(frames), "abc");
    send(&rig.outbox, &letter(b'd')).unwrap();
    rig.outbox.send_waiting(&letter(b'e')).unwrap();
    assert_eq!(letters(&rig.socket.take_written()), "de");
    assert_eq!(rig.outbox.queued(), 0);
}

#[test]
fn what_is_sent_meanwhile_counts_as_queued() {
    let mut rig = Rig::new(100);
    rig.socket.stall();
    send(&rig.outbox, &frame(b'x', 60)).unwrap();
    let turn = rig.outbox.wait_for_turn();
    assert_eq!(send(&rig.outbox, &frame(b'y', 60)), Ok(()));
    assert_eq!(send(&rig.outbox, &frame(b'z', 60)), Err(Full), "60 and 60 bytes are queued");
    drop(turn);
    assert_eq!(rig.outbox.queued(), 120);
    let turn = rig.outbox.wait_for_turn();
    assert_eq!(send(&rig.outbox, &frame(b'z', 60)), Err(Full));
    drop(turn);

    assert_eq!(rig.read_all(), [frame(b'x', 60), frame(b'y', 60)].concat());
    let turn = rig.outbox.wait_for_turn();
    assert_eq!(send(&rig.outbox, &frame(b'l', 1_000)), Ok(()), "nothing is queued any more");
    assert_eq!(send(&rig.outbox, &letter(b'a')), Err(Full));
    drop(turn);
    assert_eq!(rig.read_all(), frame(b'l', 1_000));
}

#[test]
fn a_client_that_takes_nothing_is_a_slow_consumer_meanwhile() {
    let write_timeout = Duration::ZERO;
    let rig = Rig::not_upgraded(Bounds::new(usize::MAX, write_timeout));
    let turn = rig.outbox.wait_for_turn();
    assert_eq!(send(&rig.outbox, &letter(b'a')), Ok(()), "the socket has refused nothing yet");
    assert_eq!(send(&rig.outbox, &letter(b'b')), Ok(()));
    drop(turn);
    rig.socket.stall();
    send(&rig.outbox, &letter(b'c')).unwrap();
    let _turn = rig.outbox.wait_for_turn();
    assert_eq!(send(&rig.outbox, &letter(b'd')), Err(Full));
}

#[test]
fn the_close_frame_comes_behind_what_was_sent_and_nothing_after_it() {
    let mut rig = Rig::new(1_000);
    let turn = rig.outbox.wait_for_turn();
    send(&rig.outbox, &letter(b'a')).unwrap();
    rig.outbox.finish(CloseReason::ServerStopping, soon());
    rig.outbox.finish(CloseReason::TooFast, soon());
    send(&rig.outbox, &letter(b'b')).unwrap();
    assert_eq!(rig.outbox.ending().unwrap().reason, CloseReason::ServerStopping);
    drop(turn);
    assert_eq!(rig.read_all(), b"\x81\x01a\x88\x11\x03\xe9server stopping");
    assert!(rig.socket.is_write_shut_down() && !rig.socket.is_cut_off());
    assert_eq!(rig.outbox.queued(), 0);
}

#[test]
fn a_slow_consumer_does_not_get_what_has_been_sent_meanwhile() {
    let mut rig = Rig::new(usize::MAX);
    rig.socket.set_room(500);
    send(&rig.outbox, &frame(b'a', 1_000)).unwrap();
    let turn = rig.outbox.wait_for_turn();
    send(&rig.outbox, &frame(b'b', 1_000)).unwrap();
    rig.outbox.finish(CloseReason::SlowConsumer, soon());
    drop(turn);
    let close = close_frame(CloseReason::SlowConsumer).unwrap();
    assert_eq!(rig.read_all(), [&frame(b'a', 1_000)[..], &close].concat());
}

#[test]
fn a_turn_that_does_not_end_is_cut_off_at_the_deadline() {
    let mut rig = Rig::new(1_000);
    let until = soon();
    let turn = rig.outbox.wait_for_turn();
    rig.outbox.finish(CloseReason::TooFast, until);
    assert_eq!(rig.flusher.take_next_request(), Some(CONNECTION));
    assert_eq!(rig.flusher.deadlines(), [(until, CONNECTION)]);
    rig.flusher.time_passes(until);
    assert!(rig.socket.is_cut_off());
    drop(turn);
    assert_eq!(rig.outbox.queued(), 0);
    while rig.flusher.take_next_request().is_some() {}
    assert_eq!(rig.flusher.watched(), []);
}

#[test]
fn the_flusher_leaves_the_backlog_and_gets_back_the_rest() {
    let mut rig = Rig::new(10_000);
    let outbox = rig.outbox.clone();
    rig.socket.stall();
    send(&rig.outbox, &frame(b'a', 1_000)).unwrap();
    assert_eq!(rig.flusher.take_next_request(), Some(CONNECTION));
    assert_eq!(rig.flusher.watched(), [CONNECTION]);

    let turn = outbox.wait_for_turn();
    rig.make_room(400);
    assert_eq!(rig.flusher.watched(), [], "or the writable socket would keep it busy");
    assert_eq!(rig.socket.take_written(), b"");
    drop(turn);
    assert_eq!(rig.socket.take_written(), frame(b'a', 1_000)[..400]);
    assert_eq!(rig.flusher.take_next_request(), Some(CONNECTION));
    assert_eq!(rig.flusher.watched(), [CONNECTION]);

    let turn = outbox.wait_for_turn();
    rig.make_room(usize::MAX);
    drop(turn);
    assert_eq!(rig.socket.take_written(), frame(b'a', 1_000)[400..]);
    assert_eq!(rig.flusher.take_next_request(), None);
    assert!(is_flushed(&rig.outbox));
}

#[test]
fn an_ending_backlog_that_is_handed_over_keeps_its_deadline() {
    let mut rig = Rig::new(10_000);
    let until = soon();
    rig.socket.stall();
    send(&rig.outbox, &frame(b'a', 1_000)).unwrap();
    rig.outbox.finish(CloseReason::ServerStopping, until);
    let turn = rig.outbox.wait_for_turn();
    while rig.flusher.take_next_request().is_some() {}
    assert_eq!(rig.flusher.watched(), []);
    drop(turn);
    assert_eq!(rig.flusher.take_next_request(), Some(CONNECTION));
    assert_eq!(rig.flusher.watched(), [CONNECTION]);
    rig.flusher.time_passes(until);
    assert!(rig.socket.is_cut_off());
    assert_eq!(rig.flusher.watched(), []);
}
