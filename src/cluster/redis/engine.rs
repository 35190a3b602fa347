//! Where the servers are, and which of them is the master or is read.
//!
//! Each look-up asks anew, on the thread of whoever wants a connection, and each of its steps has a
//! time-out. What it returns has said itself what it is.

use std::fs;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use super::connection::{Access, Connection, Credentials};
use super::error::{ClusterError, RedisError, RedisErrorKind};
use super::keys::Keys;
use super::role::Standing;
use super::sentinel::{Answer, STEP, Sentinels};
use super::socket::Address;
use super::tls::TlsConnector;
use crate::settings::{ClusterSettings, ReadFrom, RedisServers, RedisUrl};

/// How long each step with the server of a URL may take.
const URL_STEP: Duration = Duration::from_secs(1);

/// Where the servers are, and how to log in there. A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    servers: Servers,
    read_from: ReadFrom,
    access: Access,
    keys: Keys,
}

#[derive(Debug)]
enum Servers {
    One(Address),
    Sentinel(Sentinels),
}

/// Which servers are no longer those to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outdated {
    pub(crate) master: bool,
    pub(crate) source: bool,
}

impl Engine {
    /// Reads the files that the settings name. Nothing is connected.
    pub(crate) fn new(settings: &ClusterSettings) -> Result<Self, ClusterError> {
        let mut access = Access { credentials: credentials(settings)?, ..Access::default() };
        let mut has_tls = settings.tls.is_some();
        let servers = match &settings.redis {
            None => return Err("cluster.redis is null; set it".to_owned().into()),
            Some(RedisServers::Url(url)) => {
                let url = RedisUrl::parse(url).ok_or_else(|| wrong("cluster.redis", url))?;
                has_tls |= url.has_tls;
                access.database = url.database;
                Servers::One(Address { host: url.host, port: url.port })
            }
            Some(RedisServers::Sentinel { sentinels, name }) => {
                let address = |text: &String| {
                    let (host, port) = ClusterSettings::sentinel(text)
                        .ok_or_else(|| wrong("cluster.redis.sentinels", text))?;
                    Ok(Address { host, port })
                };
                let sentinels =
                    sentinels.iter().map(address).collect::<Result<_, ClusterError>>()?;
                Servers::Sentinel(Sentinels { sentinels, name: name.clone() })
            }
        };
        if has_tls {
            access.tls = Some(TlsConnector::new(&settings.tls.clone().unwrap_or_default())?);
        }
        Ok(Self(Arc::new(Inner {
            servers,
            read_from: settings.source(),
            access,
            keys: Keys::new(&settings.prefix),
        })))
    }

    /// The names of the keys.
    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Whether replicas are read, and nothing else.
    pub(crate) fn reads_replicas(&self) -> bool {
        self.0.read_from == ReadFrom::Replica
    }

    pub(super) fn has_tls(&self) -> bool {
        self.0.access.tls.is_some()
    }

    pub(super) fn has_password(&self) -> bool {
        self.0.access.credentials.is_some()
    }

    /// The ACL user of Redis.
    pub(super) fn user(&self) -> &str {
        let credentials = self.0.access.credentials.as_ref();
        credentials.and_then(|own| own.username.as_deref()).unwrap_or("default")
    }

    /// A connection to the server that is the master now.
    pub(crate) fn master(&self) -> Result<Connection, RedisError> {
        match &self.0.servers {
            Servers::One(address) => self.master_at(address, URL_STEP).map(|(master, _)| master),
            Servers::Sentinel(sentinels) => {
                let (answers, mut errors) = sentinels.ask(&self.0.access);
                for answer in answers {
                    match self.master_at(&answer.master, STEP) {
                        Ok((master, _)) => return Ok(master),
                        Err(error) => errors.push(error),
                    }
                }
                Err(nowhere("look for the master", sentinels, &errors))
            }
        }
    }

    /// A connection to the server that is to be read: the master, or the replica that has most. Where it is to be a
    /// replica it is never the master, and a warning says that there is none.
    pub(crate) fn source(&self) -> Result<Connection, RedisError> {
        if !self.reads_replicas() {
            return self.master();
        }
        self.replica()
    }

    /// A connection to the replica that has most.
    pub(super) fn replica(&self) -> Result<Connection, RedisError> {
        match &self.0.servers {
            Servers::One(address) => {
                let (_, replicas) = self.master_at(address, URL_STEP)?;
                let mut errors = Vec::new();
                self.best_replica(address, &replicas, &mut errors).ok_or_else(|| {
                    let kind = RedisErrorKind::Unfit(no_replica(&errors));
                    RedisError::new(&address.to_string(), "look for a replica", kind)
                })
            }
            Servers::Sentinel(sentinels) => {
                let (answers, mut errors) = sentinels.ask(&self.0.access);
                let mut best = |answer: Answer| {
                    self.best_replica(&answer.master, &answer.replicas, &mut errors)
                };
                let found = answers.into_iter().find_map(&mut best);
                found.ok_or_else(|| nowhere("look for a replica", sentinels, &errors))
            }
        }
    }

    /// Whether there are sentinels to ask.
    pub(crate) fn has_sentinels(&self) -> bool {
        matches!(self.0.servers, Servers::Sentinel(_))
    }

    /// Which of the servers at these addresses Sentinel no longer names: the master that is written to, the server that
    /// is read. One that names no replica says nothing of that.
    pub(crate) fn outdated(&self, master: Option<&str>, source: Option<&str>) -> Outdated {
        let Servers::Sentinel(sentinels) = &self.0.servers else { return Outdated::default() };
        let (answers, _) = sentinels.ask(&self.0.access);
        let Some(answer) = answers.first() else { return Outdated::default() };
        let masters = slice::from_ref(&answer.master);
        let sources = if self.reads_replicas() { &answer.replicas[..] } else { masters };
        let is_old = |used: Option<&str>, named: &[Address]| {
            let is_named = |used: &str| named.iter().any(|address| address.to_string() == used);
            !named.is_empty() && used.is_some_and(|used| !is_named(used))
        };
        Outdated { master: is_old(master, masters), source: is_old(source, sources) }
    }

