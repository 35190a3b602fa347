//! A dispatcher on a stage: its clients are in memory, and the test decides when a tick runs, what time it
//! is, and whether the history can be written. There are no threads and no sockets.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::*;
use crate::chat::NodeId;
use crate::chat::{Memo, RoomId, Rules, Said, Stored, Version};
use crate::history::{self, Archive, Batch, History, HistoryError, Location, Opened, Retention};
use crate::input::{Arrival, Credentials, Secret};
use crate::memory::Memory;
use crate::net::stream::MemorySocket;
use crate::outbox::{Flusher, FlusherThread, memory_outbox};
use crate::pace::Pace;
use crate::protocol::{AdvertisedLimits, ServerInfo};
use crate::recall::RecallThread;

pub(super) const LIST_INTERVAL: Duration = Duration::from_millis(250);
pub(super) const RESUME_GRACE: Duration = Duration::from_secs(60);

/// What may be queued for a client, in bytes.
pub(super) const MAX_QUEUED: usize = 100_000;

/// Bytes for rooms after which a tick gathers no more.
pub(super) const MAX_TICK_BYTES: usize = 20_000;

/// How many messages a client gets that enters a room.
pub(super) const ON_ENTER: usize = 10;

pub(super) const RETENTION: Retention = Retention {
    max_events: 10_000,
    max_age: None,
    max_memory_bytes: usize::MAX,
    max_references: usize::MAX,
    max_file_bytes: 0,
};

pub(super) struct Stage {
    pub(super) dispatcher: Dispatcher<LocalLog>,
    pub(super) recall: RecallThread,
    pub(super) archive: Archive,
    pub(super) record: Arc<Mutex<CommitRecord>>,
    pub(super) now: Now,
    pub(super) flusher_thread: FlusherThread,
    flusher: Arc<Flusher>,
    /// Client 1 is the first, at connection 1.
    clients: Vec<(Version, MemorySocket)>,
}

/// What the history was asked to commit, and whether it does.
#[derive(Default)]
pub(super) struct CommitRecord {
    pub(super) is_failing: bool,
    /// The `seq`s of the messages of each successful commit.
    pub(super) commits: Vec<Vec<u64>>,
    pub(super) memos: Vec<Memo>,
    /// The sockets that are looked at during each commit, and what had been written to them by then.
    pub(super) watched: Vec<MemorySocket>,
    pub(super) written_before_commit: Vec<u8>,
    /// The answers to pings that are looked at during each commit, and how many there were by then.
    pub(super) pings: Option<crossbeam_channel::Receiver<()>>,
    pub(super) answered_before_commit: usize,
}

/// A history in memory that records and fails as the test wants.
struct RecordingHistory {
    record: Arc<Mutex<CommitRecord>>,
    history: Box<dyn History>,
}

impl History for RecordingHistory {
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), HistoryError> {
        let mut record = self.record.lock().unwrap();
        for socket in record.watched.clone() {
            record.written_before_commit.extend(socket.take_written());
        }
        let answered = record.pings.as_ref().map_or(0, crossbeam_channel::Receiver::len);
        record.answered_before_commit += answered;
        if record.is_failing {
            return Err(HistoryError::example());
        }
        let seqs = batch.said.iter().map(|&(_, said): &(RoomId, &Said)| said.seq);
        record.commits.push(seqs.collect());
        record.memos.extend_from_slice(batch.memos);
        self.history.commit(batch)
    }

    fn set_retention(&mut self, retention: Retention) {
        self.history.set_retention(retention);
    }
}

impl Stage {
    /// With one room, "A", and nobody connected.
    pub(super) fn new() -> Self {
        let Opened { epoch, history, reader, archive, .. } =
            history::open(&Location::Memory, RETENTION).unwrap();
        let record = Arc::<Mutex<CommitRecord>>::default();
        let history = RecordingHistory { record: record.clone(), history };
        let mut saver = Saver::new(Box::new(history), Arc::default());
        let (chat, effects) = Chat::restore(rules(&["A"]), Stored::default());
        saver.begin(&chat, effects).unwrap();
        let epoch: Arc<str> = epoch.into();
        let metrics = Arc::<Metrics>::default();
        let (queries, recall) = Recall::new(reader, epoch.clone(), ON_ENTER, metrics.clone());
        let lobby = Lobby::new(NodeId(0), LIST_INTERVAL, epoch.clone(), MAX_QUEUED);
        let delivery = Delivery::new(server_info(1_000), epoch, Memory::plenty());
        let log = LocalLog::default();
        let parts = Parts { log, chat, lobby, saver, delivery, recall: queries, metrics };
        let dispatcher = Dispatcher::new(parts, MAX_TICK_BYTES);
        let (flusher, flusher_thread) = Flusher::new(Memory::plenty()).unwrap();
        let (now, flusher) = (Now { at: Duration::from_secs(100), time: 5 }, Arc::new(flusher));
        let clients = Vec::new();
        Self { dispatcher, recall, archive, record, now, flusher_thread, flusher, clients }
    }

    /// One tick. Returns the inputs that it left in the mailbox.
    pub(super) fn tick(&mut self, inputs: impl IntoIterator<Item = Input>) -> VecDeque<Input> {
        let mut mailbox: VecDeque<Input> = inputs.into_iter().collect();
        let first = mailbox.pop_front();
        self.dispatcher.tick(self.now, first, || mailbox.pop_front());
        mailbox
    }

    /// Time passes; then a tick runs, without an input.
    pub(super) fn wait(&mut self, time: Duration) {
        self.now.at += time;
        self.tick([]);
    }

