//! The log: appending a batch, and reading entries.

use std::time::Duration;

use redis::{Cmd, Value, cmd};

use super::connection::Connection;
use super::error::{RedisError, RedisErrorKind};
use super::keys::Keys;
use super::reply::{field, items, number, text};
use super::role::{Role, Standing};
use crate::chat::EntryId;

const APPEND: &str = include_str!("append.lua");

/// The SHA-1 of the script, by which Redis knows it once it has had it.
pub(super) const APPEND_SHA: &str = "5e3e42b60cc84c6b29b0a76d105005beb9bef3a6";

/// An entry of the log as it is in Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawEntry {
    pub(crate) id: EntryId,
    /// When it was appended, by the log's clock, which goes on by at most 2 s an entry.
    pub(crate) at: Duration,
    /// When it was appended, as Unix time in milliseconds, by the clock of the server.
    pub(crate) time: u64,
    pub(crate) batch: Vec<u8>,
}

impl Connection {
    /// Appends a batch to the log. `seen` is the last place that the caller has applied.
    ///
    /// After an error it is not known whether the batch is in the log: the caller has to read on, and may append the
    /// same once more, since batches count.
    pub(crate) fn append(
        &mut self,
        keys: &Keys,
        seen: EntryId,
        batch: &[u8],
    ) -> Result<EntryId, RedisError> {
        let run_id = self.run_id().to_owned();
        let call = |command: &str, script: &str| {
            let mut call = cmd(command);
            call.arg(script).arg(2).arg(keys.log()).arg(keys.run());
            call.arg(&run_id).arg(seen.term).arg(seen.n).arg(batch);
            call
        };
        let reply = match self.call(&call("EVALSHA", APPEND_SHA)) {
            Err(error) if error.code() == Some("NOSCRIPT") => self.call(&call("EVAL", APPEND)),
            other => other,
        }?;
        let place = match items(&reply) {
            [term, n] => number(term).zip(number(n)),
            _ => None,
        };
        let (term, n) =
            place.ok_or_else(|| self.unexpected("EVALSHA", "the script returns no place"))?;
        Ok(EntryId { term, n })
    }

    /// Reads at most `count` entries after a place. Where there is none, it waits for `block`; zero does not wait.
    ///
    /// Of a server that was chosen as a replica, nothing is returned that it has not read as a replica.
    pub(crate) fn read(
        &mut self,
        keys: &Keys,
        after: EntryId,
        count: usize,
        block: Duration,
    ) -> Result<Vec<RawEntry>, RedisError> {
        let mut commands = vec![read_command(keys, after, count, block)];
        if self.role == Role::Replica {
            // It is answered after the entries, so they are from before any change of the role.
            commands.push(cmd("ROLE"));
        }
        let mut replies = self.exchange(&commands, block)?.into_iter();
        let mut next = || replies.next().unwrap_or(Ok(Value::Nil));
        let (found, role) = (next()?, next()?);
        if self.role == Role::Replica && !is_replica(&role) {
            let what = "it was a replica and is none any more, so what it says may be lost with it";
            return Err(self.end("ROLE", RedisErrorKind::Unfit(what.to_owned())));
        }
        let stream = items(&found).first().and_then(|stream| items(stream).get(1));
        let entries = stream.map(items).unwrap_or_default();
        entries.iter().map(|entry| self.raw_entry(keys, entry)).collect()
    }

    fn raw_entry(&self, keys: &Keys, entry: &Value) -> Result<RawEntry, RedisError> {
        parse(entry).ok_or_else(|| {
            let (id, log) = (items(entry).first().and_then(text).unwrap_or("?"), keys.log());
            let what = format!("{id} of {log} is not of wschat; delete it: XDEL {log} {id}");
            self.unexpected("XREAD", &what)
        })
    }
}

/// The script, on another log than that of the cluster.
pub(super) fn append_script(log: &str, run: &str) -> Cmd {
    cmd("EVAL").arg(APPEND).arg(2).arg(log).arg(run).arg("").arg(0).arg(0).arg("").take()
}

fn read_command(keys: &Keys, after: EntryId, count: usize, block: Duration) -> Cmd {
    let mut read = cmd("XREAD");
    read.arg("COUNT").arg(count.max(1));
    if !block.is_zero() {
        // 0 would be without an end.
        read.arg("BLOCK").arg(u64::try_from(block.as_millis()).unwrap_or(u64::MAX).max(1));
    }
    read.arg("STREAMS").arg(keys.log()).arg(format!("{}-{}", after.term, after.n)).take()
}

fn is_replica(role: &Value) -> bool {
    Standing::parse(role).is_some_and(|standing| standing.role() == Role::Replica)
}

fn parse(entry: &Value) -> Option<RawEntry> {
    let [id, fields] = items(entry) else { return None };
    let (term, n) = text(id)?.split_once('-')?;
    let batch = items(fields).chunks_exact(2).find(|pair| text(&pair[0]) == Some("b"))?;
    let Value::BulkString(batch) = &batch[1] else { return None };
    Some(RawEntry {
        id: EntryId { term: term.parse().ok()?, n: n.parse().ok()? },
        at: Duration::from_millis(field(fields, "a")?.parse().ok()?),
        time: field(fields, "t")?.parse().ok()?,
        batch: batch.clone(),
    })
}