    /// Whether nobody knows which replica Sentinel would promote, as two have the same priority.
    pub(super) fn is_undecided(&self) -> bool {
        let Servers::Sentinel(sentinels) = &self.0.servers else { return false };
        let (answers, _) = sentinels.ask(&self.0.access);
        answers.first().is_some_and(|answer| answer.is_undecided)
    }

    /// All servers but the master that are known, also those that are not well; and which sentinels say nothing, and why.
    /// `master` is its address.
    pub(super) fn others(&self, master: &str) -> (Vec<Address>, Vec<RedisError>) {
        let (mut found, errors) = match &self.0.servers {
            Servers::One(address) => match self.master_at(address, URL_STEP) {
                Ok((_, replicas)) => (replicas, Vec::new()),
                Err(error) => (Vec::new(), vec![error]),
            },
            Servers::Sentinel(sentinels) => {
                let (answers, errors) = sentinels.ask(&self.0.access);
                let named = |answer: Answer| answer.all_replicas.into_iter().chain([answer.master]);
                (answers.into_iter().flat_map(named).collect(), errors)
            }
        };
        found.sort_by_key(ToString::to_string);
        found.dedup();
        found.retain(|address| address.to_string() != master);
        (found, errors)
    }

    /// A connection to the server at this address, and what it says that it is.
    pub(super) fn server_at(
        &self,
        address: &Address,
    ) -> Result<(Connection, Standing), RedisError> {
        Connection::open(address, &self.0.access, STEP)
    }

    /// The replica of this master that has most of it.
    fn best_replica(
        &self,
        master: &Address,
        replicas: &[Address],
        errors: &mut Vec<RedisError>,
    ) -> Option<Connection> {
        let mut best: Option<(u64, Connection)> = None;
        for address in replicas {
            match self.replica_at(address, master) {
                Ok((offset, _)) if best.as_ref().is_some_and(|(most, _)| *most >= offset) => {}
                Ok(found) => best = Some(found),
                Err(error) => errors.push(error),
            }
        }
        best.map(|(_, connection)| connection)
    }

    fn master_at(
        &self,
        address: &Address,
        limit: Duration,
    ) -> Result<(Connection, Vec<Address>), RedisError> {
        let (connection, standing) = Connection::open(address, &self.0.access, limit)?;
        match standing {
            Standing::Master { replicas } => Ok((connection, replicas)),
            Standing::Replica { master, .. } => {
                let what = format!("it is a replica of {master}; name the master in cluster.redis");
                Err(unfit(address, what))
            }
        }
    }

    fn replica_at(&self, address: &Address, of: &Address) -> Result<(u64, Connection), RedisError> {
        let (connection, standing) = Connection::open(address, &self.0.access, STEP)?;
        match standing {
            Standing::Replica { master, is_connected: true, offset } if is_same(&master, of) => {
                Ok((offset, connection))
            }
            Standing::Replica { master, is_connected: true, .. } => {
                Err(unfit(address, format!("it is a replica of {master}, and the master is {of}")))
            }
            Standing::Replica { master, .. } => {
                Err(unfit(address, format!("it does not follow its master {master} at present")))
            }
            Standing::Master { .. } => Err(unfit(address, "it is no replica".to_owned())),
        }
    }
}

/// Whether two addresses, one of which may be a name, are of one server.
fn is_same(one: &Address, other: &Address) -> bool {
    let has_common = || {
        let others = other.resolve(STEP).unwrap_or_default();
        one.resolve(STEP).unwrap_or_default().iter().any(|address| others.contains(address))
    };
    one.port == other.port && (one.host == other.host || has_common())
}

fn credentials(settings: &ClusterSettings) -> Result<Option<Credentials>, ClusterError> {
    let Some(file) = &settings.password_file else { return Ok(None) };
    let refuse = |what: String| {
        ClusterError::from(format!("cluster.passwordFile: {} {what}", file.display()))
    };
    let text = fs::read_to_string(file).map_err(|error| {
        refuse(format!("cannot be read: {error}; name a file that this user may read"))
    })?;
    let password = text.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        return Err(refuse("is empty; write the password into it".to_owned()));
    }
    Ok(Some(Credentials { username: settings.username.clone(), password }))
}

fn wrong(key: &str, text: &str) -> ClusterError {
    format!("{key} is {text:?}, which is not an address").into()
}

fn unfit(address: &Address, what: String) -> RedisError {
    RedisError::new(&address.to_string(), "ROLE", RedisErrorKind::Unfit(what))
}

/// No sentinel leads anywhere.
fn nowhere(step: &str, sentinels: &Sentinels, errors: &[RedisError]) -> RedisError {
    let name =
        format!("the master {:?} of {} sentinels", sentinels.name, sentinels.sentinels.len());
    let what = if step == "look for a replica" { no_replica(errors) } else { list(errors) };
    RedisError::new(&name, step, RedisErrorKind::Unfit(what))
}

fn no_replica(errors: &[RedisError]) -> String {
    if errors.is_empty() {
        "no replica follows the master; start one, or set cluster.readFrom to \"master\", with which what people have seen \
         may be lost"
            .to_owned()
    } else {
        format!("no replica can be read: {}", list(errors))
    }
}

fn list(errors: &[RedisError]) -> String {
    let mut errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.dedup();
    errors.join(" — ")
}
