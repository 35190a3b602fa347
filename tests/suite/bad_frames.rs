//! Frames that violate RFC 6455 or a limit: the client receives a Close frame with the reason, and the
//! connection ends. Also unusual frames that are valid.

use crate::client::Client;
use crate::frame::{
    self, BINARY, CLOSE, FIRST_FRAGMENT, Frame, LAST_FRAGMENT, MIDDLE_FRAGMENT, PING, PONG, TEXT,
    masked, unmasked,
};
use crate::host::Host;

const LIST: &[u8] = br#"{"type":"list_rooms"}"#;

/// The default of `maxMessageBytes`.
const MAX_MESSAGE_BYTES: usize = 65_536;

/// A user who sends these bytes is closed with this code and leaves the room; other members are not
/// affected. Checked with and without TLS.
#[track_caller]
fn check(bytes: impl AsRef<[u8]>, code: u16) {
    for host in [Host::start(), Host::with_tls(|_| {})] {
        let mut other = host.endpoint.member();
        let mut user = host.endpoint.member();
        other.expect(r#"{"type":"enter_room","user":{"id":2,"name":"User 2"}}"#);
        user.send(bytes.as_ref());
        user.expect_close(code);
        other.expect(r#"{"type":"leave_room","user":{"id":2,"name":"User 2"}}"#);
        other.expect_nothing_more();
    }
}

/// Connects a user who sends these bytes.
fn user_who_sends(host: &Host, bytes: impl AsRef<[u8]>) -> Client {
    let mut user = host.endpoint.user();
    user.send(bytes);
    user
}

#[test]
fn a_binary_message() {
    check(masked(BINARY, LIST), 1003);
}

#[test]
fn an_empty_binary_message() {
    check(masked(BINARY, b""), 1003);
}

#[test]
fn text_that_is_not_utf8() {
    check(masked(TEXT, b"{\"type\":\"text\",\"text\":\"\xff\"}"), 1007);
}

#[test]
fn text_that_ends_inside_a_character() {
    check(masked(TEXT, b"\"\xf0\x9f\x98"), 1007);
}

#[test]
fn text_with_a_surrogate_encoded_in_utf8() {
    check(masked(TEXT, b"\"\xed\xa0\x80\""), 1007);
}

#[test]
fn text_that_is_not_utf8_across_fragments() {
    check([masked(FIRST_FRAGMENT, b"\"\xf0\x9f"), masked(LAST_FRAGMENT, b"x\"")].concat(), 1007);
}

#[test]
fn a_close_reason_that_is_not_utf8() {
    check(masked(CLOSE, b"\x03\xe8\xff"), 1007);
}

#[test]
fn an_unmasked_frame() {
    check(unmasked(TEXT, LIST), 1002);
    check([unmasked(PING, b""), unmasked(CLOSE, &1001_u16.to_be_bytes())].concat(), 1002);
}

#[test]
fn an_unmasked_close_frame_is_of_a_proxy_that_stops() {
    for payload in [&b""[..], &1001_u16.to_be_bytes()] {
        check(unmasked(CLOSE, payload), 1001);
        let host = Host::start();
        let mut user = user_who_sends(&host, unmasked(CLOSE, payload));
        assert_eq!(user.skip_to_close(), (1001, "proxy stopping".to_owned()));
    }
}

#[test]
fn reserved_bits() {
    for bit in [0x40, 0x20, 0x10] {
        check(masked(TEXT | bit, LIST), 1002);
    }
}

#[test]
fn reserved_opcodes() {
    for opcode in [0x3, 0x7, 0xb, 0xf] {
        check(masked(0x80 | opcode, b""), 1002);
    }
}

#[test]
fn a_fragmented_control_frame() {
    check(masked(PING & 0x0f, b"half"), 1002);
}

#[test]
fn a_control_frame_that_is_too_long() {
    check(masked(PING, &[b'x'; 126]), 1002);
}

#[test]
fn a_continuation_without_a_first_fragment() {
    check(masked(LAST_FRAGMENT, LIST), 1002);
    check(masked(MIDDLE_FRAGMENT, LIST), 1002);
}

#[test]
fn a_new_message_inside_a_fragmented_one() {
    check([masked(FIRST_FRAGMENT, b"{"), masked(TEXT, LIST)].concat(), 1002);
}

#[test]
fn a_close_frame_with_half_a_code() {
    check(masked(CLOSE, b"\x03"), 1002);
}

#[test]
fn a_close_frame_with_a_code_that_must_not_be_sent() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999] {
        check(frame::close(code, ""), 1002);
    }
}

#[test]
fn a_message_that_is_too_big() {
    check(masked(TEXT, &b" ".repeat(MAX_MESSAGE_BYTES + 1)), 1009);
}

#[test]
fn a_message_that_is_far_too_big_in_one_frame() {
    check(masked(TEXT, &b" ".repeat(50 * MAX_MESSAGE_BYTES)), 1009);
}

#[test]
fn a_message_that_is_too_big_in_fragments() {
    let half = b" ".repeat(MAX_MESSAGE_BYTES / 2);
    let parts = [
        masked(FIRST_FRAGMENT, &half),
        masked(MIDDLE_FRAGMENT, &half),
        masked(MIDDLE_FRAGMENT, b" "),
        masked(LAST_FRAGMENT, LIST),
    ];
    check(parts.concat(), 1009);
}

