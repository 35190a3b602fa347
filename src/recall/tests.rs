//! Answers from a history in memory. The thread runs only where it is the subject.

mod lengths;
mod previews;

use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;
use crate::chat::{Content, Memo, Person, StoredRoom, UserId};
use crate::history::{self, Batch, History, Location, Opened, Retention};
use crate::mailbox::{WaitOutcome, mailbox};
use crate::memory::Memory;
use crate::outbox::{Flusher, memory_outbox};
use crate::protocol::CloseReason;

const ROOM: RoomId = RoomId(1);
const EPOCH: &str = "0123456789abcdef";

/// How many messages a room keeps, and how many a client that enters is shown.
const KEPT: u64 = 10;
const ON_ENTER: usize = 3;

/// The frame that 8 messages of these tests fit into, and 9 do not.
const MAX_FRAME: usize = 870;

/// `recall`, its thread's end, and a client that asks.
struct Desk {
    recall: Recall,
    thread: RecallThread,
    outbox: Arc<Outbox>,
    is_failing: Arc<Mutex<bool>>,
}

/// A reader that fails when it is told to, and reports each read.
struct WatchedReader {
    reader: Box<dyn HistoryReader>,
    is_failing: Arc<Mutex<bool>>,
    reads: Option<mpsc::Sender<()>>,
}

impl WatchedReader {
    fn read(&mut self) -> Result<&mut dyn HistoryReader, HistoryError> {
        if let Some(reads) = &self.reads {
            let _ = reads.send(());
        }
        let is_failing = *self.is_failing.lock().unwrap();
        if is_failing { Err(HistoryError::example()) } else { Ok(&mut *self.reader) }
    }
}

impl HistoryReader for WatchedReader {
    fn since(
        &mut self,
        room: RoomId,
        after: u64,
        up_to: u64,
        max_bytes: usize,
    ) -> Result<Vec<Said>, HistoryError> {
        self.read()?.since(room, after, up_to, max_bytes)
    }

    fn before(
        &mut self,
        room: RoomId,
        before: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError> {
        self.read()?.before(room, before, limit, max_bytes)
    }

    fn after(
        &mut self,
        room: RoomId,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Said>, bool), HistoryError> {
        self.read()?.after(room, after, limit, max_bytes)
    }

    fn message(&mut self, position: Position) -> Result<Option<Said>, HistoryError> {
        self.read()?.message(position)
    }
}

impl Desk {
    /// In the room, messages 1 to `last` were sent. The last [`KEPT`] are still there.
    fn with(last: u64) -> Self {
        Self::reporting(last, None)
    }

    fn reporting(last: u64, reads: Option<mpsc::Sender<()>>) -> Self {
        let retention = Retention {
            max_events: KEPT,
            max_age: None,
            max_memory_bytes: usize::MAX,
            max_references: usize::MAX,
            max_file_bytes: 0,
        };
        let Opened { mut history, reader, .. } =
            history::open(&Location::Memory, retention).unwrap();
        store(&mut *history, last);
        let is_failing = Arc::<Mutex<bool>>::default();
        let reader = WatchedReader { reader, is_failing: is_failing.clone(), reads };
        let (recall, thread) =
            Recall::new(Box::new(reader), EPOCH.into(), ON_ENTER, Arc::default());
        let (flusher, _) = Flusher::new(Memory::plenty()).unwrap();
        let (outbox, _) = memory_outbox(ConnectionId(1), 1_000, &Arc::new(flusher));
        Self { recall, thread, outbox, is_failing }
    }

    fn ask(&self, what: Lookup) {
        let query = Query { what, reference: Some("r".into()) };
        let outbox = Arc::downgrade(&self.outbox);
        self.recall.ask(PendingQuery { connection: ConnectionId(1), outbox, query });
    }

    fn answer(&mut self, what: Lookup) -> Value {
        self.ask(what);
        let answer = self.thread.next_result().expect("somebody waits for it");
        let frame = json(answer);
        self.recall.release_permit();
        frame
    }

    /// How many refusals with this code are counted.
    fn refused(&self, code: &str) -> u64 {
        let mut refusals = self.thread.messages.metrics.refusals();
        refusals.find(|(name, _)| *name == code).expect("a code").1
    }

    /// A client enters that knows messages up to `since`; the room's last is `up_to`. Returns the `seq`s
    /// it gets, and whether that is everything.
    fn enter(&mut self, up_to: u64, since: Option<(&str, u64)>) -> (Vec<u64>, bool) {
        let since = since.map(|(epoch, seq)| Since { epoch: epoch.to_owned(), seq, time: None });
        self.enter_with(up_to, since)
    }

