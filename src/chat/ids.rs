//! The ids of users, rooms, connections and log entries.

/// A user's number. Numbers count from 1 and are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UserId(pub(crate) u64);

/// A room's number. Numbers count from 1 in the order of creation and are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RoomId(pub(crate) u64);

/// The highest ids that may be handed out. The history has reserved them, so that no id is handed out
/// again after a restart, whatever was saved until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdLimits {
    pub(crate) user: u64,
    pub(crate) room: u64,
}

impl IdLimits {
    /// Every id may be handed out.
    pub(crate) const NONE: Self = Self { user: u64::MAX, room: u64::MAX };
}

/// A server process that applies the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) u64);

/// A connection's number on its node. Numbers count from 1 in the order in which connections were
/// accepted and are never reused while the node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// One connection among those of all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Link {
    pub(crate) node: NodeId,
    pub(crate) connection: ConnectionId,
}

/// The place of an entry in the log.
///
/// `n` counts up by one from entry to entry. `term` goes up when the log may have lost its last entries, so
/// that two different entries never have the same id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EntryId {
    pub(crate) term: u64,
    pub(crate) n: u64,
}

/// The place of a message: its room, and its number there. The number 0 stands for the room itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) room: RoomId,
    pub(crate) seq: u64,
}
