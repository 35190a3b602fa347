//! The settings: JSON text in, checked [`Settings`] out.
//!
//! This module owns every setting's key, default and allowed range, the text of the errors, and when
//! a change applies. It runs on the thread that starts or reloads the server. It checks what can be
//! checked from the text alone; opening the certificate, the log file and the port is left to the
//! modules that use them.
//!
//! | file | owns |
//! |---|---|
//! | `settings.rs` | the settings that are not limits, and checks across settings |
//! | `limits.rs` | one table: each limit's key, type, default, range, unit, and when a change applies |
//! | `admin.rs` | where the admin listener is |
//! | `cluster.rs` | where Redis or Valkey is, and who this node is there |
//! | `reload.rs` | the same last column for the other settings, and what a reload keeps |
//! | `listen.rs` | what the server listens on |
//! | `owner.rs` | the name, the colour and the welcome of the place |
//! | `rule.rs` | what a single value may be, in code and in words |
//! | `reader.rs` | the JSON tree, and taking the known keys out of it |
//! | `origin.rs` | which pages may connect |
//! | `error.rs` | the errors that the operator reads |

mod admin;
#[cfg(feature = "cluster")]
mod cluster;
mod error;
mod limits;
mod listen;
mod origin;
mod owner;
mod reader;
mod reload;
mod rule;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use log::LevelFilter;

pub(crate) use self::admin::AdminAddress;
pub use self::admin::AdminSettings;
#[cfg(feature = "cluster")]
pub(crate) use self::cluster::RedisUrl;
#[cfg(feature = "cluster")]
pub use self::cluster::{ClusterSettings, ReadFrom, RedisServers, RedisTls};
pub use self::error::SettingsError;
pub use self::limits::Limits;
pub use self::listen::ListenAddress;
pub(crate) use self::listen::Place;
pub(crate) use self::origin::{AllowedOrigins, Host, Origin};
use self::reader::SettingsReader;

