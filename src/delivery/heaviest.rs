//! Whom to close when frames that clients have not taken yet need too much memory.

use std::collections::HashMap;

use super::client::Client;
use crate::chat::{ConnectionId, Network, Source};

/// A client for which bytes wait.
struct Waiting {
    connection: ConnectionId,
    bytes: usize,
    source: Source,
}

/// Connections for which `excess` bytes wait: those of the [source](Source::steps) with most, the heaviest
/// first. Once a source has no more than another, that one gives as well.
pub(super) fn heaviest(
    clients: &HashMap<ConnectionId, Client>,
    excess: usize,
) -> Vec<ConnectionId> {
    let mut waiting: Vec<Waiting> = clients
        .iter()
        .filter(|(_, client)| client.ending.is_none())
        .map(|(connection, client)| {
            let held_back = client.held_back.as_ref().map_or(0, |held_back| held_back.bytes());
            let bytes = client.outbox.queued() + held_back;
            Waiting { connection: *connection, bytes, source: client.pace.source() }
        })
        .filter(|waiting| waiting.bytes > 0)
        .collect();
    let mut weights: HashMap<Network, usize> = HashMap::new();
    for Waiting { bytes, source, .. } in &waiting {
        source.steps().for_each(|network| *weights.entry(network).or_default() += bytes);
    }
    let mut chosen = Vec::new();
    let mut rest = excess;
    while rest > 0
        && let Some(index) = (0..waiting.len()).max_by_key(|index| rank(&waiting[*index], &weights))
    {
        let Waiting { connection, bytes, source } = waiting.swap_remove(index);
        for network in source.steps() {
            weights.entry(network).and_modify(|weight| *weight -= bytes);
        }
        rest = rest.saturating_sub(bytes);
        chosen.push(connection);
    }
    chosen
}

/// The client with the greatest rank goes first.
fn rank(client: &Waiting, weights: &HashMap<Network, usize>) -> ([usize; 3], usize, ConnectionId) {
    let mut by_network = [0; 3];
    for (weight, network) in by_network.iter_mut().zip(client.source.steps()) {
        *weight = weights.get(&network).copied().unwrap_or(0);
    }
    (by_network, client.bytes, client.connection)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::memory::Memory;
    use crate::outbox::{Flusher, Piece, memory_outbox};
    use crate::pace::{PaceLimits, Paces};
    use crate::protocol::Version;

    /// The connections that are chosen of these: the address, and how many bytes wait. They are numbered
    /// from 1.
    fn chosen(waiting: &[(&str, usize)], excess: usize) -> Vec<u64> {
        let (flusher, _thread) = Flusher::new(Memory::plenty()).unwrap();
        let flusher = Arc::new(flusher);
        let limits = PaceLimits {
            messages_per_second: 0.0,
            message_burst: 1,
            rooms_per_second: 0.0,
            room_burst: 1,
        };
        let client = |(id, (address, bytes)): (u64, &(&str, usize))| {
            let (outbox, socket) = memory_outbox(ConnectionId(id), 1_000_000, &flusher);
            socket.set_room(0);
            let frames = Bytes::from(vec![0; *bytes]);
            outbox.send(&[Piece::whole(&frames)]).unwrap();
            let source = Source::of(address.parse().unwrap());
            let pace = Arc::new(Paces::default().connect(&[], source, limits));
            (ConnectionId(id), Client::new(outbox, pace, Version::Base, None))
        };
        let clients = (1..).zip(waiting).map(client).collect();
        heaviest(&clients, excess).into_iter().map(|id| id.0).collect()
    }

    #[test]
    fn the_source_with_most_gives_its_heaviest_connections_first() {
        let (one, other, idle) = ("192.0.2.1", "192.0.2.2", "192.0.2.3");
        let waiting = [(one, 50), (other, 30), (other, 40), (other, 10), (idle, 0)];
        assert_eq!(chosen(&waiting, 1), [3]);
        assert_eq!(chosen(&waiting, 40), [3]);
        assert_eq!(chosen(&waiting, 41), [3, 1], "by then the first source has more");
        assert_eq!(chosen(&waiting, 1_000), [3, 1, 2, 4], "nobody without a queue");
    }

    #[test]
    fn a_wide_network_gives_before_a_heavier_source() {
        let waiting = [("192.0.2.1", 50), ("2001:db8::1", 30), ("2001:db8:0:ff00::1", 40)];
        assert_eq!(chosen(&waiting, 1), [3]);
        assert_eq!(chosen(&waiting, 41), [3, 1]);
    }
}
