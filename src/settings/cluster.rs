//! The settings of a cluster: where Redis or Valkey is, and who this node is there. Pure.

use std::path::PathBuf;

use super::Settings;
use super::reader::{Json, SettingsReader};
use super::rule::{self, Range, TextRule};

/// The ports that are meant where none is named.
const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// The longest prefix, and the longest name of a node, in bytes.
const LONGEST_NAME: usize = 64;

/// Several nodes that are one chat. They share one log in Redis or Valkey.
///
/// Needs the feature `cluster`, which is on by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSettings {
    /// Where Redis or Valkey is. Default `None`: this server is a chat of its own, and nothing else here may be
    /// set. In JSON a URL (`"redis://redis.example.org:6379/0"`, `"rediss://…"` with TLS), or an object as
    /// `{"sentinels": ["one.example.org:26379"], "name": "wschat"}`.
    pub redis: Option<RedisServers>,

    /// Which server is read. Default `None`: [`ReadFrom::Replica`] with Sentinel, and [`ReadFrom::Master`] with a
    /// URL. In JSON `"replica"`, `"master"` or `null`.
    pub read_from: Option<ReadFrom>,

    /// The cluster's name in Redis: all keys begin with it, in braces. Default `"wschat"`. From 1 to 64 letters,
    /// digits, `-`, `_`, `.` and `:`, in ASCII.
    pub prefix: String,

    /// How long a node may not be heard of before it is gone, in milliseconds. Default 6000; from 1000 to 60000.
    pub lease_ms: u64,

    /// What this node is called in messages and lists. Default `None`: the host name of the machine. From 1 to 64
    /// letters, digits, `-`, `_` and `.`, in ASCII.
    pub node: Option<String>,

    /// The ACL user of Redis. Default `None`: the user `default`. Needs
    /// [`password_file`](Self::password_file).
    pub username: Option<String>,

    /// The file with the password of that user, and nothing else. Line breaks at its end do not count. Default
    /// `None`: no password. It is read when the server starts.
    pub password_file: Option<PathBuf>,

    /// TLS to Redis and to the sentinels. Default `None`: TLS if the URL begins with `rediss:`. In JSON an object
    /// with any of `"ca"`, `"cert"` and `"key"`, or `true` for TLS that trusts what the system trusts.
    pub tls: Option<RedisTls>,
}

/// Where Redis or Valkey is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisServers {
    /// One server: `redis://HOST:PORT/DATABASE`, or `rediss://…` for TLS. The port 6379 and the database 0 may be
    /// left out. The user and the password are settings of their own.
    Url(String),
    /// Whichever server is the master at the time, as the sentinels say.
    Sentinel {
        /// The sentinels, each `HOST:PORT`. The port 26379 may be left out.
        sentinels: Vec<String>,
        /// The name of the master in their settings.
        name: String,
    },
}

/// Which server is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFrom {
    /// A replica, and nothing else: what anyone has seen is then on two machines. While there is none, nothing is
    /// delivered.
    Replica,
    /// The master. What anyone has seen may be lost if the master is.
    Master,
}

/// How to connect with TLS. All files are PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RedisTls {
    /// The certificates that are trusted, and no others. Default `None`: what the system trusts.
    pub ca: Option<PathBuf>,
    /// The certificate chain that this node shows, its own certificate first. Default `None`. Needs
    /// [`key`](Self::key).
    pub cert: Option<PathBuf>,
    /// The private key of that certificate. Default `None`. Needs [`cert`](Self::cert).
    pub key: Option<PathBuf>,
}

/// A server of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RedisUrl {
    pub(crate) has_tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: u32,
}

const REDIS: &str = "\"redis://HOST:PORT/DATABASE\" or \"rediss://…\", without user and password; an object \
                                such as {\"sentinels\": [\"HOST:26379\"], \"name\": \"wschat\"}; or null";
const READ_FROM: &str = "\"replica\", \"master\", or null";
const TLS: &str =
    "true, an object such as {\"ca\": \"PATH\", \"cert\": \"PATH\", \"key\": \"PATH\"}, or null";

static SENTINEL: TextRule = TextRule {
    allowed: "\"HOST:PORT\" such as \"one.example.org:26379\"",
    holds: |text| ClusterSettings::sentinel(text).is_some(),
};

static PREFIX: TextRule = TextRule {
    allowed: "a name of 1 to 64 letters, digits, \"-\", \"_\", \".\" and \":\", in ASCII",
    holds: |text| is_name(text, "-_.:"),
};

