//! Whom to close when frames that clients have not taken yet need too much memory.

use std::collections::HashMap;
use std::net::IpAddr;

use super::client::Client;
use crate::chat::ConnectionId;

/// The bytes that wait for the clients of one source.
#[derive(Default)]
struct Share {
    bytes: usize,
    connections: Vec<(usize, ConnectionId)>,
}

/// Connections for which `excess` bytes wait: those of the source with most, the heaviest first. Once a
/// source has no more than the next one, that one gives as well.
pub(super) fn heaviest(
    clients: &HashMap<ConnectionId, Client>,
    excess: usize,
) -> Vec<ConnectionId> {
    let mut sources: HashMap<IpAddr, Share> = HashMap::new();
    for (connection, client) in clients.iter().filter(|(_, client)| client.ending.is_none()) {
        let held_back = client.held_back.as_ref().map_or(0, |held_back| held_back.bytes());
        let bytes = client.outbox.queued() + held_back;
        if bytes > 0 {
            let share = sources.entry(client.pace.source()).or_default();
            share.bytes += bytes;
            share.connections.push((bytes, *connection));
        }
    }
    for share in sources.values_mut() {
        share.connections.sort_unstable();
    }
    let mut chosen = Vec::new();
    let mut rest = excess;
    while rest > 0
        && let Some(share) = sources.values_mut().max_by_key(|share| share.bytes)
        && let Some((bytes, connection)) = share.connections.pop()
    {
        share.bytes -= bytes;
        rest = rest.saturating_sub(bytes);
        chosen.push(connection);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::outbox::{Flusher, Piece, memory_outbox};
    use crate::pace::{PaceLimits, Paces};
    use crate::protocol::Version;

    /// The connections that are chosen of these: the last byte of the address, and how many bytes wait.
    /// They are numbered from 1.
    fn chosen(waiting: &[(u8, usize)], excess: usize) -> Vec<u64> {
        let (flusher, _thread) = Flusher::new().unwrap();
        let flusher = Arc::new(flusher);
        let limits = PaceLimits {
            messages_per_second: 0.0,
            message_burst: 1,
            rooms_per_second: 0.0,
            room_burst: 1,
        };
        let client = |(id, (address, bytes)): (u64, &(u8, usize))| {
            let (outbox, socket) = memory_outbox(ConnectionId(id), 1_000_000, &flusher);
            socket.set_room(0);
            let frames = Bytes::from(vec![0; *bytes]);
            outbox.send(&[Piece::whole(&frames)]).unwrap();
            let address = Ipv4Addr::new(192, 0, 2, *address).into();
            let pace = Arc::new(Paces::default().connect(None, address, limits));
            (ConnectionId(id), Client::new(outbox, pace, Version::Base, None))
        };
        let clients = (1..).zip(waiting).map(client).collect();
        heaviest(&clients, excess).into_iter().map(|id| id.0).collect()
    }

    #[test]
    fn the_source_with_most_gives_its_heaviest_connections_first() {
        let waiting = [(1, 50), (2, 30), (2, 40), (2, 10), (3, 0)];
        assert_eq!(chosen(&waiting, 1), [3]);
        assert_eq!(chosen(&waiting, 40), [3]);
        assert_eq!(chosen(&waiting, 41), [3, 1], "by then the first source has more");
        assert_eq!(chosen(&waiting, 1_000), [3, 1, 2, 4], "nobody without a queue");
    }
}