    fn enter_with(&mut self, up_to: u64, since: Option<Since>) -> (Vec<u64>, bool) {
        let (since, max_frame) = (since.map(Box::new), MAX_FRAME);
        let frame = self.answer(Lookup::Room { snapshot: snapshot(up_to), since, max_frame });
        assert_eq!(frame["type"], "room");
        assert_eq!(frame["epoch"], EPOCH);
        assert_eq!(frame["seq"], up_to);
        assert_eq!(frame["ref"], "r");
        (seqs(&frame), frame["complete"].as_bool().unwrap())
    }

    /// Returns the `seq`s of a page, and whether there are older messages.
    fn page(&mut self, before: u64, limit: usize) -> (Vec<u64>, bool) {
        let frame = self.answer(page(HistoryPart::Before(before), limit));
        assert_eq!((&frame["type"], &frame["ref"]), (&"history".into(), &"r".into()));
        (seqs(&frame), frame["more"].as_bool().unwrap())
    }
}

fn store(history: &mut dyn History, last: u64) {
    let room = StoredRoom { id: ROOM, title: "A".into(), place: None };
    history.commit(Batch { said: &[], memos: &[Memo::Room(room)] }).unwrap();
    for seq in 1..=last {
        history.commit(Batch { said: &[(ROOM, &said(seq))], memos: &[] }).unwrap();
    }
}

/// All weigh the same.
fn said(seq: u64) -> Said {
    let from = Person { id: UserId(1), name: "Ann".into() };
    Said { seq, time: 1_000 + seq, from, content: Content::Gif(seq), reference: None }
}

fn snapshot(seq: u64) -> RoomSnapshot {
    let user = Person { id: UserId(1), name: "Ann".into() };
    RoomSnapshot { id: ROOM, title: "A".into(), users: Arc::default(), user, seq }
}

fn page(part: HistoryPart, limit: usize) -> Lookup {
    Lookup::Page { room: ROOM, part, limit, max_bytes: (MAX_FRAME, MAX_FRAME) }
}

fn repeat(seq: u64) -> Lookup {
    Lookup::Message(Position { room: ROOM, seq })
}

/// The frame that an answer consists of.
fn json(answer: Input) -> Value {
    let Input::QueryResult { connection: ConnectionId(1), frames } = answer else {
        panic!("{answer:?}")
    };
    // A byte of the header may be a brace as well.
    let start = frames.windows(8).position(|bytes| bytes == b"{\"type\":").unwrap();
    serde_json::from_slice(&frames[start..]).unwrap()
}

fn seqs(frame: &Value) -> Vec<u64> {
    let events = frame["events"].as_array().unwrap();
    events.iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

fn range(first: u64, last: u64) -> Vec<u64> {
    (first..=last).collect()
}

#[test]
fn a_client_that_enters_for_the_first_time_gets_the_last_messages() {
    let mut desk = Desk::with(5);
    assert_eq!(desk.enter(5, None), (range(3, 5), true));
    // More was said since the snapshot; it comes as events.
    assert_eq!(desk.enter(4, None), (range(2, 4), true));
    assert_eq!(desk.enter(2, None), (range(1, 2), true));
    assert_eq!(Desk::with(0).enter(0, None), (vec![], true));
}

#[test]
fn a_client_that_returns_gets_what_joins_what_it_knows() {
    let mut desk = Desk::with(9);
    // All that it has missed, and not just the last few.
    assert_eq!(desk.enter(9, Some((EPOCH, 3))), (range(4, 9), true));
    assert_eq!(desk.enter(8, Some((EPOCH, 7))), (vec![8], true));
    assert_eq!(desk.enter(9, Some((EPOCH, 9))), (vec![], true));
    assert_eq!(desk.enter(7, Some((EPOCH, 0))), (range(1, 7), true));
    assert_eq!(Desk::with(0).enter(0, Some((EPOCH, 0))), (vec![], true));
}

#[test]
fn it_is_told_of_a_gap_if_messages_are_no_longer_kept() {
    let mut desk = Desk::with(15);
    // 6 to 15 are kept.
    assert_eq!(desk.enter(12, Some((EPOCH, 5))), (range(6, 12), true));
    assert_eq!(desk.enter(12, Some((EPOCH, 4))), (range(6, 12), false));
    assert_eq!(desk.enter(5, Some((EPOCH, 3))), (vec![], false), "none of them is kept");
    assert_eq!(desk.enter(5, Some((EPOCH, 5))), (vec![], true), "it has missed none");
    assert_eq!(desk.enter(15, None), (range(13, 15), true));
}

#[test]
fn it_is_told_of_a_gap_if_not_all_fit_into_a_frame() {
    let mut desk = Desk::with(9);
    assert_eq!(desk.enter(9, Some((EPOCH, 1))), (range(2, 9), true), "8 fit");
    assert_eq!(desk.enter(9, Some((EPOCH, 0))), (range(2, 9), false));
}

#[test]
fn a_client_that_has_seen_another_message_under_its_number_has_another_past() {
    let mut desk = Desk::with(15);
    let since = |seq, time| Some(Since { epoch: EPOCH.to_owned(), seq, time: Some(time) });
    assert_eq!(desk.enter_with(15, since(12, 1_012)), (range(13, 15), true));
    assert_eq!(desk.enter_with(15, since(10, 1_011)), (range(13, 15), false));
    // What is no longer kept cannot be compared.
    assert_eq!(desk.enter_with(15, since(5, 1)), (range(9, 15), false), "not all fit");
    assert_eq!(desk.enter_with(7, since(5, 1)), (range(6, 7), true));
    assert_eq!(Desk::with(0).enter_with(0, since(0, 1)), (vec![], true));
}

#[test]
fn a_client_with_another_past_gets_the_last_messages_and_is_told_so() {
    let mut desk = Desk::with(5);
    assert_eq!(desk.enter(5, Some(("another epoch", 4))), (range(3, 5), false));
    assert_eq!(desk.enter(5, Some((EPOCH, 6))), (range(3, 5), false), "ahead of the room");
    assert_eq!(Desk::with(0).enter(0, Some((EPOCH, 1))), (vec![], false));
}

#[test]
fn a_room_without_readable_messages_is_entered_all_the_same() {
    let mut desk = Desk::with(5);
    *desk.is_failing.lock().unwrap() = true;
    assert_eq!(desk.enter(5, None), (vec![], false));
    assert_eq!(desk.enter(5, Some((EPOCH, 5))), (vec![], false));
}

#[test]
fn pages_go_back_to_the_oldest_message_that_is_kept() {
    let mut desk = Desk::with(15);
    assert_eq!(desk.page(1_000, 4), (range(12, 15), true));
    assert_eq!(desk.page(12, 4), (range(8, 11), true));
    assert_eq!(desk.page(8, 2), (range(6, 7), false), "nothing older is kept");
    assert_eq!(desk.page(6, 4), (vec![], false));
    assert_eq!(desk.page(0, 4), (vec![], false));
    // A page is cut where the frame is full.
    assert_eq!(desk.page(16, 100), (range(8, 15), true));
}

#[test]
fn pages_go_forwards_and_to_both_sides() {
    let mut desk = Desk::with(15);
    let mut ask = |part, limit| {
        let frame = desk.answer(page(part, limit));
        (seqs(&frame), frame["more"] == true, frame["newer"] == true)
    };
    // 6 to 15 are kept.
    assert_eq!(ask(HistoryPart::After(0), 3), (range(6, 8), false, true));
    assert_eq!(ask(HistoryPart::After(8), 3), (range(9, 11), true, true));
    assert_eq!(ask(HistoryPart::After(12), 4), (range(13, 15), true, false));
    assert_eq!(ask(HistoryPart::After(15), 4), (vec![], true, false));
    assert_eq!(ask(HistoryPart::Around(10), 5), (range(8, 12), true, true));
    assert_eq!(ask(HistoryPart::Around(10), 4), (range(8, 11), true, true));
    assert_eq!(ask(HistoryPart::Around(10), 1), (vec![10], true, true));
    // Where there are few on one side, the other side has more.
    assert_eq!(ask(HistoryPart::Around(6), 5), (range(6, 10), false, true));
    assert_eq!(ask(HistoryPart::Around(15), 5), (range(11, 15), true, false));
    assert_eq!(ask(HistoryPart::Around(2), 3), (range(6, 8), false, true), "2 is gone");
    assert_eq!(ask(HistoryPart::Around(99), 3), (range(13, 15), true, false), "not yet there");
    assert_eq!(ask(HistoryPart::Before(9), 2), (range(7, 8), true, true));
    assert_eq!(ask(HistoryPart::Before(3), 2), (vec![], false, true));
    assert_eq!(ask(HistoryPart::Newest, 2), (range(14, 15), true, false));
}

#[test]
fn a_message_of_another_time_shows_another_past() {
    let mut desk = Desk::with(9);
    let mut enter = |seq, time| {
        let since = Some(Box::new(Since { epoch: EPOCH.to_owned(), seq, time }));
        let (snapshot, max_frame) = (snapshot(9), MAX_FRAME);
        let room = desk.answer(Lookup::Room { snapshot, since, max_frame });
        (seqs(&room), room["complete"] == true, room["reset"] == true)
    };
    assert_eq!(enter(7, Some(1_007)), (range(8, 9), true, false));
    assert_eq!(enter(7, Some(1_006)), (range(7, 9), false, true));
    assert_eq!(enter(0, Some(5)), (range(2, 9), false, false), "there is no message 0");
    assert_eq!(enter(10, None), (range(7, 9), false, true), "ahead of the room");
    // What is no longer there cannot be compared.
    let mut desk = Desk::with(15);
    let since = Some(Box::new(Since { epoch: EPOCH.to_owned(), seq: 5, time: Some(1) }));
    let (snapshot, max_frame) = (snapshot(9), MAX_FRAME);
    let room = desk.answer(Lookup::Room { snapshot, since, max_frame });
    assert_eq!((seqs(&room), &room["complete"]), (range(6, 9), &true.into()));
}

#[test]
fn a_message_is_repeated_as_it_was() {
    let mut desk = Desk::with(3);
    let frame = desk.answer(repeat(2));
    let from = serde_json::json!({ "id": 1, "name": "Ann" });
    let expected = serde_json::json!({
        "type": "gif", "gifId": 2, "from": from, "roomId": 1, "time": 1_002, "seq": 2
    });
    assert_eq!(frame, expected);
}

#[test]
fn a_message_that_is_gone_was_said_already() {
    let mut desk = Desk::with(15);
    let frame = desk.answer(repeat(5));
    assert_eq!((&frame["code"], &frame["ref"]), (&"already_said".into(), &"r".into()));
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let mut desk = Desk::with(3);
    *desk.is_failing.lock().unwrap() = true;
    for what in [repeat(2), page(HistoryPart::Before(3), 1)] {
        let frame = desk.answer(what);
        assert_eq!((&frame["code"], &frame["ref"]), (&"not_readable".into(), &"r".into()));
    }
    assert_eq!(desk.refused("not_readable"), 2);
    *desk.is_failing.lock().unwrap() = false;
    assert_eq!(desk.page(4, 1), (vec![3], true), "it can be read again");
}

#[test]
fn a_query_of_a_client_that_is_gone_is_skipped() {
    let (reads, was_read) = mpsc::channel();
    let mut desk = Desk::reporting(3, Some(reads));
    desk.ask(repeat(1));
    desk.outbox.finish(CloseReason::TooFast, Instant::now() + Duration::from_secs(60));
    let (flusher, _) = Flusher::new(Memory::plenty()).unwrap();
    let (outbox, _) = memory_outbox(ConnectionId(1), 1_000, &Arc::new(flusher));
    desk.outbox = outbox.clone();
    desk.ask(repeat(2));
    let frame = json(desk.thread.next_result().unwrap());
    assert_eq!(frame["seq"], 2, "the connection of the first is ending");

    let query = Query { what: repeat(3), reference: None };
    let gone = Weak::new();
    desk.recall.ask(PendingQuery { connection: ConnectionId(1), outbox: gone, query });
    assert!(desk.thread.next_result().is_none(), "there is no such outbox any more");
    assert_eq!(was_read.try_iter().count(), 1, "nothing is read for nobody");
}

#[test]
fn permits_bound_the_answers_that_are_on_their_way() {
    let (reads, was_read) = mpsc::channel();
    let Desk { recall, thread, outbox, .. } = {
        let desk = Desk::reporting(3, Some(reads));
        (0..MAX_RESULTS + 2).for_each(|_| desk.ask(repeat(1)));
        desk
    };
    let (sender, inputs) = mailbox(100);
    let weak = sender.downgrade();
    let running = thread::spawn(move || thread.run(&weak));
    // When the thread reads for the next answer, it has sent all before.
    for _ in 0..=MAX_RESULTS {
        was_read.recv().unwrap();
    }
    for _ in 0..MAX_RESULTS {
        assert!(matches!(inputs.take(), Some(Input::QueryResult { .. })));
    }
    assert!(inputs.take().is_none(), "there is no permit for another");
    assert_eq!(recall.results_on_their_way(), MAX_RESULTS);
    for _ in 0..2 {
        recall.release_permit();
        assert!(matches!(inputs.wait(None), WaitOutcome::Received(Input::QueryResult { .. })));
    }
    // The thread ends when nobody can ask any more.
    drop((recall, outbox));
    running.join().unwrap();
}

#[test]
fn the_thread_ends_although_it_waits_for_a_permit() {
    let (reads, was_read) = mpsc::channel();
    let desk = Desk::reporting(3, Some(reads));
    (0..=MAX_RESULTS).for_each(|_| desk.ask(repeat(1)));
    let Desk { recall, thread, outbox: _outbox, .. } = desk;
    let (sender, _inputs) = mailbox(100);
    let weak = sender.downgrade();
    let running = thread::spawn(move || thread.run(&weak));
    for _ in 0..=MAX_RESULTS {
        was_read.recv().unwrap();
    }
    drop(recall);
    running.join().unwrap();
}
