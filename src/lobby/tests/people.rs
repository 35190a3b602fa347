//! Lists of users, and who is away.

use super::*;
use crate::protocol::{HelloRequest, USERS_MAX_PAGE, UserList};

impl Rig {
    fn hello(&mut self, user: u64, presence: bool, max_frame_bytes: Option<usize>) {
        let request = HelloRequest { presence, mentions: false, max_frame_bytes };
        let answer = self.answer(user, LocalRequest::Hello(request));
        assert!(answer.starts_with(&format!("{user} ← 'hello','features':")), "{answer}");
    }

    fn users(&mut self, after: u64, limit: usize) -> String {
        let (room, after) = (RoomId(1), UserId(after));
        self.answer(1, LocalRequest::Users { room, after, limit })
    }

    /// The list of users that this one is shown.
    fn shown(&mut self, user: u64) -> Arc<UserList> {
        let what = self.lobby.show_room(&self.chat, UserId(user), (RoomId(1), 0), None);
        let Some(Lookup::Room { snapshot, .. }) = what else { panic!("{what:?}") };
        snapshot.users
    }

    fn lose(&mut self, user: u64) -> String {
        self.apply(Action::Disconnect { link: link(user), is_going_away: false })
    }

    /// The user resumes over a connection of this number.
    fn resume(&mut self, user: u8, connection: u64) -> String {
        let key = Some(ResumeKey([user; 32]));
        let offer = ResumeOffer { resumed: key, fresh: ResumeKey([255; 32]) };
        let (link, version, resume) = (link(connection), Version::V2, Some(Box::new(offer)));
        self.apply(Action::Connect { link, source: Source::SAMPLE, version, resume })
    }
}

/// Users 1 to `count` of `wschat.v2`, all in room 1, who may be away for a minute.
fn room_of(count: usize) -> Rig {
    let mut rig = Rig::with(&vec![Version::V2; count]);
    let rules = Rules { resume_grace: Duration::from_secs(60), max_away: 100, ..rules() };
    rig.apply(Action::SetRules(Box::new(rules)));
    for user in 1..=count {
        rig.enter(user as u64, 1);
    }
    rig
}

fn rules() -> Rules {
    Rules::sample(&["Lobby"])
}

