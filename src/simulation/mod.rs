//! The whole chat in one thread, with one seed deciding everything that happens.
//!
//! A run has the real parts of the server: dispatcher, chat, lobby, delivery, outboxes, flusher, `recall`.
//! Only what they touch is simulated: sockets that take a part of a write, stall or are reset; a history
//! that fails, is full, is slow and recovers; the clock; and clients of both versions, which enter, leave,
//! write, page back, lose their connections, resume, connect twice, stop reading, and send again what was
//! not acknowledged. The scheduler in `world` rolls the dice for what happens next. Nothing runs in
//! parallel, so a seed always gives the same run.
//!
//! Two independent checks look at everything that a client receives. `expected` derives from the recorded
//! entries, in the simplest way, which frames each connection gets, and compares the bytes. `view` knows
//! only the protocol: no `seq` is missing or doubled, members enter and leave once, `complete` is true only
//! if nothing is missing, and so on. `attendance` checks who may resume and who leaves, `store` what is
//! committed. At the end (`settle`) every fault is mended, and clients, chat, history and the replayed
//! entries have to agree; then all leave, and nothing may be left.
//!
//! A failing seed is printed. To replay it, with everything that happens in it, or to run others:
//!
//! ```text
//! WSCHAT_SIM_SEED=17 cargo test --lib simulation
//! WSCHAT_SIM_SEEDS=100000 cargo test --lib simulation
//! ```

mod answers;
mod attendance;
mod client;
mod connection;
mod coverage;
mod expected;
mod faults;
mod frames;
mod memory;
pub(crate) mod random;
mod reading;
mod recorder;
mod settle;
mod store;
mod view;
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use coverage::Coverage;
use world::World;

/// How many seeds each of the tests below runs.
const SEEDS_PER_TEST: u64 = 2_000;

/// How many steps one run has before everything is mended.
const STEPS: u64 = 250;

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64, is_traced: bool) -> Coverage {
    let mut world = World::new(seed, is_traced);
    for _ in 0..STEPS {
        world.step();
    }
    world.settle_and_check();
    world.coverage
}

fn run_all(seeds: Range<u64>) {
    let mut coverage = Coverage::default();
    for seed in seeds {
        match catch_unwind(AssertUnwindSafe(|| run(seed, false))) {
            Ok(seen) => coverage.add(seen),
            Err(failure) => {
                eprintln!("to replay: WSCHAT_SIM_SEED={seed} cargo test --lib simulation");
                resume_unwind(failure);
            }
        }
    }
    coverage.check();
}

/// The seeds of one of the two tests, which run on a core each.
fn half(index: u64) {
    if let Some(seed) = from_env("WSCHAT_SIM_SEED") {
        if index == 0 {
            run(seed, true);
        }
        return;
    }
    let len = from_env("WSCHAT_SIM_SEEDS").map_or(SEEDS_PER_TEST, |seeds| seeds.div_ceil(2));
    run_all(index * len..(index + 1) * len);
}

#[test]
fn clients_agree_with_the_server_whatever_fails() {
    half(0);
}

#[test]
fn clients_agree_with_the_server_whatever_fails_on_another_core() {
    half(1);
}
