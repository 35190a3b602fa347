//! The lease: which keeper is at work. It is a key that goes by itself unless its owner renews it.
//!
//! Two keepers at once do no harm; the lease only saves the work of the second. The keeper's thread runs it.

use std::time::{Duration, Instant};

use redis::{Value, cmd};

use super::super::redis::{Connection, Keys, RedisError};

/// Takes it if it is free, or renews it if it is ours.
const TAKE: &str = "local owner = redis.call('GET', KEYS[1]) \
                    if owner and owner ~= ARGV[1] then return 0 end \
                    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1";

const GIVE_BACK: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1";

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Lease {
    owner: String,
    length: Duration,
    /// When it was last taken, or renewed, for sure.
    taken: Option<Instant>,
}

impl Lease {
    /// `owner` is not the same for any two keepers.
    pub(super) fn new(owner: String, length: Duration) -> Self {
        Self { owner, length, taken: None }
    }

    /// How often it is renewed, or tried to be taken.
    pub(super) fn pause(&self) -> Duration {
        self.length / 3
    }

    /// Whether it has to be renewed before anything else is written.
    pub(super) fn is_due(&self) -> bool {
        self.taken.is_none_or(|taken| taken.elapsed() >= self.pause())
    }

    /// Takes or renews it. Returns whether it is ours.
    pub(super) fn take(
        &mut self,
        connection: &mut Connection,
        keys: &Keys,
    ) -> Result<bool, RedisError> {
        // It ends no earlier than this long after it was asked for.
        let asked = Instant::now();
        let mut take = cmd("EVAL");
        take.arg(TAKE).arg(1).arg(keys.keeper()).arg(&self.owner);
        let reply =
            connection.call(take.arg(u64::try_from(self.length.as_millis()).unwrap_or(u64::MAX)));
        let is_ours = reply? == Value::Int(1);
        self.taken = is_ours.then_some(asked);
        Ok(is_ours)
    }

    /// Gives it back, so that another keeper need not wait for its end.
    pub(super) fn give_back(
        &mut self,
        connection: &mut Connection,
        keys: &Keys,
    ) -> Result<(), RedisError> {
        self.taken = None;
        let mut give_back = cmd("EVAL");
        give_back.arg(GIVE_BACK).arg(1).arg(keys.keeper()).arg(&self.owner);
        connection.call(&give_back).map(drop)
    }
}
