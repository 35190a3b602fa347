//! A small threaded server of the base protocol that can break deliveries on purpose.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use tungstenite::Message;

/// What happens to every thousandth delivery. Deliveries to the sender itself are spared: a sender that
/// waits for its own message would send no further one, which a delayed delivery needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// It is left out.
    Drop,
    /// It is sent twice.
    Double,
    /// It is also sent to a member of another room.
    Misroute,
    /// It is sent after the next one to the same member.
    Swap,
    /// It is followed by a message that was never sent.
    Forge,
    /// The member's connection is closed, only once.
    HangUp,
}

const EVERY: u64 = 1_000;

/// The number of messages in each room.
pub(crate) const MESSAGES: u32 = 1_000;

#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    chat: Arc<Mutex<Chat>>,
    is_over: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Chat {
    fault: Fault,
    deliveries: u64,
    /// A fault is due, and is made at the next delivery that may be broken.
    is_due: bool,
    faults: u64,
    last_id: u64,
    members: BTreeMap<u64, Member>,
}

#[derive(Debug)]
struct Member {
    stream: TcpStream,
    room: Option<u64>,
    /// Sent after the next delivery.
    delayed: Option<Vec<u8>>,
}

impl Server {
    pub(crate) fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let chat = Arc::new(Mutex::new(Chat {
            fault,
            deliveries: 0,
            is_due: false,
            faults: 0,
            last_id: 0,
            members: BTreeMap::new(),
        }));
        let is_over = Arc::new(AtomicBool::new(false));
        let accepting = {
            let (chat, is_over) = (Arc::clone(&chat), Arc::clone(&is_over));
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    if is_over.load(Ordering::SeqCst) {
                        return;
                    }
                    let chat = Arc::clone(&chat);
                    thread::spawn(move || talk(stream, &chat));
                }
            })
        };
        Self { address, chat, is_over, accepting: Some(accepting) }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// The number of faults so far.
    pub(crate) fn faults(&self) -> u64 {
        self.chat.lock().unwrap().faults
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// One client's thread.
fn talk(stream: TcpStream, chat: &Mutex<Chat>) {
    let writing = stream.try_clone().expect("a second handle");
    writing.set_nodelay(true).expect("a TCP socket");
    let Ok(mut socket) = tungstenite::accept(stream) else { return };
    let id = chat.lock().unwrap().welcome(writing);
    while let Ok(message) = socket.read() {
        let Message::Text(text) = message else { continue };
        let request: Value = serde_json::from_str(&text).expect("the tool sends JSON");
        let mut chat = chat.lock().unwrap();
        match (request["type"].as_str(), request["roomId"].as_u64(), request["text"].as_str()) {
            (Some("enter_room"), Some(room), _) => chat.enter(id, room),
            (Some("text"), _, Some(text)) => chat.say(id, text),
            _ => panic!("the tool sent {text}"),
        }
    }
    chat.lock().unwrap().members.remove(&id);
}

impl Chat {
    fn welcome(&mut self, stream: TcpStream) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        let mut member = Member { stream, room: None, delayed: None };
        member.send(&frame(&json!({ "type": "welcome", "user": user(id) })));
        self.members.insert(id, member);
        id
    }

    fn enter(&mut self, id: u64, room: u64) {
        self.members.get_mut(&id).expect("it is connected").room = Some(room);
        let frame = frame(&json!({ "type": "enter_room", "user": user(id) }));
        for member in self.members.values_mut().filter(|member| member.room == Some(room)) {
            member.send(&frame);
        }
    }

    fn say(&mut self, sender: u64, text: &str) {
        let room = self.members[&sender].room;
        let bytes = frame(&json!({ "type": "text", "text": text, "from": user(sender) }));
        // A delayed delivery needs a next one.
        let is_last = text.contains(&format!("{:08x}", MESSAGES - 1));
        let readers: Vec<u64> =
            self.members.iter().filter(|(_, m)| m.room == room).map(|(id, _)| *id).collect();
        for reader in readers {
            self.deliveries += 1;
            self.is_due |= self.deliveries.is_multiple_of(EVERY);
            if self.is_due && reader != sender && !is_last && self.fault != Fault::None {
                self.is_due = false;
                self.faults += 1;
                self.break_delivery(reader, room, &bytes);
            } else if let Some(member) = self.members.get_mut(&reader) {
                member.send(&bytes);
            }
        }
    }

    fn break_delivery(&mut self, reader: u64, room: Option<u64>, bytes: &[u8]) {
        let Self { fault, members, .. } = self;
        if *fault == Fault::Misroute {
            let stranger = members.values_mut().find(|member| member.room != room);
            stranger.expect("there are other rooms").send(bytes);
        }
        let Some(member) = members.get_mut(&reader) else { return };
        match fault {
            Fault::None | Fault::Misroute => member.send(bytes),
            Fault::Drop => {}
            Fault::Double => {
                member.send(bytes);
                member.send(bytes);
            }
            Fault::Swap => member.delayed = Some(bytes.to_vec()),
            Fault::Forge => {
                member.send(bytes);
                // Changes the number of the run in the marker.
                let mut forged = bytes.to_vec();
                let run = forged.windows(4).position(|window| window == b"wsb:").unwrap() + 4;
                forged[run] = if forged[run] == b'0' { b'1' } else { b'0' };
                member.send(&forged);
            }
            Fault::HangUp => {
                let _ = member.stream.shutdown(Shutdown::Both);
                *fault = Fault::None;
            }
        }
    }
}

impl Member {
    fn send(&mut self, frame: &[u8]) {
        // The tool may have closed the connection.
        let _ = self.stream.write_all(frame);
        if let Some(delayed) = self.delayed.take() {
            let _ = self.stream.write_all(&delayed);
        }
    }
}

fn user(id: u64) -> Value {
    json!({ "id": id, "name": format!("User {id}") })
}

/// A text frame of at most 125 or 65,535 bytes.
fn frame(event: &Value) -> Vec<u8> {
    let payload = event.to_string();
    let mut frame = vec![0x81];
    let len = u16::try_from(payload.len()).expect("events are short");
    if let Ok(len @ 0..126) = u8::try_from(len) {
        frame.push(len);
    } else {
        frame.push(126);
        frame.extend_from_slice(&len.to_be_bytes());
    }
    frame.extend_from_slice(payload.as_bytes());
    frame
}
