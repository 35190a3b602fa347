//! The bound: a subset of the base protocol (welcome, `enter_room`, text) at almost no cost but the
//! kernel's. One thread and one epoll loop; it parses no JSON beyond finding the text, and gives each
//! receiver one `send` per round of epoll. It has no limits, no checks and no handling of slow
//! consumers: it is only a reference for comparisons.

#![forbid(unsafe_code)]

mod frame;

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::Ipv4Addr;

use lexopt::prelude::*;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use tungstenite::handshake::derive_accept_key;

const LISTENER: Token = Token(usize::MAX);
const BUFFER_BYTES: usize = 256 << 10;

struct Client {
    stream: TcpStream,
    id: u64,
    is_upgraded: bool,
    room: Option<u64>,
    /// The offset in the room's bytes of this round from which they are for this client.
    from: usize,
    partial: Vec<u8>,
    /// Unsent bytes, which go out first.
    out: Vec<u8>,
}

#[derive(Default)]
struct Room {
    members: Vec<usize>,
    /// The frames of this round.
    round: Vec<u8>,
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    clients: Vec<Option<Client>>,
    free: Vec<usize>,
    rooms: HashMap<u64, Room>,
    /// Rooms with frames in this round.
    spoken: Vec<u64>,
    last_id: u64,
    buffer: Vec<u8>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut port = 8776;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("port") => port = parser.value()?.parse()?,
            _ => return Err(argument.unexpected().into()),
        }
    }
    let mut server = Server::bind(port)?;
    println!("ready");
    let mut events = Events::with_capacity(1024);
    loop {
        match server.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            match event.token() {
                LISTENER => server.accept()?,
                Token(slot) => server.serve(slot, event.is_read_closed()),
            }
        }
        server.deliver();
    }
}

