//! Random requests of both protocols, each with what the oracle makes of it.

use super::oracle::{MAX_TEXT, Oracle, RoomId, UserId, Version, quoted};
use crate::random::Random;

/// Names and titles, good and bad.
const LABELS: [&str; 9] = [
    "Ada",
    "  Grace Hopper ",
    "\"quoted\" \\ back",
    "größer 👋",
    "</script>",
    "",
    "   ",
    "a\u{7}b",
    "a name that is longer than any of the limits, which are 32 and 64 characters",
];

const TEXTS: [&str; 6] =
    ["Hello", "two\nlines\tand a tab", "\"\\/ \u{2028} 👩‍👩‍👧", "  kept as it is ", "", " \n "];

/// Requests that both protocols refuse as they stand, and the code.
const MALFORMED: [(&str, &str); 14] = [
    ("", "bad_json"),
    ("{\"type\":", "bad_json"),
    ("[]", "bad_request"),
    ("null", "bad_request"),
    ("{}", "bad_request"),
    ("{\"type\":7}", "bad_request"),
    ("{\"type\":\"text\"}", "bad_request"),
    ("{\"type\":\"text\",\"text\":5}", "bad_request"),
    ("{\"type\":\"gif\",\"gifId\":\"x\"}", "bad_request"),
    ("{\"type\":\"enter_room\",\"roomId\":-1}", "bad_request"),
    ("{\"type\":\"enter_room\",\"roomId\":1.5}", "bad_request"),
    ("{\"type\":\"create_room\",\"title\":[]}", "bad_request"),
    ("{\"type\":\"change_name\",\"name\":{}}", "bad_request"),
    ("{\"type\":\"dance\"}", "unknown_type"),
];

/// Requests that `wschat.v2` refuses.
const MALFORMED_V2: [&str; 8] = [
    "{\"type\":\"list_rooms\",\"ref\":\"\"}",
    "{\"type\":\"list_rooms\",\"ref\":null}",
    "{\"type\":\"enter_room\",\"roomId\":1,\"since\":{}}",
    "{\"type\":\"enter_room\",\"roomId\":1,\"since\":{\"epoch\":\"a\",\"seq\":-1}}",
    "{\"type\":\"history\"}",
    "{\"type\":\"history\",\"roomId\":1,\"limit\":0}",
    "{\"type\":\"history\",\"roomId\":1,\"limit\":101}",
    "{\"type\":\"hello\",\"maxFrameBytes\":1}",
];

/// A request, and whether the schema has to refuse it.
pub(super) struct Asked {
    pub(super) json: String,
    pub(super) is_malformed: bool,
}

