//! A server that starts again finds everything.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::chat::{Person, Position, ResumeKey, StoredRoom, StoredUser, UserId};

fn session(user: u64, name: &str, room: Option<RoomId>) -> StoredUser {
    StoredUser {
        user: UserId(user),
        key: ResumeKey([user.try_into().unwrap(); 32]),
        name: name.into(),
        room,
    }
}

#[test]
fn brings_everything_back() {
    let (_folder, path) = place();
    let lobby = StoredRoom { id: LOBBY, title: "Lobby".into(), place: Some(0) };
    let bar = StoredRoom { id: BAR, title: "Bär 🎉".into(), place: None };
    let mut server = Server::start(&path);
    let epoch = server.keeper.epoch().to_owned();
    server.remember(&[
        Memo::Room(StoredRoom { title: "Old".into(), ..lobby.clone() }),
        Memo::Room(bar.clone()),
        Memo::LastUser(UserId(64)),
        Memo::User(session(8, "Bob", Some(BAR))),
        Memo::User(session(7, "An", None)),
        Memo::User(session(9, "Cid", Some(LOBBY))),
        Memo::User(session(7, "Ann", Some(LOBBY))),
    ]);
    server.say(LOBBY, 1..=5);
    server.remember(&[Memo::Room(lobby.clone()), Memo::UserGone(UserId(9))]);
    drop(server);

    let mut server = Server::start(&path);
    let expected = Stored {
        last_user: 64,
        last_room: 2,
        rooms: vec![(lobby, 5), (bar, 0)],
        users: vec![
            (session(7, "Ann", Some(LOBBY)), vec![]),
            (session(8, "Bob", Some(BAR)), vec![]),
        ],
    };
    assert_eq!(server.remembered, expected);
    assert_eq!(server.keeper.epoch(), epoch);
    assert_eq!(server.all(LOBBY), [1, 2, 3, 4, 5]);
    server.say(LOBBY, 6..=6);
    assert_eq!(server.all(LOBBY), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn brings_back_what_references_stand_for() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    let batch = [
        (LOBBY, 7, 1, "z"),
        (BAR, 7, 1, "m"),
        (LOBBY, 7, 2, "a"),
        // This user can not come back.
        (BAR, 8, 2, "z"),
    ];
    let batch =
        batch.map(|(room, user, seq, reference)| (room, with_reference(user, seq, reference)));
    let batch = batch.each_ref().map(|(room, said)| (*room, said));
    let memos = [Memo::User(session(7, "Ann", None)), Memo::User(session(9, "Cid", None))];
    server.keeper.commit(Batch { said: &batch, memos: &memos }).unwrap();
    drop(server);

    let mut server = Server::start(&path);
    assert_eq!(references(&server), ["7: z=1/1 m=2/1 a=1/2", "9:"]);
    // Those of a room that is gone go with it at once.
    server.remember(&[Memo::RoomGone(BAR)]);
    drop(server);
    assert_eq!(references(&Server::start(&path)), ["7: z=1/1 a=1/2", "9:"]);
}

fn with_reference(user: u64, seq: u64, reference: &str) -> Said {
    let from = Person { id: UserId(user), name: "Ann".into() };
    Said { from, reference: Some(reference.into()), ..text(seq) }
}

/// What a start found: for each user, oldest first, `reference=room/seq`.
fn references(server: &Server) -> Vec<String> {
    let sessions = server.remembered.users.iter().map(|(session, references)| {
        let start = format!("{}:", session.user.0);
        references.iter().fold(start, |line, (reference, at)| {
            format!("{line} {reference}={}/{}", at.room.0, at.seq)
        })
    });
    sessions.collect()
}

#[test]
fn references_go_with_what_they_stand_for() {
    let (_folder, path) = place();
    let retention = Retention { max_events: 2, ..EVERYTHING };
    let mut server = Server::start_as(&path, Durability::Process, retention);
    let memos = [7, 8].map(|user| Memo::User(session(user, "Ann", None)));
    server.remember(&memos);
    server.remember(&[room(LOBBY, "Lobby")]);
    for seq in 1..=3_000 {
        let said = with_reference(7 + seq % 2, seq, &format!("r{seq}"));
        server.keeper.commit(Batch { said: &[(LOBBY, &said)], memos: &[] }).unwrap();
    }
    server.upkeep.catch_up().unwrap();
    drop(server);
    let mut server = Server::start_as(&path, Durability::Process, retention);
    assert_eq!(references(&server), ["7: r3000=1/3000", "8: r2999=1/2999"]);
    // The rows themselves, of a session that is over as well.
    server.remember(&[Memo::UserGone(UserId(8))]);
    server.upkeep.catch_up().unwrap();
    assert_eq!(look::<i64>(&path, "SELECT count(*) FROM reference"), 1);
    // Rows are never given to two, or the order would not hold.
    let said = with_reference(7, 3_001, "last");
    server.keeper.commit(Batch { said: &[(LOBBY, &said)], memos: &[] }).unwrap();
    drop(server);
    let server = Server::start_as(&path, Durability::Process, retention);
    assert_eq!(references(&server), ["7: r3000=1/3000 last=1/3001"]);
}

#[test]
fn a_room_that_is_gone_counts_for_ever() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.remember(&[room(RoomId(9), "Nine"), Memo::LastUser(UserId(50))]);
    server.remember(&[Memo::RoomGone(RoomId(9)), Memo::LastUser(UserId(40))]);
    server.remember(&[room(LOBBY, "Lobby")]);
    drop(server);
    let server = Server::start(&path);
    // Users are noted ahead of their coming, and those who never came are given back.
    assert_eq!((server.remembered.last_room, server.remembered.last_user), (9, 40));
}

