//! The clients and the ledger accept a correct run, and find each lie that is put into it.

use std::collections::BTreeMap;

use crate::base::Base;
use crate::frames::Said;
use crate::ledger::{Kind, Ledger, Rules, State, body, reference};
use crate::v2::{Doings, V2};

/// Clients 0 and 1 speak wschat.v2 as users 1 and 2, client 2 the base protocol as user 3; all are in room 1.
struct Run {
    ledger: Ledger,
    a: V2,
    b: V2,
    base: Base,
}

impl Run {
    fn new() -> Self {
        let rules = Rules { may_lose: false, is_all_kept: true, grace: 60_000, lease: 6_000 };
        let mut run = Self {
            ledger: Ledger::new(rules, 0),
            a: V2::new(0, 1),
            b: V2::new(1, 1),
            base: Base::new(2, 1),
        };
        run.ledger.now = 1_000;
        run.base_gets(r#"{"type":"welcome","user":{"id":3,"name":"User 3"}}"#);
        run.base_gets(r#"{"type":"enter_room","user":{"id":3,"name":"User 3"}}"#);
        run.a_gets(&welcome(1, false));
        run.a_gets(&room(&[1, 3], 0, &[]));
        run.b_gets(&welcome(2, false));
        run.b_gets(&room(&[1, 2, 3], 0, &[]));
        for user in [1, 2] {
            run.base_gets(&format!(r#"{{"type":"enter_room","user":{}}}"#, person(user)));
        }
        run.a_gets(&moved("enter_room", 2));
        run
    }

    fn a_gets(&mut self, frame: &str) {
        self.a.take(frame, 0, &mut self.ledger, &mut Doings::default());
    }

    fn b_gets(&mut self, frame: &str) {
        self.b.take(frame, 1, &mut self.ledger, &mut Doings::default());
    }

    fn base_gets(&mut self, frame: &str) {
        self.base.take(frame, 0, &mut self.ledger, &mut Doings::default());
    }

    /// Somebody says the next text; returns its number.
    fn says(&mut self, client: u32) -> u32 {
        let index = u32::try_from(self.ledger.counts.texts).unwrap();
        match client {
            0 => self.a.say(&mut self.ledger),
            1 => self.b.say(&mut self.ledger),
            _ => self.base.say(&mut self.ledger),
        };
        index
    }

    /// Everybody is told a text.
    fn all_get(&mut self, index: u32, seq: u64) {
        let frame = told(index, &self.author(index), seq);
        self.a_gets(&frame);
        self.b_gets(&frame);
        self.base_gets(&base_told(index, &self.author(index)));
    }

    fn author(&self, index: u32) -> Author {
        let text = self.ledger.text(index);
        Author { id: text.author, has_ref: text.has_ref }
    }

    /// Three texts, of each client one.
    fn talk(&mut self) {
        for client in 0..3 {
            let index = self.says(client);
            self.all_get(index, u64::from(index) + 1);
        }
    }

    /// An audit finds these texts at the seqs from 1 on.
    fn audit(&mut self, texts: &[u32]) {
        let epoch = self.ledger.epoch("audit", "e");
        for (seq, &index) in (1..).zip(texts) {
            let frame = told(index, &self.author(index), seq);
            let said: Said<'_> = serde_json::from_str(&frame).unwrap();
            self.ledger.audited("audit", epoch, &said);
        }
        self.ledger.close_audit("audit", epoch, &BTreeMap::from([(1, 1)]));
    }

    /// The kinds of violations at the end.
    fn end(mut self) -> Vec<Kind> {
        self.base.check_stays(&mut self.ledger);
        self.ledger.violation_count.into_keys().collect()
    }
}

struct Author {
    id: u64,
    has_ref: bool,
}

fn person(id: u64) -> String {
    format!(r#"{{"id":{id},"name":"User {id}"}}"#)
}

fn welcome(id: u64, resumed: bool) -> String {
    let room = if resumed { r#""roomId":1,"# } else { "" };
    format!(
        r#"{{"type":"welcome","user":{},"session":"s{id}","resumed":{resumed},{room}"epoch":"e"}}"#,
        person(id)
    )
}

fn room(users: &[u64], seq: u64, events: &[String]) -> String {
    room_with(users, seq, events, "e", true)
}

fn room_with(users: &[u64], seq: u64, events: &[String], epoch: &str, complete: bool) -> String {
    let count = users.len();
    let users: Vec<String> = users.iter().map(|&id| person(id)).collect();
    format!(
        r#"{{"type":"room","room":{{"id":1,"title":"Room 1"}},"users":[{}],"userCount":{count},"epoch":"{epoch}","seq":{seq},"complete":{complete},"events":[{}],"ref":"e"}}"#,
        users.join(","),
        events.join(",")
    )
}

fn told(index: u32, author: &Author, seq: u64) -> String {
    let reference =
        if author.has_ref { format!(r#","ref":"{}""#, reference(index)) } else { String::new() };
    format!(
        r#"{{"type":"text","text":{},"from":{},"roomId":1,"time":{},"seq":{seq}{reference}}}"#,
        serde_json::to_string(&body(index)).unwrap(),
        person(author.id),
        5_000 + index
    )
}

fn base_told(index: u32, author: &Author) -> String {
    let text = serde_json::to_string(&body(index)).unwrap();
    format!(r#"{{"type":"text","text":{text},"from":{}}}"#, person(author.id))
}

fn moved(kind: &str, id: u64) -> String {
    format!(r#"{{"type":"{kind}","user":{},"roomId":1,"time":1}}"#, person(id))
}

#[test]
fn a_correct_run_is_accepted() {
    let mut run = Run::new();
    run.talk();
    // Client 1 loses its connection, does not learn that its text was said, and sends it again.
    let lost = run.says(1);
    run.b.gone(true, &mut run.ledger);
    let author = run.author(lost);
    run.a_gets(&told(lost, &author, 4));
    run.base_gets(&base_told(lost, &author));
    run.b_gets(&welcome(2, true));
    run.b.resend(1_000);
    run.b_gets(&room(&[1, 2, 3], 4, &[told(lost, &author, 4)]));
    run.b_gets(&told(lost, &author, 4));
    let refused = run.says(0);
    run.a_gets(&format!(
        r#"{{"type":"error","code":"not_saved","message":"","ref":"{}"}}"#,
        reference(refused)
    ));
    assert_eq!(run.a.retry(2_000).len(), 1);
    run.all_get(refused, 5);
    run.audit(&[0, 1, 2, lost, refused]);
    assert_eq!(run.ledger.text(lost).state, State::Acknowledged);
    assert!(!run.a.has_pending() && !run.b.has_pending());
    assert_eq!(run.end(), []);
}

/// Each lie is told after everybody has said something; what it is found as.
fn found(lie: impl FnOnce(&mut Run)) -> Vec<Kind> {
    let mut run = Run::new();
    run.talk();
    lie(&mut run);
    run.end()
}

#[test]
fn an_acknowledged_text_that_is_not_kept_is_found() {
    assert_eq!(found(|run| run.audit(&[0, 1])), [Kind::Lost]);
}

#[test]
fn a_text_with_two_places_is_found() {
    let lie = |run: &mut Run| run.a_gets(&told(1, &Author { id: 2, has_ref: true }, 4));
    // Then the base client was told it out of order, too.
    assert!(found(lie).contains(&Kind::Doubled));
    let in_history = |run: &mut Run| run.audit(&[0, 1, 2, 1]);
    assert!(found(in_history).contains(&Kind::Doubled));
}

#[test]
fn two_texts_at_one_place_are_found() {
    let lie = |run: &mut Run| {
        let (x, y) = (run.says(0), run.says(1));
        let (of_x, of_y) = (told(x, &run.author(x), 4), told(y, &run.author(y), 4));
        run.a_gets(&of_x);
        run.b_gets(&of_y);
    };
    assert_eq!(found(lie), [Kind::Differs]);
}

#[test]
fn another_author_ref_or_content_is_found() {
    let next = |run: &mut Run| (run.says(0), Author { id: 1, has_ref: true });
    let author = |run: &mut Run| {
        let (index, _) = next(run);
        run.a_gets(&told(index, &Author { id: 2, has_ref: true }, 4));
    };
    let reference = |run: &mut Run| {
        let (index, _) = next(run);
        run.a_gets(&told(index, &Author { id: 1, has_ref: false }, 4));
    };
    let content = |run: &mut Run| {
        let (index, author) = next(run);
        let frame = told(index, &author, 4).replace(&format!("\"{index} "), "\"99 ");
        run.a_gets(&frame);
    };
    assert_eq!(found(author), [Kind::Forged]);
    assert_eq!(found(reference), [Kind::Forged]);
    assert_eq!(found(content), [Kind::Forged]);
}

#[test]
fn a_seq_that_is_left_out_or_repeated_is_found() {
    let skip = |run: &mut Run| {
        let index = run.says(0);
        let frame = told(index, &run.author(index), 5);
        run.a_gets(&frame);
    };
    let again = |run: &mut Run| {
        let author = run.author(2);
        run.a_gets(&told(2, &author, 3));
    };
    assert_eq!(found(skip), [Kind::Gap]);
    assert_eq!(found(again), [Kind::Reordered]);
}

#[test]
fn texts_of_a_sender_in_another_order_are_found() {
    let lie = |run: &mut Run| {
        let (first, second) = (run.says(0), run.says(0));
        run.all_get(second, 4);
        run.all_get(first, 5);
    };
    assert_eq!(found(lie), [Kind::Reordered]);
}

#[test]
fn a_gap_in_what_the_base_protocol_tells_is_found() {
    let lie = |run: &mut Run| {
        for seq in 4..=5 {
            let index = run.says(0);
            let frame = told(index, &run.author(index), seq);
            run.a_gets(&frame);
            run.b_gets(&frame);
        }
        let author = run.author(4);
        run.base_gets(&base_told(4, &author));
    };
    assert_eq!(found(lie), [Kind::Gap]);
}

/// Client 0 comes back after text 3 (at seq 4) was said without it.
fn comes_back(run: &mut Run, resumed: bool, frame: impl FnOnce(String) -> String) {
    run.a.gone(true, &mut run.ledger);
    let index = run.says(1);
    let frame = frame(told(index, &run.author(index), 4));
    let b = told(index, &run.author(index), 4);
    run.b_gets(&b);
    run.a_gets(&welcome(if resumed { 1 } else { 4 }, resumed));
    run.a_gets(&frame);
}

#[test]
fn complete_that_hides_a_text_is_found() {
    let lie = |run: &mut Run| comes_back(run, true, |_| room(&[1, 2, 3], 4, &[]));
    assert_eq!(found(lie), [Kind::FalseComplete]);
    let right = |run: &mut Run| comes_back(run, true, |text| room(&[1, 2, 3], 4, &[text]));
    assert_eq!(found(right), []);
}

#[test]
fn a_room_that_goes_back_and_another_epoch_are_found() {
    let back = |run: &mut Run| comes_back(run, true, |_| room(&[1, 2, 3], 2, &[]));
    assert_eq!(found(back), [Kind::EpochChanged]);
    let epoch = |run: &mut Run| {
        comes_back(run, true, |text| {
            room_with(&[1, 2, 3], 4, &[text], "f", false)
                .replace(r#""complete""#, r#""reset":true,"complete""#)
        });
    };
    assert_eq!(found(epoch), [Kind::EpochChanged]);
}

#[test]
fn a_session_that_is_not_resumed_in_time_is_found() {
    let lie = |run: &mut Run| comes_back(run, false, |text| room(&[2, 3, 4], 4, &[text]));
    assert_eq!(found(lie), [Kind::NotResumed]);
}

#[test]
fn somebody_who_is_shown_as_left_or_away_too_soon_is_found() {
    assert_eq!(found(|run| run.a_gets(&moved("leave_room", 2))), [Kind::Flap]);
    let too_soon = |run: &mut Run| {
        run.b.gone(false, &mut run.ledger);
        run.ledger.now += 50_000;
        run.a_gets(&moved("leave_room", 2));
    };
    assert_eq!(found(too_soon), [Kind::Flap]);
    let in_time = |run: &mut Run| {
        run.b.gone(false, &mut run.ledger);
        run.ledger.now += 60_000;
        run.a_gets(&moved("leave_room", 2));
    };
    assert_eq!(found(in_time), []);
    let away = r#"{"type":"presence","roomId":1,"users":[{"id":2,"away":true}],"time":1}"#;
    assert_eq!(found(|run| run.a_gets(away)), [Kind::Flap]);
    // A node that drains hands its users over: within the lease nobody is away.
    let handed_over = |run: &mut Run| {
        run.b.gone(false, &mut run.ledger);
        run.ledger.now += 2_000;
        run.b_gets(&welcome(2, true));
        run.a_gets(away);
    };
    assert_eq!(found(handed_over), [Kind::Flap]);
    let after_a_cut = |run: &mut Run| {
        run.b.gone(true, &mut run.ledger);
        run.a_gets(away);
    };
    assert_eq!(found(after_a_cut), []);
    let after_a_cut_before_the_welcome = |run: &mut Run| {
        run.b.gone(false, &mut run.ledger);
        run.b.gone(true, &mut run.ledger);
        run.a_gets(away);
    };
    assert_eq!(found(after_a_cut_before_the_welcome), []);
}

#[test]
fn what_a_node_has_to_show_of_its_clients_is_no_flap() {
    let leaves = |run: &mut Run| run.a_gets(&moved("leave_room", 3));
    assert_eq!(found(leaves), [Kind::Flap]);
    let drains = |run: &mut Run| {
        run.ledger.people.drain(0, run.ledger.now);
        leaves(run);
    };
    assert_eq!(found(drains), []);
    // It was shown as away on the node that was cut off, before it came back on another one.
    let moves = |run: &mut Run| {
        run.ledger.people.disturb(1, run.ledger.now);
        run.b.gone(false, &mut run.ledger);
        run.b.take(&welcome(2, true), 0, &mut run.ledger, &mut Doings::default());
        run.a_gets(r#"{"type":"presence","roomId":1,"users":[{"id":2,"away":true}],"time":1}"#);
    };
    assert_eq!(found(moves), []);
}

#[test]
fn an_inconsistent_list_of_members_is_found() {
    assert_eq!(found(|run| run.a_gets(&moved("enter_room", 2))), [Kind::Presence]);
    let entered = r#"{"type":"enter_room","user":{"id":2,"name":"User 2"}}"#;
    assert_eq!(found(|run| run.base_gets(entered)), [Kind::Presence]);
    let left_twice = |run: &mut Run| {
        run.base.gone(&mut run.ledger);
        run.a_gets(&moved("leave_room", 3));
        run.a_gets(&moved("leave_room", 3));
    };
    assert_eq!(found(left_twice), [Kind::Presence]);
}

#[test]
fn a_request_that_is_refused_for_good_is_found() {
    let lie = |run: &mut Run| {
        let index = run.says(0);
        run.a_gets(&format!(
            r#"{{"type":"error","code":"not_in_room","message":"","ref":"{}"}}"#,
            reference(index)
        ));
    };
    assert_eq!(found(lie), [Kind::Refused]);
}

#[test]
fn a_client_that_is_refused_in_a_room_asks_again_and_its_texts_are_no_lie() {
    let moves = |run: &mut Run| {
        assert!(run.a.enter(2).contains(r#""roomId":2"#));
        let index = run.says(0);
        let refused = |code: &str, reference: &str| {
            format!(r#"{{"type":"error","code":"{code}","message":"","ref":"{reference}"}}"#)
        };
        run.a_gets(&refused("not_saved", "e"));
        run.a_gets(&refused("not_in_room", &reference(index)));
        assert!(!run.a.is_ready(2) && run.a.has_pending());
        let again = run.a.retry(run.ledger.now);
        assert!(
            matches!(&again[..], [enter] if enter.contains(r#""type":"enter_room","roomId":2"#))
        );
    };
    assert_eq!(found(moves), []);
}
