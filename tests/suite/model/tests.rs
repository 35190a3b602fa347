//! The checker accepts a correct run of two clients in room 1, and finds each fault that is put into
//! it.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Kind, Rules, check};
use super::{BaseJournal, BaseSeen, Journal, Kept, Model, Person, Said, Seen, Snapshot, Truth};

/// Everything that is checked after a run.
struct Account {
    a: Journal,
    b: Journal,
    base: BaseJournal,
    truth: Truth,
    rules: Rules,
}

fn user(id: u64) -> Person {
    Person { id, name: format!("User {id}") }
}

fn said(seq: u64) -> Said {
    // Users 1, 2 and 3 take turns; each numbers its texts.
    let id = (seq - 1) % 3 + 1;
    let number = (seq - 1) / 3 + 1;
    let reference = (id != 3).then(|| format!("r{number}"));
    Said { seq, time: seq * 10, from: user(id), what: format!("{id}:{number}"), reference }
}

fn welcome(id: u64, resumed: bool) -> Seen {
    let room = resumed.then_some(1);
    Seen::Welcome { user: user(id), token: format!("token {id}"), resumed, room }
}

fn enters(since: Option<u64>) -> Seen {
    Seen::SendsEnter { room: 1, since: since.map(|seq| ("e".to_owned(), seq)) }
}

fn room(after: u64, up_to: u64) -> Snapshot {
    Snapshot {
        room: 1,
        users: (1..=3).map(user).collect(),
        epoch: "e".to_owned(),
        seq: up_to,
        complete: true,
        events: (after + 1..=up_to).map(said).collect(),
    }
}

fn sends(seq: u64) -> Seen {
    let Said { what, reference, .. } = said(seq);
    Seen::SendsText { reference: reference.expect("of a client of v2"), what, room: 1 }
}

fn told(seq: u64) -> Seen {
    Seen::Told { room: 1, said: said(seq) }
}

fn base_told(seq: u64) -> BaseSeen {
    let Said { from, what, .. } = said(seq);
    BaseSeen::Told { from, what }
}

/// Users 1 and 2 speak `wschat.v2` and user 3 the base protocol; together they send nine texts.
/// User 2 loses its connection after the fifth, does not learn that it was kept, and sends it again.
fn right() -> Account {
    let kept = Kept { epoch: "e".to_owned(), seq: 9, events: (1..=9).map(said).collect() };
    Account {
        a: Journal { name: "a".to_owned(), seen: seen_by_a() },
        b: Journal { name: "b".to_owned(), seen: seen_by_b() },
        base: BaseJournal {
            name: "base".to_owned(),
            user: user(3),
            room: 1,
            has_moved: false,
            seen: seen_by_base(),
        },
        truth: BTreeMap::from([(1, kept)]),
        rules: Rules { on_enter: 50, ..Rules::default() },
    }
}

fn gone() -> Seen {
    Seen::Gone("cut".to_owned())
}

/// User 1 is away between the sixth text and the seventh, and misses nothing.
fn seen_by_a() -> Vec<Seen> {
    vec![
        welcome(1, false),
        enters(None),
        Seen::Room(room(0, 0)),
        sends(1),
        told(1),
        told(2),
        told(3),
        sends(4),
        told(4),
        told(5),
        told(6),
        gone(),
        welcome(1, true),
        enters(Some(6)),
        Seen::Room(room(6, 6)),
        sends(7),
        told(7),
        told(8),
        told(9),
    ]
}

/// User 2 is away while the fifth and the sixth text are said.
fn seen_by_b() -> Vec<Seen> {
    vec![
        welcome(2, false),
        enters(None),
        Seen::Room(room(0, 1)),
        sends(2),
        told(2),
        told(3),
        told(4),
        sends(5),
        gone(),
        welcome(2, true),
        enters(Some(4)),
        Seen::Room(room(4, 6)),
        sends(5),
        told(5),
        told(7),
        sends(8),
        told(8),
        told(9),
    ]
}

