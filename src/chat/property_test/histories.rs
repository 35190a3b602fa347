//! Random histories: what clients do, what becomes of their messages, and how much time passes.
//!
//! Connections, keys and rooms are picked relative to those that there are, so that most steps lead to
//! something, and a history still makes sense when steps are left out to find the shortest failure.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::chat::{Content, Erasure, Reference, Request, RoomId, Rules, Source, UserId, Version};

/// The longest name, title and text, in characters.
pub(super) const MAX_CHARS: usize = 8;

/// No grace period and no life of an empty room is longer.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(1);

/// One thing that happens in a history.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Connect {
        link: LinkPick,
        source: Source,
        version: Version,
        keys: Option<KeyPicks>,
    },
    /// Whether the client says that it goes away.
    Disconnect(ClientPick, bool),
    Ask {
        by: ClientPick,
        request: Request,
        reference: Reference,
    },
    Saved,
    NotSaved,
    /// So many more users and rooms may come.
    Reserved(u64, u64),
    SetRules(Box<Rules>),
    /// Any user that there may have been.
    Kick(u64),
    Announce(String),
    /// What, and up to which message of each of these rooms.
    Erase(Erasure, Vec<(RoomId, u64)>),
    /// A node is no longer there.
    #[cfg(feature = "cluster")]
    LoseNode(u64),
    /// Time passes, and nobody looks at the clock meanwhile.
    Pass(Duration),
    /// Time passes, and the chat is looked at at each of its deadlines.
    Sleep(Duration),
    /// The time of day is set: so many milliseconds ahead of the log's clock.
    SetTimeOfDay(u64),
    /// The next entry is so much behind the log's clock.
    Lag(Duration),
}

/// Over which connection a client connects.
#[derive(Clone, Debug)]
pub(super) enum LinkPick {
    /// Accepted after all others, on this node.
    New(u64),
    /// Accepted before the last few, whose handshakes were finished first.
    Late(u64),
    /// One that there has been already.
    Reused(Index),
}

/// The keys that a connecting client brings along.
#[derive(Clone, Debug)]
pub(super) struct KeyPicks {
    pub(super) resumed: KeyPick,
    pub(super) fresh: KeyPick,
}

#[derive(Clone, Debug)]
pub(super) enum KeyPick {
    /// Nobody has it.
    Unused,
    /// One that a user has, or has had.
    Used(Index),
}

/// Which connection does something.
#[derive(Clone, Debug)]
pub(super) enum ClientPick {
    /// One that leads to a user.
    Present(Index),
    /// Any that there has been: it may have ended, or another may have replaced it.
    Any(Index),
    /// One that there has never been.
    Unknown,
}

pub(super) fn history() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 0..120)
}

pub(super) fn rules() -> impl Strategy<Value = Rules> {
    let rooms = select(vec![
        vec!["Lobby"],
        vec!["Lobby", "Bar"],
        vec!["Lobby", "Hall"],
        vec!["Lobby", "Lobby", "Attic"],
        vec![],
    ]);
    let kept = select(vec![0, 1, 2, 10]);
    let grace = || select(vec![0, 100, 500, 1_000]);
    let waits = (select(vec![0, 100, 1_000]), grace(), grace());
    let limits = (select(vec![0, 3, 4, 5]), 0..4_usize);
    (rooms, limits, waits, kept).prop_map(
        |(rooms, (max_rooms, max_away), (ttl, grace, reload), max_kept)| Rules {
            rooms: rooms.into_iter().map(str::to_owned).collect(),
            max_rooms,
            max_name_chars: MAX_CHARS,
            max_title_chars: MAX_CHARS,
            max_text_chars: MAX_CHARS,
            empty_room_ttl: Duration::from_millis(ttl),
            resume_grace: Duration::from_millis(grace),
            reload_grace: Duration::from_millis(reload),
            max_away,
            max_kept,
            max_references: 1_000_000,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (link(), source(), version(), option::weighted(0.8, keys()))
            .prop_map(|(link, source, version, keys)| Step::Connect { link, source, version, keys }),
        8 => (client(), any::<bool>())
            .prop_map(|(client, is_going_away)| Step::Disconnect(client, is_going_away)),
        50 => (client(), request(), option::weighted(0.6, reference()))
            .prop_map(|(by, request, reference)| Step::Ask { by, request, reference }),
        6 => Just(Step::Saved),
        3 => Just(Step::NotSaved),
        1 => (0..6_u64, 0..3_u64).prop_map(|(users, rooms)| Step::Reserved(users, rooms)),
        2 => rules().prop_map(|rules| Step::SetRules(Box::new(rules))),
        2 => (0..12_u64).prop_map(Step::Kick),
        1 => wording().prop_map(Step::Announce),
        2 => (erasure(), vec((room(), 0..12_u64), 0..4))
            .prop_map(|(what, reach)| Step::Erase(what, reach)),
        u32::from(cfg!(feature = "cluster")) => lost_node(),
        5 => time().prop_map(Step::Pass),
        4 => time().prop_map(Step::Sleep),
        1 => select(vec![0, 50, 3_000]).prop_map(Step::SetTimeOfDay),
        2 => time().prop_map(Step::Lag),
    ]
}

#[cfg(feature = "cluster")]
fn lost_node() -> impl Strategy<Value = Step> {
    (0..3_u64).prop_map(Step::LoseNode)
}

/// Never happens.
#[cfg(not(feature = "cluster"))]
fn lost_node() -> impl Strategy<Value = Step> {
    Just(Step::Saved)
}

fn erasure() -> impl Strategy<Value = Erasure> {
    prop_oneof![
        (0..12_u64).prop_map(|id| Erasure::User(UserId(id))),
        room().prop_map(Erasure::Room),
        any::<u64>().prop_map(Erasure::Before),
    ]
}

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![1 => Just(Version::Base), 2 => Just(Version::V2)]
}

