mod mentions;
mod people;

use super::*;
use crate::chat::{
    Action, Content, Entry, EntryId, NodeId, Request, ResumeKey, ResumeOffer, Rules, Source, Stored,
};
use crate::protocol::HistoryPart;

/// A chat and its lobby. Connections and users have the same numbers.
struct Rig {
    chat: Chat,
    lobby: Lobby,
    now: Now,
}

const MAX_FRAME: usize = 100_000;
const INTERVAL: Duration = Duration::from_millis(250);

impl Rig {
    /// One room, and a user for each of these versions.
    fn with(versions: &[Version]) -> Self {
        let rules = Rules::sample(&["Lobby"]);
        let (chat, _) = Chat::restore(rules, Stored::default());
        let mut rig = Self {
            chat,
            lobby: Lobby::new(NodeId(0), INTERVAL, "e1".into(), MAX_FRAME),
            now: Now::default(),
        };
        for (connection, version) in (1..=u8::MAX).zip(versions) {
            let offer = ResumeOffer { resumed: None, fresh: ResumeKey([connection; 32]) };
            let resume = (*version == Version::V2).then(|| Box::new(offer));
            let (link, version) = (link(connection.into()), *version);
            rig.apply(Action::Connect { link, source: Source::SAMPLE, version, resume });
        }
        rig
    }

    /// Applies an entry as the dispatcher does; shows what the lobby sends, a line for each frame.
    fn apply(&mut self, action: Action) -> String {
        let Now { at, time } = self.now;
        let mut effects = Vec::new();
        if matches!(action, Action::Saved | Action::NotSaved) {
            self.lobby.settle(action == Action::Saved);
        }
        self.chat.apply(Entry { id: EntryId::default(), at, time, action }, &mut effects);
        for effect in &effects {
            self.lobby.observe(effect, self.now, &self.chat);
        }
        let mut outputs = Vec::new();
        self.lobby.announce(self.now, &self.chat, &mut outputs);
        show(&outputs)
    }

    fn ask(&mut self, user: u64, request: Request) -> String {
        self.apply(Action::Ask { link: link(user), request, reference: None })
    }

    fn enter(&mut self, user: u64, room: u64) -> String {
        self.ask(user, Request::EnterRoom(RoomId(room)))
    }

    fn create(&mut self, user: u64, title: &str) -> String {
        self.ask(user, Request::CreateRoom(title.to_owned()))
    }

    fn answer(&mut self, user: u64, request: LocalRequest) -> String {
        self.answer_to(user, request, None)
    }

    fn answer_to(&mut self, user: u64, request: LocalRequest, reference: Option<&str>) -> String {
        let reference = reference.map(Into::into);
        let mut outputs = Vec::new();
        let (link, now, chat) = (link(user), self.now, &self.chat);
        self.lobby.answer(link, request, reference, now, chat, &mut outputs);
        show(&outputs)
    }

    fn list(&mut self, user: u64) -> String {
        self.answer(user, LocalRequest::ListRooms { after: None })
    }

    /// Lets time pass, and applies what becomes due.
    fn wait(&mut self, millis: u64) -> String {
        self.now.at += Duration::from_millis(millis);
        self.apply(Action::Wait)
    }
}

fn link(connection: u64) -> Link {
    Link { node: NodeId(0), connection: ConnectionId(connection) }
}

/// `1 2 ← {…}` for each frame.
fn show(outputs: &[Output]) -> String {
    let show_one = |output: &Output| match output {
        Output::Send { to, frames } => {
            let to: Vec<String> = to.iter().map(|to| to.0.to_string()).collect();
            // Each frame begins with a header, which is no JSON.
            let text = String::from_utf8_lossy(frames).into_owned();
            let frames = text.split("{\"type\":").skip(1).map(|frame| {
                let end = frame.rfind('}').unwrap();
                format!("{} ← {}", to.join(" "), frame[..=end].replace('"', "'"))
            });
            frames.collect::<Vec<_>>().join("\n")
        }
        Output::Typing { room, from, person, .. } => {
            format!("room {} but {} ← {} types", room.0, from.0, person.name)
        }
        output => format!("{output:?}"),
    };
    outputs.iter().map(show_one).collect::<Vec<_>>().join("\n")
}

