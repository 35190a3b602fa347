//! What the settings say that the server listens on, as the commands need it. Pure.

use std::path::PathBuf;

use wschat::Settings;

/// One of the addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The host has no brackets.
    Tcp(String, u16),
    Unix(PathBuf),
    /// The sockets that a unit of systemd names.
    Systemd,
}

/// All addresses of settings that have been checked, and whether connections there begin with a header of the PROXY
/// protocol.
pub(super) fn places(settings: &Settings) -> Vec<(Place, bool)> {
    if settings.listen.is_empty() {
        return vec![(Place::Tcp(settings.host.clone(), settings.port), false)];
    }
    let listen = settings.listen.iter();
    listen.filter_map(|item| Some((parse(&item.address)?, item.proxy_protocol))).collect()
}

/// Reads an address such as `[::]:443`, `unix:/run/wschat/ws.sock` or `systemd`.
pub(super) fn parse(address: &str) -> Option<Place> {
    if address == "systemd" {
        return Some(Place::Systemd);
    }
    if let Some(path) = address.strip_prefix("unix:") {
        return Some(Place::Unix(path.into()));
    }
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some(Place::Tcp(host.to_owned(), port.parse().ok()?))
}
