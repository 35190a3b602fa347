//! What else goes wrong in a crash run: the disk takes no more for a while, or the clock jumps.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;

use crate::crash::life::World;
use crate::host::Program;
use crate::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Faults {
    None,
    /// Writes fail behind a size of the file (`RLIMIT_FSIZE`), at times up to the kill.
    Disk,
    /// The wall clock jumps back and forth.
    Clock,
}

/// The library that lets a program see another time.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// The file with the clock's offset, in the program's directory.
const CLOCK: &str = "clock";

const OFFSETS: [&str; 8] = ["+0", "+1h", "-1h", "+400d", "-400d", "+20y", "-20y", "-3"];

impl Faults {
    /// Whether such faults can be made here.
    pub(crate) fn can_be_made(self) -> bool {
        let can = self != Self::Clock || Path::new(FAKETIME).exists();
        if !can {
            println!("SKIPPED: there is no {FAKETIME}; install the Debian package faketime");
        }
        can
    }

    pub(crate) fn start(self, settings: Value) -> Program {
        match self {
            Self::None => Program::durable(settings),
            // Otherwise the signal would end the program.
            Self::Disk => Program::durable_after("trap '' XFSZ", settings),
            Self::Clock => Program::durable_after(
                &format!(
                    "echo +0 >{CLOCK} && export LD_PRELOAD={FAKETIME} NO_FAKE_STAT=1 \
                     FAKETIME_TIMESTAMP_FILE=\"$PWD/{CLOCK}\" FAKETIME_NO_CACHE=1 \
                     FAKETIME_DONT_FAKE_MONOTONIC=1"
                ),
                settings,
            ),
        }
    }

    /// Makes a fault, and perhaps ends it: half of the time it lasts up to the kill.
    pub(crate) fn make(
        self,
        world: &World,
        program: &Program,
        random: &mut Random,
    ) -> Result<(), String> {
        match self {
            Self::None => {}
            Self::Disk => {
                limit_files(program, Some(random.below(64 * 1024) as u64));
                let before = world.refusals.load(Ordering::SeqCst);
                let frames = world.progress.load(Ordering::SeqCst);
                // The file may still have free pages.
                world.wait("a refusal", || {
                    world.refusals.load(Ordering::SeqCst) > before
                        || world.progress.load(Ordering::SeqCst) > frames + 500
                })?;
                if random.one_in(2) {
                    limit_files(program, None);
                }
            }
            Self::Clock => {
                let offset = OFFSETS[random.below(OFFSETS.len())];
                // The program must not read half of it.
                let (file, new) = (program.file(CLOCK), program.file("clock.new"));
                fs::write(&new, format!("{offset}\n"))
                    .and_then(|()| fs::rename(&new, file))
                    .unwrap();
                let until = world.progress.load(Ordering::SeqCst) + random.below(100) as u64;
                world.wait("frames after the clock has jumped", || {
                    world.progress.load(Ordering::SeqCst) >= until
                })?;
            }
        }
        Ok(())
    }
}

fn limit_files(program: &Program, bytes: Option<u64>) {
    let pid = i32::try_from(program.id()).ok().and_then(Pid::from_raw);
    let limit = Rlimit { current: bytes, maximum: None };
    prlimit(pid, Resource::Fsize, limit).expect("the program may be limited");
}