/// All settings of a server.
///
/// In JSON the keys are the field names in camelCase. A missing key has its default, and an unknown
/// key is refused. The project's `settings.json` has every key with its default.
///
/// Settings built in code are checked when the server starts, with [`Settings::check`]:
///
/// ```
/// # use wschat::{Limits, Settings};
/// let settings = Settings {
///     port: 0,
///     limits: Limits { max_connections: 100, ..Limits::default() },
///     ..Settings::default()
/// };
/// assert!(settings.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The address or host name to listen on, without brackets or port. Default `"127.0.0.1"`:
    /// this machine only. `"0.0.0.0"` is every IPv4 address, `"::"` every address.
    pub host: String,

    /// The TCP port to listen on, from 0 to 65535. Default 8776; 0 takes any free port. JSON may
    /// also give it as a string of digits.
    pub port: u16,

    /// All that the server listens on. Default none: [`host`](Self::host) and [`port`](Self::port) count. In
    /// JSON each item is the address (`"[::]:443"`, `"unix:/run/wschat/ws.sock"`, `"systemd"`) or an object
    /// with `"address"` and `"proxyProtocol"`. A [certificate](Self::certificate) counts for TCP only.
    pub listen: Vec<ListenAddress>,

    /// The public host name or address of the server, in ASCII, without scheme, port or path. Pages from
    /// there may connect. Default `None`.
    /// In JSON an empty string is the same as `null`.
    pub domain: Option<String>,

    /// The user to switch to when the port is bound and the private key is read. Default `None`: the
    /// user that started the program. In JSON an empty string is the same as `null`.
    pub username: Option<String>,

    /// The PEM file of the certificate chain, the server's own certificate first. Default `None`:
    /// no TLS. Needs [`private_key`](Self::private_key). In JSON an empty string is the same as
    /// `null`.
    pub certificate: Option<PathBuf>,

    /// The PEM file of the certificate's private key, in PKCS#8. Default `None`. Needs
    /// [`certificate`](Self::certificate). In JSON an empty string is the same as `null`.
    pub private_key: Option<PathBuf>,

    /// What the place is called: on the page, in its title, and where a link to it is shown. Default `"wschat"`. From 1
    /// to 64 characters, not blank, without control characters or line separators. White space around it is dropped.
    pub title: String,

    /// The PNG or SVG file of the page's icon. Default `None`: the built-in one. A PNG is square and at least
    /// 64 pixels wide; neither is larger than [`Limits::max_icon_bytes`]. It is read when the server starts and with
    /// each reload. In JSON an empty string is the same as `null`.
    pub icon: Option<PathBuf>,

    /// The page's colour for what is the user's own and for its main buttons, as in `"#0f766e"`. Default `None`: the
    /// built-in one. Its lightness is changed as far as it takes to be readable.
    pub accent: Option<String>,

    /// What the page says to whoever comes, in Markdown. Default `None`. At most 4,000 characters.
    pub welcome: Option<String>,

    /// The language of the page for those who have not chosen one: `"en"`, `"de"`, `"es"` or `"fr"`. Default `None`:
    /// the browser's.
    pub language: Option<String>,

    /// The titles of the permanent rooms, which get the ids 1, 2, 3 and so on. Default
    /// `["Room 1", "Room 2", "Room 3"]`. At least one and at most [`Limits::max_rooms`]. Each has at
    /// most [`Limits::max_title_chars`] characters, is not blank, and has no control characters or
    /// line separators. White space around a title is dropped.
    pub rooms: Vec<String>,

    /// The directory whose `*.gif` files users can send, instead of the built-in ones. Default `None`:
    /// the built-in ones. A file name starts with the picture's id, from 1 on; after a space, `-` or
    /// `_` may follow a description. The files are read when the server starts and with each reload:
    /// at most [`Limits::max_gifs`], each of at most [`Limits::max_gif_bytes`]. In JSON an empty
    /// string is the same as `null`.
    pub gifs_directory: Option<PathBuf>,

    /// The other sites whose pages may connect. Default none. Each is a host name or address
    /// (`"chat.example.org"`: any scheme and port), a whole origin (`"https://example.org:8443"`), or
    /// `"*"` for all. Names are in ASCII, as browsers send them (`xn--…`). If this and
    /// [`domain`](Self::domain) name nothing, pages may connect that the server itself has sent under an
    /// IP address or `localhost`.
    pub allowed_origins: Vec<String>,

    /// The reverse proxies whose `X-Forwarded-For` or `Forwarded` is trusted. Default none. In JSON each is an
    /// address (`"127.0.0.1"`, `"::1"`) or a network (`"10.0.0.0/8"`).
    pub trusted_proxies: Vec<IpNet>,

    /// The admin listener.
    pub admin: AdminSettings,

    /// The log.
    pub log: LogSettings,

    /// Where the history is kept.
    pub history: HistorySettings,

    /// The nodes that are one chat with this one.
    #[cfg(feature = "cluster")]
    pub cluster: ClusterSettings,

    /// The limits.
    pub limits: Limits,
}

/// What is logged, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The least severe level that is logged. Default `info`. In JSON `"off"`, `"error"`,
    /// `"warn"`, `"info"`, `"debug"` or `"trace"`.
    pub level: LevelFilter,

    /// The file to append to. Default `None`: standard error.
    pub file: Option<PathBuf>,

    /// The form of a line. Default [`LogFormat::Auto`]. In JSON `"auto"`, `"text"` or `"json"`.
    pub format: LogFormat,
}

/// The form of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For systemd's journal: its priority in front, and no time, which the journal has. Elsewhere as
    /// [`Text`](Self::Text).
    #[default]
    Auto,
    /// The time in UTC, the level, and the message.
    Text,
    /// An object with `time`, `level` and `message`.
    Json,
}

/// Where the history is kept. How much is kept is in [`Limits`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistorySettings {
    /// The SQLite file. It is created if it is missing; its directory must exist. Default `None`: in
    /// memory only, until the server ends. Needs the feature `sqlite`, which is on by default. In
    /// JSON an empty string is the same as `null`.
    pub file: Option<PathBuf>,

    /// What the history survives. Default [`Durability::Process`]. In JSON `"process"` or
    /// `"power-loss"`.
    pub durability: Durability,
}

