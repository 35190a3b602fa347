//! The users of a room in the JSON of `wschat.v2`.

use serde::Serialize;

use crate::chat::UserId;

/// The first users of a room, encoded once for everyone who is shown it.
#[derive(Debug, Default)]
pub(crate) struct UserList {
    /// Their JSON, with commas in between.
    json: String,
    /// The id of each, and where its JSON ends.
    ends: Vec<(UserId, usize)>,
    /// How many users the room has in all.
    count: usize,
}

/// A user in a list of users.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct UserEntry<'a> {
    pub(crate) id: u64,
    pub(crate) name: &'a str,
    /// The user has lost the connection, and may resume.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) away: bool,
}

impl UserList {
    /// Of a room with `count` users, `first` are the first by id.
    pub(crate) fn new<'a>(first: impl Iterator<Item = UserEntry<'a>>, count: usize) -> Self {
        let mut list = Self { json: String::new(), ends: Vec::new(), count };
        for user in first {
            if !list.ends.is_empty() {
                list.json.push(',');
            }
            list.json += &serde_json::to_string(&user).expect("all keys are strings");
            list.ends.push((UserId(user.id), list.json.len()));
        }
        list
    }

    /// The JSON of the first users that fit into `max_bytes`, and the last one's id.
    pub(super) fn within(&self, max_bytes: usize) -> (&str, UserId) {
        let fitting = self.ends.partition_point(|(_, end)| *end <= max_bytes);
        match fitting.checked_sub(1).map(|last| self.ends[last]) {
            Some((user, end)) => (&self.json[..end], user),
            None => ("", UserId(0)),
        }
    }

    /// Whether the user is in the list.
    pub(crate) fn has(&self, user: UserId) -> bool {
        self.ends.binary_search_by_key(&user, |(id, _)| *id).is_ok()
    }

    /// How many users the room has in all.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// All users that are in the list.
    pub(crate) fn json(&self) -> &str {
        &self.json
    }
}
