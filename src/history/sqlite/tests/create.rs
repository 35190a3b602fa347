//! A file whose history comes from elsewhere is as good as one that a server has written.

use std::fs::{self, File};
use std::io;

use super::super::create::{NewFile, reference_hash};
use super::*;
use crate::chat::{
    Content, Person, Position, ReferenceHash, ResumeKey, StoredRoom, StoredUser, UserId,
};

const EPOCH: &str = "00ff00ff00ff00ff-2";

fn stored() -> Stored {
    let position = |room, seq| Position { room, seq };
    let references = [
        (ReferenceHash::of("z", 2), position(LOBBY, 2)),
        (ReferenceHash::of("a", 1), position(LOBBY, 1)),
        (ReferenceHash::of("z", 0), position(BAR, 0)),
    ];
    let session = |id: u8, room| StoredUser {
        user: UserId(id.into()),
        key: ResumeKey([id; 32]),
        name: format!("Änn {id}").into(),
        room,
    };
    Stored {
        last_user: 17,
        last_room: 9,
        rooms: vec![
            (StoredRoom { id: LOBBY, title: "Lobby".into(), place: Some(0) }, 4),
            (StoredRoom { id: BAR, title: "Bär 🎉".into(), place: None }, 0),
        ],
        users: vec![(session(3, Some(BAR)), references.to_vec()), (session(8, None), vec![])],
    }
}

fn messages() -> Vec<Said> {
    let from = Person { id: UserId(3), name: "Änn 3".into() };
    let said = |seq, content, reference: Option<&str>| Said {
        seq,
        time: 1_000 + seq,
        from: from.clone(),
        content,
        reference: reference.map(Into::into),
    };
    let gone = said(3, Content::Text("away with it".to_owned()), None).erased();
    vec![
        said(1, Content::Text("'\u{0}🎉\"".to_owned()), Some("a")),
        said(2, Content::Gif(u64::MAX), Some("z")),
        gone,
        said(4, Content::Text("last".to_owned()), None),
    ]
}

/// A server that starts with the file that `new` is.
fn start(new: NewFile) -> (TempDir, TestServer, u64) {
    let (folder, path) = new_path();
    let (mut file, bytes, count) = new.finish().unwrap();
    let copied = io::copy(&mut file, &mut File::create(&path).unwrap()).unwrap();
    assert_eq!(copied, bytes);
    (folder, TestServer::start(&path), count)
}

fn create(epoch: Option<&str>) -> NewFile {
    let (folder, path) = new_path();
    let new = NewFile::create(&path, epoch, &stored()).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it has no name");
    new
}

#[test]
fn a_server_finds_all_of_it_and_goes_on() {
    let mut new = create(Some(EPOCH));
    let messages = messages();
    new.add(LOBBY, &messages[..2]).unwrap();
    new.add(LOBBY, &messages[2..]).unwrap();
    // A room that is gone.
    new.add(RoomId(7), &messages).unwrap();
    let (_folder, mut server, count) = start(new);
    assert_eq!((count, server.writer.epoch()), (4, EPOCH));
    assert_eq!(server.remembered, stored());
    assert_eq!(server.reader.since(LOBBY, 0, 4, usize::MAX).unwrap(), messages);
    server.say(LOBBY, 5..=6);
    assert_eq!(server.all(LOBBY), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn without_an_epoch_a_new_one_begins() {
    let epoch = || start(create(None)).1.writer.epoch().to_owned();
    assert_ne!(epoch(), epoch());
}

#[test]
fn what_was_before_a_gap_is_not_kept_and_no_number_is_used_again() {
    let all = messages();
    for (there, left) in [
        (&[1, 3, 4][..], vec![3, 4]),
        (&[1, 2, 4], vec![4]),
        (&[3, 4], vec![3, 4]),
        (&[1, 2], vec![]),
        (&[1, 4], vec![4]),
        (&[], vec![]),
    ] {
        let mut new = create(None);
        for seq in there {
            new.add(LOBBY, &all[seq - 1..*seq]).unwrap();
        }
        let (_folder, mut server, count) = start(new);
        assert_eq!(server.all(LOBBY), left, "{there:?}");
        assert_eq!(count, left.len() as u64);
        assert_eq!(server.last_seqs(), [(1, 4), (2, 0)]);
    }
    // What the log does not have yet is left out.
    let mut new = create(None);
    let mut newer = all.clone();
    newer.push(text(5));
    new.add(LOBBY, &newer).unwrap();
    assert_eq!(start(new).1.all(LOBBY), [1, 2, 3, 4]);
}

#[test]
fn no_client_can_send_what_stands_for_a_hash() {
    let (_folder, server, _) = start(create(None));
    let sql = "SELECT ref FROM reference ORDER BY id LIMIT 1";
    let text: String = server.writer.connection().query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(text.chars().count() > 64, "{text}");
    assert_eq!(reference_hash(&text, 2), ReferenceHash::of("z", 2));
    assert_eq!(reference_hash("z", 2), ReferenceHash::of("z", 2));
}
