//! Whether the servers are fit for a cluster, before a node joins: each thing that is not has its cure, as a line to paste.
//!
//! It runs on the thread that starts the server. It writes one key, for an instant.

use redis::{Cmd, Value, cmd};

use super::connection::Connection;
use super::engine::Engine;
use super::error::{ClusterError, RedisError};
use super::log::append_script;
use super::reply::{field, info_field, text};
use super::role::{Role, Standing};

/// The oldest Redis that has all commands: `XTRIM MINID` is of 6.2.
const OLDEST: (u32, u32) = (6, 2);

/// Commands that the log, the keeper and the history use, with arguments that change nothing: the key is missing, or
/// is of another type. Whoever uses a further command adds it here.
const COMMANDS: &[&str] = &[
    "HSET KEY f v",
    "PEXPIRE KEY 10000",
    "XADD KEY NOMKSTREAM 1-1 a b",
    "XREAD COUNT 1 STREAMS KEY 0-0",
    "XRANGE KEY - + COUNT 1",
    "XREVRANGE KEY + - COUNT 1",
    "XLEN KEY",
    "XDEL KEY 1-1",
    "XTRIM KEY MINID 1-1",
    "XINFO STREAM KEY",
    "GET KEY",
    "MGET KEY",
    "SET KEY v XX GET",
    "EXISTS KEY",
    "HGET KEY f",
    "HMGET KEY f",
    "HGETALL KEY",
    "HLEN KEY",
    "HDEL KEY g",
    "SADD KEY m",
    "SREM KEY m",
    "SMEMBERS KEY",
    "SISMEMBER KEY m",
    "SCARD KEY",
    "EVALSHA ffffffffffffffffffffffffffffffffffffffff 1 KEY",
    "PING",
    "TIME",
    "DEL KEY",
    "UNLINK KEY",
];

/// What has been found so far.
#[derive(Debug, Default)]
struct Findings {
    refusals: Vec<String>,
    warnings: Vec<String>,
}

const SAME_PRIORITY: &str = "two replicas have the same replica-priority, so a failover to the one that is not read can \
                             lose texts: give each server another one, such as `redis-cli config set replica-priority \
                             10`, 20, 30, and the same in its redis.conf";

impl Engine {
    /// Whether the servers are fit: the version, what they keep when they end or are full, and what this user may do.
    /// Returns warnings, one sentence each, with what to do behind a semicolon. What is wrong with a server that is neither
    /// written to nor read is a warning: a failover would make it matter.
    ///
    /// # Errors
    ///
    /// When no master is found, or something is not fit: all of it, one line each.
    pub(crate) fn check(&self) -> Result<Vec<String>, ClusterError> {
        let mut findings = Findings::default();
        let mut master = self.master().map_err(|error| self.explain(&error))?;
        self.check_server(&mut master, &mut findings)?;
        let mut read = None;
        if self.reads_replicas() {
            match self.replica() {
                Ok(mut replica) => {
                    self.check_server(&mut replica, &mut findings)?;
                    read = Some(replica.address().to_owned());
                }
                Err(error) => {
                    findings.warnings.push(format!("nothing will be delivered yet: {error}"));
                }
            }
            if self.is_undecided() {
                findings.warnings.push(SAME_PRIORITY.to_owned());
            }
        }
        self.check_others(master.address(), read.as_deref(), &mut findings);
        if findings.refusals.is_empty() {
            Ok(findings.warnings)
        } else {
            Err(ClusterError::new(findings.refusals))
        }
    }

    /// Looks at the servers that a failover would need, and at the sentinels.
    fn check_others(&self, master: &str, read: Option<&str>, findings: &mut Findings) {
        if self.reads_replicas() && read.is_none() {
            // Why no replica can be read has been said.
            return;
        }
        let (others, errors) = self.others(master);
        findings.warnings.extend(errors.iter().map(ToString::to_string));
        for address in others.iter().filter(|other| read != Some(&other.to_string())) {
            match self.server_at(address) {
                Ok((server, standing)) => {
                    findings.warnings.extend(self.check_other(server, &standing));
                }
                Err(error) => findings.warnings.push(error.to_string()),
            }
        }
    }

