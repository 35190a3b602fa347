//! There and back, with a real Redis.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::bounded;
use tempfile::TempDir;

use super::super::batch::{Batch as LogBatch, Command, Join, LEVEL};
use super::super::figures::Figures;
use super::super::keeper::Keeper;
use super::super::redis::test_server::{self, TestServer, eventually};
use super::super::retention::SharedRetention;
use super::*;
use crate::chat::{
    Action, ConnectionId, Content, EntryId, Erasure, IdLimits, Link, Memo, NodeId, Person,
    Position, Request, ResumeKey, ResumeOffer, RoomId, Rules, Said, Source, Stored, StoredRoom,
    StoredUser, UserId, Version,
};
use crate::history::{self, Batch, Location, Opened, Retention};
use crate::settings::Durability;

const LOBBY: RoomId = RoomId(1);
const BAR: RoomId = RoomId(4);
const NODE: NodeId = NodeId(77);
const ANN: ResumeKey = ResumeKey([3; 32]);

const EVERYTHING: Retention = Retention {
    max_events: 10_000,
    max_age: None,
    max_memory_bytes: usize::MAX,
    max_file_bytes: 0,
    max_references: usize::MAX,
};

fn rules() -> Rules {
    let resume_grace = Duration::from_secs(3_600);
    Rules { resume_grace, max_away: 100, empty_room_ttl: resume_grace, ..Rules::sample(&["Lobby"]) }
}

/// A Redis, and a folder for files.
struct Stage {
    server: TestServer,
    engine: Engine,
    folder: TempDir,
}

/// What a server finds in a file.
#[derive(Debug, PartialEq)]
struct Contents {
    epoch: String,
    stored: Stored,
    messages: Vec<(RoomId, Vec<Said>)>,
}

