//! Clients that do not read: they harm nobody but themselves, and learn why they were closed.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use wschat::Settings;

use crate::client::Client;
use crate::frame::{self, CLOSE, PING, TEXT};
use crate::host::Host;

/// The longest texts that the default settings allow, so that buffers fill soon.
const TEXT_CHARS: usize = 4_000;

/// Far more than any buffer between server and client holds.
const MANY: usize = 20_000;

fn no_rate(settings: &mut Settings) {
    settings.limits.messages_per_second = 0.0;
}

fn small_outbox(settings: &mut Settings) {
    no_rate(settings);
    settings.limits.outbox_max_bytes = 65_536;
}

/// A big outbox, and next to no patience with a client that takes nothing out of it.
fn short_write_timeout(settings: &mut Settings) {
    no_rate(settings);
    settings.limits.outbox_max_bytes = 1 << 30;
    settings.limits.write_timeout_ms = 200;
}

fn text(number: usize) -> String {
    format!("{number:0TEXT_CHARS$}")
}

fn told(number: usize, author: u64) -> String {
    let text = text(number);
    format!(r#"{{"type":"text","text":"{text}","from":{{"id":{author},"name":"User {author}"}}}}"#)
}

/// One member stops reading. The others go on talking and get every text once and in order, in the
/// midst of it that the slow one has left; and that one, when it reads on, gets what was on its way,
/// gapless, and then learns that it was too slow.
#[track_caller]
fn check(host: &Host) {
    let mut speaker = host.door.member();
    let mut listener = host.door.member();
    let mut slow = host.door.knock_narrowly().into_user().into_member();
    speaker.expect(r#"{"type":"enter_room","user":{"id":2,"name":"User 2"}}"#);
    speaker.expect(r#"{"type":"enter_room","user":{"id":3,"name":"User 3"}}"#);
    listener.expect(r#"{"type":"enter_room","user":{"id":3,"name":"User 3"}}"#);

    let leaves = r#"{"type":"leave_room","user":{"id":3,"name":"User 3"}}"#;
    let sent = (0..MANY).find(|number| {
        speaker.say(&text(*number));
        let expected = told(*number, 1);
        let mut has_left = false;
        for member in [&mut speaker, &mut listener] {
            let mut next = member.text();
            // It comes before or after this text, and to everyone at the same place.
            if next == leaves {
                has_left = true;
                next = member.text();
            } else {
                assert!(!has_left, "one saw it before text {number}, the other did not");
            }
            assert!(next == expected, "text {number} is not {next}");
        }
        has_left
    });
    let sent = sent.expect("the slow one is closed before everything is sent");
    expect_gapless_then_close(&mut slow, sent);

    speaker.say("without the slow one");
    for member in [&mut speaker, &mut listener] {
        member.expect(
            r#"{"type":"text","text":"without the slow one","from":{"id":1,"name":"User 1"}}"#,
        );
        member.expect_nothing_more();
    }
}

#[track_caller]
fn expect_gapless_then_close(slow: &mut Client, sent: usize) {
    for number in 0..=sent {
        let frame = slow.frame();
        if frame.first == CLOSE {
            assert_eq!(frame.close_reason(), (1013, "slow consumer"));
            assert!(number > 0, "something was on its way");
            return slow.expect_end();
        }
        assert!(frame.payload == told(number, 1).as_bytes(), "text {number} is next");
    }
    panic!("it was sent everything");
}

#[test]
fn a_full_outbox_closes_the_slow_one_alone() {
    check(&Host::with(small_outbox));
}

#[test]
fn a_full_outbox_closes_the_slow_one_alone_under_tls() {
    check(&Host::with_tls(small_outbox));
}

#[test]
fn a_client_that_takes_nothing_for_too_long_is_closed() {
    check(&Host::with(short_write_timeout));
}

#[test]
fn a_client_that_takes_nothing_for_too_long_is_closed_under_tls() {
    check(&Host::with_tls(short_write_timeout));
}

#[test]
fn a_pause_that_the_outbox_bears_costs_nothing() {
    for host in [Host::with(no_rate), Host::with_tls(no_rate)] {
        let mut speaker = host.door.member();
        let mut slow = host.door.knock_narrowly().into_user().into_member();
        speaker.expect(r#"{"type":"enter_room","user":{"id":2,"name":"User 2"}}"#);
        // Together less than the 1 MiB of the default, and more than the socket takes.
        for number in 0..200 {
            speaker.say(&text(number));
            speaker.expect(&told(number, 1));
        }
        for number in 0..200 {
            slow.expect(&told(number, 1));
        }
        slow.expect_nothing_more();
    }
}

/// A member that sends and sends, and never reads what comes back, is closed as too slow, and the
/// room does not notice it before.
#[track_caller]
fn check_flood(host: &Host, frame: &[u8]) {
    let mut witness = host.door.user();
    witness.request(r#"{"type":"enter_room","roomId":2}"#);
    witness.text();
    let mut flooder = host.door.knock_narrowly().into_user();
    flooder.request(r#"{"type":"enter_room","roomId":2}"#);
    flooder.text();
    witness.expect(r#"{"type":"enter_room","user":{"id":2,"name":"User 2"}}"#);

    let has_left = AtomicBool::new(false);
    let leaves = r#"{"type":"leave_room","user":{"id":2,"name":"User 2"}}"#;
    let mut flooder = thread::scope(|scope| {
        let flooding = scope.spawn(|| {
            flood(&mut flooder, frame, &has_left);
            flooder
        });
        while witness.text() != leaves {}
        has_left.store(true, Ordering::Relaxed);
        flooding.join().unwrap()
    });
    assert_eq!(flooder.skip_to_close(), (1013, "slow consumer".to_owned()));
    witness.expect_nothing_more();
}

/// Sends the same frame again and again, but never waits long enough to miss the end.
fn flood(flooder: &mut Client, frame: &[u8], is_over: &AtomicBool) {
    flooder.tcp().set_write_timeout(Some(Duration::from_millis(50))).unwrap();
    let many = frame.repeat(65_536 / frame.len());
    let mut at = 0;
    while !is_over.load(Ordering::Relaxed) {
        match flooder.send_some(&many[at..]) {
            Ok(sent) => at = (at + sent) % many.len(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

#[test]
fn a_flood_of_pings_without_reading_the_pongs() {
    for host in [Host::with(small_outbox), Host::with_tls(small_outbox)] {
        check_flood(&host, &frame::masked(PING, &[b'x'; 125]));
    }
}

#[test]
fn a_flood_of_requests_without_reading_the_answers() {
    for host in [Host::with(small_outbox), Host::with_tls(small_outbox)] {
        check_flood(&host, &frame::masked(TEXT, br#"{"type":"list_rooms"}"#));
    }
}

#[test]
fn a_flood_of_nonsense_without_reading_the_refusals() {
    check_flood(&Host::with(small_outbox), &frame::masked(TEXT, b"nonsense"));
}

#[test]
fn a_flood_of_texts_without_reading_the_room() {
    let say = format!(r#"{{"type":"text","text":"{}"}}"#, text(1));
    check_flood(&Host::with(small_outbox), &frame::masked(TEXT, say.as_bytes()));
}
