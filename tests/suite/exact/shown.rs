//! The answers that show a state: the list of rooms, a room, pages of its history and its members.

use std::fmt::Write as _;

use super::oracle::{ON_ENTER, Oracle, Room, RoomId, UserId, Version, quoted, suffix};

impl Oracle {
    /// The list of rooms as the base protocol has it.
    pub(crate) fn base_list(&self) -> String {
        let mut list = r#"{"type":"list_rooms","rooms":{"#.to_owned();
        for (at, (id, room)) in self.rooms.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let users = self.members(*id).into_iter();
            let users: Vec<String> =
                users.map(|id| format!(r#""{id}":{}"#, self.user(id))).collect();
            let (title, users) = (quoted(&room.title), users.join(","));
            let _ =
                write!(list, r#"{comma}"{id}":{{"id":{id},"title":{title},"users":{{{users}}}}}"#);
        }
        list + "}}"
    }

    fn v2_list(&self, reference: Option<&str>) -> String {
        let rooms = self.rooms.keys();
        let rooms: Vec<String> =
            rooms.map(|id| format!(r#""{id}":{}"#, self.summary(*id))).collect();
        let (rooms, epoch) = (rooms.join(","), &self.epoch);
        let suffix = suffix(reference);
        format!(r#"{{"type":"list_rooms","rooms":{{{rooms}}},"epoch":"{epoch}"{suffix}}}"#)
    }

    pub(crate) fn list_rooms(&mut self, id: UserId, reference: Option<&str>) {
        let frame = if self.users[&id].version == Version::Base {
            self.base_list()
        } else {
            self.users.get_mut(&id).expect("a user").follows = true;
            self.v2_list(reference)
        };
        self.send(id, frame);
    }

    /// The frame `room`, with the messages after `since`, or the last ones.
    pub(super) fn room_frame(
        &self,
        room: RoomId,
        since: Option<&(String, u64)>,
        reference: Option<&str>,
    ) -> String {
        let Room { title, events, .. } = &self.rooms[&room];
        let seq = events.len();
        let users: Vec<String> = self.members(room).into_iter().map(|id| self.member(id)).collect();
        let count = users.len();
        let known = since.filter(|(epoch, at)| *epoch == self.epoch && *at <= seq as u64);
        let complete = since.is_none() || known.is_some();
        // Otherwise, what the client has is of another history.
        let reset = if complete { "" } else { r#","reset":true"# };
        let from =
            known.map_or(seq.saturating_sub(ON_ENTER), |(_, at)| usize::try_from(*at).unwrap());
        let (title, users, events) = (quoted(title), users.join(","), events[from..].join(","));
        let (epoch, suffix) = (&self.epoch, suffix(reference));
        format!(
            r#"{{"type":"room","room":{{"id":{room},"title":{title}}},"users":[{users}],"userCount":{count},"epoch":"{epoch}","seq":{seq},"complete":{complete}{reset},"events":[{events}]{suffix}}}"#
        )
    }

    pub(crate) fn history(
        &mut self,
        id: UserId,
        room: RoomId,
        before: Option<u64>,
        limit: usize,
        reference: Option<&str>,
    ) {
        let Some(Room { events, .. }) = self.rooms.get(&room) else {
            let message = format!("There is no room {room}.");
            return self.refuse(id, "unknown_room", Some(&message), reference);
        };
        let end = before.map_or(events.len(), |before| {
            usize::try_from(before.saturating_sub(1))
                .map_or(events.len(), |end| end.min(events.len()))
        });
        let start = end.saturating_sub(limit);
        let (more, newer) = (start > 0, end < events.len());
        let (events, epoch, suffix) =
            (events[start..end].join(","), &self.epoch, suffix(reference));
        let frame = format!(
            r#"{{"type":"history","roomId":{room},"epoch":"{epoch}","events":[{events}],"more":{more},"newer":{newer}{suffix}}}"#
        );
        self.send(id, frame);
    }

    /// The members with larger ids than `after`.
    pub(crate) fn users_frame(
        &self,
        room: RoomId,
        after: UserId,
        limit: usize,
        reference: Option<&str>,
    ) -> String {
        let members = self.members(room);
        let rest = members.iter().filter(|id| **id > after);
        let users: Vec<String> = rest.clone().take(limit).map(|id| self.member(*id)).collect();
        let (more, count) = (rest.count() > limit, members.len());
        let (users, suffix) = (users.join(","), suffix(reference));
        format!(
            r#"{{"type":"users","roomId":{room},"users":[{users}],"userCount":{count},"more":{more}{suffix}}}"#
        )
    }

    pub(crate) fn users(
        &mut self,
        id: UserId,
        room: RoomId,
        (after, limit): (UserId, usize),
        reference: Option<&str>,
    ) {
        if !self.rooms.contains_key(&room) {
            let message = format!("There is no room {room}.");
            return self.refuse(id, "unknown_room", Some(&message), reference);
        }
        let frame = self.users_frame(room, after, limit, reference);
        self.send(id, frame);
    }
}
