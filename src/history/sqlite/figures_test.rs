//! What the file costs, in figures. These tests only print; to see the figures of your machine:
//!
//! ```text
//! cargo test --release --lib history::sqlite::figures_test -- --ignored --nocapture
//! ```
//!
//! They write some 400 MB in `TMPDIR` for a while.

use std::ops::ControlFlow::Continue;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::super::contract_test::{EVERYTHING, room, text};
use super::super::{Batch, Durability, History, HistoryReader};
use crate::chat::{Content, Erasure, Memo, Person, ResumeKey, RoomId, Said, StoredUser, UserId};
use crate::health::Health;

const ROOMS: u64 = 100;
const EVENTS_PER_ROOM: u64 = 10_000;
const USERS: u64 = 1_000;

/// A message of 64 bytes, by one of the users.
fn said(seq: u64, nth: u64, has_reference: bool) -> Said {
    let user = nth.wrapping_mul(2_654_435_761) % USERS + 1;
    Said {
        from: Person { id: UserId(user), name: format!("User {user}").into() },
        content: Content::Text(format!("{nth:064}")),
        reference: has_reference.then(|| format!("{nth:016x}").into()),
        time: 1_700_000_000_000 + nth,
        ..text(seq)
    }
}

/// The CPU time of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("it counts up")
}

fn open(path: &Path, durability: Durability) -> super::Parts {
    super::open(path, durability, EVERYTHING).unwrap()
}

#[test]
#[ignore = "takes long, and only prints"]
fn commits() {
    for (events, rooms) in [(1, 1), (10, 1), (10, 10), (100, 1)] {
        for has_reference in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let (_, mut writer, _, mut upkeep, _) =
                open(&folder.path().join("history.db"), Durability::Process);
            let memos: Vec<Memo> = (1..=rooms).map(|id| room(RoomId(id), "Room")).collect();
            writer.commit(Batch { said: &[], memos: &memos }).unwrap();
            let mut nth = 0;
            let mut cpu_spent = Duration::ZERO;
            let mut longest = Duration::ZERO;
            let commits = 20_000;
            for commit in 0..commits {
                let batch: Vec<(RoomId, Said)> = (0..events)
                    .map(|at| {
                        nth += 1;
                        (RoomId(at % rooms + 1), said((nth - 1) / rooms + 1, nth, has_reference))
                    })
                    .collect();
                let batch: Vec<(RoomId, &Said)> =
                    batch.iter().map(|(room, said)| (*room, said)).collect();
                let (started, cpu_before) = (Instant::now(), cpu());
                writer.commit(Batch { said: &batch, memos: &[] }).unwrap();
                cpu_spent += cpu().saturating_sub(cpu_before);
                longest = longest.max(started.elapsed());
                if commit % 500 == 499 {
                    upkeep.catch_up().unwrap();
                }
            }
            println!(
                "{events} events in {rooms} rooms, references: {has_reference}: {:.1} µs CPU for a \
                 commit, the longest took {longest:?}",
                cpu_spent.as_secs_f64() * 1e6 / f64::from(commits),
            );
        }
    }
}

/// A million messages in a hundred rooms, each with a reference, and a hundred sessions.
#[test]
#[ignore = "takes long, and only prints"]
fn a_million_events() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let (_, mut writer, reader, mut upkeep, _) = open(&path, Durability::Process);
    let rooms = (1..=ROOMS).map(|id| room(RoomId(id), "Room"));
    let sessions = (1..=100).map(|user| {
        Memo::User(StoredUser {
            user: UserId(user),
            key: ResumeKey([0; 32]),
            name: format!("User {user}").into(),
            room: None,
        })
    });
    let memos: Vec<Memo> = rooms.chain(sessions).collect();
    writer.commit(Batch { said: &[], memos: &memos }).unwrap();
    for seq in 1..=EVENTS_PER_ROOM {
        let batch: Vec<Said> =
            (0..ROOMS).map(|room| said(seq, (seq - 1) * ROOMS + room, true)).collect();
        let batch: Vec<(RoomId, &Said)> = (1..).map(RoomId).zip(&batch).collect();
        writer.commit(Batch { said: &batch, memos: &[] }).unwrap();
        if seq % 100 == 0 {
            upkeep.catch_up().unwrap();
        }
    }
    drop((writer, reader, upkeep));
    println!("file: {} MB", path.metadata().unwrap().len() / 1_000_000);

    for _ in 0..2 {
        let started = Instant::now();
        let (remembered, writer, mut reader, upkeep, _) = open(&path, Durability::Process);
        let took = started.elapsed();
        let references: usize = remembered.users.iter().map(|(_, them)| them.len()).sum();
        println!("open: {took:?} with {references} references");

        for before in [EVENTS_PER_ROOM + 1, EVENTS_PER_ROOM / 2, 100] {
            let mut times: Vec<Duration> = (1..=ROOMS)
                .map(|room| {
                    let started = Instant::now();
                    let (page, _) = reader.before(RoomId(room), before, 50, usize::MAX).unwrap();
                    assert_eq!(page.len(), 50);
                    started.elapsed()
                })
                .collect();
            times.sort();
            println!("page before {before}: p50 {:?}, max {:?}", times[50], times[99]);
        }
        let started = Instant::now();
        let found = reader.since(RoomId(7), 100, 600, usize::MAX).unwrap();
        println!("since, {} events: {:?}", found.len(), started.elapsed());
        drop((writer, reader, upkeep));
    }
}

