//! A server that starts again finds everything as it was.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::chat::{
    IdLimits, MIN_REFERENCES, Person, Position, ReferenceHash, ResumeKey, StoredRoom, StoredUser,
    UserId,
};

fn session(user: u64, name: &str, room: Option<RoomId>) -> StoredUser {
    StoredUser {
        user: UserId(user),
        key: ResumeKey([user.try_into().unwrap(); 32]),
        name: name.into(),
        room,
    }
}

#[test]
fn restores_rooms_sessions_and_messages() {
    let (_folder, path) = new_path();
    let lobby = StoredRoom { id: LOBBY, title: "Lobby".into(), place: Some(0) };
    let bar = StoredRoom { id: BAR, title: "Bär 🎉".into(), place: None };
    let mut server = TestServer::start(&path);
    let epoch = server.writer.epoch().to_owned();
    server.remember(&[
        Memo::Room(StoredRoom { title: "Old".into(), ..lobby.clone() }),
        Memo::Room(bar.clone()),
        Memo::Ids(IdLimits { user: 64, room: 2 }),
        Memo::User(session(8, "Bob", Some(BAR))),
        Memo::User(session(7, "An", None)),
        Memo::User(session(9, "Cid", Some(LOBBY))),
        Memo::User(session(7, "Ann", Some(LOBBY))),
    ]);
    server.say(LOBBY, 1..=5);
    server.remember(&[Memo::Room(lobby.clone()), Memo::UserGone(UserId(9))]);
    drop(server);

    let mut server = TestServer::start(&path);
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
    assert_eq!(server.writer.epoch(), epoch);
    assert_eq!(server.all(LOBBY), [1, 2, 3, 4, 5]);
    server.say(LOBBY, 6..=6);
    assert_eq!(server.all(LOBBY), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn restores_references() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    let batch = [
        (LOBBY, 7, 1, "z"),
        (BAR, 7, 1, "m"),
        (LOBBY, 7, 2, "a"),
        // This user has no session.
        (BAR, 8, 2, "z"),
    ];
    let batch =
        batch.map(|(room, user, seq, reference)| (room, with_reference(user, seq, reference)));
    let batch = batch.each_ref().map(|(room, said)| (*room, said));
    let memos = [Memo::User(session(7, "Ann", None)), Memo::User(session(9, "Cid", None))];
    server.writer.commit(Batch { said: &batch, memos: &memos }).unwrap();
    drop(server);

    let mut server = TestServer::start(&path);
    assert_eq!(references(&server), ["7: z=1/1 m=2/1 a=1/2", "9:"]);
    // Those to messages that are no longer kept are restored, too: a repetition must not be said again.
    let created = |room, reference: &str| {
        let (room, reference) = (RoomId(room), reference.into());
        Memo::Created { user: UserId(7), room, reference }
    };
    server.remember(&[
        Memo::RoomGone(BAR),
        created(3, "z"),
        room(RoomId(4), "Four"),
        created(4, "c"),
    ]);
    server.upkeep.catch_up().unwrap();
    drop(server);
    let expected = ["7: z=1/1 m=2/1 a=1/2 z=3/0 c=4/0", "9:"];
    assert_eq!(references(&TestServer::start(&path)), expected);
}

fn with_reference(user: u64, seq: u64, reference: &str) -> Said {
    let from = Person { id: UserId(user), name: "Ann".into() };
    Said { from, reference: Some(reference.into()), ..text(seq) }
}

/// The references of each user that the start found, oldest first, as `reference=room/seq`.
fn references(server: &TestServer) -> Vec<String> {
    let mut statement =
        server.writer.connection().prepare("SELECT ref, seq FROM reference").unwrap();
    let names = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?))).unwrap();
    let names: BTreeMap<ReferenceHash, String> = names
        .map(|row| row.map(|(name, seq)| (ReferenceHash::of(&name, uint(seq)), name)).unwrap())
        .collect();
    let sessions = server.remembered.users.iter().map(|(session, references)| {
        let start = format!("{}:", session.user.0);
        references.iter().fold(start, |line, (reference, at)| {
            format!("{line} {}={}/{}", names[reference], at.room.0, at.seq)
        })
    });
    sessions.collect()
}