    /// What is wrong with a server that a failover would need.
    fn check_other(&self, mut server: Connection, standing: &Standing) -> Vec<String> {
        let at = server.address().to_owned();
        let mut found = Findings::default();
        match standing {
            Standing::Replica { is_connected: true, .. } => {}
            Standing::Replica { master, .. } => found.warnings.push(format!(
                "Redis at {at}: it does not follow its master {master}; look at its log, and whether its masterauth is \
                 right"
            )),
            Standing::Master { .. } => found.warnings.push(format!(
                "Redis at {at}: it takes itself for the master; if it stays so for longer than a failover takes, correct \
                 its replicaof"
            )),
        }
        if let Err(error) = self.check_server(&mut server, &mut found) {
            found.warnings.extend_from_slice(error.lines());
        }
        found.refusals.into_iter().chain(found.warnings).collect()
    }

    /// Adds the line that permits what is needed, if that is what is missing.
    fn explain(&self, error: &RedisError) -> ClusterError {
        match error.code() {
            Some("NOPERM") => self.not_permitted(&error.what()).into(),
            _ => error.clone().into(),
        }
    }

    fn check_server(
        &self,
        server: &mut Connection,
        findings: &mut Findings,
    ) -> Result<(), ClusterError> {
        let sections = ["server", "memory", "persistence", "cluster"];
        let mut info = String::new();
        for section in sections {
            let reply = server.call(cmd("INFO").arg(section)).map_err(|e| self.explain(&e))?;
            info.push_str(text(&reply).unwrap_or_default());
            info.push('\n');
        }
        let at = server.address().to_owned();
        let said = |name: &str| info_field(&info, name).unwrap_or_default();
        let mut refuse = |what: String| findings.refusals.push(format!("Redis at {at}: {what}"));

        // Valkey names the version of Redis that it is like, too, and has all that is needed in each of its own.
        let (valkey, version) = (said("valkey_version"), said("redis_version"));
        if valkey.is_empty() && !is_new_enough(version) {
            refuse(format!(
                "it is Redis {version}, which lacks commands that are needed; install Redis 6.2 or later, or Valkey"
            ));
        }
        let policy = said("maxmemory_policy");
        if policy != "noeviction" {
            refuse(format!(
                "its maxmemory-policy is {policy}, with which it deletes the log when it is full; {}",
                self.set(server, "maxmemory-policy noeviction")
            ));
        }
        if said("aof_enabled") == "0" {
            refuse(format!(
                "it keeps no append-only file, so all is lost when it ends; {}",
                self.set(server, "appendonly yes")
            ));
        } else if said("aof_last_write_status") == "err" {
            refuse(
                "it cannot write its append-only file; look at its disk and at its log".to_owned(),
            );
        }
        if said("cluster_enabled") == "1" {
            self.check_slot(server, findings);
        }
        self.check_fsync(server, findings)?;
        self.check_rights(server, findings)
    }

    /// Cluster mode. All keys are in one slot, so one server has all of them.
    fn check_slot(&self, server: &mut Connection, findings: &mut Findings) {
        let at = server.address().to_owned();
        match server.call(cmd("EXISTS").arg(self.keys().log())) {
            Ok(_) => findings.warnings.push(format!(
                "Redis at {at} is in cluster mode. All keys have the hash tag {}, so this works while their slot is \
                 there; when it moves or that server dies, no node follows. Use a master with replicas and Sentinel",
                self.keys().start().trim_end_matches(':'),
            )),
            Err(error) => findings.refusals.push(error.to_string()),
        }
    }

    fn check_fsync(
        &self,
        server: &mut Connection,
        findings: &mut Findings,
    ) -> Result<(), ClusterError> {
        let at = server.address().to_owned();
        let reply = match server.call(cmd("CONFIG").arg("GET").arg("appendfsync")) {
            Ok(reply) => reply,
            // It is forbidden, or renamed.
            Err(error) if error.code().is_some() => Value::Nil,
            Err(error) => return Err(error.into()),
        };
        match field(&reply, "appendfsync") {
            Some("always") => {}
            Some("everysec") => findings.warnings.push(format!(
                "Redis at {at}: appendfsync is everysec: when that machine dies, about a second of what people have \
                 seen is lost, and more on a slow disk; to lose nothing: {}",
                self.set(server, "appendfsync always"),
            )),
            Some(other) => findings.refusals.push(format!(
                "Redis at {at}: appendfsync is {other}, so what people have seen is lost when that machine dies; {}",
                self.set(server, "appendfsync always"),
            )),
            None => findings.warnings.push(format!(
                "Redis at {at}: this user may not read whether appendfsync is always, as it should be; to have it \
                 checked: {} ACL SETUSER {} +config|get",
                self.cli(server),
                self.user(),
            )),
        }
        Ok(())
    }

