//! The wire suite: the real server, in this process or as a program, and clients that build every
//! frame by hand, so that they can also send what no library would.
//!
//! | module | checks |
//! |---|---|
//! | `transcripts`, `texts` | the base protocol is exact to the byte and in order, also beside `wschat.v2` |
//! | `v2`, `v2_refusals`, `v2_rooms`, `resume` | each rule of `wschat.v2` holds, with the history in memory and in a file |
//! | `crash`, `model` | nothing is lost, duplicated or reordered when the server is killed and connections are cut |
//! | `exact` | every frame of random runs is the documented one, to the byte, and in the schema |
//! | `full_disk` | a full disk refuses texts and nothing else |
//! | `bad_requests`, `bad_frames` | bad input is refused or closes its own connection, and affects nothing else |
//! | `http`, `gifs`, `upgrade`, `addresses` | the responses before a WebSocket is open |
//! | `limits`, `timeouts`, `slow_consumers` | every limit applies, exactly at its value |
//! | `memory` | all clients together take no more memory than they may, and whoever takes most gives first |
//! | `pace` | nobody gets a fresh burst by reconnecting, and what costs more counts for more |
//! | `closing` | every request is answered before the Close frame |
//! | `listeners`, `proxy_protocol` | every address, Unix socket and socket of systemd is served, and a proxy can name the client |
//! | `sources` | one network takes nothing away from others |
//! | `tls` | the chat is the same under TLS |
//! | `reload` | new settings change a running server, and disconnect nobody |
//! | `lifecycle`, `program` | it starts, stops and fails as documented |
//! | `log`, `signals`, `systemd` | its log holds up nobody; each signal does as documented; systemd is told |
//! | `checks` | settings are checked as a whole, and backups restored, without a running server |
//! | `commands` | the commands ask the running server for the right thing, and show its answer |
//! | `doctor` | the doctor finds each of the faults that are planted, and names the cure |
//! | `admin` | the admin listener answers, whatever happens, but commands only to the operator |
//! | `metrics` | a counter moves for each ending and each refusal, and Prometheus accepts them all |
//! | `governed` | what the operator commands happens, and every client sees exactly what it is to see |
//! | `proxies` | it works behind nginx and Caddy, as they are configured by `wschat print` |
//! | `snippets` | the docs show what the program prints and takes |
//! | `cluster` | several nodes are one chat, whatever ends |
//! | `crowd` | everyone in a big room gets the same |
//! | `kits` | the Rust client and the example bots lose and repeat nothing |
//! | `noise` | it survives random input |
//!
//! Tests wait for events: a read blocks for up to [`client::PATIENCE`], and what sends no event is
//! polled ([`host::eventually`]). To show that nothing was sent, a test makes a request and checks that
//! its answer comes next; it never waits for silence.
//!
//! Environment variables enlarge or repeat parts of the suite: `WSCHAT_CROWD` (clients in one room),
//! `WSCHAT_NOISE_SECONDS`, `WSCHAT_NOISE_SEED`, `WSCHAT_RANDOM_SECONDS`, `WSCHAT_RANDOM_SEED`,
//! `WSCHAT_CRASH_KILLS`, `WSCHAT_CRASH_CUTS`, `WSCHAT_CRASH_ROUNDS` and `WSCHAT_CRASH_SEED`.

mod client;
mod companions;
mod cork;
mod frame;
mod host;
mod model;
mod nodes;
mod player;
mod random;

mod addresses;
mod admin;
mod bad_frames;
mod bad_requests;
mod checks;
mod closing;
mod cluster;
mod commands;
mod crash;
mod crowd;
mod doctor;
mod exact;
mod full_disk;
mod gifs;
mod governed;
mod http;
mod kits;
mod lifecycle;
mod limits;
mod listeners;
mod log;
mod memory;
mod metrics;
mod noise;
mod pace;
mod program;
mod proxies;
mod proxy_protocol;
mod reload;
mod resume;
mod signals;
mod slow_consumers;
mod snippets;
mod sources;
mod systemd;
mod texts;
mod timeouts;
mod tls;
mod transcripts;
mod upgrade;
mod v2;
mod v2_refusals;
mod v2_rooms;