#[test]
fn a_list_of_users_is_encoded_once_for_all_until_it_changes() {
    let mut rig = room_of(3);
    let list = rig.shown(1);
    let user = |id| format!(r#"{{"id":{id},"name":"User {id}"}}"#);
    assert_eq!(list.json(), [user(1), user(2), user(3)].join(","));
    // What changes no user makes no new list, and neither does entering again.
    rig.enter(2, 1);
    rig.ask(2, Request::Say(Content::Gif(1), None));
    rig.create(2, "A");
    for user in [1, 2, 3] {
        assert!(Arc::ptr_eq(&list, &rig.shown(user)), "user {user}");
    }
    rig.ask(2, Request::ChangeName("Bea".to_owned()));
    let bea = r#"{"id":2,"name":"Bea"}"#.to_owned();
    assert_eq!(rig.shown(1).json(), [user(1), bea, user(3)].join(","));
    rig.lose(2);
    let bea = r#"{"id":2,"name":"Bea","away":true}"#.to_owned();
    assert_eq!(rig.shown(1).json(), [user(1), bea, user(3)].join(","));
    rig.ask(3, Request::LeaveRoom(None));
    rig.resume(2, 9);
    let bea = r#"{"id":2,"name":"Bea"}"#.to_owned();
    assert_eq!(rig.shown(1).json(), [user(1), bea].join(","));
}

#[test]
fn a_list_has_the_first_users_only_and_others_do_not_change_it() {
    let mut rig = room_of(254);
    let list = rig.shown(254);
    assert_eq!(list.json().matches("\"id\":").count(), USERS_MAX_PAGE);
    rig.lose(251);
    rig.resume(251, 300);
    rig.ask(252, Request::ChangeName("Bea".to_owned()));
    assert!(Arc::ptr_eq(&list, &rig.shown(1)));
    rig.lose(250);
    assert!(rig.shown(1).json().ends_with(r#""away":true}"#));
}

#[test]
fn users_come_in_pages() {
    let mut rig = room_of(5);
    rig.lose(4);
    let user = |id| format!("{{'id':{id},'name':'User {id}'}}");
    let page = |users: &[String], more| {
        let users = users.join(",");
        format!("1 ← 'users','roomId':1,'users':[{users}],'userCount':5,'more':{more}}}")
    };
    let away = "{'id':4,'name':'User 4','away':true}".to_owned();
    let all = [user(1), user(2), user(3), away, user(5)];
    assert_eq!(rig.users(0, 250), page(&all, false));
    assert_eq!(rig.users(0, 2), page(&all[..2], true));
    assert_eq!(rig.users(2, 2), page(&all[2..4], true));
    assert_eq!(rig.users(3, 2), page(&all[3..], false));
    assert_eq!(rig.users(5, 2), page(&[], false));
    let (room, after) = (RoomId(7), UserId(0));
    let refused = rig.answer(1, LocalRequest::Users { room, after, limit: 1 });
    assert!(refused.contains("UnknownRoom(RoomId(7))"), "{refused}");
}

#[test]
fn lists_are_cut_at_the_longest_frame_of_the_client() {
    let mut rig = room_of(1);
    for user in 0..100 {
        rig.create(1, &format!("\"{user}"));
    }
    rig.hello(1, false, Some(4_096));
    let mut known = 0;
    loop {
        let list = rig.answer(1, LocalRequest::ListRooms { after: Some(RoomId(known)) });
        assert!(list.len() <= 4_096, "{} bytes", list.len());
        let ids = list.match_indices("'id':").map(|(at, _)| {
            let digits = list[at + 5..].split(',').next().unwrap();
            digits.parse::<u64>().unwrap()
        });
        for id in ids {
            known += 1;
            assert_eq!(id, known);
        }
        if !list.ends_with(",'epoch':'e1','more':true}") {
            break;
        }
    }
    assert_eq!(known, 101);
    let whole = rig.answer(1, LocalRequest::ListRooms { after: None });
    assert!(whole.len() <= 4_096 && whole.contains("'more':true"), "{whole}");
    rig.hello(1, false, None);
    assert!(!rig.answer(1, LocalRequest::ListRooms { after: None }).contains("more"));
}

#[test]
fn who_follows_is_told_who_is_away_and_who_is_back() {
    let mut rig = room_of(4);
    rig.hello(1, true, None);
    rig.hello(2, true, None);
    let told = |to: &str, users: &str| {
        format!("{to} ← 'presence','roomId':1,'users':[{users}],'time':0}}")
    };
    assert_eq!(rig.lose(3), told("1 2", "{'id':3,'away':true}"));
    assert_eq!(rig.lose(4), "", "not so soon after the last time");
    assert_eq!(rig.resume(3, 9), "");
    assert_eq!(rig.wait(250), told("1 2", "{'id':3,'away':false},{'id':4,'away':true}"));
    // Who is back as before is not told of.
    rig.resume(4, 10);
    rig.lose(10);
    assert_eq!(rig.wait(250), "");
    // Who has left is told of in another way, and who does not ask is not told.
    rig.lose(9);
    rig.resume(3, 11);
    rig.ask(11, Request::LeaveRoom(None));
    rig.resume(4, 12);
    rig.hello(2, false, None);
    assert_eq!(rig.wait(250), told("1", "{'id':4,'away':false}"));
    rig.lobby.forget(ConnectionId(1), &rig.chat);
    rig.lose(12);
    assert_eq!(rig.wait(250), "", "nobody asks any more");
    assert_eq!(rig.lobby.people.due_at(INTERVAL), None);
}