/// What a history in a file survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The end of the process, also by `kill -9`.
    #[default]
    Process,
    /// Also a loss of power. Each tick with something new waits for the disk.
    PowerLoss,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8776,
            listen: Vec::new(),
            domain: None,
            username: None,
            certificate: None,
            private_key: None,
            title: "wschat".to_owned(),
            icon: None,
            accent: None,
            welcome: None,
            language: None,
            rooms: vec!["Room 1".to_owned(), "Room 2".to_owned(), "Room 3".to_owned()],
            gifs_directory: None,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            admin: AdminSettings::default(),
            log: LogSettings::default(),
            history: HistorySettings::default(),
            #[cfg(feature = "cluster")]
            cluster: ClusterSettings::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: LevelFilter::Info, file: None, format: LogFormat::Auto }
    }
}

impl Settings {
    /// Reads and checks a settings file.
    ///
    /// A relative `certificate`, `privateKey`, `icon`, `gifsDirectory`, `log.file`, `history.file` or file of
    /// `cluster` is relative to the directory of the settings file, not to the working directory.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not UTF-8, and those of [`from_json`](Self::from_json). Each
    /// error names the file.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let bytes = fs::read(path).map_err(|cause| SettingsError::unreadable(path, cause))?;
        let text = String::from_utf8(bytes)
            .map_err(|cause| SettingsError::not_utf8(path, cause.utf8_error()))?;
        let mut settings = Self::from_json(&text).map_err(|error| error.in_file(path))?;
        if let Some(directory) = path.parent() {
            settings.resolve_paths(directory);
        }
        Ok(settings)
    }

    /// Parses and checks the JSON text of the settings. Relative paths stay as they are.
    ///
    /// # Errors
    ///
    /// When the text is not JSON, with line and column. Otherwise all unknown and duplicate keys and
    /// all values that are not allowed, in one error.
    pub fn from_json(text: &str) -> Result<Self, SettingsError> {
        let mut reader = SettingsReader::new(reader::parse(text)?);
        let settings = Self::read(&mut reader);
        let mut mistakes = reader.finish();
        settings.find_mistakes(&mut mistakes);
        SettingsError::unless_empty(mistakes)?;
        Ok(settings)
    }

    /// Checks settings built in code by the rules of a settings file.
    ///
    /// # Errors
    ///
    /// All values that are not allowed, in one error, by their keys in JSON.
    pub fn check(&self) -> Result<(), SettingsError> {
        let mut mistakes = Vec::new();
        self.find_mistakes(&mut mistakes);
        SettingsError::unless_empty(mistakes)
    }

    /// Takes every known key out of `reader`. A value of the wrong type leaves a mistake there and the
    /// default here. Whether a value is allowed is checked in `find_mistakes`.
    fn read(reader: &mut SettingsReader) -> Self {
        let default = Self::default();
        // Settings files of the Node.js sample chat write "" for what is not set.
        let is_set = |text: &String| !text.is_empty();
        Self {
            host: reader.text("host", &rule::HOST, default.host),
            port: reader.port("port", default.port),
            listen: reader.addresses("listen", default.listen),
            domain: reader.text_or_null("domain", origin::DOMAIN.allowed).filter(is_set),
            username: reader.text_or_null("username", rule::USERNAME.allowed).filter(is_set),
            certificate: reader
                .text_or_null("certificate", rule::FILE)
                .filter(is_set)
                .map(PathBuf::from),
            private_key: reader
                .text_or_null("privateKey", rule::FILE)
                .filter(is_set)
                .map(PathBuf::from),
            title: reader.text("title", &owner::TITLE, default.title),
            icon: reader.text_or_null("icon", owner::ICON).filter(is_set).map(PathBuf::from),
            accent: reader.text_or_null("accent", owner::ACCENT.allowed),
            welcome: reader.text_or_null("welcome", owner::WELCOME.allowed),
            language: reader.text_or_null("language", owner::LANGUAGE.allowed),
            rooms: reader.texts("rooms", &rule::ROOM_TITLE, default.rooms),
            gifs_directory: reader
                .text_or_null("gifsDirectory", rule::DIRECTORY)
                .filter(is_set)
                .map(PathBuf::from),
            allowed_origins: reader.texts(
                "allowedOrigins",
                &origin::ORIGIN,
                default.allowed_origins,
            ),
            trusted_proxies: reader.networks("trustedProxies", default.trusted_proxies),
            admin: AdminSettings {
                listen: reader.text_or_null("admin.listen", AdminSettings::ALLOWED),
            },
            log: LogSettings {
                level: reader.level("log.level", default.log.level),
                file: reader.text_or_null("log.file", rule::FILE).map(PathBuf::from),
                format: reader.log_format("log.format", default.log.format),
            },
            history: HistorySettings {
                file: reader
                    .text_or_null("history.file", rule::FILE)
                    .filter(is_set)
                    .map(PathBuf::from),
                durability: reader.durability("history.durability", default.history.durability),
            },
            #[cfg(feature = "cluster")]
            cluster: ClusterSettings::read(reader, default.cluster),
            limits: Limits::read(reader),
        }
    }

    /// Checks each value by itself, and then values against each other. The second only if nothing
    /// else is wrong: a refused value has been replaced by its default, which the operator did not
    /// write.
    fn find_mistakes(&self, mistakes: &mut Vec<String>) {
        self.check_each(mistakes);
        if mistakes.is_empty() {
            self.check_together(mistakes);
        }
    }

    fn check_each(&self, mistakes: &mut Vec<String>) {
        rule::HOST.check("host", &self.host, mistakes);
        self.check_listen(mistakes);
        if let Some(domain) = &self.domain {
            origin::DOMAIN.check("domain", domain, mistakes);
        }
        if let Some(username) = &self.username {
            rule::USERNAME.check("username", username, mistakes);
        }
        let mut check_path = |key, path: &Option<PathBuf>, allowed| {
            rule::check_path(key, path.as_deref(), allowed, mistakes);
        };
        check_path("certificate", &self.certificate, rule::FILE);
        check_path("privateKey", &self.private_key, rule::FILE);
        check_path("gifsDirectory", &self.gifs_directory, rule::DIRECTORY);
        check_path("log.file", &self.log.file, rule::FILE);
        check_path("history.file", &self.history.file, rule::FILE);
        self.check_owner(mistakes);
        if self.rooms.is_empty() {
            mistakes.push("rooms is an empty list; allowed: at least one title".to_owned());
        }
        rule::ROOM_TITLE.check_all("rooms", &self.rooms, mistakes);
        origin::ORIGIN.check_all("allowedOrigins", &self.allowed_origins, mistakes);
        self.admin.check(mistakes);
        #[cfg(feature = "cluster")]
        self.cluster.check(mistakes);
        self.limits.check(mistakes);
    }

    fn check_together(&self, mistakes: &mut Vec<String>) {
        match (&self.certificate, &self.private_key) {
            (Some(_), None) => mistakes.push(
                "certificate is set but privateKey is not; allowed: both, or neither".to_owned(),
            ),
            (None, Some(_)) => mistakes.push(
                "privateKey is set but certificate is not; allowed: both, or neither".to_owned(),
            ),
            (Some(_), Some(_)) | (None, None) => {}
        }
        #[cfg(feature = "cluster")]
        self.cluster.check_together(self, mistakes);

        let limits = &self.limits;
        if limits.max_rooms != 0 && self.rooms.len() > limits.max_rooms {
            mistakes.push(format!(
                "rooms has {} titles; allowed: at most {} (limits.maxRooms)",
                self.rooms.len(),
                limits.max_rooms,
            ));
        }
        for (index, title) in self.rooms.iter().enumerate() {
            let chars = title.trim().chars().count();
            if chars > limits.max_title_chars {
                mistakes.push(format!(
                    "rooms[{index}] has {chars} characters; allowed: at most {} \
                     (limits.maxTitleChars)",
                    limits.max_title_chars,
                ));
            }
        }
    }

    /// Resolves relative paths against `directory`.
    fn resolve_paths(&mut self, directory: &Path) {
        let files = [
            &mut self.certificate,
            &mut self.private_key,
            &mut self.icon,
            &mut self.gifs_directory,
            &mut self.log.file,
            &mut self.history.file,
        ];
        let files = files.into_iter().flatten();
        #[cfg(feature = "cluster")]
        let files = files.chain(self.cluster.files());
        for file in files {
            // `join` leaves an absolute path as it is.
            *file = directory.join(&*file);
        }
    }
}
