//! The dispatcher tick by tick: what a tick takes, in which order it answers, and that nothing is delivered
//! before it is committed.

mod endings;
mod operator;
mod stage;

use super::*;
use crate::chat::{IdLimits, Memo, Rules, UserId, Version};
use crate::log::LocalLog;
use stage::{
    LIST_INTERVAL, MAX_QUEUED, MAX_TICK_BYTES, ON_ENTER, RETENTION, Stage, disconnect, rules,
    server_info,
};

const UNKNOWN: &str = r#"{"type":"nonsense"}"#;

#[test]
fn answers_come_in_the_order_of_the_requests_whoever_gives_them() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2, Version::Base]);
    let inputs = [
        stage.say(1, "a"),
        stage.ask(1, UNKNOWN),
        stage.say(2, "b"),
        stage.ask(1, r#"{"type":"list_rooms"}"#),
        stage.ask(1, r#"{"type":"enter_room","roomId":9}"#),
        stage.ask(1, r#"{"type":"change_name","name":"Ann"}"#),
        stage.ask(1, r#"{"type":"leave_room","roomId":"1"}"#),
        stage.ask(2, UNKNOWN),
        stage.ask(1, UNKNOWN),
    ];
    assert!(stage.tick(inputs).is_empty());
    stage.expect(
        1,
        "a, unknown_type, b, list A, unknown_room, name Ann, leave 1, room_changed A, unknown_type",
    );
    stage.expect(2, "a, b, name Ann, leave 1, unknown_type");
}

#[test]
fn what_follows_an_answer_from_the_history_waits_for_it() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2]);
    let inputs = [
        stage.say(1, "a"),
        stage.ask(1, r#"{"type":"enter_room","roomId":1}"#),
        stage.say(1, "b"),
        // The same message again.
        stage.say(1, "a"),
        stage.ask(1, UNKNOWN),
    ];
    stage.tick(inputs);
    stage.expect(1, "a");
    let answer = stage.recall.next_result().unwrap();
    stage.tick([answer]);
    // The room as it was between the two messages.
    stage.expect(1, "room 1 [a], b");
    stage.recall_all();
    stage.expect(1, "a, unknown_type");
}

#[test]
fn a_tick_takes_a_thousand_inputs_and_leaves_the_others_in_the_mailbox() {
    const INPUTS: usize = 2 * MAX_TICK_INPUTS + 500;
    let mut stage = Stage::new();
    let arrival = stage.arrival(Version::Base);
    stage.tick([arrival]);
    stage.expect(1, "welcome");
    let kinds = [
        (UNKNOWN, "unknown_type"),
        (r#"{"type":"create_room","title":""}"#, "bad_title"),
        (r#"{"type":"leave_room","roomId":1}"#, "not_in_room"),
    ];
    let kind = |number: usize| kinds[number % kinds.len()];
    let mut mailbox: Vec<_> = (0..INPUTS).map(|number| stage.ask(1, kind(number).0)).collect();
    let mut received = Vec::new();
    for left in [INPUTS - MAX_TICK_INPUTS, INPUTS - 2 * MAX_TICK_INPUTS, 0] {
        mailbox = stage.tick(mailbox).into();
        assert_eq!(mailbox.len(), left);
        received.push(stage.read(1));
    }
    let expected: Vec<_> = (0..INPUTS).map(|number| kind(number).1).collect();
    assert_eq!(received.join(", "), expected.join(", "));
}

#[test]
fn a_tick_that_is_full_by_bytes_loses_and_reorders_nothing() {
    let mut stage = Stage::new();
    stage.members(&[Version::Base, Version::Base]);
    let texts: Vec<_> = (0..500).map(|number| format!("text {number}")).collect();
    let mut mailbox: Vec<_> = texts.iter().map(|text| stage.say(1, text)).collect();
    let mut received = Vec::new();
    while !mailbox.is_empty() {
        let before = mailbox.len();
        mailbox = stage.tick(mailbox).into();
        // Each weighs at least as much as an event without a text.
        let taken = before - mailbox.len();
        assert!((1..=1 + MAX_TICK_BYTES / 128).contains(&taken), "{taken} at once");
        received.push(stage.read(2));
    }
    assert!(received.len() > 2, "one tick was not enough");
    assert_eq!(received.join(", "), texts.join(", "));
    stage.expect(1, &texts.join(", "));
    let commits = std::mem::take(&mut stage.record.lock().unwrap().commits);
    assert_eq!(commits.len(), received.len(), "each tick commits once");
    assert_eq!(commits.concat(), (1..=500).collect::<Vec<u64>>());
}

#[test]
fn one_message_above_the_limit_is_a_tick_of_its_own() {
    let mut stage = Stage::new();
    stage.members(&[Version::Base]);
    let long = "x".repeat(MAX_TICK_BYTES + 1);
    let mailbox = [stage.say(1, "a"), stage.say(1, &long), stage.say(1, "b")];
    let left = stage.tick(mailbox);
    assert_eq!(left.len(), 1);
    stage.expect(1, &format!("a, {long}"));
    assert!(stage.tick(left).is_empty());
    stage.expect(1, "b");
}

#[test]
fn nothing_is_delivered_before_it_is_committed() {
    let mut stage = Stage::new();
    stage.members(&[Version::Base, Version::V2]);
    let sockets = [stage.socket(1).clone(), stage.socket(2).clone()];
    stage.record.lock().unwrap().watched.extend(sockets);
    let inputs = [stage.ask(2, UNKNOWN), stage.say(1, "a"), stage.say(2, "b")];
    stage.tick(inputs);
    stage.expect(1, "a, b");
    stage.expect(2, "unknown_type, a, b");
    let inputs = [stage.say(1, "c"), Input::Stop { until: Instant::now() }, stage.say(1, "d")];
    stage.tick(inputs);
    stage.expect(1, "c, close 1001");
    stage.expect(2, "c, close 1001");
    let record = stage.record.lock().unwrap();
    assert_eq!(record.commits[..], [vec![1, 2], vec![3]]);
    assert_eq!(record.written_before_commit, b"");
}

#[test]
fn messages_that_cannot_be_saved_are_refused_in_their_place() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2, Version::Base]);
    stage.record.lock().unwrap().is_failing = true;
    let inputs = [
        stage.ask(1, UNKNOWN),
        stage.say(1, "lost"),
        stage.ask(1, r#"{"type":"change_name","name":"Ann"}"#),
        stage.say(2, "lost as well"),
        // A retry within the tick is as unsaved as the message.
        stage.say(1, "lost"),
        stage.ask(1, UNKNOWN),
    ];
    stage.tick(inputs);
    stage.expect(1, "unknown_type, not_saved, name Ann, not_saved, unknown_type");
    stage.expect(2, "name Ann, not_saved");
}

#[test]
fn after_a_failure_the_same_references_and_numbers_are_used() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2, Version::Base]);
    let again = |stage: &mut Stage| {
        let inputs = [stage.say(1, "a"), stage.say(2, "b")];
        stage.tick(inputs);
    };
    stage.record.lock().unwrap().is_failing = true;
    again(&mut stage);
    stage.expect(1, "not_saved");
    stage.expect(2, "not_saved");
    stage.record.lock().unwrap().is_failing = false;
    again(&mut stage);
    stage.expect(1, "a, b");
    stage.expect(2, "a, b");
    assert_eq!(stage.record.lock().unwrap().commits, [[1, 2]]);
}