impl Server {
    fn bind(port: u16) -> io::Result<Self> {
        let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port).into())?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            clients: Vec::new(),
            free: Vec::new(),
            rooms: HashMap::new(),
            spoken: Vec::new(),
            last_id: 0,
            buffer: vec![0; BUFFER_BYTES],
        })
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let slot = self.free.pop().unwrap_or_else(|| {
                self.clients.push(None);
                self.clients.len() - 1
            });
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(slot), interest)?;
            self.last_id += 1;
            self.clients[slot] = Some(Client {
                stream,
                id: self.last_id,
                is_upgraded: false,
                room: None,
                from: 0,
                partial: Vec::new(),
                out: Vec::new(),
            });
        }
    }

    fn serve(&mut self, slot: usize, is_closed: bool) {
        let mut buffer = mem::take(&mut self.buffer);
        let is_open = self.read(slot, is_closed, &mut buffer).is_some();
        self.buffer = buffer;
        let client = self.clients[slot].as_mut();
        if !is_open || !client.is_some_and(|client| client.send(&[])) {
            self.close(slot);
        }
    }

    /// Reads until the socket would block; `None` if the connection has ended.
    fn read(&mut self, slot: usize, is_closed: bool, buffer: &mut [u8]) -> Option<()> {
        loop {
            let client = self.clients[slot].as_mut()?;
            let kept = client.partial.len();
            let read = match client.stream.read(buffer.get_mut(kept..)?) {
                Ok(0) => return None,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(()),
                Err(_) => return None,
            };
            buffer[..kept].copy_from_slice(&client.partial);
            client.partial.clear();
            let filled = kept + read;
            let used = self.take(slot, &mut buffer[..filled])?;
            let client = self.clients[slot].as_mut()?;
            client.partial.extend_from_slice(&buffer[used..filled]);
            // A short read has drained the socket, except for a pending end of stream.
            if filled < buffer.len() && !is_closed {
                return Some(());
            }
        }
    }

    /// Handles the complete frames at the start of `bytes`; returns their length.
    fn take(&mut self, slot: usize, bytes: &mut [u8]) -> Option<usize> {
        let client = self.clients[slot].as_mut()?;
        let mut used = 0;
        if !client.is_upgraded {
            let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
            let Some(end) = end else { return Some(0) };
            let head = str::from_utf8(&bytes[..end]).ok()?;
            client.upgrade(head)?;
            used = end + 4;
        }
        while let Some((opcode, payload)) = frame::unmask(&mut bytes[used..]) {
            let (start, end) = (used + payload.start, used + payload.end);
            match opcode {
                frame::TEXT => self.request(slot, &bytes[start..end])?,
                frame::CLOSE => {
                    let client = self.clients[slot].as_mut()?;
                    frame::push(&mut client.out, frame::CLOSE, &[&bytes[start..end]]);
                    client.send(&[]);
                    return None;
                }
                _ => {}
            }
            used = end;
        }
        Some(used)
    }

    fn request(&mut self, slot: usize, payload: &[u8]) -> Option<()> {
        let (id, room) = self.clients[slot].as_ref().map(|client| (client.id, client.room))?;
        if let Some(text) = payload.strip_prefix(br#"{"type":"text","text":""#) {
            let text = text.strip_suffix(br#""}"#)?;
            if let Some(room) = room {
                let from = format!(r#"","from":{{"id":{id},"name":"User {id}"}}}}"#);
                self.say(room, &[br#"{"type":"text","text":""#, text, from.as_bytes()]);
            }
        } else if let Some(room) = payload.strip_prefix(br#"{"type":"enter_room","roomId":"#) {
            let room = str::from_utf8(room.strip_suffix(b"}")?).ok()?.parse().ok()?;
            self.leave(slot);
            self.enter(slot, room)?;
            let event =
                format!(r#"{{"type":"enter_room","user":{{"id":{id},"name":"User {id}"}}}}"#);
            self.say(room, &[event.as_bytes()]);
        }
        Some(())
    }

    fn enter(&mut self, slot: usize, id: u64) -> Option<()> {
        let room = self.rooms.entry(id).or_default();
        room.members.push(slot);
        let client = self.clients[slot].as_mut()?;
        client.room = Some(id);
        client.from = room.round.len();
        Some(())
    }

    /// Removes a client from its room. It still gets the frames of this round so far.
    fn leave(&mut self, slot: usize) {
        let Some(client) = self.clients[slot].as_mut() else { return };
        let Some(room) = client.room.take().and_then(|room| self.rooms.get_mut(&room)) else {
            return;
        };
        room.members.retain(|member| *member != slot);
        client.out.extend_from_slice(&room.round[client.from..]);
        client.from = 0;
    }

    fn say(&mut self, id: u64, parts: &[&[u8]]) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if room.round.is_empty() {
            self.spoken.push(id);
        }
        frame::push(&mut room.round, frame::TEXT, parts);
    }

    /// Ends the round: one `send` to each member of each room that has frames.
    fn deliver(&mut self) {
        let mut failed = Vec::new();
        for id in mem::take(&mut self.spoken) {
            let Some(room) = self.rooms.get_mut(&id) else { continue };
            for &slot in &room.members {
                let Some(client) = self.clients[slot].as_mut() else { continue };
                let from = mem::take(&mut client.from);
                if !client.send(&room.round[from..]) {
                    failed.push(slot);
                }
            }
            room.round.clear();
        }
        for slot in failed {
            self.close(slot);
        }
    }

    fn close(&mut self, slot: usize) {
        self.leave(slot);
        if self.clients[slot].take().is_some() {
            self.free.push(slot);
        }
    }
}

impl Client {
    fn upgrade(&mut self, head: &str) -> Option<()> {
        let (_, key) = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))?;
        let accept = derive_accept_key(key.trim().as_bytes());
        self.out.extend_from_slice(
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            )
            .as_bytes(),
        );
        let id = self.id;
        let welcome = format!(r#"{{"type":"welcome","user":{{"id":{id},"name":"User {id}"}}}}"#);
        frame::push(&mut self.out, frame::TEXT, &[welcome.as_bytes()]);
        self.is_upgraded = true;
        Some(())
    }

    /// Sends the unsent bytes and then `bytes`; what the socket does not take stays queued until it is
    /// writable. Returns whether the connection still works.
    fn send(&mut self, bytes: &[u8]) -> bool {
        let waiting = mem::take(&mut self.out);
        if waiting.is_empty() {
            return self.write(bytes);
        }
        self.write(&[&waiting, bytes].concat())
    }

    fn write(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        self.out.extend_from_slice(bytes);
        true
    }
}
