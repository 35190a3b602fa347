//! Runs a chat server inside another program.
//!
//! `cargo run --example embed`

use std::error::Error;
use std::io::{BufRead, stdin};

use wschat::{Limits, Server, Settings};

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(Settings {
        port: 0,
        rooms: vec!["Lobby".into(), "Table 1".into(), "Table 2".into()],
        limits: Limits { max_connections: 100, ..Limits::default() },
        ..Settings::default()
    })?;
    println!("The chat is open at http://{}/", server.local_addr());

    // The server runs in its own threads, so this one is free for the program.
    println!("Press Enter to close it.");
    stdin().lock().lines().next();

    server.shutdown();
    server.join()?;
    Ok(())
}