static NODE: TextRule = TextRule {
    allowed: "a name of 1 to 64 letters, digits, \"-\", \"_\" and \".\", in ASCII, or null for the host name",
    holds: |text| is_name(text, "-_."),
};

static REDIS_USER: TextRule = TextRule {
    allowed: "the name of an ACL user of Redis, without spaces, or null",
    holds: |text| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control()),
};

static LEASE: Range<u64> = Range { min: 1_000, max: 60_000, unit: "ms", zero: None };

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            redis: None,
            read_from: None,
            prefix: "wschat".to_owned(),
            lease_ms: 6_000,
            node: None,
            username: None,
            password_file: None,
            tls: None,
        }
    }
}

impl ClusterSettings {
    pub(super) fn read(reader: &mut SettingsReader, default: Self) -> Self {
        let is_set = |text: &String| !text.is_empty();
        Self {
            redis: redis(reader),
            read_from: read_from(reader),
            prefix: reader.text("cluster.prefix", &PREFIX, default.prefix),
            lease_ms: reader.number("cluster.leaseMs", &LEASE, default.lease_ms),
            node: reader.text_or_null("cluster.node", NODE.allowed).filter(is_set),
            username: reader.text_or_null("cluster.username", REDIS_USER.allowed).filter(is_set),
            password_file: reader
                .text_or_null("cluster.passwordFile", rule::FILE)
                .filter(is_set)
                .map(PathBuf::from),
            tls: redis_tls(reader),
        }
    }

    /// Which server is to be read, after the defaults.
    pub(crate) fn source(&self) -> ReadFrom {
        self.read_from.unwrap_or(match self.redis {
            Some(RedisServers::Sentinel { .. }) => ReadFrom::Replica,
            Some(RedisServers::Url(_)) | None => ReadFrom::Master,
        })
    }

    /// The host and the port of a sentinel.
    pub(crate) fn sentinel(text: &str) -> Option<(String, u16)> {
        host_and_port(text, SENTINEL_PORT)
    }

    fn has_tls(&self) -> bool {
        let by_url = |url| RedisUrl::parse(url).is_some_and(|url| url.has_tls);
        self.tls.is_some() || matches!(&self.redis, Some(RedisServers::Url(url)) if by_url(url))
    }

    /// The files that are named.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let tls = self.tls.iter_mut().flat_map(|tls| [&mut tls.ca, &mut tls.cert, &mut tls.key]);
        tls.chain([&mut self.password_file]).flatten()
    }

    /// Checks each value by itself.
    pub(super) fn check(&self, mistakes: &mut Vec<String>) {
        match &self.redis {
            Some(RedisServers::Url(url)) => check_url(url, mistakes),
            Some(RedisServers::Sentinel { sentinels, name }) => {
                if sentinels.is_empty() {
                    mistakes.push(
                        "cluster.redis.sentinels is an empty list; allowed: at least one address"
                            .to_owned(),
                    );
                }
                SENTINEL.check_all("cluster.redis.sentinels", sentinels, mistakes);
                REDIS_NAME.check("cluster.redis.name", name, mistakes);
            }
            None => {}
        }
        PREFIX.check("cluster.prefix", &self.prefix, mistakes);
        LEASE.check("cluster.leaseMs", self.lease_ms, mistakes);
        if let Some(node) = &self.node {
            NODE.check("cluster.node", node, mistakes);
        }
        if let Some(username) = &self.username {
            REDIS_USER.check("cluster.username", username, mistakes);
        }
        let mut check_path = |key, path: &Option<PathBuf>| {
            rule::check_path(key, path.as_deref(), rule::FILE, mistakes);
        };
        check_path("cluster.passwordFile", &self.password_file);
        if let Some(RedisTls { ca, cert, key }) = &self.tls {
            check_path("cluster.tls.ca", ca);
            check_path("cluster.tls.cert", cert);
            check_path("cluster.tls.key", key);
        }
    }

    /// Checks values against each other, and against the rest of the settings.
    pub(super) fn check_together(&self, settings: &Settings, mistakes: &mut Vec<String>) {
        let mut refuse = |what: &str| mistakes.push(what.to_owned());
        if self.redis.is_none() {
            if *self != Self::default() {
                refuse(
                    "cluster.redis is null, but other keys of cluster are set; allowed: all of them with \
                     cluster.redis, or none",
                );
            }
            return;
        }
        if self.has_tls() && !cfg!(feature = "tls") {
            refuse(
                "cluster has TLS, but this wschat was built without the feature `tls`; build it with that \
                 feature, or set cluster.tls to null and begin the URL with \"redis:\"",
            );
        }
        if settings.history.file.is_some() {
            refuse(
                "history.file and cluster.redis are both set, but a cluster keeps its history in Redis; take the \
                 file into it with \"wschat cluster import\", and set history.file to null",
            );
        }
        if self.username.is_some() && self.password_file.is_none() {
            refuse(
                "cluster.username is set but cluster.passwordFile is not; allowed: both, only \
                 cluster.passwordFile, or neither",
            );
        }
        if let Some(tls) = &self.tls
            && tls.cert.is_some() != tls.key.is_some()
        {
            refuse(
                "of cluster.tls.cert and cluster.tls.key, only one is set; allowed: both, or neither",
            );
        }
    }
}

