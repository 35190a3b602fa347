//! Where the admin listener is. Pure.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::rule;

const ALLOWED: &str = "the absolute path of a Unix socket (\"/run/wschat/admin.sock\"), an IP address with a port \
                       (\"127.0.0.1:8777\"), \"\" for none, or null for the default";

/// The admin listener: metrics, health, and commands on the running server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AdminSettings {
    /// The absolute path of a Unix socket, or an IP address and a port as in `"127.0.0.1:8777"`. Default `None`:
    /// there is no admin listener, but the program has one in the directory that systemd gives its service, if
    /// it does. The empty string is none there either.
    pub listen: Option<String>,
}

/// The address of an admin listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AdminAddress {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl AdminSettings {
    /// `None` where there is no admin listener.
    pub(crate) fn address(&self) -> Option<AdminAddress> {
        self.listen.as_deref().filter(|listen| !listen.is_empty()).and_then(parse)
    }

    pub(super) fn check(&self, mistakes: &mut Vec<String>) {
        if let Some(listen) = &self.listen
            && !listen.is_empty()
            && parse(listen).is_none()
        {
            let found = format!("the string {}", rule::quote(listen));
            mistakes.push(rule::not_allowed("admin.listen", found, ALLOWED));
        }
    }

    pub(super) const ALLOWED: &'static str = ALLOWED;
}

fn parse(listen: &str) -> Option<AdminAddress> {
    if Path::new(listen).is_absolute() && !listen.contains('\0') {
        return Some(AdminAddress::Unix(listen.into()));
    }
    listen.parse().ok().map(AdminAddress::Tcp)
}