/// User 3 leaves after the seventh text.
fn seen_by_base() -> Vec<BaseSeen> {
    vec![
        BaseSeen::Entered(user(3)),
        base_told(2),
        BaseSeen::Sends("3:1".to_owned()),
        base_told(3),
        base_told(4),
        base_told(5),
        BaseSeen::Sends("3:2".to_owned()),
        base_told(6),
        base_told(7),
    ]
}

fn violations(account: &Account) -> BTreeSet<Kind> {
    let Account { a, b, base, truth, rules } = account;
    let violations = check(&[a.clone(), b.clone()], std::slice::from_ref(base), truth, rules);
    for violation in &violations {
        println!("{violation:?}");
    }
    violations.into_iter().map(|violation| violation.kind).collect()
}

/// With this change, the checker finds at least these kinds of violations.
#[track_caller]
fn finds(kinds: &[Kind], change: impl FnOnce(&mut Account)) {
    let mut account = right();
    change(&mut account);
    let found = violations(&account);
    for kind in kinds {
        assert!(found.contains(kind), "{kind:?} is not in {found:?}");
    }
}

fn snapshot(seen: &mut Seen) -> &mut Snapshot {
    match seen {
        Seen::Room(snapshot) => snapshot,
        other => panic!("{other:?}"),
    }
}

fn told_said(seen: &mut Seen) -> &mut Said {
    match seen {
        Seen::Told { said, .. } => said,
        other => panic!("{other:?}"),
    }
}

impl Account {
    fn kept(&mut self) -> &mut Kept {
        self.truth.get_mut(&1).expect("room 1")
    }
}

#[test]
fn a_correct_run_is_accepted() {
    let account = right();
    assert_eq!(violations(&account), BTreeSet::new());
}

/// A page of what the client has seen, at the end of its journal.
fn page(seqs: &[u64], more: bool) -> Seen {
    let events = seqs.iter().copied().map(said).collect();
    Seen::Page { room: 1, before: 8, limit: 4, events, more }
}

#[test]
fn wrong_pages_and_lists() {
    let mut account = right();
    account.a.seen.push(page(&[4, 5, 6, 7], true));
    account.a.seen.extend([Seen::Listed { room: 1, seq: 8 }, Seen::Listed { room: 1, seq: 9 }]);
    assert_eq!(violations(&account), BTreeSet::new());

    for wrong in [page(&[4, 6, 7], true), page(&[3, 4, 5, 6], true), page(&[5, 6, 7, 8], true)] {
        finds(&[Kind::Gap], |account| account.a.seen.push(wrong));
    }
    for wrong in [page(&[4, 5, 6, 7], false), page(&[5, 6, 7], true), page(&[3, 4, 5, 6, 7], true)]
    {
        finds(&[Kind::FalseComplete], |account| account.a.seen.push(wrong));
    }
    finds(&[Kind::Differs], |account| {
        let mut wrong = page(&[4, 5, 6, 7], true);
        if let Seen::Page { events, .. } = &mut wrong {
            events[0].what = "another".to_owned();
        }
        account.a.seen.push(wrong);
    });
    finds(&[Kind::Lost], |account| {
        let listed = [9, 8].map(|seq| Seen::Listed { room: 1, seq });
        account.a.seen.extend(listed);
    });
}

