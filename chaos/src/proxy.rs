//! TCP proxies between the nodes and Redis, and among the Redis servers: one for each link. A proxy passes
//! bytes on, never twice; it can hold them, delay them, refuse connections, and cut them at any byte.
//!
//! Redis and Sentinel tell nodes where the master and its replicas are. So that a node's connections stay
//! on its own links, a link can put other ports into what the server answers. All ports have five digits,
//! so that no length changes.
//!
//! Each link has a thread that accepts, and two for each connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What a link does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Keeps them, and those of new connections, until the mode changes.
    Hold,
    /// Passes them on later, by so many milliseconds.
    Delay(u64),
    /// Cuts every connection, new ones too.
    Refuse,
}

#[derive(Debug)]
struct State {
    mode: Mutex<Mode>,
    /// Connections of an earlier generation are cut.
    generation: AtomicU64,
    /// How many of the bytes that are being held get through before a cut.
    rest: AtomicU32,
    target: SocketAddr,
    /// Ports in answers, and what to put in their place.
    ports: Mutex<Vec<(u16, u16)>>,
}

#[derive(Clone, Debug)]
pub struct Link(Arc<State>);

impl Link {
    /// Listens on this address, for connections to `target`.
    pub fn open(address: SocketAddr, target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let state = Arc::new(State {
            mode: Mutex::new(Mode::Pass),
            generation: AtomicU64::new(0),
            rest: AtomicU32::new(0),
            target,
            ports: Mutex::new(Vec::new()),
        });
        let link = Self(Arc::clone(&state));
        // It ends with the process.
        thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                let _ = thread::Builder::new()
                    .name("proxy".to_owned())
                    .stack_size(256 << 10)
                    .spawn(move || state.serve(client));
            }
        })?;
        Ok(link)
    }

    /// Puts other ports into what the server answers.
    pub fn rewrite(&self, ports: Vec<(u16, u16)>) {
        *self.0.ports.lock().unwrap_or_else(PoisonError::into_inner) = ports;
    }

    pub fn set(&self, mode: Mode) {
        *self.0.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
        if mode == Mode::Refuse {
            self.cut(0);
        }
    }

    /// Cuts all connections; of what is held, so many bytes get through.
    pub fn cut(&self, rest: u32) {
        self.0.rest.store(rest, SeqCst);
        self.0.generation.fetch_add(1, SeqCst);
    }
}

impl State {
    fn mode(&self) -> Mode {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(self: Arc<Self>, client: TcpStream) {
        let generation = self.generation.load(SeqCst);
        while self.mode() == Mode::Hold && self.generation.load(SeqCst) == generation {
            thread::sleep(Duration::from_millis(2));
        }
        if self.mode() == Mode::Refuse || self.generation.load(SeqCst) != generation {
            return;
        }
        let patience = Duration::from_secs(2);
        let Ok(server) = TcpStream::connect_timeout(&self.target, patience) else { return };
        let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else {
            return;
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let back = Arc::clone(&self);
        let pump = thread::Builder::new()
            .name("proxy".to_owned())
            .stack_size(256 << 10)
            .spawn(move || back.pump(from_client, to_server, generation, None));
        let ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.pump(server, client, generation, Some(Rewriter::new(ports)));
        let _ = pump.map(thread::JoinHandle::join);
    }

    /// Passes bytes on from one side to the other, until either ends or the connection is cut.
    #[allow(clippy::needless_pass_by_value)]
    fn pump(
        &self,
        mut from: TcpStream,
        mut to: TcpStream,
        generation: u64,
        rewriter: Option<Rewriter>,
    ) {
        let mut rewriter = rewriter;
        let mut buffer = vec![0; 64 << 10];
        let is_cut = || self.generation.load(SeqCst) != generation;
        let _ = from.set_read_timeout(Some(Duration::from_millis(10)));
        let _ = to.set_write_timeout(Some(Duration::from_secs(30)));
        while !is_cut() {
            let bytes = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => match &mut rewriter {
                    Some(rewriter) => rewriter.take(&buffer[..len]),
                    None => buffer[..len].to_vec(),
                },
                Err(error) if is_timeout(&error) => match &mut rewriter {
                    Some(rewriter) if rewriter.has_rest() => rewriter.flush(),
                    _ => continue,
                },
                Err(_) => break,
            };
            while self.mode() == Mode::Hold && !is_cut() {
                thread::sleep(Duration::from_millis(2));
            }
            if let Mode::Delay(ms) = self.mode() {
                thread::sleep(Duration::from_millis(ms));
            }
            let len = if is_cut() {
                bytes.len().min(self.rest.load(SeqCst) as usize)
            } else {
                bytes.len()
            };
            if to.write_all(&bytes[..len]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Puts other ports in the place of those that stand between `:`, `=` or a line's start and a line's end or
/// a comma.
#[derive(Debug)]
struct Rewriter {
    ports: Vec<(String, String)>,
    /// What came before, if the next bytes may be part of a port.
    last: u8,
    /// The beginning of what may be a port.
    rest: Vec<u8>,
}

impl Rewriter {
    fn new(ports: Vec<(u16, u16)>) -> Self {
        let written = |(from, to): (u16, u16)| (from.to_string(), to.to_string());
        Self { ports: ports.into_iter().map(written).collect(), last: 0, rest: Vec::new() }
    }

    fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// What is kept is passed on as it is: nothing more has come.
    fn flush(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }

    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.ports.is_empty() {
            return bytes.to_vec();
        }
        let mut input = std::mem::take(&mut self.rest);
        input.extend_from_slice(bytes);
        let mut last = self.last;
        let mut at = 0;
        while at < input.len() {
            let is_start = matches!(last, b'\n' | b':' | b'=');
            let digits = input[at..].iter().take(6).take_while(|b| b.is_ascii_digit()).count();
            if is_start && digits > 0 {
                let end = at + digits;
                if end == input.len() && digits <= 5 {
                    self.rest = input.split_off(at);
                    break;
                }
                if digits == 5 && matches!(input[end], b'\r' | b',') {
                    let port =
                        self.ports.iter().find(|(from, _)| from.as_bytes() == &input[at..end]);
                    if let Some((_, to)) = port {
                        input[at..end].copy_from_slice(to.as_bytes());
                    }
                }
                at = end - 1;
            }
            last = input[at];
            at += 1;
        }
        self.last = last;
        input
    }
}

#[cfg(test)]
mod tests {
    use super::Rewriter;

    #[test]
    fn ports_are_replaced_wherever_the_answer_is_split() {
        let answer = b"*2\r\n$9\r\n127.0.0.1\r\n$5\r\n10001\r\n:10001\r\nip=127.0.0.1,port=10002,x\r\n110001\r\n100011\r\n";
        let expected = b"*2\r\n$9\r\n127.0.0.1\r\n$5\r\n20001\r\n:20001\r\nip=127.0.0.1,port=20002,x\r\n110001\r\n100011\r\n";
        for split in 0..answer.len() {
            let mut rewriter = Rewriter::new(vec![(10_001, 20_001), (10_002, 20_002)]);
            let mut out = rewriter.take(&answer[..split]);
            out.extend(rewriter.take(&answer[split..]));
            out.extend(rewriter.flush());
            assert_eq!(out, expected, "split at {split}");
        }
    }
}