#[test]
fn references_are_pruned_with_their_messages() {
    let (_folder, path) = new_path();
    let retention = Retention { max_events: 2, ..EVERYTHING };
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    let memos = [7, 8].map(|user| Memo::User(session(user, "Ann", None)));
    server.remember(&memos);
    server.remember(&[room(LOBBY, "Lobby")]);
    for seq in 1..=3_000 {
        let said = with_reference(7 + seq % 2, seq, &format!("r{seq}"));
        server.writer.commit(Batch { said: &[(LOBBY, &said)], memos: &[] }).unwrap();
    }
    // A round looks at a few hundred references, if no more were added.
    for _ in 0..15 {
        server.upkeep.catch_up().unwrap();
    }
    drop(server);
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    // The latest of each user stay.
    let latest = |user, last: u64| {
        let seqs = (last - 2 * (MIN_REFERENCES as u64 - 1)..=last).step_by(2);
        seqs.fold(format!("{user}:"), |line, seq| format!("{line} r{seq}=1/{seq}"))
    };
    assert_eq!(references(&server), [latest(7, 3_000), latest(8, 2_999)]);
    // The rows of the others are deleted, and so are those of a session that has ended.
    server.remember(&[Memo::UserGone(UserId(8))]);
    server.upkeep.catch_up().unwrap();
    let rows = query::<i64>(&path, "SELECT count(*) FROM reference");
    assert_eq!(uint(rows), MIN_REFERENCES as u64);
    // A row id is not used twice, or the order would be wrong.
    let said = with_reference(7, 3_001, "last");
    server.writer.commit(Batch { said: &[(LOBBY, &said)], memos: &[] }).unwrap();
    drop(server);
    let server = TestServer::start_as(&path, Durability::Process, retention);
    assert_eq!(references(&server), [latest(7, 3_000) + " last=1/3001"]);
}

#[test]
fn references_are_kept_where_no_message_is() {
    let (_folder, path) = new_path();
    let retention = Retention { max_events: 0, ..EVERYTHING };
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    server.remember(&[room(LOBBY, "Lobby"), Memo::User(session(7, "Ann", None))]);
    let said = with_reference(7, 1, "a");
    server.writer.commit(Batch { said: &[(LOBBY, &said)], memos: &[] }).unwrap();
    server.upkeep.catch_up().unwrap();
    drop(server);
    let server = TestServer::start_as(&path, Durability::Process, retention);
    assert_eq!(references(&server), ["7: a=1/1"]);
}

#[test]
fn whoever_has_most_references_does_without_the_oldest_if_there_are_too_many() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.remember(&[7, 8, 9].map(|user| Memo::User(session(user, "Ann", None))));
    let users = (1..=40).map(|seq| if seq <= 3 { 7 } else { 8 + seq % 2 });
    for (seq, user) in (1..).zip(users) {
        let said = with_reference(user, seq, &seq.to_string());
        server.writer.commit(Batch { said: &[(LOBBY, &said)], memos: &[] }).unwrap();
    }
    drop(server);
    let retention = Retention { max_references: 8, ..EVERYTHING };
    let server = TestServer::start_as(&path, Durability::Process, retention);
    assert_eq!(references(&server), ["7: 2=1/2 3=1/3", "8: 38=1/38 40=1/40", "9: 37=1/37 39=1/39"]);
    drop(server);
    let retention = Retention { max_references: 13, ..EVERYTHING };
    let server = TestServer::start_as(&path, Durability::Process, retention);
    let counts: Vec<_> = server.remembered.users.iter().map(|(_, them)| them.len()).collect();
    assert_eq!(counts, [3, 5, 5]);
}

#[test]
fn the_id_of_a_deleted_room_stays_used() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.remember(&[room(RoomId(9), "Nine"), Memo::Ids(IdLimits { user: 50, room: 50 })]);
    server.remember(&[Memo::RoomGone(RoomId(9)), Memo::Ids(IdLimits { user: 40, room: 9 })]);
    server.remember(&[room(LOBBY, "Lobby")]);
    drop(server);
    let server = TestServer::start(&path);
    // Ids are reserved ahead, and unused ones are given back.
    assert_eq!((server.remembered.last_room, server.remembered.last_user), (9, 40));
}