fn link() -> impl Strategy<Value = LinkPick> {
    prop_oneof![
        8 => (0..2_u64).prop_map(LinkPick::New),
        3 => (0..2_u64).prop_map(LinkPick::Late),
        1 => any::<Index>().prop_map(LinkPick::Reused),
    ]
}

/// Few networks of each size, so that their weights differ.
fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        1 => (1..3_u32).prop_map(Source::V4),
        3 => (0..2_u64, 0..2_u64, 0..2_u64)
            .prop_map(|(wide, middle, narrow)| Source::V6(wide << 16 | middle << 8 | narrow)),
    ]
}

fn keys() -> impl Strategy<Value = KeyPicks> {
    let resumed =
        prop_oneof![2 => Just(KeyPick::Unused), 3 => any::<Index>().prop_map(KeyPick::Used)];
    let fresh =
        prop_oneof![9 => Just(KeyPick::Unused), 1 => any::<Index>().prop_map(KeyPick::Used)];
    (resumed, fresh).prop_map(|(resumed, fresh)| KeyPicks { resumed, fresh })
}

fn client() -> impl Strategy<Value = ClientPick> {
    prop_oneof![
        12 => any::<Index>().prop_map(ClientPick::Present),
        2 => any::<Index>().prop_map(ClientPick::Any),
        1 => Just(ClientPick::Unknown),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        7 => room().prop_map(Request::EnterRoom),
        3 => meant_room().prop_map(Request::LeaveRoom),
        6 => (wording(), meant_room())
            .prop_map(|(text, room)| Request::Say(Content::Text(text), room)),
        2 => any::<u64>().prop_map(|gif| Request::Say(Content::Gif(gif), None)),
        2 => wording().prop_map(Request::CreateRoom),
        2 => wording().prop_map(Request::ChangeName),
    ]
}

fn meant_room() -> impl Strategy<Value = Option<RoomId>> {
    prop_oneof![4 => Just(None), 1 => room().prop_map(Some)]
}

/// Any room: permanent, made by a user, removed, or not there yet.
fn room() -> impl Strategy<Value = RoomId> {
    prop_oneof![5 => 1..=3_u64, 1 => 0..=12_u64].prop_map(RoomId)
}

/// Few, so that many are used again.
fn reference() -> impl Strategy<Value = std::sync::Arc<str>> {
    (0..5_u8).prop_map(|number| number.to_string().into())
}

/// Names, titles and texts: good ones, some that just break the rules, and any at all.
fn wording() -> impl Strategy<Value = String> {
    let good = select(vec!["Ann", "A b", " Bob ", "User 1", "12345678", "名名名名名名名名"]);
    let bad = select(vec![
        "",
        " \t\n",
        "\u{3000}",
        "123456789",
        "  12345678\t",
        "名名名名名名名名名",
        "A\nB",
        "A\u{2028}B",
        "\0",
    ]);
    prop_oneof![
        6 => good.prop_map(str::to_owned),
        2 => bad.prop_map(str::to_owned),
        1 => "(?s).{0,10}",
    ]
}

/// Times that hit a deadline of the [`rules`], times that just miss one, and long ones.
fn time() -> impl Strategy<Value = Duration> {
    select(vec![0, 1, 50, 99, 100, 101, 250, 500, 999, 1_000, 1_001, 5_000])
        .prop_map(Duration::from_millis)
}
