//! The wire suite: the real server, in this process or as the real program, and clients that build
//! every frame by hand, so that they can also send what no library would.
//!
//! | module | asks |
//! |---|---|
//! | `transcripts`, `texts` | is the base protocol exact, to the byte and in order, whoever talks along? |
//! | `v2`, `v2_refusals`, `resume` | does each rule of `wschat.v2` hold, in memory and in a file? |
//! | `crash`, `model` | is anything lost, doubled or reordered when the server dies and connections break? |
//! | `full_disk` | is what cannot be kept refused, and nothing else? |
//! | `bad_requests`, `bad_frames` | does bad input end what it must, and nothing else? |
//! | `http`, `gifs`, `upgrade`, `addresses` | what does the port answer before a WebSocket is open? |
//! | `limits`, `timeouts`, `slow_consumers` | does every limit hold, and only at its limit? |
//! | `tls` | is it the same chat under TLS? |
//! | `reload` | do new settings change a running server, and disconnect nobody? |
//! | `lifecycle`, `program` | does it start, stop and fail as its documentation says? |
//! | `crowd` | does everyone in a big room see the same? |
//! | `noise` | does it survive what nobody thought of? |
//!
//! Tests wait for events: reading blocks, up to [`client::PATIENCE`], and what has no event is asked
//! for until it is so ([`host::eventually`]). That nothing comes is shown by a request whose answer
//! is the next thing to come, never by waiting.
//!
//! Environment variables make the suite bigger: `WSCHAT_CROWD`, the number of clients in one room;
//! `WSCHAT_NOISE_SECONDS`, for which `WSCHAT_NOISE_SEED` replays a noise; and `WSCHAT_CRASH_KILLS`,
//! `WSCHAT_CRASH_CUTS` and `WSCHAT_CRASH_ROUNDS`, with `WSCHAT_CRASH_SEED`.

mod client;
mod companions;
mod frame;
mod host;
mod model;
mod player;
mod random;

mod addresses;
mod bad_frames;
mod bad_requests;
mod crash;
mod crowd;
mod full_disk;
mod gifs;
mod http;
mod lifecycle;
mod limits;
mod noise;
mod program;
mod reload;
mod resume;
mod slow_consumers;
mod texts;
mod timeouts;
mod tls;
mod transcripts;
mod upgrade;
mod v2;
mod v2_refusals;
mod v2_rooms;