#[test]
fn a_frame_that_claims_the_greatest_length() {
    check(frame::header(TEXT, i64::MAX as u64), 1009);
    check(frame::header(PING, i64::MAX as u64), 1009);
}

#[test]
fn a_message_at_the_limit_passes() {
    let host = Host::start();
    let mut text = LIST.to_vec();
    text.resize(MAX_MESSAGE_BYTES, b' ');
    let mut user = user_who_sends(&host, masked(TEXT, &text));
    assert!(user.text().starts_with(r#"{"type":"list_rooms","#));
    let (start, end) = text.split_at(MAX_MESSAGE_BYTES / 3);
    user.send([masked(FIRST_FRAGMENT, start), masked(LAST_FRAGMENT, end)].concat());
    assert!(user.text().starts_with(r#"{"type":"list_rooms","#));
}

#[test]
fn control_frames_between_fragments() {
    let host = Host::start();
    let parts = [
        masked(FIRST_FRAGMENT, &LIST[..4]),
        masked(PING, b"one"),
        masked(MIDDLE_FRAGMENT, b""),
        masked(PONG, b"unsolicited"),
        masked(MIDDLE_FRAGMENT, &LIST[4..9]),
        masked(PING, b"two"),
        masked(LAST_FRAGMENT, &LIST[9..]),
    ];
    let mut user = user_who_sends(&host, parts.concat());
    // The session answers pings itself; the request takes the way through the dispatcher.
    assert_eq!(user.frame(), Frame { first: PONG, payload: b"one".to_vec() });
    assert_eq!(user.frame(), Frame { first: PONG, payload: b"two".to_vec() });
    assert!(user.text().starts_with(r#"{"type":"list_rooms","#));
    user.expect_nothing_more();
}

#[test]
fn a_character_split_between_fragments() {
    let host = Host::start();
    let mut user = host.endpoint.member();
    let text = r#"{"type":"text","text":"a😀b"}"#.as_bytes();
    for at in 23..=27 {
        let (start, end) = text.split_at(at);
        user.send([masked(FIRST_FRAGMENT, start), masked(LAST_FRAGMENT, end)].concat());
        user.expect(r#"{"type":"text","text":"a😀b","from":{"id":1,"name":"User 1"}}"#);
    }
}

#[test]
fn a_message_byte_by_byte() {
    let host = Host::start();
    let mut user = host.endpoint.user();
    for byte in masked(TEXT, LIST) {
        user.send([byte]);
    }
    assert!(user.text().starts_with(r#"{"type":"list_rooms","#));
}

#[test]
fn a_message_with_one_byte_per_fragment() {
    let host = Host::start();
    let mut user = user_who_sends(&host, masked(FIRST_FRAGMENT, b""));
    for byte in LIST {
        user.send(masked(MIDDLE_FRAGMENT, &[*byte]));
    }
    user.send(masked(LAST_FRAGMENT, b""));
    assert!(user.text().starts_with(r#"{"type":"list_rooms","#));
}

#[test]
fn an_empty_text_is_a_message() {
    let host = Host::start();
    let mut user = user_who_sends(&host, masked(TEXT, b""));
    user.expect_error("bad_json");
    user.send([masked(FIRST_FRAGMENT, b""), masked(LAST_FRAGMENT, b"")].concat());
    user.expect_error("bad_json");
    user.expect_nothing_more();
}

#[test]
fn a_ping_is_answered_with_its_payload() {
    let host = Host::start();
    let mut user = host.endpoint.user();
    for payload in [&b""[..], b"\x00\xffbytes", &[b'x'; 125]] {
        user.send(masked(PING, payload));
        assert_eq!(user.frame(), Frame { first: PONG, payload: payload.to_vec() });
    }
}

#[test]
fn an_unsolicited_pong_is_ignored() {
    let host = Host::start();
    let mut user = user_who_sends(&host, masked(PONG, b"unasked"));
    user.expect_nothing_more();
}

#[test]
fn a_close_frame_is_echoed_with_its_code() {
    let host = Host::start();
    for code in [1000, 1001, 1003, 1011, 3000, 4000, 4999] {
        let mut user = user_who_sends(&host, frame::close(code, "that is all"));
        user.expect_close(code);
    }
    let mut user = user_who_sends(&host, masked(CLOSE, b""));
    user.expect_close(1005);
}

#[test]
fn what_follows_a_close_frame_is_ignored() {
    let host = Host::start();
    let after = [frame::close(1000, ""), masked(TEXT, LIST), masked(BINARY, b"x")];
    let mut user = user_who_sends(&host, after.concat());
    user.expect_close(1000);
}

#[test]
fn requests_before_a_bad_frame_are_answered() {
    let host = Host::start();
    let mut user = user_who_sends(&host, [masked(TEXT, LIST), unmasked(TEXT, LIST)].concat());
    assert!(user.text().starts_with(r#"{"type":"list_rooms","#));
    user.expect_close(1002);
}
