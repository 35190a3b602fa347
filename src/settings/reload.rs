//! When a changed setting takes effect: while the server runs, or only after a restart.
//!
//! The limits say so in their own table; this has the table for all other settings, and carries it
//! out when a running server is given new settings. Reading the files that they name, and swapping
//! them in, is left to `server` and `session`. Pure.

use super::Settings;

/// When a changed setting takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applies {
    /// After a reload, for new connections or for the rules of the chat.
    Live,
    /// It is used only when the server starts.
    Restart,
}

/// Each row: when it applies, JSON key, field; after the features that it needs.
macro_rules! settings {
    ($($(#[$feature:meta])? $applies:ident $key:literal $($field:ident).+;)+) => {
        /// The settings that are not limits, in the order in which they are read.
        #[cfg(test)]
        pub(super) const TABLE: &[(&str, Applies)] = &[$($(#[$feature])? ($key, Applies::$applies),)+];

        impl Settings {
            /// Turns these settings into those of a server that runs with `running`: what needs a
            /// restart is set back. Returns the keys where that made a difference.
            pub(crate) fn keep_restart_only(&mut self, running: &Self) -> Vec<&'static str> {
                let mut kept = Vec::new();
                $($(#[$feature])? Applies::$applies.apply(
                    $key,
                    &mut self.$($field).+,
                    &running.$($field).+,
                    &mut kept,
                );)+
                self.limits.keep_restart_only(&running.limits, &mut kept);
                kept
            }
        }
    };
}

settings! {
    Restart "host" host;
    Restart "port" port;
    Restart "listen" listen;
    Live "domain" domain;
    Restart "username" username;
    Live "certificate" certificate;
    Live "privateKey" private_key;
    Live "title" title;
    Live "icon" icon;
    Live "accent" accent;
    Live "welcome" welcome;
    Live "language" language;
    Live "rooms" rooms;
    Live "gifsDirectory" gifs_directory;
    Live "allowedOrigins" allowed_origins;
    Live "trustedProxies" trusted_proxies;
    Restart "admin.listen" admin.listen;
    Live "log.level" log.level;
    Live "log.file" log.file;
    Live "log.format" log.format;
    Restart "history.file" history.file;
    Restart "history.durability" history.durability;
    #[cfg(feature = "cluster")] Restart "cluster.redis" cluster.redis;
    #[cfg(feature = "cluster")] Restart "cluster.readFrom" cluster.read_from;
    #[cfg(feature = "cluster")] Restart "cluster.prefix" cluster.prefix;
    #[cfg(feature = "cluster")] Restart "cluster.leaseMs" cluster.lease_ms;
    #[cfg(feature = "cluster")] Restart "cluster.node" cluster.node;
    #[cfg(feature = "cluster")] Restart "cluster.username" cluster.username;
    #[cfg(feature = "cluster")] Restart "cluster.passwordFile" cluster.password_file;
    #[cfg(feature = "cluster")] Restart "cluster.tls" cluster.tls;
}

impl Applies {
    /// Sets `value` back to `running` if it needs a restart, and notes its key if they differ.
    pub(super) fn apply<T: Clone + PartialEq>(
        self,
        key: &'static str,
        value: &mut T,
        running: &T,
        kept: &mut Vec<&'static str>,
    ) {
        if self == Self::Restart && value != running {
            value.clone_from(running);
            kept.push(key);
        }
    }
}
