//! All clients, and the epoll loop that serves them.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use native_tls::TlsConnector;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::client::{Client, Ending, Handler, Shared};
use crate::clock::{Clock, Timer};
use crate::stream::{self, Stream};
use crate::target::Target;

/// The receive buffer, which all clients share.
const BUFFER_BYTES: usize = 256 << 10;

/// Connections from one source address. By default the kernel has about 28,000 ephemeral ports per
/// address, and connections that have just ended may still hold some.
const CONNECTIONS_PER_SOURCE: u64 = 20_000;

/// Descriptors for everything that is not a client.
const OTHER_FILES: u64 = 64;

const TIMER: Token = Token(usize::MAX);

/// Clients, each in a slot.
#[derive(Debug)]
pub struct Crowd {
    poll: Poll,
    events: Events,
    timer: Timer,
    shared: Shared,
    slots: Vec<Option<Client>>,
    /// Clients with more to read than fits into a turn.
    unread: Vec<usize>,
    /// How many connections were opened so far.
    opened: u64,
}

impl Crowd {
    pub fn new(targets: &[Target], insecure: bool, size: usize) -> io::Result<Self> {
        allow_files(size as u64 + OTHER_FILES)?;
        let clock = Clock::start();
        let poll = Poll::new()?;
        let timer = Timer::new(clock)?;
        poll.registry().register(&mut SourceFd(&timer.raw_fd()), TIMER, Interest::READABLE)?;
        let is_tls = targets.iter().any(|target| target.tls);
        let tls = if is_tls { Some(connector(insecure)?) } else { None };
        let buffer = vec![0; BUFFER_BYTES];
        let mut slots = Vec::new();
        slots.resize_with(size, || None);
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            timer,
            shared: Shared { clock, targets: targets.to_vec(), tls, buffer },
            slots,
            unread: Vec::new(),
            opened: 0,
        })
    }

    pub fn now(&self) -> u64 {
        self.shared.clock.now()
    }

    /// Starts to connect a client in this slot. Equal `turn`s, modulo the number of nodes, are on one node.
    pub fn open(&mut self, slot: usize, turn: usize, room: Option<u32>) -> io::Result<()> {
        let node = turn % self.shared.targets.len();
        let source = self.next_source();
        let opened_at = self.now();
        let mut tcp = stream::open(self.shared.targets[node].address, source)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut tcp, Token(slot), interest)?;
        self.slots[slot] = Some(Client::new(Stream::Plain(tcp), node, room, opened_at));
        Ok(())
    }

    /// Sends what `fill` appends. Does nothing for an empty slot.
    pub fn send<H: Handler>(
        &mut self,
        slot: usize,
        handler: &mut H,
        fill: impl FnOnce(&mut H, &mut Vec<u8>),
    ) {
        let Some(client) = &mut self.slots[slot] else { return };
        fill(handler, client.out());
        if let Err(ending) = client.flush() {
            self.end(slot, ending, handler);
        }
    }

    /// Handles events, and waits for them until the given time at most.
    pub fn turn<H: Handler>(&mut self, until: u64, handler: &mut H) -> io::Result<()> {
        let timeout = if self.unread.is_empty() {
            self.timer.set(until)?;
            None
        } else {
            Some(std::time::Duration::ZERO)
        };
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        for slot in std::mem::take(&mut self.unread) {
            self.advance(slot, true, handler);
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            match event.token() {
                TIMER => self.timer.expired(),
                Token(slot) => self.advance(slot, is_closed(event), handler),
            }
        }
        self.events = events;
        Ok(())
    }

    fn advance<H: Handler>(&mut self, slot: usize, all: bool, handler: &mut H) {
        let Some(client) = &mut self.slots[slot] else { return };
        match client.advance(slot, all, &mut self.shared, handler) {
            Ok(false) => {}
            Ok(true) => self.unread.push(slot),
            Err(ending) => self.end(slot, ending, handler),
        }
    }

    fn end<H: Handler>(&mut self, slot: usize, ending: Ending, handler: &mut H) {
        if let Some(client) = self.slots[slot].take() {
            let now = self.now();
            handler.gone(slot, ending, client.opened_at, now);
        }
    }

    /// The source address of the next connection; `None` lets the kernel choose, while it has ports.
    fn next_source(&mut self) -> Option<IpAddr> {
        let block = self.opened / CONNECTIONS_PER_SOURCE;
        self.opened += 1;
        if block == 0 || !self.shared.targets.iter().all(Target::is_ipv4_loopback) {
            return None;
        }
        let [.., high, low] = (block % 60_000 + 1).to_be_bytes();
        Some(Ipv4Addr::new(127, 1, high, low).into())
    }
}

/// Whether the server has closed, which a short read does not show.
fn is_closed(event: &Event) -> bool {
    event.is_read_closed() || event.is_error()
}

fn connector(insecure: bool) -> io::Result<TlsConnector> {
    TlsConnector::builder()
        .danger_accept_invalid_certs(insecure)
        .danger_accept_invalid_hostnames(insecure)
        .build()
        .map_err(io::Error::other)
}

/// Raises the limit on open files, beyond the hard limit if that is permitted.
fn allow_files(files: u64) -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let is_enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= files);
    if is_enough(limit.current) {
        return Ok(());
    }
    let maximum = if is_enough(limit.maximum) { limit.maximum } else { Some(files) };
    setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum }).map_err(|error| {
        io::Error::other(format!(
            "{files} files are needed, and the limit of {} cannot be raised: {error}",
            limit.maximum.unwrap_or_default()
        ))
    })
}