#[test]
fn base_clients_get_the_list_when_rooms_are_added_or_removed() {
    let mut rig = Rig::with(&[Version::Base, Version::V2, Version::Base]);
    assert_eq!(rig.enter(1, 1), "", "members are no reason");
    let lobby = "'1':{'id':1,'title':'Lobby','users':{'1':{'id':1,'name':'User 1'}}}";
    let a = "'2':{'id':2,'title':'A','users':{}}";
    let list = |rooms: &str| format!("1 3 ← 'list_rooms','rooms':{{{rooms}}}}}");
    assert_eq!(rig.create(2, "A"), list(&format!("{lobby},{a}")));
    // The next list has to wait. It shows the rooms as they are when it is sent.
    rig.wait(100);
    assert_eq!(rig.create(1, "B"), "");
    assert_eq!(rig.create(1, "C"), "");
    assert_eq!(rig.lobby.next_deadline(), Some(INTERVAL));
    assert_eq!(rig.wait(149), "");
    rig.ask(1, Request::ChangeName("Ann".to_owned()));
    let [b, c] = ["'3':{'id':3,'title':'B','users':{}}", "'4':{'id':4,'title':'C','users':{}}"];
    let lobby = lobby.replace("User 1", "Ann");
    assert_eq!(rig.wait(1), list(&format!("{lobby},{a},{b},{c}")));
    assert_eq!(rig.lobby.next_deadline(), None);
    // A room is removed. A client that has disconnected gets nothing.
    rig.lobby.forget(ConnectionId(3), &rig.chat);
    let gone = rig.wait(9_750);
    assert_eq!(gone, list(&format!("{lobby},{b},{c}")).replace("1 3 ←", "1 ←"));
}

#[test]
fn a_client_that_asks_gets_the_list_at_once_in_its_version() {
    let mut rig = Rig::with(&[Version::Base, Version::V2]);
    rig.enter(1, 1);
    let base = "'list_rooms','rooms':{'1':{'id':1,'title':'Lobby','users':{'1':{'id':1,'name':'User 1'}}}}}";
    assert_eq!(rig.list(1), format!("1 ← {base}"));
    let v2 =
        "'list_rooms','rooms':{'1':{'id':1,'title':'Lobby','userCount':1,'seq':0}},'epoch':'e1'";
    assert_eq!(rig.list(2), format!("2 ← {v2}}}"));
    let named = rig.answer_to(2, LocalRequest::ListRooms { after: None }, Some("r"));
    assert_eq!(named, format!("2 ← {v2},'ref':'r'}}"));
    rig.ask(1, Request::ChangeName("Ann".to_owned()));
    assert_eq!(rig.list(1), format!("1 ← {}", base.replace("User 1", "Ann")));
    rig.enter(2, 1);
    assert_eq!(rig.list(2), format!("2 ← {}}}", v2.replace("'userCount':1", "'userCount':2")));
    assert_eq!(rig.list(7), "", "nobody is there");
}

#[test]
fn subscribers_get_the_changes_since_the_last_time() {
    let mut rig = Rig::with(&[Version::V2, Version::V2, Version::Base]);
    assert_eq!(rig.enter(2, 1), "", "nobody has subscribed yet");
    rig.list(1);
    rig.list(2);
    let lobby = |users: u64, seq: u64| {
        format!(
            "1 2 ← 'room_changed','room':{{'id':1,'title':'Lobby','userCount':{users},'seq':{seq}}}}}"
        )
    };
    assert_eq!(rig.enter(1, 1), lobby(2, 0));
    // Changes before the next update is due are sent together.
    assert_eq!(rig.enter(3, 1), "");
    assert_eq!(rig.ask(3, Request::LeaveRoom(None)), "");
    let created = rig.create(3, "A");
    assert!(created.starts_with("3 ← 'list_rooms'"), "{created}");
    assert_eq!(rig.lobby.next_deadline(), Some(INTERVAL));
    let added = "1 2 ← 'room_added','room':{'id':2,'title':'A','userCount':0,'seq':0}}";
    assert_eq!(rig.wait(250), format!("{}\n{added}", lobby(2, 0)));
    // A message changes the list only when it is saved.
    rig.wait(250);
    rig.ask(1, Request::Say(Content::Gif(1), None));
    assert_eq!(rig.apply(Action::Saved), lobby(2, 1));
    let removed = rig.wait(10_000);
    assert!(removed.contains("1 2 ← 'room_removed','roomId':2}"), "{removed}");
}

