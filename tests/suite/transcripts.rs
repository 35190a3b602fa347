//! The base protocol, exact to the byte: each test is a transcript that real clients play over plain
//! TCP, under TLS, and in rooms where clients of `wschat.v2` talk all the time.

use std::time::{Duration, Instant};

use wschat::Settings;

use crate::companions::Companions;
use crate::host::Host;
use crate::player::Player;

/// Plays the transcript with the default settings.
#[track_caller]
fn play(script: &str) {
    play_with(|_| {}, script);
}

/// Plays the transcript with these changes to the settings.
#[track_caller]
fn play_with(change: impl Fn(&mut Settings), script: &str) {
    for host in [Host::with(&change), Host::with_tls(&change)] {
        Player::new(&host.endpoint).play(script);
        host.stop();
    }
    let mut rooms = 0;
    let host = Host::with(|settings| {
        change(settings);
        settings.limits.messages_per_second = 0.0;
        rooms = settings.rooms.len();
    });
    let mut companions = Companions::enter(&host.endpoint, rooms);
    let script = companions.renumber(script);
    Player::new(&host.endpoint).with(&mut companions).play(&script);
    companions.check();
    host.stop();
}

#[test]
fn user_ids_count_from_1_and_are_not_reused() {
    play(
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        B connects
        B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
        B closes
        B closed
        C connects
        C < {"type":"welcome","user":{"id":3,"name":"User 3"}}
        "#,
    );
}

#[test]
fn list_rooms_shows_every_room_with_its_members() {
    play(
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        A > {"type":"list_rooms"}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"Room 2","users":{}},"3":{"id":3,"title":"Room 3","users":{}}}}
        A > {"type":"enter_room","roomId":"2"}
        A < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        B connects
        B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
        B > {"type":"change_name","name":"Some \"user\""}
        B > {"type":"enter_room","roomId":2}
        B < {"type":"enter_room","user":{"id":2,"name":"Some \"user\""}}
        A < {"type":"enter_room","user":{"id":2,"name":"Some \"user\""}}
        B > {"type":"list_rooms"}
        B < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"Room 2","users":{"1":{"id":1,"name":"User 1"},"2":{"id":2,"name":"Some \"user\""}}},"3":{"id":3,"title":"Room 3","users":{}}}}
        "#,
    );
}

#[test]
fn the_settings_name_the_rooms() {
    play_with(
        |settings| settings.rooms = vec!["Küche".to_owned(), "\"Quotes\"".to_owned()],
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        A > {"type":"list_rooms"}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Küche","users":{}},"2":{"id":2,"title":"\"Quotes\"","users":{}}}}
        "#,
    );
}

#[test]
fn entering_is_told_to_everyone_and_entering_again_only_to_the_user() {
    play(
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        B connects
        B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
        A > {"type":"enter_room","roomId":"1"}
        A < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        B > {"type":"enter_room","roomId":1}
        B < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        A < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        A > {"type":"enter_room","roomId":"1"}
        A < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        B > {"type":"text","text":"nobody else was told"}
        A < {"type":"text","text":"nobody else was told","from":{"id":2,"name":"User 2"}}
        B < {"type":"text","text":"nobody else was told","from":{"id":2,"name":"User 2"}}
        "#,
    );
}

#[test]
fn entering_another_room_leaves_the_first() {
    play(
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        B connects
        B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
        B > {"type":"enter_room","roomId":1}
        B < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        A < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        C connects
        C < {"type":"welcome","user":{"id":3,"name":"User 3"}}
        C > {"type":"enter_room","roomId":2}
        C < {"type":"enter_room","user":{"id":3,"name":"User 3"}}
        B > {"type":"enter_room","roomId":2}
        A < {"type":"leave_room","user":{"id":2,"name":"User 2"}}
        B < {"type":"leave_room","user":{"id":2,"name":"User 2"}}
        B < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        C < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        B > {"type":"text","text":"over here"}
        B < {"type":"text","text":"over here","from":{"id":2,"name":"User 2"}}
        C < {"type":"text","text":"over here","from":{"id":2,"name":"User 2"}}
        "#,
    );
}

#[test]
fn a_gif_id_may_be_a_string_and_comes_back_as_a_number() {
    play(
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        A > {"type":"enter_room","roomId":"3"}
        A < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        A > {"type":"gif","gifId":3}
        A > {"type":"gif","gifId":"3"}
        A > {"gifId":"007","unknown":[{"a":null}],"type":"gif"}
        A < {"type":"gif","gifId":3,"from":{"id":1,"name":"User 1"}}
        A < {"type":"gif","gifId":3,"from":{"id":1,"name":"User 1"}}
        A < {"type":"gif","gifId":7,"from":{"id":1,"name":"User 1"}}
        "#,
    );
}