#[test]
fn a_failed_commit_is_a_deadline_for_the_next_tick() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2]);
    assert_eq!(stage.dispatcher.next_deadline(), None);
    stage.record.lock().unwrap().is_failing = true;
    let rename = stage.ask(1, r#"{"type":"change_name","name":"Ann"}"#);
    stage.tick([rename]);
    stage.expect(1, "name Ann");
    let retry_at = stage.dispatcher.next_deadline().unwrap();
    assert_eq!(retry_at, stage.now.at + Duration::from_secs(1));
    stage.record.lock().unwrap().is_failing = false;
    stage.wait(Duration::from_secs(1));
    assert_eq!(stage.dispatcher.next_deadline(), None);
}

#[test]
fn a_list_of_rooms_that_is_due_shows_what_was_before_the_inputs_of_its_tick() {
    let mut stage = Stage::new();
    stage.members(&[Version::Base, Version::V2]);
    let create = |stage: &Stage, title: &str| {
        stage.ask(1, &format!(r#"{{"type":"create_room","title":"{title}"}}"#))
    };
    let subscribe = stage.ask(2, r#"{"type":"list_rooms"}"#);
    let create_b = create(&stage, "B");
    stage.tick([subscribe, create_b]);
    stage.expect(1, "list A B");
    stage.expect(2, "list A, room_added B");
    let create_c = create(&stage, "C");
    stage.tick([create_c]);
    stage.expect(1, "");
    assert_eq!(stage.dispatcher.next_deadline(), Some(stage.now.at + LIST_INTERVAL));
    stage.now.at += LIST_INTERVAL;
    let inputs = [stage.arrival(Version::Base), create(&stage, "D")];
    stage.tick(inputs);
    stage.expect(1, "list A B C");
    stage.expect(2, "room_added C");
    stage.expect(3, "welcome");
    stage.wait(LIST_INTERVAL);
    stage.expect(1, "list A B C D");
    stage.expect(2, "room_added D");
    stage.expect(3, "list A B C D");
    stage.wait(LIST_INTERVAL);
    (1..=3).for_each(|client| stage.expect(client, ""));
}

#[test]
fn each_answer_that_is_taken_gives_back_its_permit() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2]);
    let page = r#"{"type":"history","roomId":1}"#;
    let answer = |stage: &mut Stage| {
        let ask = stage.ask(1, page);
        stage.tick([ask]);
        let answer = stage.recall.next_result().unwrap();
        assert_eq!(stage.dispatcher.recall.results_on_their_way(), 1);
        answer
    };
    let first = answer(&mut stage);
    stage.tick([first]);
    assert_eq!(stage.dispatcher.recall.results_on_their_way(), 0);
    let second = answer(&mut stage);
    stage.tick([disconnect(1, CloseReason::ConnectionLost), second]);
    assert_eq!(stage.dispatcher.recall.results_on_their_way(), 0, "its client is gone");
}