#[test]
fn a_room_that_is_gone_before_it_was_kept_counts_too() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.keeper.connection().pragma_update(None, "query_only", true).unwrap();
    let batch = [room(RoomId(3), "Short")];
    server.keeper.commit(Batch { said: &[], memos: &batch }).unwrap_err();
    // The later memo replaces the earlier one of the same room.
    server.remember(&[Memo::RoomGone(RoomId(3))]);
    drop(server);
    assert_eq!(Server::start(&path).remembered.last_room, 3);
}

#[test]
fn a_room_does_not_inherit_from_one_that_is_gone() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.remember(&[Memo::User(session(7, "Ann", None))]);
    let said = with_reference(7, 1, "old");
    server.keeper.commit(Batch { said: &[(BAR, &said)], memos: &[] }).unwrap();
    server.remember(&[Memo::RoomGone(BAR)]);
    server.remember(&[room(BAR, "Bar")]);
    server.say(BAR, 1..=2);
    server.upkeep.catch_up().unwrap();
    drop(server);
    let mut server = Server::start(&path);
    assert_eq!(server.all(BAR), [1, 2]);
    assert_eq!(references(&server), ["7:"]);
}

#[test]
fn goes_on_counting_where_everything_was_pruned() {
    let (_folder, path) = place();
    let day = std::time::Duration::from_secs(86_400);
    let retention = Retention { max_age: Some(day), ..EVERYTHING };
    let mut server = Server::start_as(&path, Durability::Process, retention);
    server.remember(&[room(LOBBY, "Lobby")]);
    server.say(LOBBY, 1..=300);
    server.upkeep.catch_up().unwrap();
    assert_eq!(server.all(LOBBY), NOTHING);
    // A change of the room's title is not to touch it.
    server.remember(&[room(LOBBY, "The Lobby")]);
    drop(server);
    assert_eq!(Server::start(&path).last_seqs(), [(1, 300)]);
}

#[test]
fn goes_on_counting_where_nothing_is_kept() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=100);
    drop(server);
    let retention = Retention { max_events: 0, ..EVERYTHING };
    let mut server = Server::start_as(&path, Durability::Process, retention);
    server.say(LOBBY, 101..=103);
    server.upkeep.catch_up().unwrap();
    assert_eq!(server.all(LOBBY), NOTHING);
    drop(server);
    assert_eq!(Server::start(&path).last_seqs(), [(1, 103), (2, 0)]);
}

#[test]
fn nothing_is_found_before_what_was_not_kept() {
    let (_folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=10);
    drop(server);
    let retention = Retention { max_events: 0, ..EVERYTHING };
    let mut server = Server::start_as(&path, Durability::Process, retention);
    server.say(LOBBY, 11..=11);
    // Upkeep has yet to run, and may not before the end.
    assert_eq!(seqs(&server.reader.since(LOBBY, 5, 11, usize::MAX).unwrap()), NOTHING);
    assert_eq!(server.reader.before(LOBBY, 12, 5, usize::MAX).unwrap(), (vec![], false));
    let tenth = Position { room: LOBBY, seq: 10 };
    assert_eq!(server.reader.event(tenth).unwrap(), None);
    drop(server);

    let mut server = Server::start(&path);
    server.say(LOBBY, 12..=13);
    assert_eq!(seqs(&server.reader.since(LOBBY, 5, 13, usize::MAX).unwrap()), [12, 13]);
    assert_eq!(seqs(&server.reader.since(LOBBY, 12, 13, usize::MAX).unwrap()), [13]);
    let (found, has_more) = server.reader.before(LOBBY, 14, 5, usize::MAX).unwrap();
    assert_eq!((seqs(&found), has_more), (vec![12, 13], false));
    assert_eq!(server.reader.event(tenth).unwrap(), None);
}

