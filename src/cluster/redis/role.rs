//! What a server says of its role. Pure.

use redis::Value;

use super::reply::{items, number, text};
use super::socket::Address;

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Master,
    Replica,
}

/// What `ROLE` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Master {
        replicas: Vec<Address>,
    },
    Replica {
        master: Address,
        /// It follows its master at present.
        is_connected: bool,
        /// How much of the master's stream it has.
        offset: u64,
    },
}

impl Standing {
    /// `None` if the server is neither.
    pub(super) fn parse(reply: &Value) -> Option<Self> {
        match items(reply) {
            [name, _, replicas] if text(name) == Some("master") => {
                let replica = |each: &Value| match items(each) {
                    [host, port, ..] => address(host, port),
                    _ => None,
                };
                Some(Self::Master {
                    replicas: items(replicas).iter().filter_map(replica).collect(),
                })
            }
            [name, host, port, state, offset] if text(name) == Some("slave") => {
                Some(Self::Replica {
                    master: address(host, port)?,
                    is_connected: text(state) == Some("connected"),
                    // -1 while it has nothing.
                    offset: number(offset).unwrap_or(0),
                })
            }
            _ => None,
        }
    }

    pub(super) fn role(&self) -> Role {
        match self {
            Self::Master { .. } => Role::Master,
            Self::Replica { .. } => Role::Replica,
        }
    }
}

/// A host and a port of a reply.
pub(super) fn address(host: &Value, port: &Value) -> Option<Address> {
    let port = u16::try_from(number(port)?).ok()?;
    Some(Address { host: text(host)?.to_owned(), port })
}