/// Makes a request of this user, and tells the oracle.
pub(super) fn request(
    random: &mut Random,
    oracle: &mut Oracle,
    id: UserId,
    is_alone: bool,
) -> Asked {
    let is_v2 = oracle.users[&id].version == Version::V2;
    if random.one_in(12) {
        return malformed(random, oracle, id, is_v2);
    }
    let reference = (is_v2 && random.one_in(2)).then(|| reference(random, oracle));
    let reference = reference.as_deref();
    let room = random.below(oracle.rooms.len() + 1) as RoomId + 1;
    // Now and then the request names the room that it means.
    let meant = (is_v2 && random.one_in(4)).then(|| match oracle.users[&id].room {
        Some(room) if !random.one_in(4) => room,
        _ => room,
    });
    let members = match random.below(if is_v2 { 28 } else { 20 }) {
        0..4 => enter(random, oracle, id, room, reference),
        4 => {
            oracle.leave_room(id, meant, reference);
            format!(r#""type":"leave_room"{}"#, meant_member(meant))
        }
        12 if is_alone => {
            let title = random.pick(&LABELS);
            oracle.create_room(id, title, reference);
            format!(r#""type":"create_room","title":{}"#, quoted(title))
        }
        13 => {
            let name = random.pick(&LABELS);
            oracle.change_name(id, name, reference);
            format!(r#""type":"change_name","name":{}"#, quoted(name))
        }
        5..13 | 14..16 => say(random, oracle, id, meant, reference),
        16 | 17 if is_v2 => {
            oracle.typing(id, meant, reference);
            format!(r#""type":"typing"{}"#, meant_member(meant))
        }
        _ => ask(random, oracle, (id, room), is_alone, reference),
    };
    let reference =
        reference.map_or_else(String::new, |reference| format!(r#","ref":{}"#, quoted(reference)));
    Asked { json: format!("{{{members}{reference}}}"), is_malformed: false }
}

/// Asks for what there is. Together with other requests, most answers may show a little more or less:
/// a message that is sent at the same moment.
fn ask(
    random: &mut Random,
    oracle: &mut Oracle,
    (id, room): (UserId, RoomId),
    is_alone: bool,
    reference: Option<&str>,
) -> String {
    let is_v2 = oracle.users[&id].version == Version::V2;
    match random.below(8) {
        0 if is_v2 => {
            // No answer of this run is longer.
            let bytes = 500_000 + random.below(1_000) as u64;
            oracle.hello(id, bytes, reference);
            format!(r#""type":"hello","maxFrameBytes":{bytes}"#)
        }
        1 | 2 if is_v2 => {
            let (after, limit) = (random.below(10) as u64, 1 + random.below(5));
            oracle.users(id, room, (after, limit), reference);
            let room = number(random, room);
            format!(r#""type":"users","roomId":{room},"after":{after},"limit":{limit}"#)
        }
        3..6 if is_v2 && is_alone => history(random, oracle, id, room, reference),
        _ if is_alone || !is_v2 => {
            oracle.list_rooms(id, reference);
            r#""type":"list_rooms""#.to_owned()
        }
        _ => say(random, oracle, id, None, reference),
    }
}

fn malformed(random: &mut Random, oracle: &mut Oracle, id: UserId, is_v2: bool) -> Asked {
    let (json, code) = if is_v2 && random.one_in(3) {
        (*random.pick(&MALFORMED_V2.each_ref()), "bad_request")
    } else {
        MALFORMED[random.below(MALFORMED.len())]
    };
    oracle.refuse(id, code, None, None);
    Asked { json: json.to_owned(), is_malformed: true }
}

/// Mostly a new one, sometimes one that was used before.
fn reference(random: &mut Random, oracle: &Oracle) -> String {
    let number = if random.one_in(6) { random.below(20) } else { random.below(1 << 40) };
    format!("r\"{number}-{}", oracle.epoch.len())
}

fn meant_member(meant: Option<RoomId>) -> String {
    meant.map_or_else(String::new, |room| format!(r#","roomId":{room}"#))
}

/// A number, in one of the ways to write it.
fn number(random: &mut Random, number: u64) -> String {
    if random.one_in(3) { format!("\"{number}\"") } else { number.to_string() }
}

fn enter(
    random: &mut Random,
    oracle: &mut Oracle,
    id: UserId,
    room: RoomId,
    reference: Option<&str>,
) -> String {
    let is_v2 = oracle.users[&id].version == Version::V2;
    let seq = oracle.rooms.get(&room).map_or(0, |room| room.events.len());
    let since = (is_v2 && random.one_in(2)).then(|| {
        let epoch = if random.one_in(8) { "0123".to_owned() } else { oracle.epoch.clone() };
        // At most a hundred messages, and sometimes more than there are.
        (epoch, (seq.saturating_sub(100) + random.below(seq.min(100) + 3)) as u64)
    });
    oracle.enter(id, room, since.as_ref(), reference);
    let room = number(random, room);
    let since = since.map_or_else(String::new, |(epoch, seq)| {
        format!(r#","since":{{"epoch":"{epoch}","seq":{}}}"#, number(random, seq))
    });
    format!(r#""type":"enter_room","roomId":{room}{since}"#)
}

fn say(
    random: &mut Random,
    oracle: &mut Oracle,
    id: UserId,
    meant: Option<RoomId>,
    reference: Option<&str>,
) -> String {
    let room = meant_member(meant);
    if random.one_in(4) {
        let gif = random.below(20) as u64;
        oracle.say(id, ("gif", Some(&format!(r#""gifId":{gif}"#))), meant, reference);
        return format!(r#""type":"gif","gifId":{}{room}"#, number(random, gif));
    }
    let mut text = (*random.pick(&TEXTS.each_ref())).to_owned();
    if random.one_in(10) {
        text = "x".repeat(MAX_TEXT - 1 + random.below(3));
    }
    let is_bad = text.trim().is_empty() || text.chars().count() > MAX_TEXT;
    let text = quoted(&text);
    let what = (!is_bad).then(|| format!(r#""text":{text}"#));
    oracle.say(id, ("text", what.as_deref()), meant, reference);
    format!(r#""type":"text","text":{text}{room}"#)
}

fn history(
    random: &mut Random,
    oracle: &mut Oracle,
    id: UserId,
    room: RoomId,
    reference: Option<&str>,
) -> String {
    let seq = oracle.rooms.get(&room).map_or(0, |room| room.events.len());
    let before = random.one_in(2).then(|| random.below(seq + 3) as u64);
    let limit = random.one_in(2).then(|| 1 + random.below(100));
    oracle.history(id, room, before, limit.unwrap_or(50), reference);
    let room = number(random, room);
    let before = before
        .map_or_else(String::new, |before| format!(r#","before":{}"#, number(random, before)));
    let limit = limit.map_or_else(String::new, |limit| format!(r#","limit":{limit}"#));
    format!(r#""type":"history","roomId":{room}{before}{limit}"#)
}
