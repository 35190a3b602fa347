use std::sync::Mutex;

use super::*;
use crate::chat::*;
use crate::recall::Query;

/// The batches that a history was asked to commit, and whether it fails.
#[derive(Debug, Default)]
struct Record {
    is_failing: bool,
    batches: Vec<Vec<Memo>>,
}

/// A history that fails when it is told to.
struct FailingHistory(Arc<Mutex<Record>>);

impl History for FailingHistory {
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), HistoryError> {
        let mut record = self.0.lock().unwrap();
        record.batches.push(batch.memos.to_vec());
        if record.is_failing { Err(HistoryError::example()) } else { Ok(()) }
    }

    fn set_retention(&mut self, _: Retention) {}
}

const START: Duration = Duration::from_secs(100);

fn start() -> (Saver, Chat, Arc<Mutex<Record>>, Arc<Health>) {
    let rules = Rules::sample(&["A"]);
    let (chat, _) = Chat::restore(rules, Stored { last_user: 7, ..Stored::default() });
    let (record, health) = (Arc::<Mutex<Record>>::default(), Arc::<Health>::default());
    let mut saver = Saver::new(Box::new(FailingHistory(record.clone())), health.clone());
    saver.begin(&chat, Vec::new()).unwrap();
    record.lock().unwrap().batches.clear();
    (saver, chat, record, health)
}

fn user(user: u64) -> Memo {
    let (key, name) = (ResumeKey([0; 32]), "Ann".into());
    Memo::User(StoredUser { user: UserId(user), key, name, room: None })
}

fn said(seq: u64) -> Output {
    let from = Person { id: UserId(7), name: "Ann".into() };
    let reference = Some(seq.to_string().into());
    let said = Said { seq, time: 5, from, content: Content::Gif(1), reference };
    Output::Effect(Effect::Tell { room: RoomId(1), time: 5, event: Event::Said(said) })
}

fn refusal(reference: &str, time: u64) -> Output {
    let (reply, reference) = (Reply::Refused(Refusal::NotSaved), Some(reference.into()));
    Output::Effect(Effect::Reply { to: UserId(7), time, reply, reference })
}

#[test]
fn without_messages_a_failed_commit_is_retried_after_a_pause() {
    let (mut saver, chat, record, health) = start();
    record.lock().unwrap().is_failing = true;
    saver.note(user(7));
    assert_eq!(saver.commit(&chat, &[], START), Outcome::NoMessages);
    assert!(health.is_failing());
    let retry_at = saver.retry_at().expect("it is tried again");
    assert_eq!(retry_at, START + RETRY_AFTER);
    for _ in 0..10 {
        saver.commit(&chat, &[], START);
    }
    assert_eq!(record.lock().unwrap().batches.len(), 1);

    record.lock().unwrap().is_failing = false;
    saver.commit(&chat, &[], retry_at);
    assert!(!health.is_failing());
    assert_eq!(saver.retry_at(), None);
    let batches = std::mem::take(&mut record.lock().unwrap().batches);
    assert!(batches[1].contains(&user(7)), "what was not saved is saved now: {batches:?}");
    assert!(batches[1].contains(&Memo::Padding(1)), "there is something to write: {batches:?}");
}

#[test]
fn a_message_leads_to_a_commit_at_once_even_after_a_failure() {
    let (mut saver, chat, record, _) = start();
    assert_eq!(saver.commit(&chat, &[said(1)], START), Outcome::Saved);
    record.lock().unwrap().is_failing = true;
    for _ in 0..2 {
        assert_eq!(saver.commit(&chat, &[said(2)], START), Outcome::NotSaved);
    }
    record.lock().unwrap().is_failing = false;
    assert_eq!(saver.commit(&chat, &[said(2)], START), Outcome::Saved);
    assert_eq!(saver.retry_at(), None);
    assert_eq!(saver.commit(&chat, &[], START), Outcome::NoMessages);
}

