//! Texts arrive unchanged: escapes, all of Unicode, white space, and any length.

use crate::host::Host;

/// A text that is sent as one JSON string comes back as the other.
#[track_caller]
fn check_text(sent: &str, told: &str) {
    let host = Host::start();
    let mut user = host.endpoint.member();
    user.request(&format!(r#"{{"type":"text","text":"{sent}"}}"#));
    user.expect(&format!(r#"{{"type":"text","text":"{told}","from":{{"id":1,"name":"User 1"}}}}"#));
}

#[test]
fn escapes_come_back_in_their_shortest_form() {
    check_text(r#"a\"b\\c\/d \u0041\u00e9"#, r#"a\"b\\c/d Aé"#);
    check_text(r"a\u000ab\u000d\u000ac\u0009d", r"a\nb\r\nc\td");
}

#[test]
fn all_of_unicode_passes() {
    check_text(r"\ud83d\ude00 \u2028 \ufeff", "😀 \u{2028} \u{feff}");
    check_text("Grüße 你好 שלום \u{10ffff} e\u{301}", "Grüße 你好 שלום \u{10ffff} e\u{301}");
}

#[test]
fn white_space_and_markup_are_unchanged() {
    check_text(r"  two\n\n lines\t", r"  two\n\n lines\t");
    check_text("<script>alert('x')</script> &amp;", "<script>alert('x')</script> &amp;");
}

#[test]
fn texts_at_the_bounds_of_the_frame_header() {
    // The payload of the answer is 58 bytes longer than the text in it.
    for len in [67, 68, 3_999, 4_000] {
        let text = "x".repeat(len);
        check_text(&text, &text);
    }
}