#[test]
fn the_removal_of_a_room_is_sent_even_if_its_creation_was_not() {
    let mut rig = Rig::with(&[Version::V2, Version::V2]);
    rig.list(1);
    rig.enter(2, 1);
    rig.create(2, "A");
    // No update was sent between the creation and the removal.
    assert_eq!(rig.wait(10_000).lines().last(), Some("1 ← 'room_removed','roomId':2}"));
}

#[test]
fn a_new_interval_applies_to_a_list_that_is_already_due() {
    let mut rig = Rig::with(&[Version::Base, Version::V2]);
    rig.list(2);
    rig.create(1, "A");
    rig.create(1, "B");
    for interval in [10 * INTERVAL, INTERVAL / 2] {
        rig.lobby.set_list_interval(interval);
        assert_eq!(rig.lobby.next_deadline(), Some(interval));
    }
    let sent = rig.wait(125);
    assert!(sent.contains("1 ← 'list_rooms'") && sent.contains("2 ← 'room_added'"), "{sent}");
}

#[test]
fn many_changes_are_spread_over_intervals_and_each_gets_its_turn() {
    let mut rig = Rig::with(&[Version::V2, Version::V2]);
    rig.list(1);
    let mut added = 0;
    let mut most = 0;
    let mut note = |sent: String| {
        added += sent.matches("room_added").count();
        most = most.max(sent.len());
        added
    };
    for i in 0..500 {
        note(rig.create(2, &format!("Room {i}")));
    }
    // The rooms with low ids change all the time.
    let mut rounds = 0;
    while note(rig.wait(250)) < 500 {
        for room in 1..=100 {
            rig.enter(2, room);
        }
        rounds += 1;
        assert!(rounds < 50, "some room has no turn");
    }
    assert!(most < 2 * BYTES_PER_INTERVAL, "{most}");
}

#[test]
fn a_long_list_is_sent_less_often() {
    let mut rig = Rig::with(&[Version::Base]);
    for i in 0..500 {
        rig.create(1, &format!("Room {i}"));
    }
    let sent = rig.wait(250);
    let intervals = u32::try_from(sent.len().div_ceil(BYTES_PER_INTERVAL)).unwrap();
    assert!((2..=4).contains(&intervals), "{intervals}");
    rig.create(1, "One more");
    assert_eq!(rig.wait(u64::from(intervals - 1) * 250), "");
    assert!(rig.wait(250).contains("One more"));
}

#[test]
fn without_subscribers_no_change_is_due() {
    let mut rig = Rig::with(&[Version::V2, Version::V2]);
    rig.list(1);
    rig.enter(2, 1);
    rig.ask(2, Request::LeaveRoom(None));
    assert!(rig.lobby.next_deadline().is_some());
    rig.lobby.forget(ConnectionId(1), &rig.chat);
    assert_eq!(rig.lobby.next_deadline(), None);
    assert_eq!(rig.enter(2, 1), "");
    assert_eq!(rig.wait(1_000), "");
}

#[test]
fn typing_is_throttled_for_each_user() {
    let mut rig = Rig::with(&[Version::V2, Version::V2]);
    let refused = rig.answer(1, LocalRequest::Typing(None));
    assert!(refused.contains("NotInRoom"), "{refused}");
    rig.enter(1, 1);
    let typing = "room 1 but 1 ← User 1 types";
    assert_eq!(rig.answer(1, LocalRequest::Typing(None)), typing);
    rig.wait(1_999);
    assert_eq!(rig.answer(1, LocalRequest::Typing(None)), "");
    rig.enter(2, 1);
    assert_eq!(rig.answer(2, LocalRequest::Typing(None)), "room 1 but 2 ← User 2 types");
    rig.wait(1);
    assert_eq!(rig.answer(1, LocalRequest::Typing(None)), typing);
}

#[test]
fn history_is_read_only_for_existing_rooms() {
    let mut rig = Rig::with(&[Version::V2]);
    let page = |room| {
        let (room, part) = (RoomId(room), HistoryPart::Before(9));
        LocalRequest::History { room, part, limit: 5, max_bytes: Some(2_000) }
    };
    let asked = rig.answer_to(1, page(1), Some("p"));
    assert!(
        asked.contains(
            "Page { room: RoomId(1), part: Before(9), limit: 5, max_bytes: (2000, 100000) }"
        ),
        "{asked}"
    );
    assert!(asked.contains("Some(\"p\")"), "{asked}");
    let refused = rig.answer_to(1, page(7), Some("p"));
    assert!(refused.contains("UnknownRoom(RoomId(7))"), "{refused}");
}