#[test]
fn the_id_of_a_room_deleted_before_it_was_saved_stays_used() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.writer.connection().pragma_update(None, "query_only", true).unwrap();
    let batch = [room(RoomId(3), "Short")];
    server.writer.commit(Batch { said: &[], memos: &batch }).unwrap_err();
    // The later memo about the room replaces the one that failed.
    server.remember(&[Memo::RoomGone(RoomId(3))]);
    drop(server);
    assert_eq!(TestServer::start(&path).remembered.last_room, 3);
}

#[test]
fn a_room_does_not_inherit_from_a_deleted_one_with_its_id() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.remember(&[Memo::User(session(7, "Ann", None))]);
    let said = with_reference(7, 1, "old");
    server.writer.commit(Batch { said: &[(BAR, &said)], memos: &[] }).unwrap();
    server.remember(&[Memo::RoomGone(BAR)]);
    server.remember(&[room(BAR, "Bar")]);
    server.say(BAR, 1..=2);
    server.upkeep.catch_up().unwrap();
    drop(server);
    let mut server = TestServer::start(&path);
    assert_eq!(server.all(BAR), [1, 2]);
    assert_eq!(references(&server), ["7:"]);
}

#[test]
fn seq_goes_on_after_everything_was_pruned() {
    let (_folder, path) = new_path();
    let day = std::time::Duration::from_secs(86_400);
    let retention = Retention { max_age: Some(day), ..EVERYTHING };
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    server.remember(&[room(LOBBY, "Lobby")]);
    server.say(LOBBY, 1..=300);
    server.upkeep.catch_up().unwrap();
    assert_eq!(server.all(LOBBY), NOTHING);
    // A new title must not change `pruned`.
    server.remember(&[room(LOBBY, "The Lobby")]);
    drop(server);
    assert_eq!(TestServer::start(&path).last_seqs(), [(1, 300)]);
}

#[test]
fn seq_goes_on_when_no_messages_are_stored() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=100);
    drop(server);
    let retention = Retention { max_events: 0, ..EVERYTHING };
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    server.say(LOBBY, 101..=103);
    server.upkeep.catch_up().unwrap();
    assert_eq!(server.all(LOBBY), NOTHING);
    drop(server);
    assert_eq!(TestServer::start(&path).last_seqs(), [(1, 103), (2, 0)]);
}

#[test]
fn nothing_is_found_before_a_gap() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=10);
    drop(server);
    let retention = Retention { max_events: 0, ..EVERYTHING };
    let mut server = TestServer::start_as(&path, Durability::Process, retention);
    server.say(LOBBY, 11..=11);
    // Upkeep has not run yet.
    assert_eq!(seqs(&server.reader.since(LOBBY, 5, 11, usize::MAX).unwrap()), NOTHING);
    assert_eq!(server.reader.before(LOBBY, 12, 5, usize::MAX).unwrap(), (vec![], false));
    let tenth = Position { room: LOBBY, seq: 10 };
    assert_eq!(server.reader.message(tenth).unwrap(), None);
    drop(server);

    let mut server = TestServer::start(&path);
    server.say(LOBBY, 12..=13);
    assert_eq!(seqs(&server.reader.since(LOBBY, 5, 13, usize::MAX).unwrap()), [12, 13]);
    assert_eq!(seqs(&server.reader.since(LOBBY, 12, 13, usize::MAX).unwrap()), [13]);
    let (found, has_more) = server.reader.before(LOBBY, 14, 5, usize::MAX).unwrap();
    assert_eq!((seqs(&found), has_more), (vec![12, 13], false));
    assert_eq!(server.reader.message(tenth).unwrap(), None);
}

#[test]
fn a_file_survives_a_kill() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    let epoch = server.writer.epoch().to_owned();
    server.say(LOBBY, 1..=50);
    let (_left_folder, left) = killed(&path);
    let mut server = TestServer::start(&left);
    assert_eq!(server.last_seqs(), [(1, 50), (2, 0)]);
    assert_eq!(server.writer.epoch(), epoch);
    assert_eq!(server.all(LOBBY).len(), 50);
}

