//! What the operator asks: answers from the chat, and what it does to the chat.
//!
//! Owns where each connection comes from, and the answers that wait for the end of the tick. The dispatcher's
//! thread runs it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::net::IpAddr;

use crossbeam_channel::Sender;
use log::info;

use super::Dispatcher;
use crate::chat::{Action, ConnectionId, Erasure, Refusal, RoomId, Source, UserId};
use crate::input::{
    AwayStatus, ChatStatus, ClientStatus, Clients, Control, RoomName, RoomStatus, Whom,
};
use crate::log::Log;
use crate::protocol::ErrorReply;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Desk {
    origins: BTreeMap<ConnectionId, Origin>,
    /// Each with the number of the proposal that it waits for.
    answers: Vec<(u64, Answer)>,
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
struct Origin {
    address: IpAddr,
    /// When it came, in Unix milliseconds.
    since: u64,
}

/// Sends an answer. Nobody may wait for it any more.
type Answer = Box<dyn FnOnce() + Send>;

impl Desk {
    pub(super) fn note(&mut self, connection: ConnectionId, address: IpAddr, since: u64) {
        self.origins.insert(connection, Origin { address, since });
    }

    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.origins.remove(&connection);
    }

    /// The tick is over, and the proposals up to this one have been applied.
    pub(super) fn answer(&mut self, applied: u64) {
        for (_, answer) in self.answers.extract_if(.., |(number, _)| *number <= applied) {
            answer();
        }
    }

    fn push<T: Send + 'static>(&mut self, behind: u64, to: Sender<T>, answer: T) {
        let answer = move || {
            let _ = to.try_send(answer);
        };
        self.answers.push((behind, Box::new(answer)));
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Desk").field("origins", &self.origins).finish_non_exhaustive()
    }
}

impl<L: Log> Dispatcher<L> {
    pub(super) fn control(&mut self, control: Control) {
        match control {
            Control::Ping(answer) => self.desk.push(0, answer, ()),
            Control::Status(answer) => self.desk.push(0, answer, self.status()),
            Control::Rooms(answer) => self.desk.push(0, answer, self.room_statuses()),
            Control::Clients(answer) => self.desk.push(0, answer, self.client_statuses()),
            Control::Kick { whom, reason, answer } => {
                let kicked = self.kick(whom, reason.as_deref());
                self.desk.push(self.log.proposed(), answer, kicked);
            }
            Control::Announce { text, answer } => {
                let told = self.tell_everyone(text);
                self.desk.push(self.log.proposed(), answer, told);
            }
            Control::Reach { what, answer } => {
                // What was said before is saved first: it can be erased, too. On its way through a shared log it
                // cannot.
                self.commit_and_deliver();
                let is_there =
                    !matches!(what, Erasure::Room(room) if self.chat.room(room).is_none());
                self.desk.push(0, answer, is_there.then(|| self.chat.reach_of(what)));
            }
            Control::Erased { what, reach, answer } => {
                self.propose(Action::Erased { what, reach: reach.unwrap_or_default() }, None);
                self.desk.push(self.log.proposed(), answer, ());
            }
        }
    }

    /// The chat no longer changes. What would change it is dropped, which tells whoever asked.
    pub(super) fn control_while_stopping(&mut self, control: Control) {
        match control {
            Control::Ping(_) | Control::Status(_) | Control::Rooms(_) | Control::Clients(_) => {
                self.control(control);
            }
            Control::Kick { .. }
            | Control::Announce { .. }
            | Control::Reach { .. }
            | Control::Erased { .. } => {}
        }
    }

    fn status(&self) -> ChatStatus {
        let users = self.chat.users().filter(|user| user.link.is_some()).count();
        let away_users = self.chat.users().count() - users;
        ChatStatus { users, away_users, rooms: self.chat.rooms().count() }
    }

    fn room_statuses(&self) -> Vec<RoomStatus> {
        let rooms = self.chat.rooms().map(|(id, room)| {
            let summary = room.summary(id);
            let is_away = |(_, _, is_away): &(UserId, &str, bool)| *is_away;
            RoomStatus {
                id: id.0,
                title: summary.title.to_string(),
                users: summary.users,
                away: self.chat.members_after(room, UserId(0)).filter(is_away).count(),
                seq: summary.seq,
                is_permanent: room.is_permanent(),
            }
        });
        rooms.collect()
    }

    fn client_statuses(&self) -> Clients {
        let clients = self.desk.origins.iter().filter_map(|(connection, origin)| {
            let (user, room) = self.chat.user_at(self.link(*connection))?;
            let (version, queued_bytes) = self.delivery.glance(*connection)?;
            Some(ClientStatus {
                connection: connection.0,
                id: user.0,
                name: self.chat.person(user)?.name.to_string(),
                address: origin.address,
                room: room.and_then(|room| self.room_name(room)),
                since: origin.since,
                queued_bytes,
                protocol: ClientStatus::protocol(version),
            })
        });
        let away = self.chat.users().filter(|user| user.link.is_none()).map(|user| AwayStatus {
            id: user.id.0,
            name: user.name.to_owned(),
            room: user.room.and_then(|room| self.room_name(room)),
        });
        Clients { clients: clients.collect(), away: away.collect() }
    }

    fn room_name(&self, room: RoomId) -> Option<RoomName> {
        Some(RoomName { id: room.0, title: self.chat.room(room)?.title().to_owned() })
    }

    fn kick(&mut self, whom: Whom, reason: Option<&str>) -> Vec<UserId> {
        let users = self.users_meant(whom);
        for user in &users {
            let reason = reason.map_or(String::new(), |reason| format!(": {reason:?}"));
            info!("the operator has kicked user {}{reason}", user.0);
            self.propose(Action::Kick { user: *user }, None);
        }
        users
    }

    /// By id.
    fn users_meant(&self, whom: Whom) -> Vec<UserId> {
        let address = match whom {
            Whom::User(user) => {
                return self.chat.person(user).map(|it| it.id).into_iter().collect();
            }
            Whom::Address(address) => address.to_canonical(),
        };
        let origins = self.desk.origins.iter();
        let from_there: HashSet<ConnectionId> = origins
            .filter(|(_, origin)| origin.address.to_canonical() == address)
            .map(|(connection, _)| *connection)
            .collect();
        let node = self.log.node();
        let users = self.chat.users().filter(|user| match user.link {
            Some(link) if link.node == node => from_there.contains(&link.connection),
            // Where else the user is connected, only the source is known.
            _ => address.is_ipv4() && user.source == Some(Source::of(address)),
        });
        users.map(|user| user.id).collect()
    }

    /// Returns how many clients are told, or what is wrong with the text.
    fn tell_everyone(&mut self, text: String) -> Result<usize, String> {
        if let Err(flaw) = self.chat.check_announcement(&text) {
            return Err(ErrorReply::from(&Refusal::BadText(flaw)).message);
        }
        let told = self.status().users;
        info!("the operator tells {told} clients: {text:?}");
        self.propose(Action::Announce { text }, None);
        Ok(told)
    }
}