#[test]
fn leaving_is_told_to_everyone_including_the_user() {
    play(
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        B connects
        B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
        B > {"type":"enter_room","roomId":1}
        B < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        A < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        B > {"type":"leave_room"}
        B < {"type":"leave_room","user":{"id":2,"name":"User 2"}}
        A < {"type":"leave_room","user":{"id":2,"name":"User 2"}}
        A > {"type":"text","text":"alone"}
        A < {"type":"text","text":"alone","from":{"id":1,"name":"User 1"}}
        "#,
    );
}

#[test]
fn a_new_name_is_told_to_the_room_and_to_nobody_outside() {
    play(
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        A > {"type":"change_name","name":"  Änne <b>  "}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"enter_room","user":{"id":1,"name":"Änne <b>"}}
        B connects
        B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
        B > {"type":"enter_room","roomId":1}
        B < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        A < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        B > {"type":"change_name","name":"my new name"}
        A < {"type":"change_name","oldName":"User 2","newName":"my new name"}
        B < {"type":"change_name","oldName":"User 2","newName":"my new name"}
        B > {"type":"text","text":"hi"}
        A < {"type":"text","text":"hi","from":{"id":2,"name":"my new name"}}
        B < {"type":"text","text":"hi","from":{"id":2,"name":"my new name"}}
        "#,
    );
}

#[test]
fn every_way_to_end_a_connection_counts_as_leaving() {
    play(
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        A > {"type":"enter_room","roomId":1}
        A < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        B connects
        B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
        B > {"type":"enter_room","roomId":1}
        B < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        A < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        B closes
        B closed
        A < {"type":"leave_room","user":{"id":2,"name":"User 2"}}
        C connects
        C < {"type":"welcome","user":{"id":3,"name":"User 3"}}
        C > {"type":"enter_room","roomId":1}
        C < {"type":"enter_room","user":{"id":3,"name":"User 3"}}
        A < {"type":"enter_room","user":{"id":3,"name":"User 3"}}
        C vanishes
        A < {"type":"leave_room","user":{"id":3,"name":"User 3"}}
        D connects
        D < {"type":"welcome","user":{"id":4,"name":"User 4"}}
        D > {"type":"enter_room","roomId":1}
        D < {"type":"enter_room","user":{"id":4,"name":"User 4"}}
        A < {"type":"enter_room","user":{"id":4,"name":"User 4"}}
        D ends
        D ended
        A < {"type":"leave_room","user":{"id":4,"name":"User 4"}}
        A > {"type":"list_rooms"}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{"1":{"id":1,"name":"User 1"}}},"2":{"id":2,"title":"Room 2","users":{}},"3":{"id":3,"title":"Room 3","users":{}}}}
        "#,
    );
}

#[test]
fn a_new_room_is_listed_to_everyone_and_its_creator_is_not_in_it() {
    play(
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        B connects
        B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
        B > {"type":"enter_room","roomId":3}
        B < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        A > {"type":"create_room","title":" some new room "}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"Room 2","users":{}},"3":{"id":3,"title":"Room 3","users":{"2":{"id":2,"name":"User 2"}}},"4":{"id":4,"title":"some new room","users":{}}}}
        B < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"Room 2","users":{}},"3":{"id":3,"title":"Room 3","users":{"2":{"id":2,"name":"User 2"}}},"4":{"id":4,"title":"some new room","users":{}}}}
        A > {"type":"enter_room","roomId":4}
        A < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        "#,
    );
}

#[test]
fn without_an_interval_every_new_room_sends_a_list() {
    play_with(
        |settings| {
            settings.rooms.truncate(1);
            settings.limits.room_list_interval_ms = 0;
        },
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        A > {"type":"create_room","title":"a"}
        A > {"type":"create_room","title":"b"}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"a","users":{}}}}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"a","users":{}},"3":{"id":3,"title":"b","users":{}}}}
        "#,
    );
}

#[test]
fn the_next_room_list_waits_for_the_interval_and_has_the_latest_state() {
    const INTERVAL: Duration = Duration::from_secs(1);
    let began = Instant::now();
    play_with(
        |settings| {
            settings.rooms.truncate(1);
            settings.limits.room_list_interval_ms = 1_000;
        },
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        B connects
        B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
        A > {"type":"create_room","title":"a"}
        A > {"type":"create_room","title":"b"}
        A > {"type":"create_room","title":"c"}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"a","users":{}}}}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"a","users":{}},"3":{"id":3,"title":"b","users":{}},"4":{"id":4,"title":"c","users":{}}}}
        B < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"a","users":{}}}}
        B < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"a","users":{}},"3":{"id":3,"title":"b","users":{}},"4":{"id":4,"title":"c","users":{}}}}
        "#,
    );
    // The transcript is played three times.
    assert!(began.elapsed() >= INTERVAL * 3, "{:?}", began.elapsed());
}