#[test]
fn an_empty_file_from_a_start_cut_short_is_used() {
    let (_folder, path) = new_path();
    fs::write(&path, "").unwrap();
    assert_eq!(TestServer::start(&path).remembered, Stored::default());
}

/// Whether the epoch changes when the file is used after a reboot.
fn after_a_power_cut(durability: Durability, is_killed: bool) -> bool {
    let (_folder, path) = new_path();
    let server = TestServer::start_as(&path, durability, EVERYTHING);
    let epoch = server.writer.epoch().to_owned();
    if !is_killed {
        drop(server);
    }
    let (_left_folder, left) = killed(&path);
    let sql = "UPDATE meta SET value = 'another' WHERE key = 'unsynced_boot'";
    Connection::open(&left).unwrap().execute(sql, []).unwrap();
    let has_changed = TestServer::start(&left).writer.epoch() != epoch;
    let again = TestServer::start(&left).writer.epoch().to_owned();
    assert_eq!(TestServer::start(&left).writer.epoch(), again, "it changes once only");
    has_changed
}

#[test]
fn the_epoch_changes_if_a_loss_of_power_may_have_taken_commits() {
    assert!(after_a_power_cut(Durability::Process, true));
    assert!(!after_a_power_cut(Durability::Process, false));
    assert!(!after_a_power_cut(Durability::PowerLoss, true));
}

/// Makes a copy of the file, as a backup does.
fn back_up(path: &Path) -> (TempDir, PathBuf) {
    let (folder, copy) = new_path();
    let sql = "VACUUM INTO ?1";
    Connection::open(path).unwrap().execute(sql, [copy.to_str().unwrap()]).unwrap();
    (folder, copy)
}

/// Puts the backup in the place of the file, and returns whether the epoch changes.
#[track_caller]
fn epoch_changes_with(backup: &Path, path: &Path, epoch: &str) -> bool {
    let _ = fs::remove_file(wal(path));
    fs::copy(backup, path).unwrap();
    let started = TestServer::start(path).writer.epoch().to_owned();
    assert_eq!(TestServer::start(path).writer.epoch(), started, "it changes once only");
    started != epoch
}

#[test]
fn a_backup_in_the_place_of_the_file_begins_a_new_epoch() {
    for is_killed in [false, true] {
        let (_folder, path) = new_path();
        let mut server = TestServer::start_anew(&path);
        let epoch = server.writer.epoch().to_owned();
        server.say(LOBBY, 1..=5);
        let (_of_same_run, of_same_run) = back_up(&path);
        drop(server);
        let mut server = TestServer::start(&path);
        server.say(BAR, 1..=3);
        let (_of_last_run, of_last_run) = back_up(&path);
        server.say(LOBBY, 6..=6);
        let (_same, same) = back_up(&path);
        let left = killed(&path);
        drop(server);
        let after = |backup: &Path| {
            let (_copy_folder, copy) = killed(if is_killed { &left.1 } else { &path });
            epoch_changes_with(backup, &copy, &epoch)
        };
        assert!(after(&of_same_run));
        assert!(after(&of_last_run));
        assert!(!after(&same), "nothing is missing in it");
    }
}

#[test]
fn a_deleted_room_is_not_missed_and_a_room_from_after_the_backup_is() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    let epoch = server.writer.epoch().to_owned();
    server.say(LOBBY, 1..=5);
    let (_backup_folder, backup) = back_up(&path);
    server.remember(&[room(RoomId(3), "Short")]);
    server.say(RoomId(3), 1..=9);
    let (_later_folder, later) = killed(&path);
    assert!(epoch_changes_with(&backup, &later, &epoch));
    server.remember(&[Memo::RoomGone(RoomId(3))]);
    let (_left_folder, left) = killed(&path);
    assert_eq!(TestServer::start(&left).writer.epoch(), epoch);
    drop(server);
    assert_eq!(TestServer::start(&path).writer.epoch(), epoch);
}

