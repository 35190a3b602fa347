//! Which connection leads to which user.

use std::collections::HashMap;

use crate::chat::UserId;
use crate::outbox::ConnectionId;

/// Who is connected. Nobody is so twice: a connection whose user has come over another leads nowhere.
#[derive(Debug, Default)]
pub(super) struct Roster {
    users: HashMap<ConnectionId, UserId>,
    connections: HashMap<UserId, ConnectionId>,
}

impl Roster {
    pub(super) fn user(&self, connection: ConnectionId) -> Option<UserId> {
        self.users.get(&connection).copied()
    }

    pub(super) fn connection(&self, user: UserId) -> Option<ConnectionId> {
        self.connections.get(&user).copied()
    }

    /// From here on `user` is reached over `connection`. Returns what led to them before.
    pub(super) fn seat(&mut self, user: UserId, connection: ConnectionId) -> Option<ConnectionId> {
        self.users.insert(connection, user);
        let before = self.connections.insert(user, connection)?;
        self.users.remove(&before);
        Some(before)
    }

    pub(super) fn unseat(&mut self, user: UserId, connection: ConnectionId) {
        self.users.remove(&connection);
        self.connections.remove(&user);
    }
}