#[test]
fn memos_do_not_pile_up_while_commits_fail() {
    let (mut saver, chat, record, _) = start();
    record.lock().unwrap().is_failing = true;
    for id in 8..1_000 {
        saver.note(user(id));
        saver.note(Memo::UserGone(UserId(id)));
        saver.note(user(7));
        saver.end(&chat, START);
    }
    // The history may know of user 7 only.
    assert_eq!(saver.memos, [user(7), Memo::Ids(chat.last_ids()), Memo::Padding(1)]);
}

/// So many users arrive.
fn arrive(chat: &mut Chat, users: u64) {
    for _ in 0..users {
        let connection = ConnectionId(chat.last_ids().user);
        let link = Link { node: NodeId(0), connection };
        let action =
            Action::Connect { link, source: Source::SAMPLE, version: Version::Base, resume: None };
        apply(chat, action);
    }
}

fn apply(chat: &mut Chat, action: Action) {
    chat.apply(Entry { id: EntryId::default(), at: START, time: 0, action }, &mut Vec::new());
}

#[test]
fn ids_are_reserved_ahead_and_given_back_at_the_end() {
    let (mut saver, mut chat, record, _) = start();
    assert_eq!(saver.reserved(), IdLimits { user: 7 + 10_000, room: 1 + 256 });
    arrive(&mut chat, 4_999);
    saver.commit(&chat, &[], START);
    assert_eq!(record.lock().unwrap().batches.len(), 0, "half of them are there still");
    arrive(&mut chat, 1);
    saver.commit(&chat, &[], START);
    saver.commit(&chat, &[], START);
    assert_eq!(saver.reserved(), IdLimits { user: 5_007 + 10_000, room: 1 + 256 });
    saver.end(&chat, START);
    let batches = &record.lock().unwrap().batches;
    let expected = [saver.reserved(), IdLimits { user: 5_007, room: 1 }];
    assert_eq!(batches[..], expected.map(|ids| vec![Memo::Ids(ids)]));
}

#[test]
fn ids_that_could_not_be_reserved_are_not_handed_out() {
    let (mut saver, mut chat, record, _) = start();
    apply(&mut chat, Action::Reserved(saver.reserved()));
    record.lock().unwrap().is_failing = true;
    for _ in 0..3 {
        arrive(&mut chat, 5_000);
        saver.commit(&chat, &[], START);
    }
    assert_eq!(chat.last_ids().user, 7 + 10_000, "the others are turned away");
    assert_eq!(saver.reserved().user, 7 + 10_000);
    // What was requested meanwhile is reserved as soon as something can be saved.
    record.lock().unwrap().is_failing = false;
    saver.commit(&chat, &[], START + RETRY_AFTER);
    assert_eq!(saver.reserved().user, 7 + 20_000);
    let batches = &record.lock().unwrap().batches;
    assert!(batches.last().unwrap().contains(&Memo::Ids(saver.reserved())), "{batches:?}");
}

#[test]
fn unsaved_messages_are_refused_in_their_place() {
    let (_, chat, _, _) = start();
    let repeat = |seq| {
        let what = Lookup::Message(Position { room: RoomId(1), seq });
        let query = Query { what, reference: Some("again".into()) };
        Output::Query { to: UserId(7), query }
    };
    let left = || {
        let event = Event::Left(Person { id: UserId(8), name: "Bob".into() }, None);
        Output::Effect(Effect::Tell { room: RoomId(1), time: 5, event })
    };
    // The chat has already taken message 1 back, so its room is empty.
    // The author of message 1 did not get the room's events, and would have been answered itself.
    let answer = || {
        let Output::Effect(Effect::Tell { event: Event::Said(said), .. }) = said(1) else {
            unreachable!()
        };
        let (reply, reference) = (Reply::Said(RoomId(1), said), None);
        Output::Effect(Effect::Reply { to: UserId(7), time: 5, reply, reference })
    };
    let mut outputs = vec![said(1), answer(), left(), repeat(1), repeat(0)];
    refuse_unsaved(&mut outputs, &chat);
    let expected = [refusal("1", 5), left(), refusal("again", 0), repeat(0)];
    assert_eq!(format!("{outputs:?}"), format!("{expected:?}"));
}