    /// Answers the queries until none is open.
    pub(super) fn recall_all(&mut self) {
        while let Some(answer) = self.recall.next_result() {
            self.tick([answer]);
        }
    }

    /// The arrival of the next client.
    pub(super) fn arrival(&mut self, version: Version) -> Input {
        self.arrival_of(version, None)
    }

    /// The next client arrives and wants to be the user of this client.
    pub(super) fn arrival_of(&mut self, version: Version, resumed: Option<u64>) -> Input {
        let id = self.clients.len() as u64 + 1;
        let connection = ConnectionId(id);
        let (outbox, socket) = memory_outbox(connection, MAX_QUEUED, &self.flusher);
        self.clients.push((version, socket));
        let arrival = match version {
            Version::Base => Arrival::Base,
            Version::V2 => Arrival::V2(Box::new(Credentials {
                resumed: resumed.map(secret),
                fresh: secret(id),
            })),
        };
        let (address, pace) = (Ipv4Addr::new(203, 0, 113, 1).into(), Pace::unlimited());
        Input::Connect { connection, address, outbox, arrival, pace }
    }

    /// A client for each of these, welcomed and in room 1. Nothing is left for them to read.
    pub(super) fn members(&mut self, versions: &[Version]) {
        for version in versions {
            let arrival = self.arrival(*version);
            self.tick([arrival]);
            let enter = self.ask(self.clients.len() as u64, r#"{"type":"enter_room","roomId":1}"#);
            self.tick([enter]);
            self.recall_all();
        }
        for (_, socket) in &self.clients {
            socket.take_written();
        }
        self.record.lock().unwrap().commits.clear();
    }

    /// What the session of this client makes of this message.
    pub(super) fn ask(&self, client: u64, json: &str) -> Input {
        let connection = ConnectionId(client);
        match self.clients[index(client)].0.parse(json) {
            Ok((request, reference)) => Input::Request { connection, request, reference },
            Err(error) => Input::Refuse { connection, error },
        }
    }

    pub(super) fn say(&self, client: u64, text: &str) -> Input {
        self.ask(client, &format!(r#"{{"type":"text","text":"{text}","ref":"{text}"}}"#))
    }

    pub(super) fn socket(&self, client: u64) -> &MemorySocket {
        &self.clients[index(client)].1
    }

    /// What the client has been sent since it was last asked, in short.
    pub(super) fn read(&self, client: u64) -> String {
        frames(&self.socket(client).take_written()).join(", ")
    }

    #[track_caller]
    pub(super) fn expect(&self, client: u64, expected: &str) {
        assert_eq!(self.read(client), expected, "client {client}");
    }
}

pub(super) fn disconnect(client: u64, reason: CloseReason) -> Input {
    Input::Disconnect { connection: ConnectionId(client), reason }
}

pub(super) fn rules(rooms: &[&str]) -> Rules {
    Rules {
        max_name_chars: 20,
        max_title_chars: 20,
        empty_room_ttl: Duration::from_secs(3_600),
        resume_grace: RESUME_GRACE,
        max_away: 100,
        ..Rules::sample(rooms)
    }
}

/// What clients are told about the server. Texts may have so many characters.
pub(super) fn server_info(max_text_chars: usize) -> ServerInfo {
    let limits = AdvertisedLimits { max_text_chars, ..AdvertisedLimits::sample() };
    ServerInfo::new(limits, Vec::new())
}

fn secret(client: u64) -> Secret {
    Secret::parse(&format!("{client:032x}")).unwrap()
}

fn index(client: u64) -> usize {
    usize::try_from(client).unwrap() - 1
}

/// Each frame in short.
fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut shown = Vec::new();
    while let [first, len, ..] = *bytes {
        let (start, len) = match len {
            126 => (4, u16::from_be_bytes([bytes[2], bytes[3]]).into()),
            127 => (10, u64::from_be_bytes(bytes[2..10].try_into().unwrap()).try_into().unwrap()),
            len => (2, usize::from(len)),
        };
        let payload = &bytes[start..start + len];
        shown.push(match first {
            0x81 => shorten(&serde_json::from_slice(payload).unwrap()),
            0x88 => format!("close {}", u16::from_be_bytes([payload[0], payload[1]])),
            other => panic!("frame 0x{other:02x}"),
        });
        bytes = &bytes[start + len..];
    }
    shown
}

/// A frame's type and what matters of it; a short text, a code or a title stands for itself.
fn shorten(frame: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = text(&frame["type"]);
    match &*kind {
        "text" => text(&frame["text"]),
        "welcome" if frame["resumed"] == true => "welcome back".to_owned(),
        "error" => text(&frame["code"]),
        "change_name" => format!("name {}", text(&frame["newName"])),
        "enter_room" => format!("enter {}", frame["user"]["id"]),
        "leave_room" => format!("leave {}", frame["user"]["id"]),
        "room" => {
            let said: Vec<_> = frame["events"].as_array().unwrap().iter().map(shorten).collect();
            format!("room {} [{}]", frame["room"]["id"], said.join(" "))
        }
        "list_rooms" => {
            let rooms = frame["rooms"].as_object().unwrap().values();
            let titles: Vec<_> = rooms.map(|room| text(&room["title"])).collect();
            format!("list {}", titles.join(" "))
        }
        "room_added" | "room_changed" => format!("{kind} {}", text(&frame["room"]["title"])),
        "announcement" => format!("announced {}", text(&frame["text"])),
        "erased" => format!("erased up to {}", frame["upTo"]),
        "welcome" | "gone" => kind,
        _ => panic!("{frame}"),
    }
}