/// Where Redis is. [`ClusterSettings::check`] checks whether it is allowed.
fn redis(reader: &mut SettingsReader) -> Option<RedisServers> {
    reader.read("cluster.redis", REDIS, None, |value| match value {
        Json::Null => Some(None),
        Json::Object(members) => to_sentinel(members).map(Some),
        other => other.to_text().map(|url| Some(RedisServers::Url(url))),
    })
}

fn to_sentinel(members: &[(String, Json)]) -> Option<RedisServers> {
    let (mut sentinels, mut name) = (None, None);
    for (key, value) in members {
        match (&**key, value) {
            ("sentinels", Json::List(items)) => {
                sentinels = Some(items.iter().map(Json::to_text).collect::<Option<_>>()?);
            }
            ("name", Json::String(text)) => name = Some(text.clone()),
            _ => return None,
        }
    }
    Some(RedisServers::Sentinel { sentinels: sentinels?, name: name? })
}

fn read_from(reader: &mut SettingsReader) -> Option<ReadFrom> {
    reader.read("cluster.readFrom", READ_FROM, None, |value| match value {
        Json::Null => Some(None),
        Json::String(text) if text == "replica" => Some(Some(ReadFrom::Replica)),
        Json::String(text) if text == "master" => Some(Some(ReadFrom::Master)),
        _ => None,
    })
}

fn redis_tls(reader: &mut SettingsReader) -> Option<RedisTls> {
    reader.read("cluster.tls", TLS, None, |value| match value {
        Json::Null | Json::Bool(false) => Some(None),
        Json::Bool(true) => Some(Some(RedisTls::default())),
        Json::Object(members) => to_tls(members).map(Some),
        _ => None,
    })
}

fn to_tls(members: &[(String, Json)]) -> Option<RedisTls> {
    let mut tls = RedisTls::default();
    for (key, value) in members {
        let file = match &**key {
            "ca" => &mut tls.ca,
            "cert" => &mut tls.cert,
            "key" => &mut tls.key,
            _ => return None,
        };
        *file = match value {
            Json::Null => None,
            other => Some(other.to_text()?.into()),
        };
    }
    Some(tls)
}

impl RedisUrl {
    /// `None` if the text is not such a URL.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let has_tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return None,
        };
        let (server, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = host_and_port(server, REDIS_PORT)?;
        let database = match path {
            "" => 0,
            path if path.bytes().all(|byte| byte.is_ascii_digit()) => path.parse().ok()?,
            _ => return None,
        };
        Some(Self { has_tls, host, port, database })
    }
}

static REDIS_NAME: TextRule = TextRule {
    allowed: "the name of the master in the settings of the sentinels (\"sentinel monitor NAME …\")",
    holds: |text| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control()),
};

/// Never repeats what may be a password.
fn check_url(url: &str, mistakes: &mut Vec<String>) {
    if url.contains('@') {
        mistakes.push(
            "cluster.redis has a user or a password in its URL, which would be shown in messages; set \
             cluster.username and cluster.passwordFile, and leave them out of the URL"
                .to_owned(),
        );
    } else if RedisUrl::parse(url).is_none() {
        let found = format!("the string {}", rule::quote(url));
        mistakes.push(rule::not_allowed("cluster.redis", found, REDIS));
    }
}

/// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`.
fn host_and_port(text: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            let host = Some(host).filter(|host| host.contains(':'))?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Some(default), rule::parse_port).filter(|&port| port != 0)?;
    (rule::HOST.holds)(host).then(|| (host.to_owned(), port))
}

fn is_name(text: &str, also: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}