#[test]
fn a_refusal_is_allowed_only_where_the_disk_may_fail() {
    let refused = || Seen::Error(r#"{"type":"error","code":"not_saved"}"#.to_owned());
    finds(&[Kind::Refused], |account| account.a.seen.push(refused()));
    let mut account = right();
    account.rules.may_fail = true;
    account.a.seen.push(refused());
    assert_eq!(violations(&account), BTreeSet::new());
}

#[test]
fn lost_messages() {
    // The end of the history, with and without an acknowledgement.
    finds(&[Kind::Lost, Kind::AckLost], |account| {
        account.kept().events.truncate(7);
        account.kept().seq = 7;
    });
    finds(&[Kind::AckLost], |account| account.kept().events[3].what = "other".to_owned());
    finds(&[Kind::Gap, Kind::Lost], |account| drop(account.kept().events.remove(4)));
    finds(&[Kind::Lost], |account| drop(account.kept().events.remove(0)));
    finds(&[Kind::Lost], |account| {
        account.base.seen.push(BaseSeen::Told { from: user(1), what: "1:99".to_owned() });
    });
    // A room whose seq goes back.
    finds(&[Kind::Lost], |account| *snapshot(&mut account.a.seen[14]) = room(5, 5));
}

#[test]
fn duplicates() {
    // At two seqs.
    finds(&[Kind::Doubled], |account| {
        let again = Said { seq: 10, ..said(5) };
        account.kept().events.push(again);
        account.kept().seq += 1;
    });
    // Told twice: to its sender, and to another client.
    finds(&[Kind::Doubled], |account| account.a.seen.insert(5, told(1)));
    finds(&[Kind::Doubled], |account| account.a.seen.insert(7, told(3)));
    finds(&[Kind::Reordered], |account| account.base.seen.insert(4, base_told(3)));
}

#[test]
fn reordered_messages() {
    // Two texts of one sender, in the same order for all.
    finds(&[Kind::Reordered], |account| {
        let kept = account.kept();
        let (first, second) = (kept.events[0].what.clone(), kept.events[3].what.clone());
        (kept.events[0].what, kept.events[3].what) = (second, first);
    });
    // For one client alone.
    finds(&[Kind::Gap], |account| account.a.seen.swap(5, 6));
    finds(&[Kind::Reordered], |account| account.base.seen.swap(4, 5));
}

#[test]
fn gaps() {
    finds(&[Kind::Gap], |account| drop(account.a.seen.remove(6)));
    finds(&[Kind::Gap], |account| drop(account.base.seen.remove(4)));
    finds(&[Kind::Gap], |account| drop(snapshot(&mut account.b.seen[11]).events.pop()));
}

#[test]
fn differences() {
    finds(&[Kind::Differs], |account| told_said(&mut account.a.seen[5]).what.push('!'));
    finds(&[Kind::Differs], |account| told_said(&mut account.a.seen[5]).time += 1);
    finds(&[Kind::Differs], |account| told_said(&mut account.a.seen[5]).from = user(3));
    finds(&[Kind::Differs], |account| snapshot(&mut account.b.seen[11]).events[1].time += 1);
    // Between two clients, where the history does not reach back.
    finds(&[Kind::Differs], |account| {
        account.rules.kept = Some(1);
        account.kept().events.drain(..7);
        told_said(&mut account.a.seen[6]).time += 1;
    });
    // The `ref` of another text.
    finds(&[Kind::Differs], |account| {
        for at in [4, 8] {
            told_said(&mut account.a.seen[at]).reference = Some("r2".to_owned());
        }
    });
}

#[test]
fn a_wrong_complete() {
    // Complete, but a message is missing.
    finds(&[Kind::FalseComplete], |account| {
        snapshot(&mut account.b.seen[11]).events.remove(0);
    });
    // Incomplete, but nothing is missing.
    finds(&[Kind::FalseComplete], |account| {
        account.rules.kept = Some(1);
        snapshot(&mut account.b.seen[11]).complete = false;
    });
    // Incomplete, where everything is kept.
    finds(&[Kind::FalseComplete], |account| {
        let snapshot = snapshot(&mut account.b.seen[11]);
        snapshot.events.remove(0);
        snapshot.complete = false;
    });
    // Too few messages without `since`.
    finds(&[Kind::FalseComplete], |account| snapshot(&mut account.b.seen[2]).events.clear());
    finds(&[Kind::EpochChanged], |account| {
        "f".clone_into(&mut snapshot(&mut account.b.seen[11]).epoch);
    });
}

#[test]
fn an_incomplete_answer_is_accepted_where_little_is_kept_or_fits() {
    let changes: [fn(&mut Rules); 2] =
        [|rules| rules.kept = Some(1), |rules| rules.is_narrow = true];
    for change in changes {
        let mut account = right();
        change(&mut account.rules);
        let snapshot = snapshot(&mut account.b.seen[11]);
        snapshot.events.remove(0);
        snapshot.complete = false;
        assert_eq!(violations(&account), BTreeSet::new());
    }
}

#[test]
fn wrong_identities() {
    finds(&[Kind::NotResumed], |account| account.b.seen[9] = welcome(2, false));
    finds(&[Kind::NotResumed, Kind::IdRepeated], |account| account.b.seen[9] = welcome(1, false));
    finds(&[Kind::Identity], |account| account.b.seen[9] = welcome(1, true));
    finds(&[Kind::Identity], |account| {
        let Seen::Welcome { room, .. } = &mut account.b.seen[9] else { panic!("a welcome") };
        *room = None;
    });
    finds(&[Kind::Identity], |account| {
        let Seen::Welcome { user, .. } = &mut account.b.seen[9] else { panic!("a welcome") };
        user.name = "Somebody".to_owned();
    });
    finds(&[Kind::IdRepeated], |account| account.base.user.id = 2);
}

#[test]
fn false_presence_and_wrong_members() {
    let comes = |id| Seen::Entered { room: 1, user: user(id) };
    let goes = |id| Seen::Left { room: 1, user: user(id) };
    // User 2 never left.
    finds(&[Kind::FalsePresence], |account| account.a.seen.insert(9, comes(2)));
    finds(&[Kind::FalsePresence], |account| account.a.seen.insert(9, goes(2)));
    finds(&[Kind::FalsePresence], |account| {
        account.a.seen.splice(9..9, [goes(2), comes(2), goes(2), comes(2)]);
    });
    finds(&[Kind::FalsePresence], |account| account.base.seen.insert(5, BaseSeen::Left(user(2))));
    // A member is missing.
    finds(&[Kind::WrongMembers], |account| {
        account.rules.stayers = BTreeMap::from([(1, BTreeSet::from([1]))]);
        snapshot(&mut account.b.seen[11]).users.remove(0);
    });
    finds(&[Kind::WrongMembers], |account| drop(snapshot(&mut account.b.seen[2]).users.pop()));
}

#[test]
fn unrequested_messages_and_refusals() {
    finds(&[Kind::Refused], |account| account.a.seen.insert(13, told(8)));
    finds(&[Kind::Refused], |account| account.a.seen.push(Seen::Error("no".to_owned())));
}

#[test]
fn the_model_client_resends_only_what_is_not_acknowledged() {
    let welcome = |resumed, room: &str| {
        format!(
            r#"{{"type":"welcome","user":{{"id":1,"name":"User 1"}},"session":"abc","resumed":{resumed}{room}}}"#
        )
    };
    let text = |number, seq| {
        format!(
            r#"{{"type":"text","text":"a:{number}","from":{{"id":1,"name":"User 1"}},"roomId":1,"time":1,"seq":{seq},"ref":"r{number}"}}"#
        )
    };
    let room = |seq, events: &str| {
        format!(
            r#"{{"type":"room","room":{{"id":1,"title":"Room 1"}},"users":[],"epoch":"e","seq":{seq},"complete":true,"events":[{events}]}}"#
        )
    };
    let mut model = Model::new("a", 1);
    assert_eq!(model.offer(), "wschat.v2");
    model.take(&welcome(false, ""));
    assert_eq!(model.offer(), "wschat.v2, session.abc");
    assert_eq!(model.enter(1), r#"{"roomId":1,"type":"enter_room"}"#);
    model.take(&room(5, ""));
    let requests: Vec<String> = (0..3).map(|_| model.say()).collect();
    assert_eq!(requests[0], r#"{"ref":"r1","text":"a:1","type":"text"}"#);
    model.take(&text(1, 6));
    model.gone("cut");
    assert!(!model.is_listening);
    model.take(&welcome(true, r#","roomId":1"#));
    assert_eq!(model.enter(1), r#"{"roomId":1,"since":{"epoch":"e","seq":6},"type":"enter_room"}"#);
    model.take(&room(7, &text(2, 7)));
    assert!(model.is_listening);
    assert_eq!(model.pending.len(), 1);
    assert_eq!(model.resend(0), requests[2]);
}
