//! `wschat print`: configuration of other programs that fits these settings, and works as it stands. Pure, but
//! for the paths of the program and of the private key.
//!
//! | file | owns |
//! |---|---|
//! | `mod.rs` | where a proxy reaches the server, and what it must know of the settings |
//! | `nginx.rs`, `caddy.rs` | a site, or a part of one |
//! | `systemd.rs` | the service |

mod caddy;
mod nginx;
mod systemd;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use clap::ValueEnum;
use wschat::Settings;

use super::error::ProgramError;
use super::listening::{self, Place};
use super::say;

/// The program to configure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Target {
    /// A site for nginx, or a location of one
    Nginx,
    /// A site for Caddy, or a part of one
    Caddy,
    /// The service for systemd
    Systemd,
}

/// Where the chat is in the site: begins and ends with a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SitePath(String);

/// Prints it.
pub(super) fn run(
    target: Target,
    path: Option<&SitePath>,
    settings: &Settings,
    settings_file: Option<&Path>,
) -> Result<(), ProgramError> {
    let root = SitePath("/".to_owned());
    let proxied = || Proxied::new(settings, path.unwrap_or(&root));
    say(&match target {
        Target::Nginx => nginx::site(&proxied()?),
        Target::Caddy => caddy::site(&proxied()?),
        Target::Systemd if path.is_some() => {
            return Err(ProgramError::Usage("a service has no --path".to_owned()));
        }
        Target::Systemd => {
            let failed = |error| ProgramError::Command(format!("where am I? {error}"));
            let program = std::env::current_exe().map_err(failed)?;
            let settings_file = settings_file.map(std::path::absolute).transpose();
            systemd::unit(settings, settings_file.map_err(failed)?.as_deref(), &program)
        }
    });
    Ok(())
}

/// The server as its proxy sees it.
struct Proxied<'a> {
    settings: &'a Settings,
    path: &'a SitePath,
    upstream: Upstream,
    /// Whether `upstream` is a guess: a unit of systemd has the address.
    is_guess: bool,
}

/// What the proxy connects to.
enum Upstream {
    /// An absolute path.
    Unix(String),
    /// The host has no brackets.
    Tcp(String, u16),
}

impl<'a> Proxied<'a> {
    fn new(settings: &'a Settings, path: &'a SitePath) -> Result<Self, ProgramError> {
        let places = listening::places(settings);
        let plain = || places.iter().filter(|(_, has_header)| !has_header).map(|(place, _)| place);
        // A socket is there for a proxy, where a port may be for everybody.
        let socket = plain().find(|place| matches!(place, Place::Unix(_)));
        let port = || plain().find(|place| matches!(place, Place::Tcp(..)));
        let Some(place) = socket.or_else(port).or_else(|| plain().next()) else {
            return Err(ProgramError::Settings(
                "all addresses in \"listen\" have \"proxyProtocol\", which a proxy for HTTP does not \
                 speak to a server: add one without"
                    .to_owned(),
            ));
        };
        let is_guess = *place == Place::Systemd;
        let place = if is_guess { systemd::socket() } else { place.clone() };
        let upstream = match place {
            Place::Unix(path) => Upstream::Unix(path.display().to_string()),
            Place::Tcp(host, port) => Upstream::Tcp(host, port),
            Place::Systemd => unreachable!("the socket's unit has an address"),
        };
        Ok(Self { settings, path, upstream, is_guess })
    }

    /// The address that the proxy connects to, if the settings have one.
    fn address(&self) -> Option<IpAddr> {
        let Upstream::Tcp(host, _) = &self.upstream else { return None };
        Some(match host.parse().ok()? {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            address => address,
        })
    }

    /// Such as `127.0.0.1:8776` or `[::1]:8776`, for TCP.
    fn host_and_port(&self, host: &str, port: u16) -> String {
        match self.address() {
            Some(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            Some(address) => format!("{address}:{port}"),
            None => format!("{host}:{port}"),
        }
    }

    /// A Unix socket has none.
    fn has_tls(&self) -> bool {
        self.settings.certificate.is_some() && matches!(self.upstream, Upstream::Tcp(..))
    }

    /// Whether the server takes the client's address from this proxy.
    fn is_trusted(&self, proxy: IpAddr) -> bool {
        matches!(self.upstream, Upstream::Unix(_))
            || self.settings.trusted_proxies.iter().any(|network| network.contains(&proxy))
    }

    fn is_whole_site(&self) -> bool {
        self.path.0 == "/"
    }

    /// What the settings lack, as comments.
    fn advice(&self) -> String {
        // A proxy on this machine comes from the address that it connects to.
        let proxy = self.address().unwrap_or(Ipv4Addr::LOCALHOST.into());
        let mut advice = Vec::new();
        if !self.is_trusted(proxy) {
            advice.push(format!(
                "# In the settings of wschat, set \"trustedProxies\": [\"{proxy}\"]. Otherwise it takes all\n\
                 # clients for one.\n"
            ));
        }
        if self.settings.domain.is_none() {
            advice.push(
                "# In the settings of wschat, set \"domain\" to the name of this site. Otherwise the page works\n\
                 # only under an IP address.\n"
                    .to_owned(),
            );
        }
        if self.is_guess {
            advice.push(
                "# systemd listens for wschat. If wschat.socket has another address than the one below, change it.\n"
                    .to_owned(),
            );
        }
        advice.concat()
    }
}

impl SitePath {
    /// Reads a path such as `/chat/`. The last slash may be missing.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._~-".contains(c);
        if !text.starts_with('/') || !text.chars().all(is_plain) || text.contains("//") {
            return Err(
                "not a path such as /chat/, of letters, digits, \"/\", \".\", \"_\", \"~\" \
                        and \"-\""
                    .to_owned(),
            );
        }
        Ok(Self(format!("{}/", text.trim_end_matches('/'))))
    }

    /// Without the last slash.
    fn without_slash(&self) -> &str {
        self.0.trim_end_matches('/')
    }
}

impl fmt::Display for SitePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Indents all lines by four spaces.
fn indent(text: &str) -> String {
    let mut indented = String::new();
    for line in text.lines() {
        if !line.is_empty() {
            indented.push_str("    ");
        }
        indented.push_str(line);
        indented.push('\n');
    }
    indented
}
