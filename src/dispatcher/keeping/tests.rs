use std::sync::Mutex;

use super::*;
use crate::chat::{Remembered, RememberedSession, Rules, SessionKey};
use crate::history;
use crate::history::{Location, Retention};

/// What a history was asked to commit, and whether it did.
#[derive(Debug, Default)]
struct Record {
    is_failing: bool,
    batches: Vec<Vec<Memo>>,
}

/// A history that fails when it is told to.
struct Moody(Arc<Mutex<Record>>);

impl History for Moody {
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), HistoryError> {
        let mut record = self.0.lock().unwrap();
        record.batches.push(batch.memos.to_vec());
        if record.is_failing { Err(no_history()) } else { Ok(()) }
    }
}

/// An error, of whatever kind.
fn no_history() -> HistoryError {
    let path = std::path::PathBuf::from("/nowhere/at/all.db");
    let location = Location::File { path, durability: crate::settings::Durability::Process };
    let retention = Retention { max_events: 1, max_age: None, max_memory_bytes: 1 };
    history::open(&location, retention).err().expect("there is no such directory")
}

fn start() -> (Keeping, Chat, Arc<Mutex<Record>>, Arc<Health>) {
    let rules = Rules {
        rooms: vec!["A".to_owned()],
        max_rooms: 0,
        max_name_chars: 10,
        max_title_chars: 10,
        max_text_chars: 10,
        empty_room_ttl: Duration::from_secs(1),
        room_list_interval: Duration::ZERO,
        resume_grace: Duration::ZERO,
        max_away: 0,
        max_kept: 10,
        max_age: None,
    };
    let (chat, _) = Chat::restore(rules, Remembered { last_user: 7, ..Remembered::default() });
    let (record, health) = (Arc::<Mutex<Record>>::default(), Arc::<Health>::default());
    let keeping = Keeping::new(Box::new(Moody(record.clone())), health.clone(), UserId(7));
    (keeping, chat, record, health)
}

fn session(user: u64) -> Memo {
    let (key, name) = (SessionKey([0; 32]), "Ann".into());
    Memo::Session(RememberedSession { user: UserId(user), key, name, room: None })
}

#[test]
fn where_nothing_is_said_a_failure_is_tried_again_after_a_while_and_not_before() {
    let (mut keeping, mut chat, record, health) = start();
    record.lock().unwrap().is_failing = true;
    keeping.note(session(7));
    keeping.commit(&mut chat, &mut []);
    assert!(health.is_failing());
    let retry_at = keeping.retry_at().expect("it is to be tried again");
    for _ in 0..10 {
        keeping.commit(&mut chat, &mut []);
    }
    assert_eq!(record.lock().unwrap().batches.len(), 1);

    record.lock().unwrap().is_failing = false;
    std::thread::sleep(retry_at.saturating_duration_since(Instant::now()));
    keeping.commit(&mut chat, &mut []);
    assert!(!health.is_failing());
    assert_eq!(keeping.retry_at(), None);
    let batches = std::mem::take(&mut record.lock().unwrap().batches);
    assert!(batches[1].contains(&session(7)), "what was not committed is, now: {batches:?}");
    assert!(batches[1].contains(&Memo::Ballast(1)), "there is something to write: {batches:?}");
}

#[test]
fn what_waits_to_be_committed_does_not_grow() {
    let (mut keeping, mut chat, record, _) = start();
    record.lock().unwrap().is_failing = true;
    for user in 8..1_000 {
        keeping.note(session(user));
        keeping.note(Memo::SessionOver(UserId(user)));
        keeping.note(session(7));
        keeping.end(&mut chat);
    }
    // Only of user 7 the history may know.
    assert_eq!(keeping.memos, [session(7), Memo::LastUser(UserId(7)), Memo::Ballast(1)]);
}