#[test]
fn a_backup_from_before_a_room_was_deleted_begins_a_new_epoch() {
    let (_folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    let epoch = server.writer.epoch().to_owned();
    server.say(LOBBY, 1..=5);
    server.say(BAR, 1..=3);
    let (_backup_folder, backup) = back_up(&path);
    // Clients have seen these, and in the backup their numbers are free.
    server.say(BAR, 4..=5);
    server.remember(&[Memo::RoomGone(BAR)]);
    let (_same_folder, same) = back_up(&path);
    for (backup, is_older) in [(&backup, true), (&same, false)] {
        let (_left_folder, left) = killed(&path);
        assert_eq!(epoch_changes_with(backup, &left, &epoch), is_older);
    }
}

#[test]
fn a_start_that_is_cut_short_keeps_the_epoch() {
    let (_folder, path) = new_path();
    let server = TestServer::start_anew(&path);
    let epoch = server.writer.epoch().to_owned();
    drop(server);
    // The mark is written before the file: a kill leaves one of them without the other.
    let old = fs::read(&path).unwrap();
    let (_later_folder, later) = killed(&path);
    let (_, claim_of_later) = (TestServer::start(&later), beside(&later, ".lock"));
    let text = fs::read_to_string(&claim_of_later).unwrap();
    let before: String = query(&path, "SELECT value FROM meta WHERE key = 'token'");
    let line = text.lines().nth(1).unwrap();
    let cut_short = text.replacen(&line[..16], &before, 1);
    fs::write(beside(&path, ".lock"), cut_short).unwrap();
    fs::write(&path, old).unwrap();
    assert_eq!(TestServer::start(&path).writer.epoch(), epoch);
}

#[test]
fn durability_sets_synchronous() {
    for (durability, expected) in [(Durability::Process, 1), (Durability::PowerLoss, 2)] {
        let (_folder, path) = new_path();
        let server = TestServer::start_as(&path, durability, EVERYTHING);
        let pragma = |name| -> i64 {
            server.writer.connection().pragma_query_value(None, name, |row| row.get(0)).unwrap()
        };
        assert_eq!(pragma("synchronous"), expected);
        assert_eq!(pragma("wal_autocheckpoint"), 0);
    }
}

#[test]
fn nothing_is_left_beside_the_file_if_all_threads_end_at_once() {
    for _ in 0..50 {
        let (folder, path) = new_path();
        let TestServer { writer, reader, upkeep, .. } = TestServer::start_anew(&path);
        let at_once = std::sync::Barrier::new(2);
        // The writer has more to do before.
        drop(writer);
        std::thread::scope(|scope| {
            scope.spawn(|| (at_once.wait(), drop(reader)));
            scope.spawn(|| (at_once.wait(), drop(upkeep)));
        });
        assert_eq!(super::backup::names(&folder), ["history.db", "history.db.lock"]);
    }
}

#[test]
fn a_clean_end_leaves_one_private_file() {
    let (folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    server.say(LOBBY, 1..=50);
    let mode = |name: &str| {
        let path = folder.path().join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    for name in ["history.db", "history.db-wal", "history.db-shm", "history.db.lock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    // The dispatcher ends first, and leaves nothing for the others to do.
    let TestServer { writer, reader, upkeep, .. } = server;
    drop(writer);
    assert_eq!(fs::metadata(wal(&path)).unwrap().len(), 0);
    drop((reader, upkeep));
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["history.db", "history.db.lock"]);
}

#[test]
fn a_start_empties_a_long_wal() {
    let (folder, path) = new_path();
    let mut server = TestServer::start_anew(&path);
    for seq in 1..=2_000 {
        server.say(LOBBY, [seq]);
    }
    // As a kill leaves it.
    let left = folder.path().join("left.db");
    fs::copy(&path, &left).unwrap();
    fs::copy(wal(&path), wal(&left)).unwrap();
    let length = |path| fs::metadata(wal(path)).unwrap().len();
    assert!(length(&left) > 4 << 20, "{}", length(&left));
    let mut next = TestServer::start(&left);
    assert!(length(&left) < 1 << 20, "{}", length(&left));
    assert_eq!(next.all(LOBBY).len(), 2_000);
}