#[test]
fn a_reload_changes_the_rules_the_interval_and_later_welcomes() {
    let mut stage = Stage::new();
    stage.members(&[Version::Base, Version::V2]);
    let subscribe = stage.ask(2, r#"{"type":"list_rooms"}"#);
    let reload = Reload {
        rules: Rules { max_text_chars: 3, ..rules(&["Lobby", "B"]) },
        room_bytes_per_second: 0.0,
        list_interval: 10 * LIST_INTERVAL,
        max_frame_bytes: MAX_QUEUED,
        max_tick_bytes: MAX_TICK_BYTES,
        history_on_enter: ON_ENTER,
        retention: RETENTION,
        server: server_info(3),
    };
    let inputs = [
        subscribe,
        stage.say(1, "long"),
        Input::Reload(Box::new(reload)),
        stage.say(1, "long"),
        stage.say(1, "abc"),
    ];
    stage.tick(inputs);
    stage.expect(1, "long, list Lobby B, bad_text, abc");
    stage.expect(2, "list A, long, room_changed Lobby, room_added B, abc");
    let arrival = stage.arrival(Version::V2);
    stage.tick([arrival]);
    let welcome = String::from_utf8_lossy(&stage.socket(3).take_written()).into_owned();
    assert!(welcome.contains(r#""maxTextChars":3,"#), "{welcome}");
    assert_eq!(stage.dispatcher.next_deadline(), Some(stage.now.at + 10 * LIST_INTERVAL));
}

#[test]
fn a_wall_clock_that_jumps_loses_no_message_and_moves_no_deadline() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2, Version::V2]);
    for (time, text) in [(253_402_300_800_000, "a"), (0, "b"), (u64::MAX, "c"), (5, "d")] {
        stage.now.time = time;
        let say = stage.say(1, text);
        stage.tick([say]);
        stage.expect(1, text);
        stage.expect(2, text);
    }
    stage.tick([disconnect(2, CloseReason::ConnectionLost)]);
    stage.now.time = u64::MAX;
    let moment = Duration::from_millis(1);
    stage.wait(stage::RESUME_GRACE.saturating_sub(moment));
    stage.expect(1, "");
    stage.now.time = 0;
    stage.wait(moment);
    stage.expect(1, "leave 2");
    let enter = stage.ask(1, r#"{"type":"enter_room","roomId":1}"#);
    stage.tick([enter]);
    stage.recall_all();
    stage.expect(1, "room 1 [a b c d]");
}
