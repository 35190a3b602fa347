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
//! | `keeper.rs`, `store.rs`, `said.rs` | snapshots, what was said in each room, trimming | the keeper's thread |
//! | `rooms.rs` | reading what was said: from memory, or from Redis | `recall` |
//! | `poison.rs` | entries that no node applies | |
//! | `redis/` | connections, Sentinel, the log's commands | whoever calls |
//! | `figures.rs` | what is counted | all of them |

mod batch;
mod digest;
mod figures;
mod keeper;
mod node;
mod nodes;
mod poison;
mod reader;
mod redis;
mod replica;
mod replies;
mod retention;
mod rooms;
mod said;
mod store;
mod writer;

pub(crate) use batch::Command;
pub(crate) use figures::{Figures, NodeStatus};
pub(crate) use keeper::Keeper;
pub(crate) use node::{Follower, JoinError, Joined, Me, join};
pub(crate) use nodes::{Break, LogEntry, Step, Taken, Verdict};
pub(crate) use poison::mark_poisoned;
pub(crate) use reader::Wake;
pub(crate) use redis::{ClusterError, Engine};
pub(crate) use retention::SharedRetention;
pub(crate) use rooms::Rooms;
