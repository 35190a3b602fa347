//! Others who must be served during an attack: the health check, those who resume, and a newcomer.

use std::io::{self, Read as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::line::{Door, Opening, enter};
use crate::probe::{PEOPLE, Shared};

/// Not the people's.
const ROOM: u32 = 3;
const EVERY: Duration = Duration::from_secs(1);
/// After how many rounds one who has lost the connection comes back.
const PATIENT: u32 = 20;
const ROOMS_EVERY: u32 = 15;

/// Each second: asks for `/health`, connects as a new user, and resumes a session. Now and then: resumes one
/// that has been away for long, and creates a room. Runs until all is over.
pub fn run(shared: &Shared) {
    let door = &shared.plan.door;
    let [mut hasty, mut patient] = [None, None];
    resume(shared, &mut hasty, None);
    resume(shared, &mut patient, None);
    let mut round = 0;
    let mut next = Instant::now();
    while !shared.is_over() {
        next += EVERY;
        if let Err(error) = health(door) {
            shared.refused(&format!("health: {error}"));
        }
        resume(shared, &mut None, None);
        let title = format!("Visitor {round}");
        let title =
            (round % ROOMS_EVERY == ROOMS_EVERY / 2 && shared.is_attacked()).then_some(title);
        resume(shared, &mut hasty, title);
        round += 1;
        if round % PATIENT == 0 {
            resume(shared, &mut patient, None);
        }
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    resume(shared, &mut patient, None);
}

fn health(door: &Door) -> io::Result<()> {
    let mut line = door.dial(PEOPLE, None)?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {}\r\n\r\n", door.server);
    line.write_all(request.as_bytes())?;
    let mut status = [0; 12];
    line.read_exact(&mut status)?;
    let is_well = status.ends_with(b" 200");
    is_well.then_some(()).ok_or_else(|| io::Error::other(String::from_utf8_lossy(&status)))
}

/// Connects, as this session if there is one, and loses the connection. Counts what is refused.
fn resume(shared: &Shared, session: &mut Option<String>, title: Option<String>) {
    let what = if session.is_some() { "resuming" } else { "newcomer" };
    match visit(&shared.plan.door, session, title) {
        Ok(Some(reason)) => shared.refused(&reason),
        Ok(None) => {}
        Err(error) => shared.refused(&format!("{what}: {error}")),
    }
}

/// Returns what was refused.
fn visit(
    door: &Door,
    session: &mut Option<String>,
    title: Option<String>,
) -> io::Result<Option<String>> {
    let enter = enter(ROOM);
    let was = session.take();
    let opening = Opening { session: was.as_deref(), first: &enter, ..Opening::default() };
    let opened = door.open(PEOPLE, &opening);
    // Still that session if the connection was refused.
    session.clone_from(&was);
    let mut chat = opened?;
    let welcome = chat.until("welcome")?;
    *session = welcome["session"].as_str().map(str::to_owned);
    if was.is_some() && welcome["resumed"] != true {
        return Ok(Some("session lost".to_owned()));
    }
    chat.until("room")?;
    let Some(title) = title else { return Ok(None) };
    chat.say(&format!(r#"{{"type":"create_room","title":"{title}","ref":"{title}"}}"#))?;
    loop {
        while let Some(payload) = chat.take()? {
            let answer: Value = serde_json::from_slice(&payload)?;
            if answer["ref"] == title {
                let code = answer["code"].as_str().map(|code| format!("create_room: {code}"));
                return Ok(code);
            }
        }
        chat.fill(64 << 10)?;
    }
}
