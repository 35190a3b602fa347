//! A subset of the base protocol (welcome, `enter_room`, text) on tokio-tungstenite: a task and a channel
//! per connection, and each event encoded once and shared.

use std::collections::HashMap;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use lexopt::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};

const BACKLOG: u32 = 4096;

struct Options {
    port: u16,
    is_multi_threaded: bool,
    read_buffer: Option<usize>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
enum Request {
    EnterRoom { room_id: u64 },
    Text { text: String },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event<'a> {
    Welcome { user: &'a User },
    EnterRoom { user: &'a User },
    Text { text: &'a str, from: &'a User },
}

#[derive(Serialize)]
struct User {
    id: u64,
    name: String,
}

type Members = Mutex<HashMap<u64, UnboundedSender<Message>>>;

#[derive(Default)]
struct Rooms {
    last_id: AtomicU64,
    rooms: Mutex<HashMap<u64, Arc<Members>>>,
}

/// A connected client.
struct Client {
    user: User,
    rooms: Arc<Rooms>,
    room: Option<Arc<Members>>,
    sender: UnboundedSender<Message>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let mut builder = if options.is_multi_threaded {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    builder.enable_io().build()?.block_on(serve(&options))
}

fn options() -> Result<Options, lexopt::Error> {
    let mut options = Options { port: 8776, is_multi_threaded: false, read_buffer: None };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("port") => options.port = parser.value()?.parse()?,
            Long("read-buffer") => options.read_buffer = Some(parser.value()?.parse()?),
            Long("flavour") => match parser.value()?.string()?.as_str() {
                "current_thread" => options.is_multi_threaded = false,
                "multi_thread" => options.is_multi_threaded = true,
                _ => return Err("--flavour is current_thread or multi_thread".into()),
            },
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(options)
}

async fn serve(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut config = WebSocketConfig::default();
    if let Some(bytes) = options.read_buffer {
        config = config.read_buffer_size(bytes);
    }
    let listener = listen(options.port)?;
    println!("ready");
    let rooms = Arc::new(Rooms::default());
    loop {
        let (stream, _) = listener.accept().await?;
        let rooms = Arc::clone(&rooms);
        tokio::spawn(async move {
            // A failed connection does not affect others.
            let _ = talk(stream, config, rooms).await;
        });
    }
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.listen(BACKLOG)
}

async fn talk(
    stream: TcpStream,
    config: WebSocketConfig,
    rooms: Arc<Rooms>,
) -> Result<(), tungstenite::Error> {
    stream.set_nodelay(true)?;
    let socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
    let (mut sink, mut stream) = socket.split();
    let (mut client, mut queue) = Client::new(rooms);
    loop {
        tokio::select! {
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => client.take(&text),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(()),
            },
            // The channel stays open, because the client itself holds a sender.
            Some(message) = queue.recv() => {
                sink.feed(message).await?;
                feed_waiting(&mut queue, &mut sink).await?;
                sink.flush().await?;
            }
        }
    }
}

/// Feeds all queued messages, so that they go out in one write.
async fn feed_waiting(
    queue: &mut UnboundedReceiver<Message>,
    sink: &mut (impl SinkExt<Message, Error = tungstenite::Error> + Unpin),
) -> Result<(), tungstenite::Error> {
    while let Ok(message) = queue.try_recv() {
        sink.feed(message).await?;
    }
    Ok(())
}

impl Client {
    /// A client whose welcome is queued.
    fn new(rooms: Arc<Rooms>) -> (Self, UnboundedReceiver<Message>) {
        let id = rooms.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let user = User { id, name: format!("User {id}") };
        let (sender, queue) = unbounded_channel();
        let _ = sender.send(encode(&Event::Welcome { user: &user }));
        (Self { user, rooms, room: None, sender }, queue)
    }

    fn take(&mut self, text: &Utf8Bytes) {
        match serde_json::from_str(text) {
            Ok(Request::EnterRoom { room_id }) => self.enter(room_id),
            Ok(Request::Text { text }) => {
                if let Some(room) = &self.room {
                    tell(room, &Event::Text { text: &text, from: &self.user });
                }
            }
            Err(_) => {}
        }
    }

    fn enter(&mut self, id: u64) {
        self.leave();
        let room = Arc::clone(self.rooms.rooms.lock().unwrap().entry(id).or_default());
        room.lock().unwrap().insert(self.user.id, self.sender.clone());
        tell(&room, &Event::EnterRoom { user: &self.user });
        self.room = Some(room);
    }

    fn leave(&mut self) {
        if let Some(room) = self.room.take() {
            room.lock().unwrap().remove(&self.user.id);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The lock gives all members the same order.
fn tell(room: &Members, event: &Event<'_>) {
    let message = encode(event);
    for member in room.lock().unwrap().values() {
        let _ = member.send(message.clone());
    }
}

fn encode(event: &Event<'_>) -> Message {
    Message::text(serde_json::to_string(event).expect("events have string keys"))
}
