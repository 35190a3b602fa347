//! The listening socket of the admin listener: a Unix socket for the server's user alone, or TCP.
//!
//! Opened on the thread that starts the server. A socket file that a server has left behind is replaced, one
//! with a server behind it is not. Dropping the socket removes its file.

use std::fmt;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::net::sockets::try_unix;
use crate::settings::AdminAddress;

/// How many connections the kernel queues until they are accepted.
const BACKLOG: i32 = 64;

/// A listening socket. Accepting from it does not block.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    listener: Listener,
    /// The file of a Unix socket.
    file: Option<SocketFile>,
}

#[derive(Debug)]
enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// A socket file, by its path and by what tells it from another one that has taken its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

/// A connection to the admin listener. Reading and writing do not block.
#[derive(Debug)]
pub(super) enum SocketStream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl AdminSocket {
    /// Listens on this address.
    pub(crate) fn open(address: &AdminAddress) -> io::Result<Self> {
        match address {
            AdminAddress::Unix(path) => {
                make_way(path)?;
                let listener = listen_on_path(path)?;
                let file = SocketFile { path: path.clone(), identity: identity(path)? };
                Ok(Self { listener: Listener::Unix(listener), file: Some(file) })
            }
            AdminAddress::Tcp(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Ok(Self { listener: Listener::Tcp(listener), file: None })
            }
        }
    }

    /// The address of a TCP listener.
    pub(crate) fn tcp_addr(&self) -> Option<SocketAddr> {
        match &self.listener {
            Listener::Unix(_) => None,
            Listener::Tcp(listener) => listener.local_addr().ok(),
        }
    }

    /// Whether only programs on this machine reach it.
    pub(super) fn is_local(&self) -> bool {
        self.tcp_addr().is_none_or(|address| address.ip().is_loopback())
    }

    pub(super) fn accept(&self) -> io::Result<SocketStream> {
        let stream = match &self.listener {
            Listener::Unix(listener) => SocketStream::Unix(listener.accept()?.0),
            Listener::Tcp(listener) => SocketStream::Tcp(listener.accept()?.0),
        };
        match &stream {
            SocketStream::Unix(stream) => stream.set_nonblocking(true)?,
            SocketStream::Tcp(stream) => stream.set_nonblocking(true)?,
        }
        Ok(stream)
    }
}

impl fmt::Display for AdminSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.tcp_addr()) {
            (Some(file), _) => file.path.display().fmt(f),
            (None, Some(address)) => address.fmt(f),
            (None, None) => f.write_str("a socket"),
        }
    }
}

impl AsFd for AdminSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.listener {
            Listener::Unix(listener) => listener.as_fd(),
            Listener::Tcp(listener) => listener.as_fd(),
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        if let Some(SocketFile { path, identity: own }) = &self.file
            && identity(path).is_ok_and(|identity| identity == *own)
        {
            // Where the user may not remove it, the next start replaces it.
            let _ = fs::remove_file(path);
        }
    }
}

impl SocketStream {
    pub(super) fn end_output(&self) {
        let _ = match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
        };
    }
}

impl AsFd for SocketStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl Read for SocketStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buf),
            Self::Tcp(stream) => stream.read(buf),
        }
    }
}

impl Write for SocketStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(buf),
            Self::Tcp(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Removes a socket file that nobody listens behind.
fn make_way(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        metadata => metadata?,
    };
    if !metadata.file_type().is_socket() {
        let text = "there is a file of another kind, which is left alone";
        return Err(io::Error::new(ErrorKind::AddrInUse, text));
    }
    match try_unix(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // Its queue of connections may be full.
        Ok(()) => Err(in_use()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(in_use()),
        Err(error) => Err(error),
    }
}

fn in_use() -> io::Error {
    io::Error::new(ErrorKind::AddrInUse, "another server listens there")
}

/// Listens on a Unix socket that nobody but its user and root can connect to, at no moment.
fn listen_on_path(path: &Path) -> io::Result<UnixListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

/// The device and the inode of a file.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
