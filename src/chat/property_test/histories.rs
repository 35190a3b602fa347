//! Random histories: what people do, and how much time passes in between.

use std::time::Duration;

use proptest::bool::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::MAX_CHARS;
use crate::chat::{Action, Request, RoomId, Rules, UserId};

/// One thing that happens in a history.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Somebody new comes.
    Connect,
    Act(UserId, Action),
    /// Time passes, and the dispatcher is too busy to look at the clock.
    Pass(Duration),
    /// Time passes, and the dispatcher sleeps from deadline to deadline.
    Sleep(Duration),
    /// What was said since the last such step is kept, or cannot be.
    Commit {
        is_kept: bool,
    },
}

pub(super) fn rules() -> impl Strategy<Value = Rules> {
    let rooms = select(vec![vec!["Lobby"], vec!["Lobby", "Bar"]]);
    let max_rooms = select(vec![0, 3, 4]);
    let times = (select(vec![1, 100, 1_000]), select(vec![0, 1, 250]));
    (rooms, max_rooms, times).prop_map(|(rooms, max_rooms, (ttl, interval))| Rules {
        rooms: rooms.into_iter().map(str::to_owned).collect(),
        max_rooms,
        max_name_chars: MAX_CHARS,
        max_title_chars: MAX_CHARS,
        max_text_chars: MAX_CHARS,
        empty_room_ttl: Duration::from_millis(ttl),
        room_list_interval: Duration::from_millis(interval),
        resume_grace: Duration::ZERO,
        max_away: 0,
        max_kept: 10,
        max_age: None,
    })
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Connect),
        1 => user().prop_map(|user| Step::Act(user, Action::Disconnect)),
        20 => (user(), request()).prop_map(|(user, request)| Step::Act(user, Action::Request(request))),
        3 => time().prop_map(Step::Pass),
        3 => time().prop_map(Step::Sleep),
        3 => weighted(0.7).prop_map(|is_kept| Step::Commit { is_kept }),
    ]
}

/// Anybody: connected, gone, or not here yet.
fn user() -> impl Strategy<Value = UserId> {
    (1..=5_u64).prop_map(UserId)
}

/// Any room: permanent, made by somebody, gone, or not there yet.
fn room() -> impl Strategy<Value = RoomId> {
    prop_oneof![3 => 1..=4_u64, 1 => 0..=12_u64].prop_map(RoomId)
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        1 => Just(Request::ListRooms),
        6 => room().prop_map(|room| Request::EnterRoom(room, None)),
        2 => Just(Request::LeaveRoom),
        4 => wording().prop_map(Request::Text),
        1 => any::<u64>().prop_map(Request::Gif),
        4 => wording().prop_map(Request::CreateRoom),
        3 => wording().prop_map(Request::ChangeName),
    ]
}

/// Names, titles and texts: good ones, some that just miss the rules, and any at all.
fn wording() -> impl Strategy<Value = String> {
    let good = select(vec!["Ann", "A b", " Bob ", "12345678", "名名名名名名名名", "  12345678\t"]);
    let bad = select(vec![
        "",
        " \t\n",
        "\u{3000}",
        "123456789",
        "名名名名名名名名名",
        "A\nB",
        "A\u{2028}B",
        "\0",
    ]);
    prop_oneof![
        4 => good.prop_map(str::to_owned),
        2 => bad.prop_map(str::to_owned),
        1 => "(?s).{0,10}",
    ]
}

/// Those that hit a deadline of the [`rules`], those that just miss one, and long ones.
fn time() -> impl Strategy<Value = Duration> {
    select(vec![0, 1, 2, 99, 100, 101, 249, 250, 251, 750, 999, 1_000, 1_001, 5_000])
        .prop_map(Duration::from_millis)
}