#[test]
fn a_file_that_was_left_in_the_middle_of_things_is_whole() {
    let (folder, path) = place();
    let mut server = Server::start_anew(&path);
    let epoch = server.keeper.epoch().to_owned();
    server.say(LOBBY, 1..=50);
    // As a kill would leave it: nothing is copied back, and nobody said goodbye.
    let left = folder.path().join("left.db");
    fs::copy(&path, &left).unwrap();
    fs::copy(wal(&path), wal(&left)).unwrap();
    let mut server = Server::start(&left);
    assert_eq!(server.last_seqs(), [(1, 50), (2, 0)]);
    assert_eq!(server.keeper.epoch(), epoch);
    assert_eq!(server.all(LOBBY).len(), 50);
}

#[test]
fn a_start_that_was_cut_short_is_made_up_for() {
    let (_folder, path) = place();
    fs::write(&path, "").unwrap();
    assert_eq!(Server::start(&path).remembered, Stored::default());
}

/// Leaves the file as a kill would, on a machine that was started again since.
fn after_a_power_cut(durability: Durability, is_killed: bool) -> bool {
    let (folder, path) = place();
    let server = Server::start_as(&path, durability, EVERYTHING);
    let epoch = server.keeper.epoch().to_owned();
    let left = folder.path().join("left.db");
    if !is_killed {
        drop(server);
    }
    fs::copy(&path, &left).unwrap();
    // There is none after a good end.
    let _ = fs::copy(wal(&path), wal(&left));
    let sql = "UPDATE meta SET value = 'another' WHERE key = 'unsynced_boot'";
    Connection::open(&left).unwrap().execute(sql, []).unwrap();
    let has_changed = Server::start(&left).keeper.epoch() != epoch;
    let again = Server::start(&left).keeper.epoch().to_owned();
    assert_eq!(Server::start(&left).keeper.epoch(), again, "once only");
    has_changed
}

#[test]
fn the_epoch_changes_when_a_power_cut_may_have_taken_something() {
    assert!(after_a_power_cut(Durability::Process, true));
    assert!(!after_a_power_cut(Durability::Process, false));
    assert!(!after_a_power_cut(Durability::PowerLoss, true));
}

#[test]
fn waits_for_the_disk_as_it_was_told() {
    for (durability, expected) in [(Durability::Process, 1), (Durability::PowerLoss, 2)] {
        let (_folder, path) = place();
        let server = Server::start_as(&path, durability, EVERYTHING);
        let pragma = |name| -> i64 {
            server.keeper.connection().pragma_query_value(None, name, |row| row.get(0)).unwrap()
        };
        assert_eq!(pragma("synchronous"), expected);
        assert_eq!(pragma("wal_autocheckpoint"), 0);
    }
}

#[test]
fn a_good_end_leaves_one_file_that_only_its_owner_reads() {
    let (folder, path) = place();
    let mut server = Server::start_anew(&path);
    server.say(LOBBY, 1..=50);
    let mode = |name: &str| {
        let path = folder.path().join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    for name in ["history.db", "history.db-wal", "history.db-shm", "history.db.lock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    // The dispatcher ends first: it is done even before the others have gone.
    let Server { keeper, reader, upkeep, .. } = server;
    drop(keeper);
    assert_eq!(fs::metadata(wal(&path)).unwrap().len(), 0);
    drop((reader, upkeep));
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["history.db", "history.db.lock"]);
}

#[test]
fn whoever_is_killed_again_and_again_leaves_no_wal_that_grows() {
    let (folder, path) = place();
    let mut server = Server::start_anew(&path);
    for seq in 1..=2_000 {
        server.say(LOBBY, [seq]);
    }
    // As a kill leaves it.
    let left = folder.path().join("left.db");
    fs::copy(&path, &left).unwrap();
    fs::copy(wal(&path), wal(&left)).unwrap();
    let length = |path| fs::metadata(wal(path)).unwrap().len();
    assert!(length(&left) > 4 << 20, "{}", length(&left));
    let mut next = Server::start(&left);
    assert!(length(&left) < 1 << 20, "{}", length(&left));
    assert_eq!(next.all(LOBBY).len(), 2_000);
}
