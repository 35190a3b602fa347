//! How many messages mention those who follow the list of rooms.

use super::*;
use crate::protocol::HelloRequest;

impl Rig {
    /// The user has this name, follows the list, and wants to know who mentions it.
    fn follower(&mut self, user: u64, name: &str) {
        self.ask(user, Request::ChangeName(name.to_owned()));
        self.greet(user, true);
        self.list(user);
    }

    fn greet(&mut self, user: u64, mentions: bool) {
        let request = HelloRequest { presence: false, mentions, max_frame_bytes: None };
        let answer = self.answer(user, LocalRequest::Hello(request));
        assert_eq!(answer.contains("['mentions']"), mentions, "{answer}");
    }

    /// Something is said and saved. Returns what the lobby sends, when it is due.
    fn say(&mut self, user: u64, text: &str) -> String {
        self.ask(user, Request::Say(Content::Text(text.to_owned()), None));
        let sent = self.apply(Action::Saved);
        format!("{sent}{}", self.wait(250))
    }

    /// The count of each room in the list for this user.
    fn counts(&mut self, user: u64) -> Vec<u64> {
        let list = self.list(user).replace('\'', "\"");
        let json = list.split_once("\"rooms\":").expect("a list").1;
        let mut stream = serde_json::Deserializer::from_str(json).into_iter::<serde_json::Value>();
        let rooms = stream.next().expect("the rooms").expect("JSON");
        let rooms = rooms.as_object().expect("an object").values();
        rooms.map(|room| room.get("mentions").map_or(0, |count| count.as_u64().unwrap())).collect()
    }
}

/// Ada and Bob follow the list; Cy does not, and is in room 1. There is a room 2.
fn rig() -> Rig {
    let mut rig = Rig::with(&[Version::V2; 4]);
    rig.create(3, "Attic");
    rig.follower(1, "Ada");
    rig.follower(2, "Bob");
    rig.ask(3, Request::ChangeName("Cy".to_owned()));
    rig.enter(3, 1);
    rig.wait(250);
    rig
}

#[test]
fn a_count_comes_with_the_room_and_only_to_the_one_who_is_mentioned() {
    let mut rig = rig();
    rig.list(4);
    let room = |seq: u64, more: &str| {
        format!(
            "'room_changed','room':{{'id':1,'title':'Lobby','userCount':1,'seq':{seq}{more}}}}}"
        )
    };
    assert_eq!(rig.say(3, "Hi all"), format!("1 2 4 ← {}", room(1, "")), "one frame for all");
    let (others, own) = (room(2, ""), room(2, ",'mentions':1"));
    assert_eq!(rig.say(3, "Hi @ada, @Cy"), format!("2 4 ← {others}\n1 ← {own}"));
    // It stays until the user enters, whatever is said.
    let (others, own) = (room(3, ""), room(3, ",'mentions':1"));
    assert_eq!(rig.say(3, "Nobody"), format!("2 4 ← {others}\n1 ← {own}"));
    assert_eq!((rig.counts(1), rig.counts(2)), (vec![1, 0], vec![0, 0]));
    rig.enter(1, 1);
    assert_eq!(rig.counts(1), [0, 0]);
    rig.say(3, "Here, @Ada");
    assert_eq!(rig.counts(1), [0, 0], "she hears it");
    rig.enter(1, 2);
    rig.say(3, "Come back, @Ada");
    rig.say(3, "@Ada! @Ada!");
    assert_eq!(rig.counts(1), [2, 0]);
}

#[test]
fn what_is_sent_together_has_each_room_in_its_place() {
    let mut rig = rig();
    rig.enter(4, 2);
    rig.wait(250);
    rig.say(4, "@Ada");
    // The interval begins, so these wait for each other.
    rig.ask(3, Request::Say(Content::Text("@Bob".to_owned()), None));
    rig.ask(4, Request::Say(Content::Text("x".to_owned()), None));
    rig.lobby.changes_not_before = rig.now.at + INTERVAL;
    assert_eq!(rig.apply(Action::Saved), "");
    let sent = rig.wait(250);
    let frames: Vec<_> = sent.lines().collect();
    let [a, b] = [
        "'id':1,'title':'Lobby','userCount':1,'seq':1",
        "'id':2,'title':'Attic','userCount':1,'seq':2",
    ];
    let mut of_both: Vec<String> =
        [(1, a, ""), (1, b, ",'mentions':1"), (2, a, ",'mentions':1"), (2, b, "")]
            .map(|(to, room, more)| format!("{to} ← 'room_changed','room':{{{room}{more}}}}}"))
            .into();
    let mut frames: Vec<String> = frames.into_iter().map(str::to_owned).collect();
    frames.sort();
    of_both.sort();
    assert_eq!(frames, of_both);
}

#[test]
fn the_own_words_and_what_is_not_saved_do_not_count() {
    let mut rig = rig();
    rig.enter(1, 2);
    rig.say(1, "I am @Ada");
    rig.ask(3, Request::Say(Content::Text("@Ada".to_owned()), None));
    rig.apply(Action::NotSaved);
    rig.say(3, "saved");
    assert_eq!(rig.counts(1), [0, 0]);
    // She enters before it is saved.
    rig.ask(3, Request::Say(Content::Text("@Ada".to_owned()), None));
    rig.enter(1, 1);
    rig.apply(Action::Saved);
    rig.enter(1, 2);
    assert_eq!(rig.counts(1), [0, 0]);
}

#[test]
fn a_new_name_counts_from_now_on() {
    let mut rig = rig();
    rig.say(3, "@Ada");
    rig.ask(1, Request::ChangeName("Eve".to_owned()));
    rig.say(3, "@Ada");
    assert_eq!(rig.counts(1), [1, 0]);
    rig.say(3, "@Eve");
    assert_eq!(rig.counts(1), [2, 0]);
    rig.enter(1, 2);
    rig.ask(1, Request::ChangeName("Ada".to_owned()));
    rig.say(3, "@Eve @Ada");
    assert_eq!(rig.counts(1), [3, 0]);
}

#[test]
fn the_counts_of_a_room_go_with_it_and_with_its_messages() {
    let mut rig = rig();
    rig.enter(4, 2);
    rig.say(4, "@Ada");
    rig.say(3, "@Ada");
    rig.ask(4, Request::LeaveRoom(None));
    rig.wait(60_000);
    assert_eq!(rig.counts(1), [1]);
    let what = crate::chat::Erasure::Room(RoomId(1));
    let reach = rig.chat.reach_of(what);
    rig.apply(Action::Erased { what, reach });
    assert_eq!(rig.counts(1), [0]);
}

#[test]
fn who_does_not_want_to_know_is_not_counted() {
    let mut rig = rig();
    rig.say(3, "@Ada");
    rig.greet(1, false);
    assert_eq!(rig.counts(1), [0, 0]);
    rig.say(3, "@Ada");
    rig.greet(1, true);
    assert_eq!(rig.counts(1), [0, 0], "from now on");
    rig.say(3, "@Ada");
    assert_eq!(rig.counts(1), [1, 0]);
    for user in 1..=4 {
        rig.apply(Action::Disconnect { link: link(user), is_going_away: false });
        rig.lobby.forget(ConnectionId(user), &rig.chat);
    }
    assert!(rig.lobby.knows_nobody(), "nobody can resume");
}