impl Stage {
    fn new() -> Option<Self> {
        let server = test_server::start()?;
        let engine = server.engine();
        Some(Self { server, engine, folder: tempfile::tempdir().unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn import(&self, name: &str) -> Result<ClusterImport, ClusterError> {
        import(&self.engine, &self.path(name), rules(), EVERYTHING, &mut |done, total| {
            assert!(done <= total, "{done} of {total}");
        })
    }

    /// Exports into a file of this name.
    fn export(&self, name: &str) -> (ClusterExport, Contents) {
        let path = self.path(name);
        let mut exported = export(&self.engine, &path, &mut |done, total| {
            assert!(done <= total, "{done} of {total}");
        })
        .unwrap();
        let mut file = File::create(&path).unwrap();
        assert_eq!(io::copy(&mut exported.file, &mut file).unwrap(), exported.bytes);
        (exported, self.contents(name))
    }

    fn open(&self, name: &str) -> Opened {
        let location = Location::File { path: self.path(name), durability: Durability::Process };
        history::open(&location, EVERYTHING).unwrap()
    }

    fn contents(&self, name: &str) -> Contents {
        let Opened { epoch, remembered, mut reader, .. } = self.open(name);
        let messages = remembered
            .rooms
            .iter()
            .map(|(room, last)| (room.id, reader.since(room.id, 0, *last, usize::MAX).unwrap()));
        Contents { epoch, messages: messages.collect(), stored: remembered }
    }

    /// Appends a batch of the node.
    fn append(&self, counter: u64, commands: Vec<Command>) {
        let batch = LogBatch { node: NODE, counter, level: LEVEL, commands };
        let mut connection = self.engine.master().unwrap();
        connection.append(self.engine.keys(), EntryId::default(), &batch.encode()).unwrap();
    }

    /// Lets a keeper run until it has read everything and saved a snapshot.
    fn keep(&self) {
        let figures = Arc::<Figures>::default();
        let retention = SharedRetention::new(EVERYTHING);
        let keeper = Keeper::new(self.engine.clone(), "node", retention, figures.clone());
        let (stop, stopped) = bounded(0);
        let thread = std::thread::spawn(move || keeper.run(&stopped));
        eventually("it is at work", || {
            figures.is_keeper.load(std::sync::atomic::Ordering::Relaxed)
        });
        drop(stop);
        thread.join().unwrap();
    }
}

fn said(seq: u64, content: Content, reference: Option<&str>) -> Said {
    let from = Person { id: UserId(3), name: "Änn 🎉".into() };
    Said { seq, time: 1_000 + seq, from, content, reference: reference.map(Into::into) }
}

fn text(seq: u64) -> Said {
    said(seq, Content::Text(format!("Text {seq}")), None)
}

/// A file with some of everything: `count` messages in the lobby besides those with something special.
fn write_file(stage: &Stage, name: &str, count: u64) {
    let mut opened = stage.open(name);
    let session = |id: u8, key, room| {
        let name = format!("Änn {id}").into();
        Memo::User(StoredUser { user: UserId(id.into()), key, name, room })
    };
    let memos = [
        Memo::Room(StoredRoom { id: LOBBY, title: "Lobby".into(), place: Some(0) }),
        Memo::Room(StoredRoom { id: BAR, title: "Bär 🎉".into(), place: None }),
        Memo::Ids(IdLimits { user: 17, room: 9 }),
        session(3, ANN, Some(BAR)),
        session(8, ResumeKey([8; 32]), None),
        Memo::Created { user: UserId(3), room: BAR, reference: "made".into() },
    ];
    let special = [
        said(1, Content::Text("'\u{0}🎉\"\n".to_owned()), Some("a")),
        said(2, Content::Gif(u64::MAX), Some("z")),
        said(3, Content::Text("away with it".to_owned()), None).erased(),
        Said { from: Person { id: UserId(5), name: "Ben".into() }, ..text(4) },
        text(5),
    ];
    let others = (6..=5 + count).map(text);
    let lobby: Vec<Said> = special.into_iter().chain(others).collect();
    let in_bar = said(1, Content::Text("Cheers".to_owned()), Some("b"));
    let mut all: Vec<_> = lobby.iter().map(|said| (LOBBY, said)).collect();
    all.push((BAR, &in_bar));
    opened.history.commit(Batch { said: &all, memos: &memos }).unwrap();
}

fn link() -> Link {
    Link { node: NODE, connection: ConnectionId(1) }
}

fn join() -> Command {
    Command::Join(Box::new(Join {
        name: "node".to_owned(),
        version: "1".to_owned(),
        lease: Duration::from_secs(6),
        max_level: LEVEL,
        base: "of no use".to_owned(),
        rules: Rules::sample(&["Of no use"]),
        forked: None,
        skipped: Vec::new(),
    }))
}

fn resume(key: ResumeKey) -> Command {
    let offer = ResumeOffer { resumed: Some(key), fresh: ResumeKey([9; 32]) };
    let (source, version) = (Source::SAMPLE, Version::V2);
    Command::Act(Action::Connect { link: link(), source, version, resume: Some(Box::new(offer)) })
}

fn ask(request: Request, reference: &str) -> Command {
    let reference = Some(reference.into());
    Command::Act(Action::Ask { link: link(), request, reference })
}

fn say(text: &str, reference: &str) -> Command {
    ask(Request::Say(Content::Text(text.to_owned()), None), reference)
}

fn texts(contents: &Contents, room: RoomId) -> Vec<String> {
    let (_, messages) = contents.messages.iter().find(|(id, _)| *id == room).unwrap();
    let text = |said: &Said| match &said.content {
        Content::Text(text) => text.clone(),
        Content::Gif(_) => "gif".to_owned(),
        Content::Erased => "erased".to_owned(),
    };
    messages.iter().map(text).collect()
}

#[test]
fn there_and_back_nothing_changes() {
    let Some(stage) = Stage::new() else { return };
    write_file(&stage, "old.db", 1_200);
    let before = stage.contents("old.db");
    assert_eq!(before.messages[0].1.len(), 1_205);
    let references: usize = before.stored.users.iter().map(|(_, sent)| sent.len()).sum();
    assert_eq!(references, 4);

    let imported = stage.import("old.db").unwrap();
    assert_eq!((imported.rooms, imported.users, imported.messages), (2, 2, 1_206));
    assert_eq!(imported.epoch, before.epoch);
    let (exported, after) = stage.export("new.db");
    assert_eq!(after, before);
    assert_eq!((exported.rooms, exported.users, exported.messages), (2, 2, 1_206));
    assert!(exported.is_same_epoch);

    // The file is as it was, but never says again that it goes on where its clients were.
    let old = stage.contents("old.db");
    assert_ne!(old.epoch, before.epoch);
    assert_eq!((old.stored, old.messages), (before.stored, before.messages));
}

#[test]
fn what_happened_since_is_in_the_file_whether_or_not_the_keeper_was_there() {
    let Some(stage) = Stage::new() else { return };
    write_file(&stage, "old.db", 0);
    let epoch = stage.import("old.db").unwrap().epoch;
    stage.append(1, vec![join(), resume(ANN)]);
    let enter = ask(Request::EnterRoom(BAR), "e");
    stage.append(2, vec![enter, say("Again", "c"), say("and again", "d"), say("Cheers", "b")]);
    let what = Erasure::User(UserId(5));
    let erase = Action::Erased { what, reach: vec![(LOBBY, 5), (BAR, 3)] };
    stage.append(3, vec![Command::Act(erase)]);

    let check = |name: &str| {
        let (exported, after) = stage.export(name);
        assert_eq!(texts(&after, LOBBY)[1..], ["gif", "erased", "erased", "Text 5"]);
        assert_eq!(texts(&after, BAR), ["Cheers", "Again", "and again"]);
        let (ann, references) = &after.stored.users[0];
        assert_eq!((ann.user, ann.key, ann.room), (UserId(3), ANN, Some(BAR)));
        // One was sent before, under the same reference.
        assert_eq!(references.len(), 6);
        assert_eq!(references.last().unwrap().1, Position { room: BAR, seq: 3 });
        (exported, after)
    };
    let (exported, from_log) = check("log.db");
    // The node may say more.
    assert!(!exported.is_same_epoch);
    assert_ne!(from_log.epoch, epoch);

    stage.keep();
    let (_, from_streams) = check("streams.db");
    assert_eq!((from_streams.stored, from_streams.messages), (from_log.stored, from_log.messages));

    stage.append(4, vec![Command::Leave]);
    let (exported, at_end) = check("end.db");
    assert!(exported.is_same_epoch);
    assert_eq!(at_end.epoch, epoch);
}

#[test]
fn only_so_much_is_moved_as_is_kept() {
    let Some(stage) = Stage::new() else { return };
    write_file(&stage, "old.db", 20);
    let rules = Rules { max_kept: 5, ..rules() };
    let path = stage.path("old.db");
    let imported = import(&stage.engine, &path, rules, EVERYTHING, &mut |_, _| {}).unwrap();
    assert_eq!(imported.messages, 6);
    let (_, after) = stage.export("new.db");
    assert_eq!(texts(&after, LOBBY), ["Text 21", "Text 22", "Text 23", "Text 24", "Text 25"]);
    assert_eq!(after.stored.rooms[0].1, 25);
}

#[test]
fn an_import_that_broke_off_can_begin_anew() {
    let Some(stage) = Stage::new() else { return };
    write_file(&stage, "old.db", 3);
    // What one has left that had more.
    stage.server.cli(&["XADD", "{wschat}:h:1", "100-0", "e", "left"]);
    stage.server.cli(&["HSET", "{wschat}:e:1", "2", "17"]);
    stage.import("old.db").unwrap();
    let (_, after) = stage.export("new.db");
    assert_eq!(
        texts(&after, LOBBY)[1..],
        ["gif", "erased", "Text 4", "Text 5", "Text 6", "Text 7", "Text 8"]
    );
}

#[test]
fn a_prefix_or_a_file_in_use_is_refused_and_nothing_changes() {
    let Some(stage) = Stage::new() else { return };
    write_file(&stage, "old.db", 3);
    let refused = |name: &str| stage.import(name).unwrap_err().to_string();
    let epoch = stage.contents("old.db").epoch;

    let text = refused("none.db");
    assert!(text.contains("none.db does not exist; name"), "{text}");
    assert!(!stage.path("none.db").exists());
    let server = stage.open("old.db");
    let text = refused("old.db");
    assert!(text.contains("in use by another server"), "{text}");
    drop(server);
    fs::write(stage.path("text.db"), "no history").unwrap();
    let text = refused("text.db");
    assert!(text.contains("is not a wschat history"), "{text}");
    assert_eq!(stage.server.cli(&["DBSIZE"]).trim(), "0");

    let text = export(&stage.engine, &stage.path("new.db"), &mut |_, _| {}).unwrap_err();
    assert!(text.to_string().contains("has no cluster"), "{text}");

    stage.append(1, vec![join()]);
    let text = refused("old.db");
    assert!(text.contains("keys that begin with {wschat}:; set another cluster.prefix"), "{text}");
    stage.server.cli(&["FLUSHALL"]);
    stage.import("old.db").unwrap();
    let text = refused("old.db");
    assert!(text.contains("has a cluster already"), "{text}");
    let (_, after) = stage.export("new.db");
    assert_eq!(after.epoch, epoch, "nothing has changed it");
}
