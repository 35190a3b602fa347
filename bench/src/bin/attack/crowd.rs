//! The threads of an attacker: how many there are, and what they share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use crate::frame::CLOSE;
use crate::line::{Chat, Door, Opening, enter, masked, text};

/// How often something did not go as the attacker wanted.
pub static FAILURES: AtomicU64 = AtomicU64::new(0);

const STACK_BYTES: usize = 128 << 10;
const AFTER_A_FAILURE: Duration = Duration::from_millis(20);

/// One attacker.
#[derive(Debug, Clone)]
pub struct Field {
    pub door: Arc<Door>,
    /// Whether it is in a network of its own, where the limits for an address hold.
    pub is_remote: bool,
}

impl Field {
    /// Starts `count` threads that do the same again and again, whatever happens.
    pub fn crowd<F>(&self, count: usize, act: F)
    where
        F: Fn(&Door, usize) -> io::Result<()> + Send + Sync + 'static,
    {
        let act = Arc::new(act);
        for index in 0..count {
            let (act, door) = (Arc::clone(&act), Arc::clone(&self.door));
            let body = move || loop {
                if act(&door, index).is_err() {
                    FAILURES.fetch_add(1, Relaxed);
                    thread::sleep(AFTER_A_FAILURE);
                }
            };
            if thread::Builder::new().stack_size(STACK_BYTES).spawn(body).is_err() {
                FAILURES.fetch_add(1, Relaxed);
            }
        }
    }

    /// The first number where the limits for an address hold, otherwise the second.
    pub fn either(&self, remote: usize, local: usize) -> usize {
        if self.is_remote { remote } else { local }
    }
}

/// Connects, says all of `requests` at once, and reads until the server has closed.
pub fn burst(door: &Door, turn: usize, opening: Opening<'_>, requests: &[u8]) -> io::Result<()> {
    let first = [requests, &masked(CLOSE, &[])].concat();
    door.open(turn, &Opening { first: &first, ..opening })?.read_out()
}

/// Enters a room as a new user and loses the connection; returns the secret of the session.
pub fn go_away(door: &Door, turn: usize, room: u32) -> io::Result<String> {
    let first = [enter(room), text(&format!(r#"{{"type":"change_name","name":"A{turn}"}}"#))];
    let mut chat = door.open(turn, &Opening { first: &first.concat(), ..Opening::default() })?;
    let session = chat.session()?;
    chat.until("change_name")?;
    Ok(session)
}

/// Sends `request` again and again, while another thread reads all answers.
pub fn flood(door: &Door, turn: usize, opening: Opening<'_>, piece: &[u8]) -> io::Result<()> {
    let chat = door.open(turn, &opening)?;
    pour(chat, piece)
}

/// Writes `piece` again and again. Without TLS, another thread reads what comes.
pub fn pour(mut chat: Chat, piece: &[u8]) -> io::Result<()> {
    use std::io::{Read as _, Write as _};
    chat.line.be_patient()?;
    if !matches!(chat.line, crate::line::Line::Tls(_)) {
        let mut reader = chat.line.tcp().try_clone()?;
        let read = move || {
            let mut junk = vec![0; 64 << 10];
            while reader.read(&mut junk).is_ok_and(|read| read > 0) {}
        };
        thread::Builder::new().stack_size(STACK_BYTES).spawn(read)?;
    }
    loop {
        chat.line.write_all(piece)?;
    }
}
