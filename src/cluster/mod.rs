//! Several nodes that are one chat: they share one log in Redis or Valkey, and each applies the same entries.
//!
//! Owns what the nodes agree on, and the way of everything to Redis and back. `log` decides with it what comes next;
//! the server joins a node to the cluster and runs the keeper.
//!
//! | file | owns | runs on |
//! |---|---|---|
//! | `batch.rs` | what one node proposes at once, as bytes | |
//! | `nodes.rs`, `digest.rs` | which nodes there are, and what an entry of the log means; pure | the dispatcher, the keeper |
//! | `replica.rs` | the whole replicated state: nodes and chat | a node that joins, the keeper |
//! | `node.rs` | joining | the thread that starts the server |
//! | `writer.rs`, `reader.rs` | appending to the log, and following it | threads of their own |
//! | `watch.rs` | noticing that Sentinel names other servers | a thread of its own |
//! | `keeper.rs`, `store.rs`, `said.rs` | snapshots, what was said in each room, trimming | the keeper's thread |
//! | `rooms.rs` | reading what was said: from memory, or from Redis | `recall` |
//! | `poison.rs` | entries that no node applies | |
//! | `redis/` | connections, Sentinel, the log's commands | whoever calls |
//! | `present.rs`, `inspect.rs`, `transfer.rs` | the cluster for whoever is no node: what is wrong, and moving a history | whoever asks |
//! | `figures.rs` | what is counted | all of them |

mod batch;
mod digest;
mod figures;
mod inspect;
mod keeper;
mod node;
mod nodes;
mod poison;
mod present;
mod reader;
mod redis;
mod replica;
mod replies;
mod retention;
mod rooms;
mod said;
mod store;
#[cfg(feature = "sqlite")]
mod transfer;
mod watch;
mod writer;

pub(crate) use batch::{Batch, Command, Notice};
pub(crate) use figures::{Figures, NodeStatus};
pub(crate) use inspect::inspect;
pub(crate) use keeper::Keeper;
pub(crate) use node::{Follower, JoinError, Joined, Me, join};
pub(crate) use nodes::{Break, LogEntry, Step, Taken, Verdict};
pub(crate) use poison::mark_poisoned;
pub(crate) use reader::Wake;
pub use redis::ClusterError;
pub(crate) use redis::Engine;
pub(crate) use retention::SharedRetention;
pub(crate) use rooms::Rooms;
#[cfg(feature = "sqlite")]
pub use transfer::{ClusterExport, ClusterImport};
#[cfg(feature = "sqlite")]
pub(crate) use transfer::{export, import};

#[cfg(test)]
mod property_test;
