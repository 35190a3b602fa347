//! Repeats what is said to it: `cargo run --example echo_bot -- ws://127.0.0.1:8776/ 1`
//!
//! It answers every text that begins with `echo `, also those that were sent while it was away, and
//! each exactly once.

use std::env;

use wschat_client::{Client, Config, Content, Error, Event};

fn main() -> Result<(), Error> {
    let mut arguments = env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "ws://127.0.0.1:8776/".to_owned());
    let room = arguments.next().and_then(|room| room.parse().ok()).unwrap_or(1);
    echo(&url, room)
}

/// Answers in this room until the server says that the bot must not come back.
pub(crate) fn echo(url: &str, room: u64) -> Result<(), Error> {
    let name = Some("Echo".to_owned());
    let mut client =
        Client::new(Config { name, max_frame_bytes: Some(1 << 20), ..Config::new(url) })?;
    client.enter(room);
    let mut own_id = 0;
    while let Some(event) = client.next() {
        match event? {
            Event::Connected { user, resumed } => {
                println!("connected as user {}, resumed: {resumed}", user.id);
                own_id = user.id;
            }
            Event::Message(message) if message.from.id != own_id => {
                if let Content::Text { text } = &message.content
                    && let Some(rest) = text.strip_prefix("echo ")
                {
                    client.say(rest)?;
                }
            }
            Event::Disconnected { why, retry_in } => println!("{why}; again in {retry_in:?}"),
            Event::Refused(refusal) => println!("refused: {}", refusal.message),
            _ => {}
        }
    }
    Ok(())
}
