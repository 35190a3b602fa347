//! Opening all sockets that the settings name.
//!
//! Runs on the thread that starts the server. What a socket is, is left to `net::sockets`.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};

use log::info;
use rustix::io::Errno;

use crate::error::StartError;
use crate::net::sockets::{ListenSocket, bind_tcp, bind_unix, from_systemd};
use crate::settings::{Place, Settings};

/// How many free ports are tried until one is free on all addresses.
const PORT_TRIES: usize = 16;

/// Listens on everything that the settings name. There is at least one socket.
pub(super) fn open(settings: &Settings) -> Result<Vec<ListenSocket>, StartError> {
    let mut places = Vec::new();
    for (place, has_proxy_header) in settings.places() {
        let resolved = match &place {
            Place::Host(host, port) => resolve(host, *port)?,
            Place::Unix(_) | Place::Systemd => Vec::new(),
        };
        places.push((place, has_proxy_header, resolved));
    }
    let all: Vec<SocketAddr> =
        places.iter().flat_map(|(_, _, resolved)| resolved).copied().collect();
    let mut sockets = Vec::new();
    for (place, has_proxy_header, resolved) in places {
        match place {
            Place::Host(host, _) => {
                for listener in bind_all(&host, &resolved, &all)? {
                    let socket = ListenSocket::tcp(listener, has_proxy_header);
                    sockets.push(socket.map_err(StartError::Machine)?);
                }
            }
            Place::Unix(path) => {
                let address = format!("unix:{}", path.display());
                let socket = bind_unix(&path, has_proxy_header);
                sockets.push(socket.map_err(|source| StartError::Listen { address, source })?);
            }
            Place::Systemd => {
                let address = "the sockets of systemd".to_owned();
                let passed = from_systemd(has_proxy_header);
                sockets.extend(passed.map_err(|source| StartError::Listen { address, source })?);
            }
        }
    }
    Ok(sockets)
}

/// All addresses of a host, each once.
fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, StartError> {
    let listen_error =
        |source| StartError::Listen { address: format!("{host} port {port}"), source };
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in (host, port).to_socket_addrs().map_err(listen_error)? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        let error = io::Error::new(ErrorKind::NotFound, "this name has no address");
        return Err(listen_error(error));
    }
    Ok(addresses)
}

/// Listens on all addresses of a host; where any port will do, on the same one.
fn bind_all(
    host: &str,
    addresses: &[SocketAddr],
    all: &[SocketAddr],
) -> Result<Vec<TcpListener>, StartError> {
    let mut tries = 1;
    loop {
        match bind_each(host, addresses, all) {
            Err(StartError::Listen { source, .. })
                if source.kind() == ErrorKind::AddrInUse
                    && addresses.iter().any(|address| address.port() == 0)
                    && tries < PORT_TRIES =>
            {
                tries += 1;
            }
            result => return result,
        }
    }
}

/// An address of a name that this machine lacks, such as one of IPv6, is left out if there is another.
fn bind_each(
    host: &str,
    addresses: &[SocketAddr],
    all: &[SocketAddr],
) -> Result<Vec<TcpListener>, StartError> {
    let mut listeners = Vec::new();
    let mut missing = None;
    let mut port = None;
    for address in addresses {
        let mut address = *address;
        // `::` and `0.0.0.0` may both be named. By itself, `::` would take the port of the other, too.
        let is_ipv6_only = all.contains(&(IpAddr::from([0_u8; 4]), address.port()).into());
        address.set_port(port.unwrap_or(address.port()));
        let bound = bind_tcp(address, is_ipv6_only).and_then(|listener| {
            port = Some(listener.local_addr()?.port());
            Ok(listener)
        });
        match bound {
            Ok(listener) => listeners.push(listener),
            Err(source) if is_missing(&source) => {
                info!("not listening on {address}: {source}");
                missing.get_or_insert((address, source));
            }
            Err(source) => return Err(error_at(host, address, source)),
        }
    }
    match missing {
        Some((address, source)) if listeners.is_empty() => Err(error_at(host, address, source)),
        _ => Ok(listeners),
    }
}

/// Whether this machine lacks the address.
fn is_missing(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable
        || Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT)
}

fn error_at(host: &str, address: SocketAddr, source: io::Error) -> StartError {
    let (ip, port) = (address.ip().to_string(), address.port());
    let address =
        if ip == host { format!("{ip} port {port}") } else { format!("{host} port {port} ({ip})") };
    StartError::Listen { address, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(addresses: &[SocketAddr]) -> Result<Vec<SocketAddr>, String> {
        let listeners =
            bind_all("name", addresses, addresses).map_err(|error| error.to_string())?;
        Ok(listeners.iter().map(|listener| listener.local_addr().unwrap()).collect())
    }

    #[test]
    fn all_addresses_of_a_name_are_used_but_those_that_are_missing() {
        let (one, two) = (([127, 0, 0, 1], 0).into(), ([127, 0, 0, 2], 0).into());
        // For documentation only (RFC 5737, RFC 3849).
        let missing = [([203, 0, 113, 9], 0).into(), "[2001:db8::9]:0".parse().unwrap()];
        let found = bound(&[missing[0], one, missing[1], two]).unwrap();
        let [first, second] = found[..] else { panic!("{found:?}") };
        assert_eq!((first.ip(), second.ip()), (one.ip(), two.ip()));
        assert_eq!(first.port(), second.port());
        let error = bound(&missing).unwrap_err();
        assert!(error.contains("name port 0 (203.0.113.9)"), "{error}");
    }

    #[test]
    fn an_address_in_use_is_an_error_unless_any_port_will_do() {
        let taken = bind_tcp(([127, 0, 0, 2], 0).into(), false).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = bound(&[([127, 0, 0, 1], port).into(), ([127, 0, 0, 2], port).into()]);
        let error = error.unwrap_err();
        assert!(error.contains(&format!("name port {port} (127.0.0.2)")), "{error}");
    }
}
