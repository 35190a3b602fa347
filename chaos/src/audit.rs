//! Reads the whole history of every room from one node, as a client would.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::frame::{self, PING, PONG, TEXT};
use crate::frames::{Page, Welcome, kind};
use crate::ledger::{Kind, Ledger, Room};
use crate::wire::{head, upgrade};

/// Reads all rooms from 1 to `rooms`, and enters everything into the ledger. A node that cannot read its
/// history now is asked again for a while.
pub fn audit(node: &str, address: SocketAddr, rooms: u32, ledger: &mut Ledger) -> io::Result<()> {
    let mut link = Link::open(address)?;
    let welcome = link.next("welcome")?;
    let welcome: Welcome<'_> = serde_json::from_str(&welcome)?;
    let epoch = ledger.epoch(node, &welcome.epoch);
    let mut oldest = BTreeMap::new();
    for room in 1..=rooms {
        if let Some(first) = read_room(&mut link, node, epoch, room, ledger)? {
            oldest.insert(room, first);
        }
    }
    ledger.close_audit(node, epoch, &oldest);
    Ok(())
}

/// Reads a room from its oldest message on; returns the `seq` of that.
fn read_room(
    link: &mut Link,
    node: &str,
    epoch: u16,
    room: Room,
    ledger: &mut Ledger,
) -> io::Result<Option<u64>> {
    let (mut first, mut last) = (None, 0);
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        link.send(&format!(
            r#"{{"type":"history","roomId":{room},"after":{last},"limit":100,"ref":"a"}}"#
        ))?;
        let page = link.next("history")?;
        if kind(&page) == "error" {
            if page.contains("not_readable") && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(200));
                continue;
            }
            return Err(io::Error::other(page));
        }
        let page: Page<'_> = serde_json::from_str(&page)?;
        for said in &page.events {
            if first.is_some() && said.seq != last + 1 {
                ledger.violation(Kind::Gap, node, format!("room {room}: {said:?} after {last}"));
            }
            first.get_or_insert(said.seq);
            last = said.seq;
            ledger.audited(node, epoch, said);
        }
        if !page.newer || page.events.is_empty() {
            break;
        }
    }
    let seen = ledger.last_seq(epoch, room);
    if last < seen {
        let what = format!("room {room} ends at {last}, and {seen} was seen");
        ledger.violation(Kind::Lost, node, what);
    }
    Ok(first)
}

struct Link {
    tcp: TcpStream,
    input: Vec<u8>,
}

impl Link {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let mut tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(Duration::from_secs(20)))?;
        tcp.set_nodelay(true)?;
        let offer = "Sec-WebSocket-Protocol: wschat.v2\r\n";
        tcp.write_all(upgrade(&address.to_string(), offer).as_bytes())?;
        let mut link = Self { tcp, input: Vec::new() };
        loop {
            match head(&link.input) {
                Ok(Some(len)) => {
                    link.input.drain(..len);
                    return Ok(link);
                }
                Ok(None) => link.read()?,
                Err(end) => return Err(io::Error::other(end.to_string())),
            }
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        let len = self.tcp.read(&mut buffer)?;
        if len == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.input.extend_from_slice(&buffer[..len]);
        Ok(())
    }

    fn send(&mut self, request: &str) -> io::Result<()> {
        let mut out = Vec::new();
        frame::push_masked(&mut out, TEXT, request.as_bytes());
        self.tcp.write_all(&out)
    }

    /// The next frame of this type, or an error frame; others are passed over.
    fn next(&mut self, wanted: &str) -> io::Result<String> {
        loop {
            let scanned = frame::scan(&self.input);
            let scanned = scanned.map_err(|_| io::Error::other("a malformed frame"))?;
            let Some(scanned) = scanned else {
                self.read()?;
                continue;
            };
            let (opcode, payload) = (scanned.opcode, scanned.payload.to_vec());
            let length = scanned.length;
            self.input.drain(..length);
            match opcode {
                TEXT => {
                    let text = String::from_utf8(payload).map_err(io::Error::other)?;
                    if kind(&text) == wanted || kind(&text) == "error" {
                        return Ok(text);
                    }
                }
                PING => {
                    let mut out = Vec::new();
                    frame::push_masked(&mut out, PONG, &payload);
                    self.tcp.write_all(&out)?;
                }
                _ => return Err(io::Error::other(format!("closed: {payload:?}"))),
            }
        }
    }
}
