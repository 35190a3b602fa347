//! Who listens on the server's port.

use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};

use wschat::Settings;

use super::super::check::is_wschat;
use super::super::listening::{self, Place};
use super::finding::Findings;

const SUBJECT: &str = "port";

pub(super) fn examine(settings: &Settings, server: Option<u32>, findings: &mut Findings) {
    let is_tls = settings.certificate.is_some();
    for (place, _) in listening::places(settings) {
        if let Place::Tcp(host, port) = place {
            examine_port(&host, port, is_tls, server, findings);
        }
    }
}

fn examine_port(host: &str, port: u16, is_tls: bool, server: Option<u32>, findings: &mut Findings) {
    if port == 0 {
        return;
    }
    let addresses: Vec<_> = match (host, port).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            let what = format!("the host {host:?} cannot be resolved: {error}");
            findings.error(
                SUBJECT,
                what,
                "name an address of this machine in \"host\", or \"127.0.0.1\"",
            );
            return;
        }
    };
    let Err(error) = TcpListener::bind(addresses.as_slice()) else { return };
    let place = format!("port {port} of {host}");
    match error.kind() {
        ErrorKind::AddrInUse => in_use(&addresses, is_tls, &place, server, findings),
        ErrorKind::AddrNotAvailable => findings.error(
            SUBJECT,
            format!("no network interface here has the address of {host}"),
            "set \"host\" to one of `ip address`, or to \"::\" for all",
        ),
        ErrorKind::PermissionDenied => findings.warning(
            SUBJECT,
            format!("{place} takes a right that you do not have"),
            "start as root with \"username\" set, or give the service CAP_NET_BIND_SERVICE",
        ),
        _ => findings.error(
            SUBJECT,
            format!("{place} cannot be used: {error}"),
            "set another \"host\" or \"port\"",
        ),
    }
}

fn in_use(
    addresses: &[SocketAddr],
    is_tls: bool,
    place: &str,
    server: Option<u32>,
    findings: &mut Findings,
) {
    let cure = "stop it, or set another \"port\"";
    match inode_of_listener(addresses).and_then(process_of) {
        Some((process, name)) if name == "wschat" => {
            if let Some(server) = server.filter(|server| *server != 0 && *server != process) {
                let what = format!(
                    "{place} is in use by another wschat (process {process}) than the history (process {server})"
                );
                findings.error(
                    SUBJECT,
                    what,
                    "stop one of them: each needs a port and a history of its own",
                );
            }
        }
        Some((process, _)) if server == Some(process) => {}
        // The server may be in another program, or nobody knows whose it is.
        _ if addresses.iter().any(|address| is_wschat(address, is_tls)) => {}
        Some((process, name)) => {
            findings.error(
                SUBJECT,
                format!("{place} is in use by {name} (process {process})"),
                cure,
            );
        }
        None => {
            let what =
                format!("{place} is in use by another program (as root, `ss -ltnp` shows which)");
            findings.error(SUBJECT, what, cure);
        }
    }
}

/// The socket that listens on one of the addresses, by the tables of the kernel.
fn inode_of_listener(addresses: &[SocketAddr]) -> Option<u64> {
    /// The state LISTEN.
    const LISTENS: &str = "0A";
    let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
    tables.iter().find_map(|table| {
        let table = fs::read_to_string(table).ok()?;
        table.lines().skip(1).find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let local = local_address(fields.get(1)?)?;
            let is_it = addresses.iter().any(|address| {
                let covers = local.ip().is_unspecified() || address.ip().is_unspecified();
                local.port() == address.port() && (covers || local.ip() == address.ip())
            });
            (is_it && fields.get(3) == Some(&LISTENS)).then(|| fields.get(9)?.parse().ok())?
        })
    })
}

/// An address as the kernel writes it: words of 32 bits in the order of the machine, and the port.
fn local_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::new();
    for at in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical(),
    };
    Some(SocketAddr::new(ip, port))
}

/// The process that has a socket, and its name. Only root sees the processes of others.
fn process_of(inode: u64) -> Option<(u32, String)> {
    let socket = format!("socket:[{inode}]");
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let Ok(descriptors) = fs::read_dir(entry.path().join("fd")) else { continue };
        let has_it = descriptors.flatten().any(|descriptor| {
            fs::read_link(descriptor.path())
                .is_ok_and(|target| target.as_os_str() == socket.as_str())
        });
        if has_it {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some((process, name.trim().to_owned()));
        }
    }
    None
}
