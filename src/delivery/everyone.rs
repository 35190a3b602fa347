//! What concerns all clients, whatever room they are in. The dispatcher's thread runs it.

use super::Delivery;
use super::client::Part;
use crate::chat::ConnectionId;
use crate::protocol::{Outgoing, Version};

impl Delivery {
    /// Sends something to every client that has been welcomed.
    pub(super) fn tell_everyone(&mut self, outgoing: &Outgoing<'_>) {
        let frames = Version::ALL.map(|version| self.memory.hold(version.frame(outgoing)));
        let connections: Vec<_> = self.users.values().copied().collect();
        for connection in connections {
            let Some(client) = self.clients.get(&connection) else { continue };
            let frames = frames[client.version.index()].clone();
            self.add_part(connection, Part::Shared(frames));
        }
    }

    /// The version that a client speaks, and how many bytes are queued for it. Waits for nobody.
    pub(crate) fn glance(&self, connection: ConnectionId) -> Option<(Version, usize)> {
        let client = self.clients.get(&connection)?;
        Some((client.version, client.outbox.queued()))
    }
}
