//! How connections end: slow consumers, replaced connections, and the stop of the server.

use super::*;

#[test]
fn a_slow_consumer_is_closed_and_the_room_is_told_that_it_left() {
    let mut stage = Stage::new();
    stage.members(&[Version::Base, Version::Base, Version::V2]);
    stage.socket(2).stall();
    let long = "x".repeat(MAX_QUEUED);
    let text = stage.say(1, &long);
    stage.tick([text]);
    stage.expect(1, &long);
    let inputs = [stage.say(1, "a"), stage.ask(1, UNKNOWN), stage.say(2, "b")];
    stage.tick(inputs);
    // What it said in that tick counts.
    stage.expect(1, "a, unknown_type, b, leave 2");
    stage.expect(3, &format!("{long}, a, b, leave 2"));
    stage.tick([disconnect(2, CloseReason::ConnectionLost)]);
    stage.expect(1, "");
    stage.socket(2).set_room(usize::MAX);
    while stage.flusher_thread.take_next_request().is_some() {}
    stage.expect(2, "close 1013");
}

#[test]
fn slow_consumers_that_fall_behind_one_after_the_other_are_all_closed() {
    let mut stage = Stage::new();
    stage.members(&[Version::Base; 4]);
    stage.socket(2).stall();
    stage.socket(3).stall();
    let long = "x".repeat(MAX_QUEUED);
    let text = stage.say(1, &long);
    stage.tick([text]);
    let inputs = [stage.say(1, "a")];
    stage.tick(inputs);
    stage.expect(1, &format!("{long}, a, leave 2, leave 3"));
    stage.expect(4, &format!("{long}, a, leave 2, leave 3"));
}

#[test]
fn a_replaced_connection_is_closed_and_its_late_end_changes_nothing() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2, Version::Base]);
    let again = stage.arrival_of(Version::V2, Some(1));
    let inputs = [again, stage.say(1, "too late"), stage.say(2, "a")];
    stage.tick(inputs);
    stage.expect(1, "close 4001");
    stage.expect(2, "a");
    stage.expect(3, "welcome back");
    stage.tick([disconnect(1, CloseReason::ConnectionLost)]);
    let enter = stage.ask(3, r#"{"type":"enter_room","roomId":1}"#);
    stage.tick([enter]);
    stage.recall_all();
    let text = stage.say(3, "b");
    stage.tick([text]);
    stage.wait(2 * stage::RESUME_GRACE);
    stage.expect(2, "b");
    stage.expect(3, "room 1 [a], b");
}

#[test]
fn a_connection_that_is_replaced_and_fails_in_one_tick_is_closed_as_replaced() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2]);
    let again = stage.arrival_of(Version::V2, Some(1));
    stage.tick([again, disconnect(1, CloseReason::TooFast)]);
    stage.expect(1, "close 4001");
    stage.expect(2, "welcome back");
}

#[test]
fn a_newer_connection_wins_even_if_it_arrives_first() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2]);
    let older = stage.arrival_of(Version::V2, Some(1));
    let newer = stage.arrival_of(Version::V2, Some(1));
    stage.tick([newer]);
    stage.tick([older]);
    stage.expect(1, "close 4001");
    stage.expect(2, "close 4001");
    stage.expect(3, "welcome back");
}

/// What the history was told from the stop on.
fn stop(stage: &mut Stage) -> Vec<Memo> {
    stage.record.lock().unwrap().memos.clear();
    let until = Instant::now() + Duration::from_secs(10);
    let inputs = [stage.say(1, "a"), Input::Stop { until }, stage.say(1, "b")];
    stage.tick(inputs);
    let inputs = [
        disconnect(1, CloseReason::ServerStopping),
        disconnect(2, CloseReason::ConnectionLost),
        stage.arrival(Version::V2),
        stage.arrival(Version::Base),
        Input::Stop { until },
    ];
    stage.tick(inputs);
    stage.now.at += Duration::from_secs(10);
    stage.dispatcher.end(stage.now);
    std::mem::take(&mut stage.record.lock().unwrap().memos)
}

#[test]
fn a_stop_closes_everyone_and_users_who_can_resume_stay_stored() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2, Version::Base]);
    let memos = stop(&mut stage);
    stage.expect(1, "a, close 1001");
    stage.expect(2, "a, close 1001");
    stage.expect(3, "close 1001");
    stage.expect(4, "close 1001");
    assert_eq!(
        memos,
        [Memo::Ids(IdLimits { user: 2, room: 1 })],
        "nobody left, and ids are given back"
    );
    assert_eq!(stage.record.lock().unwrap().commits.concat(), [1]);
}

#[test]
fn a_user_whose_time_is_up_while_the_server_stops_is_gone() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2, Version::Base, Version::V2]);
    stage.tick([disconnect(3, CloseReason::ConnectionLost)]);
    stage.now.at += stage::RESUME_GRACE;
    let memos = stop(&mut stage);
    assert_eq!(memos, [Memo::UserGone(UserId(3)), Memo::Ids(IdLimits { user: 3, room: 1 })]);
}

#[test]
fn answers_give_back_their_permits_while_the_server_stops() {
    let mut stage = Stage::new();
    stage.members(&[Version::V2]);
    let page = stage.ask(1, r#"{"type":"history","roomId":1}"#);
    stage.tick([page]);
    let answer = stage.recall.next_result().unwrap();
    stage.tick([Input::Stop { until: Instant::now() }, answer]);
    assert_eq!(stage.dispatcher.recall.results_on_their_way(), 0);
    stage.expect(1, "close 1001");
}

#[test]
fn after_a_panic_everyone_is_closed_and_so_is_who_still_comes() {
    let mut stage = Stage::new();
    stage.members(&[Version::Base]);
    let (sender, mailbox) = crate::mailbox::mailbox(10);
    for input in [stage.say(1, "a"), stage.arrival(Version::Base)] {
        sender.send(input).unwrap();
    }
    drop(sender);
    stage.dispatcher.close_after_panic(&mailbox, Instant::now());
    stage.expect(1, "close 1011");
    stage.expect(2, "close 1011");
}

#[test]
fn a_ping_is_answered_when_its_tick_is_over_also_while_the_server_stops() {
    let mut stage = Stage::new();
    stage.members(&[Version::Base]);
    let (sender, answers) = crossbeam_channel::bounded(2);
    let ping = || Input::Control(Box::new(crate::input::Control::Ping(sender.clone())));
    stage.record.lock().unwrap().pings = Some(answers.clone());
    let inputs = [ping(), stage.say(1, "a")];
    stage.tick(inputs);
    assert_eq!(stage.record.lock().unwrap().answered_before_commit, 0);
    assert_eq!(answers.try_iter().count(), 1);
    let inputs = [Input::Stop { until: Instant::now() }, ping()];
    stage.tick(inputs);
    stage.tick([ping()]);
    assert_eq!(answers.try_iter().count(), 2);
}
