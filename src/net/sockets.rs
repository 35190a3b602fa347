//! Listening sockets: TCP, Unix, and those that systemd passes.
//!
//! Runs on the thread that starts the server; the listener's thread accepts. Where to listen is left to the
//! caller.

use std::fmt;
use std::fs::{self, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with, sockopt};

/// How many connections the kernel queues until they are accepted. The kernel may queue fewer.
const LISTEN_BACKLOG: i32 = 4096;

/// Everybody may connect to a Unix socket, as to a port. The mode of its directory restricts that.
const SOCKET_FILE_MODE: u32 = 0o666;

/// What a server listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listening {
    /// A TCP address, with the real port where the settings say 0.
    Tcp(SocketAddr),
    /// A Unix socket. The path is empty if the socket has none, which systemd may pass.
    Unix(PathBuf),
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Address(SocketAddr),
    /// A program on this machine, which has connected to a Unix socket: a proxy.
    Unix,
}

/// A socket that connections are accepted from.
#[derive(Debug)]
pub(crate) struct ListenSocket {
    kind: Kind,
    /// Each connection begins with a header of the PROXY protocol.
    has_proxy_header: bool,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _file: Option<SocketFile> },
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// A Unix socket is used through the same type: what is called of it works for both.
    pub(crate) tcp: TcpStream,
    pub(crate) peer: Peer,
    /// It begins with a header of the PROXY protocol.
    pub(crate) has_proxy_header: bool,
}

/// The file of a Unix socket. It is removed when this is dropped, unless another one is in its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

/// Listens on a TCP address. `is_ipv6_only` is for `::`, which otherwise is every IPv4 address, too.
pub(crate) fn bind_tcp(address: SocketAddr, is_ipv6_only: bool) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // A restart must not wait until the kernel has forgotten the connections of the last run.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if is_ipv6_only && address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    // Until it listens, it does not hold its port.
    rustix::net::listen(&socket, LISTEN_BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// Listens on a Unix socket. A file that a server has left behind is replaced.
pub(crate) fn bind_unix(path: &Path, has_proxy_header: bool) -> io::Result<ListenSocket> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_left_behind(path)? => {
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        result => result?,
    };
    let file = SocketFile { path: path.to_owned(), id: id_of(&fs::symlink_metadata(path)?) };
    fs::set_permissions(path, Permissions::from_mode(SOCKET_FILE_MODE))?;
    ListenSocket::unix(listener, Some(file), has_proxy_header)
}

/// All sockets that systemd has passed to this process (`sd_listen_fds(3)`). They are passed on once.
pub(crate) fn from_systemd(has_proxy_header: bool) -> io::Result<Vec<ListenSocket>> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        let socket = match passed.take_unix_listener(index) {
            Ok(Some(listener)) => {
                check_listens(&listener)?;
                ListenSocket::unix(listener, None, has_proxy_header)?
            }
            _ => match passed.take_tcp_listener(index)? {
                Some(listener) => {
                    check_listens(&listener)?;
                    ListenSocket::tcp(listener, has_proxy_header)?
                }
                None => continue,
            },
        };
        sockets.push(socket);
    }
    if sockets.is_empty() {
        return Err(io::Error::new(
            ErrorKind::NotFound,
            "systemd has passed no socket to this process; start it by a socket unit \
             (`systemctl enable --now wschat.socket`), or remove \"systemd\" from \"listen\"",
        ));
    }
    Ok(sockets)
}

fn check_listens(socket: impl AsFd) -> io::Result<()> {
    if sockopt::socket_acceptconn(socket)? {
        return Ok(());
    }
    let text = "systemd has passed a connection; set Accept=no in the socket unit";
    Err(io::Error::new(ErrorKind::InvalidInput, text))
}

/// Whether a server that has ended has left this file behind. It is an error if it is no socket.
fn is_left_behind(path: &Path) -> io::Result<bool> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        let text = "there is a file that is no socket; move it away, or choose another path";
        return Err(io::Error::new(ErrorKind::AlreadyExists, text));
    }
    let connected = try_unix(path);
    Ok(connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused))
}

/// Connects to a Unix socket and hangs up. Unlike `UnixStream::connect`, it does not wait when the queue of whoever
/// listens is full, as that of a server that hangs: `WouldBlock`.
pub(crate) fn try_unix(path: &Path) -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let probe = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    Ok(rustix::net::connect(&probe, &SocketAddrUnix::new(path)?)?)
}

fn id_of(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl ListenSocket {
    pub(crate) fn tcp(listener: TcpListener, has_proxy_header: bool) -> io::Result<Self> {
        // Frames are small and must not wait for more data. On Linux accepted sockets inherit this.
        sockopt::set_tcp_nodelay(&listener, true)?;
        listener.set_nonblocking(true)?;
        Self { kind: Kind::Tcp(listener), has_proxy_header }.listen()
    }

    fn unix(
        listener: UnixListener,
        file: Option<SocketFile>,
        has_proxy_header: bool,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Self { kind: Kind::Unix { listener, _file: file }, has_proxy_header }.listen()
    }

    /// Listens, or listens with a longer queue: std's holds 128, which a burst of new clients overflows.
    /// `poll` waits: a connection that is reset between `poll` and `accept` must not block `accept`.
    fn listen(self) -> io::Result<Self> {
        rustix::net::listen(&self, LISTEN_BACKLOG)?;
        Ok(self)
    }

    /// What it listens on.
    pub(crate) fn listening(&self) -> io::Result<Listening> {
        Ok(match &self.kind {
            Kind::Tcp(listener) => Listening::Tcp(listener.local_addr()?),
            Kind::Unix { listener, .. } => {
                let address = listener.local_addr()?;
                Listening::Unix(address.as_pathname().unwrap_or(Path::new("")).to_owned())
            }
        })
    }

    pub(crate) fn is_unix(&self) -> bool {
        matches!(self.kind, Kind::Unix { .. })
    }

    /// Accepts a connection; `WouldBlock` if none waits.
    pub(crate) fn accept(&self) -> io::Result<Accepted> {
        let has_proxy_header = self.has_proxy_header;
        Ok(match &self.kind {
            Kind::Tcp(listener) => {
                let (tcp, address) = listener.accept()?;
                Accepted { tcp, peer: Peer::Address(address), has_proxy_header }
            }
            Kind::Unix { listener, .. } => {
                let tcp = TcpStream::from(OwnedFd::from(listener.accept()?.0));
                Accepted { tcp, peer: Peer::Unix, has_proxy_header }
            }
        })
    }
}

impl AsFd for ListenSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.kind {
            Kind::Tcp(listener) => listener.as_fd(),
            Kind::Unix { listener, .. } => listener.as_fd(),
        }
    }
}

impl Peer {
    /// Its address; where it has none, this machine's.
    pub(crate) fn ip(self) -> IpAddr {
        match self {
            Self::Address(address) => address.ip().to_canonical(),
            Self::Unix => Ipv4Addr::LOCALHOST.into(),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| id_of(&found) == self.id) {
            // It fails when the directory belongs to the user that the program started as. The next start
            // replaces the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Unix => f.write_str("(Unix socket)"),
        }
    }
}