/// How long a commit takes under full load while upkeep works at the same time.
#[test]
#[ignore = "takes long, and only prints"]
fn upkeep_beside_commits() {
    for durability in [Durability::Process, Durability::PowerLoss] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let retention = super::Retention { max_events: 10_000, ..EVERYTHING };
        let (_, mut writer, _, upkeep, _) = super::open(&path, durability, retention).unwrap();
        let memos: Vec<Memo> = (1..=10).map(|id| room(RoomId(id), "Room")).collect();
        writer.commit(Batch { said: &[], memos: &memos }).unwrap();
        let (stop, stopped) = crossbeam_channel::bounded(0);
        let working = std::thread::spawn(move || upkeep.run(&stopped, &Health::default()));
        let mut times = Vec::new();
        let mut wal_bytes = 0;
        let started = Instant::now();
        for seq in 1.. {
            let batch: Vec<Said> = (0..10).map(|room| said(seq, seq * 10 + room, true)).collect();
            let batch: Vec<(RoomId, &Said)> = (1..).map(RoomId).zip(&batch).collect();
            let before = Instant::now();
            writer.commit(Batch { said: &batch, memos: &[] }).unwrap();
            times.push(before.elapsed());
            let wal = folder.path().join("history.db-wal");
            wal_bytes = wal.metadata().unwrap().len().max(wal_bytes);
            if started.elapsed() > Duration::from_secs(20) {
                break;
            }
        }
        drop(stop);
        working.join().unwrap();
        let commits = times.len();
        times.sort();
        let at = |share: usize| times[(commits - 1) * share / 1_000];
        println!(
            "{durability:?}: {commits} commits of 10 events; p50 {:?}, p99 {:?}, p99.9 {:?}, \
             max {:?}; WAL {} MB, database {} MB",
            at(500),
            at(990),
            at(999),
            at(1_000),
            wal_bytes >> 20,
            path.metadata().unwrap().len() >> 20,
        );
    }
}

/// How long a commit takes while a million messages are copied, and while all of them are erased.
#[test]
#[ignore = "takes long, and only prints"]
fn backup_and_erasure_beside_commits() {
    for durability in [Durability::Process, Durability::PowerLoss] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let (_, mut writer, _, upkeep, archive) = open(&path, durability);
        writer.commit(Batch { said: &[], memos: &[room(RoomId(1), "Room")] }).unwrap();
        let last = ROOMS * EVENTS_PER_ROOM;
        for thousand in 0..last / 1_000 {
            let batch: Vec<Said> =
                (thousand * 1_000 + 1..).take(1_000).map(|seq| said(seq, seq, true)).collect();
            let batch: Vec<_> = batch.iter().map(|said| (RoomId(1), said)).collect();
            writer.commit(Batch { said: &batch, memos: &[] }).unwrap();
        }
        let (stop, stopped) = crossbeam_channel::bounded(0);
        let working = std::thread::spawn(move || upkeep.run(&stopped, &Health::default()));
        let mut next = last;
        let mut beside = |what: &str, work: &(dyn Fn() + Sync)| {
            let started = Instant::now();
            let (mut longest, mut commits) = (Duration::ZERO, 0);
            std::thread::scope(|scope| {
                let worker = scope.spawn(work);
                while !worker.is_finished() {
                    next += 1;
                    let said = said(next, next, true);
                    let before = Instant::now();
                    writer.commit(Batch { said: &[(RoomId(1), &said)], memos: &[] }).unwrap();
                    longest = longest.max(before.elapsed());
                    commits += 1;
                    std::thread::sleep(Duration::from_millis(10));
                }
            });
            let took = started.elapsed();
            println!("{durability:?}, {what}: {took:?}; {commits} commits, longest {longest:?}");
        };
        beside("nothing", &|| std::thread::sleep(Duration::from_secs(3)));
        beside("a backup", &|| {
            drop(archive.backup().unwrap().copy(&mut |_, _| Continue(())).unwrap());
        });
        beside("an erasure", &|| {
            let erased = archive.erase(Erasure::Room(RoomId(1)), &[(RoomId(1), last)]).unwrap();
            assert_eq!(erased, last);
        });
        drop(stop);
        working.join().unwrap();
    }
}
