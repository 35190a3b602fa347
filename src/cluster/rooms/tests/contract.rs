//! It does what every other history does, whether messages are in memory or in Redis.
//!
//! What a node commits is in Redis at once here, and so is what the keeper does now and then.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use super::super::super::keeper::{Writer, trim};
use super::super::super::redis::test_server::{TestServer, start};
use super::super::super::redis::{Connection, Engine};
use super::super::*;
use crate::chat::{Erased, Erasure, Memo, RoomId, Stored};
use crate::history::contract_test::{ALL, Fixture, Open, archive, erase};
use crate::history::{AgeLimit, Archive};
use crate::history::{
    ArchiveError, Batch, HistoryError, HistoryReader, Opened, Retention, SharedArchive,
};

thread_local! {
    static SERVER: RefCell<Option<TestServer>> = const { RefCell::new(None) };
    static CLUSTERS: Cell<u32> = const { Cell::new(0) };
}

/// A node's history, and what the keeper does with what is committed to it.
struct Kept {
    history: Box<dyn History>,
    keeper: Arc<Mutex<TestKeeper>>,
}

struct TestKeeper {
    writer: Writer,
    connection: Connection,
    engine: Engine,
    retention: Retention,
    rooms: Vec<RoomId>,
}

/// Erases at once what it counts.
struct TestArchive {
    archive: RoomsArchive,
    window: Mutex<Window>,
    keeper: Arc<Mutex<TestKeeper>>,
}

/// All that a node has applied is in memory.
fn in_memory(retention: Retention) -> Fixture {
    open(retention, retention.max_memory_bytes)
}

/// Two messages are in memory.
fn half_in_memory(retention: Retention) -> Fixture {
    open(retention, 2 * (128 + 7))
}

/// Nothing is in memory.
fn in_redis(retention: Retention) -> Fixture {
    open(retention, 0)
}

fn open(retention: Retention, max_memory_bytes: usize) -> Fixture {
    let cluster = CLUSTERS.replace(CLUSTERS.get() + 1);
    let engine = SERVER.with_borrow(|server| {
        let mut settings = server.as_ref().unwrap().settings();
        settings.prefix = format!("test{cluster}");
        Engine::new(&settings).unwrap()
    });
    let in_window = Retention { max_memory_bytes, ..retention };
    let mut window = Window::new(SharedRetention::new(in_window), &Chat::empty());
    window.set_max_events(retention.max_events);
    let connection = engine.master().unwrap();
    let (writer, rooms) = (Writer::default(), Vec::new());
    let keeper = TestKeeper { writer, connection, engine: engine.clone(), retention, rooms };
    let keeper = Arc::new(Mutex::new(keeper));
    let archive = TestArchive {
        archive: RoomsArchive::new(engine.clone(), window.clone()),
        window: Mutex::new(window.clone()),
        keeper: keeper.clone(),
    };
    Fixture::new(Opened {
        epoch: String::new(),
        remembered: Stored::default(),
        reader: Box::new(RoomsReader::new(engine, window.clone())),
        history: Box::new(Kept { history: Box::new(window), keeper }),
        upkeep: None,
        archive: Archive::Shared(Arc::new(archive)),
    })
}

impl TestKeeper {
    fn write(&mut self) {
        let keys = self.engine.keys().clone();
        let Retention { max_events, max_age, .. } = self.retention;
        self.writer.flush(&mut self.connection, &keys, max_events).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let limit = max_age.map(|age| {
            let oldest = u64::try_from(now.saturating_sub(age).as_millis()).unwrap();
            AgeLimit { oldest, latest: u64::MAX }
        });
        let mut rooms = self.rooms.clone();
        while !rooms.is_empty() {
            rooms = trim(&mut self.connection, &keys, &rooms, limit, max_events).unwrap();
        }
    }
}

impl History for Kept {
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), HistoryError> {
        self.history.commit(batch)?;
        let mut keeper = self.keeper.lock().unwrap();
        for memo in batch.memos {
            match memo {
                Memo::Room(room) => keeper.rooms.push(room.id),
                Memo::RoomGone(room) => keeper.writer.remove(*room),
                _ => {}
            }
        }
        for (room, said) in batch.said {
            keeper.writer.say(*room, (*said).clone());
        }
        keeper.write();
        Ok(())
    }

    fn set_retention(&mut self, retention: Retention) {
        let mut keeper = self.keeper.lock().unwrap();
        self.history.set_retention(Retention { max_memory_bytes: 0, ..retention });
        self.history.set_max_events(retention.max_events);
        keeper.retention = retention;
        keeper.write();
    }
}

impl SharedArchive for TestArchive {
    fn count(&self, what: Erasure, up_to: &[(RoomId, u64)]) -> Result<u64, ArchiveError> {
        let count = self.archive.count(what, up_to)?;
        let mut keeper = self.keeper.lock().unwrap();
        for &(room, up_to) in up_to {
            let erased = Erased { what, up_to, time: 0 };
            self.window.lock().unwrap().erase(room, erased);
            keeper.writer.erase(room, erased);
        }
        keeper.write();
        Ok(count)
    }

    fn reader(&self) -> Box<dyn HistoryReader> {
        self.archive.reader()
    }
}

impl fmt::Debug for TestArchive {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("TestArchive")
    }
}

fn run_all(open: Open) {
    let Some(server) = start() else { return };
    SERVER.set(Some(server));
    for (name, test) in [ALL, archive::ALL, erase::ALL].concat() {
        // The epoch is not the history's here, but the nodes'.
        if name != "each_history_has_its_own_epoch" {
            eprintln!("{name}");
            test(open);
        }
    }
    SERVER.set(None);
}

#[test]
fn all_holds_with_messages_in_memory() {
    run_all(in_memory);
}

#[test]
fn all_holds_with_messages_in_redis() {
    run_all(in_redis);
}

#[test]
fn all_holds_with_some_in_memory() {
    run_all(half_in_memory);
}
