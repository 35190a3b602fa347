//! The frames of the server that are read often or in more than one place.

use std::borrow::Cow;

use serde::Deserialize;

use crate::ledger::{Room, User};

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Person<'a> {
    pub id: User,
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(default)]
    pub away: bool,
}

/// A text of wschat.v2.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Said<'a> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    #[serde(borrow)]
    pub from: Person<'a>,
    #[serde(rename = "roomId")]
    pub room: Room,
    pub time: u64,
    pub seq: u64,
    #[serde(rename = "ref", borrow, default)]
    pub reference: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome<'a> {
    #[serde(borrow)]
    pub user: Person<'a>,
    #[serde(default)]
    pub session: Cow<'a, str>,
    #[serde(default)]
    pub resumed: bool,
    pub room_id: Option<Room>,
    #[serde(default)]
    pub epoch: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub struct RoomInfo {
    pub id: Room,
}

/// The present state of a room.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot<'a> {
    pub room: RoomInfo,
    #[serde(borrow)]
    pub users: Vec<Person<'a>>,
    pub user_count: usize,
    pub epoch: Cow<'a, str>,
    pub seq: u64,
    pub complete: bool,
    #[serde(default)]
    pub reset: bool,
    #[serde(borrow)]
    pub events: Vec<Said<'a>>,
}

/// A page of the history.
#[derive(Debug, Deserialize)]
pub struct Page<'a> {
    #[serde(borrow)]
    pub events: Vec<Said<'a>>,
    pub newer: bool,
}

/// `enter_room` and `leave_room` of either protocol.
#[derive(Debug, Deserialize)]
pub struct Move<'a> {
    #[serde(borrow)]
    pub user: Person<'a>,
    #[serde(rename = "roomId", default)]
    pub room: Room,
}

/// A text of the base protocol.
#[derive(Debug, Deserialize)]
pub struct BaseSaid<'a> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    #[serde(borrow)]
    pub from: Person<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal<'a> {
    pub code: Cow<'a, str>,
    pub room_id: Option<Room>,
    pub seq: Option<u64>,
    #[serde(rename = "ref", default)]
    pub reference: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
pub struct Presence {
    pub users: Vec<Away>,
}

#[derive(Debug, Deserialize)]
pub struct Away {
    pub id: User,
    pub away: bool,
}

/// The `type` of a frame, which comes first.
pub fn kind(frame: &str) -> &str {
    frame.strip_prefix(r#"{"type":""#).and_then(|rest| rest.split('"').next()).unwrap_or_default()
}
