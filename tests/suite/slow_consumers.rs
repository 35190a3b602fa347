//! Clients that do not read: they are closed with a reason, and nobody else is affected.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use wschat::Settings;

use crate::client::{Client, PATIENCE};
use crate::frame::{self, CLOSE, PING, TEXT};
use crate::host::Host;

/// The longest text that the default settings allow, so that buffers fill soon.
const TEXT_CHARS: usize = 4_000;

/// More texts than all buffers between server and client hold.
const MANY: usize = 20_000;

fn no_rate(settings: &mut Settings) {
    settings.limits.messages_per_second = 0.0;
}

fn small_outbox(settings: &mut Settings) {
    no_rate(settings);
    settings.limits.outbox_max_bytes = 65_536;
}

/// A big outbox and a short write timeout.
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

/// One member stops reading. The others get every text once and in order, and see the slow consumer
/// leave. When that one reads again, it gets what was queued without a gap, and then the Close frame.
#[track_caller]
fn check(host: &Host) {
    let mut speaker = host.endpoint.member();
    let mut listener = host.endpoint.member();
    let mut slow = host.endpoint.connect_with_small_buffer().into_user().into_member();
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
            // It may come before or after this text, but at the same place for both.
            if next == leaves {
                has_left = true;
                next = member.text();
            } else {
                assert!(!has_left, "only one saw it leave before text {number}");
            }
            assert!(next == expected, "text {number} is not {next}");
        }
        has_left
    });
    let sent = sent.expect("the slow consumer is closed");
    expect_texts_then_close(&mut slow, sent);

    speaker.say("without the slow one");
    for member in [&mut speaker, &mut listener] {
        member.expect(
            r#"{"type":"text","text":"without the slow one","from":{"id":1,"name":"User 1"}}"#,
        );
        member.expect_nothing_more();
    }
}

#[track_caller]
fn expect_texts_then_close(slow: &mut Client, sent: usize) {
    for number in 0..=sent {
        let frame = slow.frame();
        if frame.first == CLOSE {
            assert_eq!(frame.close_reason(), (1013, "slow consumer"));
            assert!(number > 0, "some texts were queued");
            return slow.expect_end();
        }
        assert!(frame.payload == told(number, 1).as_bytes(), "text {number} is next");
    }
    panic!("it was sent every text");
}

#[test]
fn a_full_outbox_closes_only_the_slow_consumer() {
    check(&Host::with(small_outbox));
}

#[test]
fn a_full_outbox_closes_only_the_slow_consumer_under_tls() {
    check(&Host::with_tls(small_outbox));
}

#[test]
fn a_client_that_reads_nothing_within_the_write_timeout_is_closed() {
    check(&Host::with(short_write_timeout));
}

#[test]
fn a_client_that_reads_nothing_within_the_write_timeout_is_closed_under_tls() {
    check(&Host::with_tls(short_write_timeout));
}

#[test]
fn a_pause_that_fits_into_the_outbox_loses_nothing() {
    for host in [Host::with(no_rate), Host::with_tls(no_rate)] {
        let mut speaker = host.endpoint.member();
        let mut slow = host.endpoint.connect_with_small_buffer().into_user().into_member();
        speaker.expect(r#"{"type":"enter_room","user":{"id":2,"name":"User 2"}}"#);
        // Together less than the default outbox of 1 MiB, and more than the socket takes.
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

/// A member that keeps sending and never reads is closed as a slow consumer, and the room does not
/// suffer before.
#[track_caller]
fn check_flood(host: &Host, frame: &[u8]) {
    let mut witness = host.endpoint.user();
    witness.request(r#"{"type":"enter_room","roomId":2}"#);
    witness.text();
    let mut flooder = host.endpoint.connect_with_small_buffer().into_user();
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

/// Sends the same frame again and again until `is_over`, or the witness has lost its patience. The short timeout keeps
/// it from blocking beyond that.
fn flood(flooder: &mut Client, frame: &[u8], is_over: &AtomicBool) {
    flooder.tcp().set_write_timeout(Some(Duration::from_millis(50))).unwrap();
    let many = frame.repeat(65_536 / frame.len());
    let mut at = 0;
    let until = Instant::now() + PATIENCE * 2;
    while !is_over.load(Ordering::Relaxed) && Instant::now() < until {
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