    /// Tries each command, so that any version can tell.
    fn check_rights(
        &self,
        server: &mut Connection,
        findings: &mut Findings,
    ) -> Result<(), ClusterError> {
        let key = format!("{}check", self.keys().start());
        let mut commands: Vec<Cmd> = COMMANDS.iter().map(|line| command(line, &key)).collect();
        // The script itself, on a log of its own, and away with that.
        let (log, run) = (format!("{key}:log"), format!("{key}:run"));
        commands.push(append_script(&log, &run).take());
        commands.push(cmd("DEL").arg(&key).arg(&log).arg(&run).take());
        let (mut forbidden, mut unknown) = (Vec::new(), Vec::new());
        for (index, reply) in server.pipeline(&commands)?.into_iter().enumerate() {
            let name = COMMANDS.get(index).and_then(|line| line.split(' ').next());
            let Err(error) = reply else { continue };
            match error.code() {
                Some("NOPERM") => forbidden.push(name.unwrap_or("EVAL")),
                Some("ERR") if error.to_string().contains("unknown command") => {
                    unknown.push(name.unwrap_or("EVAL"));
                }
                // It can keep nothing now. A replica need not.
                Some("OOM" | "MISCONF" | "NOREPLICAS" | "READONLY" | "LOADING")
                    if server.role == Role::Master =>
                {
                    return Err(error.into());
                }
                // What the key is not.
                _ => {}
            }
        }
        let at = server.address();
        if !unknown.is_empty() {
            unknown.dedup();
            findings.refusals.push(format!(
                "Redis at {at}: it does not know {}; take what renames it out of its settings, or use Redis or Valkey \
                 itself",
                unknown.join(", "),
            ));
        }
        if !forbidden.is_empty() {
            forbidden.dedup();
            findings.refusals.push(self.not_permitted(&format!(
                "Redis at {at}: user {} may not run {} on keys that begin with {}",
                self.user(),
                forbidden.join(", "),
                self.keys().start(),
            )));
        }
        Ok(())
    }

    /// What is wrong, and the line that permits all that is needed.
    fn not_permitted(&self, what: &str) -> String {
        format!(
            "{what}; do this on each Redis server as its administrator, and keep it by CONFIG REWRITE (ACL SAVE if it has an \
             aclfile): ACL SETUSER {} ~{}* +@read +@write -@dangerous +eval +evalsha +auth +select +ping +time +info +role \
             +client|setname +config|get",
            self.user(),
            self.keys().start(),
        )
    }

    /// The commands that set something, now and for the next start.
    fn set(&self, server: &Connection, what: &str) -> String {
        let cli = self.cli(server);
        format!("{cli} CONFIG SET {what} && {cli} CONFIG REWRITE")
    }

    fn cli(&self, server: &Connection) -> String {
        let (host, port) = server.address().rsplit_once(':').unwrap_or_default();
        let host = host.trim_matches(['[', ']']);
        let tls = if self.has_tls() { " --tls" } else { "" };
        // The cure is not for the user of the settings.
        let password = if self.has_password() { " --askpass" } else { "" };
        format!("redis-cli -h {host} -p {port}{tls}{password}")
    }
}

/// A line of `COMMANDS` for this key.
fn command(line: &str, key: &str) -> Cmd {
    let mut words = line.split(' ');
    let mut command = cmd(words.next().unwrap_or_default());
    for word in words {
        command.arg(if word == "KEY" { key } else { word });
    }
    command
}

/// Whether a version such as `7.0.15` is that of `OLDEST`, or later.
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|part| part.parse().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= OLDEST
}