#[test]
fn a_room_that_stays_empty_is_removed_and_everyone_is_told() {
    play_with(
        |settings| {
            settings.rooms.truncate(1);
            settings.limits.empty_room_ttl_seconds = 1;
        },
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        A > {"type":"create_room","title":"a"}
        A > {"type":"enter_room","roomId":2}
        A > {"type":"leave_room"}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"a","users":{}}}}
        A < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        A < {"type":"leave_room","user":{"id":1,"name":"User 1"}}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}}}}
        A > {"type":"enter_room","roomId":2}
        A < {"type":"error","code":"unknown_room","message":"There is no room 2."}
        "#,
    );
}

#[test]
fn answers_come_in_the_order_of_the_requests_and_before_the_close() {
    play(
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        B connects
        B < {"type":"welcome","user":{"id":2,"name":"User 2"}}
        B > {"type":"enter_room","roomId":1}
        B < {"type":"enter_room","user":{"id":2,"name":"User 2"}}
        A > {"type":"text","text":"too early"}
        A > {"type":"enter_room","roomId":1}
        A > {"type":"text","text":"one"}
        A > nonsense
        A > {"type":"text","text":"two"}
        A > {"type":"list_rooms"}
        A > {"type":"leave_room"}
        A > {"type":"gif","gifId":1}
        A > {"type":"enter_room","roomId":"1"}
        A > {"type":"text","text":"three"}
        A closes
        A < {"type":"error","code":"not_in_room","message":"Enter a room first."}
        A < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        A < {"type":"text","text":"one","from":{"id":1,"name":"User 1"}}
        A < {"type":"error","code":"bad_json","message":"This is not JSON (line 1, column 2)."}
        A < {"type":"text","text":"two","from":{"id":1,"name":"User 1"}}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{"1":{"id":1,"name":"User 1"},"2":{"id":2,"name":"User 2"}}},"2":{"id":2,"title":"Room 2","users":{}},"3":{"id":3,"title":"Room 3","users":{}}}}
        A < {"type":"leave_room","user":{"id":1,"name":"User 1"}}
        A < {"type":"error","code":"not_in_room","message":"Enter a room first."}
        A < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        A < {"type":"text","text":"three","from":{"id":1,"name":"User 1"}}
        A closed
        B < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        B < {"type":"text","text":"one","from":{"id":1,"name":"User 1"}}
        B < {"type":"text","text":"two","from":{"id":1,"name":"User 1"}}
        B < {"type":"leave_room","user":{"id":1,"name":"User 1"}}
        B < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        B < {"type":"text","text":"three","from":{"id":1,"name":"User 1"}}
        B < {"type":"leave_room","user":{"id":1,"name":"User 1"}}
        "#,
    );
}

#[test]
fn requests_before_the_end_of_the_stream_are_answered() {
    play(
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        A > {"type":"enter_room","roomId":1}
        A > {"type":"text","text":"last words"}
        A ends
        A < {"type":"enter_room","user":{"id":1,"name":"User 1"}}
        A < {"type":"text","text":"last words","from":{"id":1,"name":"User 1"}}
        A ended
        "#,
    );
}

/// What a client of the original sample chat sends from opening to closing. Its ids are strings,
/// because it takes them from the keys of the list of rooms.
#[test]
fn a_session_of_a_client_of_the_original_sample_chat() {
    play(
        r#"
        A connects
        A < {"type":"welcome","user":{"id":1,"name":"User 1"}}
        A > {"type":"list_rooms"}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{}},"2":{"id":2,"title":"Room 2","users":{}},"3":{"id":3,"title":"Room 3","users":{}}}}
        A > {"type":"change_name","name":"Some user"}
        A > {"type":"enter_room","roomId":"1"}
        A < {"type":"enter_room","user":{"id":1,"name":"Some user"}}
        A > {"type":"text","text":"some message"}
        A < {"type":"text","text":"some message","from":{"id":1,"name":"Some user"}}
        A > {"type":"gif","gifId":"3"}
        A < {"type":"gif","gifId":3,"from":{"id":1,"name":"Some user"}}
        A > {"type":"change_name","name":"my new name"}
        A < {"type":"change_name","oldName":"Some user","newName":"my new name"}
        A > {"type":"create_room","title":"some new room"}
        A < {"type":"list_rooms","rooms":{"1":{"id":1,"title":"Room 1","users":{"1":{"id":1,"name":"my new name"}}},"2":{"id":2,"title":"Room 2","users":{}},"3":{"id":3,"title":"Room 3","users":{}},"4":{"id":4,"title":"some new room","users":{}}}}
        A > {"type":"leave_room"}
        A < {"type":"leave_room","user":{"id":1,"name":"my new name"}}
        A > {"type":"enter_room","roomId":"4"}
        A < {"type":"enter_room","user":{"id":1,"name":"my new name"}}
        A closes
        A closed
        "#,
    );
}
