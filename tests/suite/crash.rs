//! The server is killed at random moments under load, and connections are cut at random bytes. At
//! the end nothing is lost, duplicated, reordered or falsely called complete, and no client saw more
//! of it than necessary.
//!
//! Meanwhile the disk may refuse to take more, and the wall clock may jump.
//!
//! `WSCHAT_CRASH_KILLS` and `WSCHAT_CRASH_CUTS` set the amount. `WSCHAT_CRASH_SEED` repeats the
//! clients' choices; the moment of each kill also depends on timing.

mod faults;
mod life;
mod link;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, PATIENCE, V2, upgrade_offering};
use crate::crash::faults::Faults;
use crate::crash::life::{END, Life, World, live_in_base};
use crate::host::Program;
use crate::model::{self, BaseJournal, Journal, Kept, Model, Rules, Seen, Truth, Violation, check};
use crate::random::{self, Random, setting};

/// The number of kills and cuts without settings in the environment.
const KILLS: u64 = 60;
const CUTS: u64 = 800;

const ROOMS: u64 = 3;

/// How often the server is killed right after a text has been received, without
/// `WSCHAT_CRASH_ROUNDS`.
const ROUNDS: u64 = 200;

/// The server is killed after at most this many frames to the clients.
const LONGEST_LIFE: usize = 300;

/// How many entries of a journal are printed before a fault.
const AROUND: usize = 12;

/// A run: what happens, and what the server guarantees.
struct Run {
    name: &'static str,
    kills: u64,
    cuts: u64,
    settings: Value,
    rules: Rules,
    longest_absence: usize,
    faults: Faults,
}

/// What all clients recorded.
#[derive(Default)]
struct Witnesses {
    journals: Vec<Journal>,
    base: Vec<BaseJournal>,
    complaints: Vec<String>,
}

fn settings(limits: &Value) -> Value {
    let mut settings = json!({
        "limits": {
            "maxConnections": 0,
            "maxConnectionsPerIp": 0,
            "messagesPerSecond": 0,
            "pingIntervalMs": 3_600_000,
            "historyOnEnter": 20,
            "outboxMaxBytes": 16 << 20,
        }
    });
    for (name, value) in limits.as_object().expect("an object") {
        settings["limits"][name] = value.clone();
    }
    settings
}

#[test]
fn nothing_is_lost_over_kills_and_cuts() {
    let run = Run {
        name: "all is kept",
        kills: setting("WSCHAT_CRASH_KILLS").unwrap_or(KILLS),
        cuts: setting("WSCHAT_CRASH_CUTS").unwrap_or(CUTS),
        settings: settings(&json!({ "historyMaxEvents": 1_000_000 })),
        rules: Rules { on_enter: 20, ..Rules::default() },
        longest_absence: 300,
        faults: Faults::None,
    };
    run.run();
}

#[test]
fn a_gap_is_reported_where_little_fits_into_one_frame() {
    let run = Run {
        name: "little fits one frame",
        kills: setting("WSCHAT_CRASH_KILLS").map_or(KILLS / 4, |kills: u64| kills.div_ceil(10)),
        cuts: setting("WSCHAT_CRASH_CUTS").map_or(CUTS / 4, |cuts: u64| cuts.div_ceil(10)),
        settings: settings(&json!({ "historyMaxEvents": 1_000_000, "outboxMaxBytes": 8_192 })),
        rules: Rules { on_enter: 20, is_narrow: true, ..Rules::default() },
        longest_absence: 2_000,
        faults: Faults::None,
    };
    assert!(incomplete(&run.run()) > 0, "nobody missed anything");
}

/// With the history in memory, which drops old messages at once. A file drops them in the background,
/// which these short lives of the server hardly reach.
#[test]
fn a_gap_is_reported_where_little_is_kept() {
    const KEPT: u64 = 30;
    let mut settings = settings(&json!({ "historyMaxEvents": KEPT }));
    settings["history"] = json!({ "file": null });
    let run = Run {
        name: "little is kept",
        kills: 0,
        cuts: setting("WSCHAT_CRASH_CUTS").map_or(CUTS / 2, |cuts: u64| cuts.div_ceil(10)),
        settings,
        rules: Rules { on_enter: 20, kept: Some(KEPT), ..Rules::default() },
        longest_absence: 1_000,
        faults: Faults::None,
    };
    assert!(incomplete(&run.run()) > 0, "nobody missed anything");
}

#[test]
fn nothing_is_lost_over_kills_while_the_disk_fails() {
    let (_, refusals) = with_faults("the disk fails", Faults::Disk);
    assert!(refusals > 0, "nothing was refused");
}

#[test]
fn nothing_is_lost_over_kills_while_the_clock_jumps() {
    if Faults::Clock.can_be_made() {
        with_faults("the clock jumps", Faults::Clock);
    }
}

/// A run with faults; how many texts were refused, too.
fn with_faults(name: &'static str, faults: Faults) -> (Witnesses, u64) {
    let run = Run {
        name,
        kills: setting("WSCHAT_CRASH_KILLS").map_or(KILLS / 3, |kills: u64| kills.div_ceil(3)),
        cuts: setting("WSCHAT_CRASH_CUTS").map_or(CUTS / 8, |cuts: u64| cuts.div_ceil(8)),
        settings: settings(&json!({ "historyMaxEvents": 1_000_000, "resumeGraceSeconds": 3_600 })),
        rules: Rules { on_enter: 20, may_fail: faults == Faults::Disk, ..Rules::default() },
        longest_absence: 300,
        faults,
    };
    run.run_counting()
}

/// How often a client was told that messages are missing.
fn incomplete(witnesses: &Witnesses) -> usize {
    let seen = witnesses.journals.iter().flat_map(|journal| &journal.seen);
    let count =
        seen.filter(|seen| matches!(seen, Seen::Room(snapshot) if !snapshot.complete)).count();
    println!("{count} times incomplete");
    count
}

impl Run {
    /// Runs everything and checks the result; returns what the clients recorded.
    fn run(self) -> Witnesses {
        self.run_counting().0
    }

    /// Like [`Run::run`]; returns the number of refused texts as well.
    fn run_counting(mut self) -> (Witnesses, u64) {
        let seed = setting("WSCHAT_CRASH_SEED").unwrap_or_else(random::seed);
        let again =
            format!("WSCHAT_CRASH_SEED={seed} for {} kills and {} cuts", self.kills, self.cuts);
        println!("{}: {again}", self.name);
        let began = Instant::now();
        let mut program = match self.kills {
            0 => Program::start(self.settings.clone()),
            _ => self.faults.start(self.settings.clone()),
        };
        let world = World::new(program.endpoint.address, ROOMS, self.longest_absence, &self.rules);
        let (witnesses, truth) = self.play(&world, &mut program, &mut Random(seed));
        let took = began.elapsed();
        let texts: u64 = truth.values().map(|kept| kept.seq).sum();
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::SeqCst);
        println!(
            "{}: {} kills, {} cuts, {} resumes, {} replaced, {} fallen behind, {texts} texts said and {} frames got in {took:?}",
            self.name,
            count(&world.generation) / 2,
            count(&world.cuts),
            count(&world.resumes),
            count(&world.replaced),
            count(&world.fallen_behind),
            count(&world.progress),
        );
        if world.has_failed.load(Ordering::SeqCst) {
            show_last(&witnesses);
            panic!("the run did not finish, {}: {again}", self.name);
        }
        let violations = check(&witnesses.journals, &witnesses.base, &truth, &self.rules);
        report(&violations, &witnesses);
        assert!(violations.is_empty() && witnesses.complaints.is_empty(), "{}: {again}", self.name);
        let log = program.log();
        assert!(!log.contains("panick"), "{log}");
        assert!(count(&world.resumes) > 0 && count(&world.replaced) > 0);
        // On a busy machine a few clients fall behind. Many mean that the server closes them wrongly.
        assert!(count(&world.fallen_behind) * 4 <= count(&world.cuts), "{}: {again}", self.name);
        (witnesses, count(&world.refusals))
    }

    /// Runs all clients until the run is over; returns what they recorded, and the history at the end.
    fn play(
        &mut self,
        world: &World,
        program: &mut Program,
        random: &mut Random,
    ) -> (Witnesses, Truth) {
        let mut lives = Vec::new();
        for room in 1..=ROOMS {
            // Two who stay, and one who changes rooms and names: but not while that may be lost, because the
            // disk fails and the server is killed.
            for number in 0..3 {
                let is_restless = number == 2 && self.faults != Faults::Disk;
                let kind = if is_restless { "restless" } else { "stayer" };
                let name = format!("{kind} {room}.{number}");
                let mut life = Life::new(world, &name, room, Random(random.next()));
                life.is_restless = is_restless;
                if !is_restless {
                    life.begin();
                    let id = life.model.user.as_ref().expect("a welcome").id;
                    self.rules.stayers.entry(room).or_default().insert(id);
                }
                lives.push(life);
            }
        }
        let people = lives.len() + usize::try_from(ROOMS).unwrap();
        thread::scope(|scope| {
            let lives: Vec<_> = lives.into_iter().map(|life| scope.spawn(|| life.live())).collect();
            let base: Vec<_> = (1..=ROOMS)
                .map(|room| {
                    let random = Random(random.next());
                    scope.spawn(move || live_in_base(world, &format!("base {room}"), room, random))
                })
                .collect();
            // A failure here must not leave the clients waiting.
            let ended = self.conduct(world, program, random, people);
            let (truth, reader) = ended.unwrap_or_else(|what| {
                println!("{what}\n{}", program.log());
                world.has_failed.store(true, Ordering::SeqCst);
                program.kill();
                (Truth::new(), Journal::default())
            });
            let mut witnesses = Witnesses { journals: vec![reader], ..Witnesses::default() };
            for life in lives {
                let Model { journal, .. } = life.join().expect("a client that does not panic");
                witnesses.journals.push(journal);
            }
            for base in base {
                let (journals, complaints) = base.join().expect("a client that does not panic");
                witnesses.base.extend(journals);
                witnesses.complaints.extend(complaints);
            }
            (witnesses, truth)
        })
    }

    /// Kills the server again and again, ends the run, and reads the history.
    fn conduct(
        &self,
        world: &World,
        program: &mut Program,
        random: &mut Random,
        people: usize,
    ) -> Result<(Truth, Journal), String> {
        let mut restarts = Vec::new();
        for _ in 0..self.kills {
            let life = 1 + random.below(LONGEST_LIFE) as u64;
            let until = world.progress.load(Ordering::SeqCst) + life;
            world.wait("more frames", || world.progress.load(Ordering::SeqCst) >= until)?;
            self.faults.make(world, program, random)?;
            thread::sleep(Duration::from_micros(random.below(3_000) as u64));
            world.generation.fetch_add(1, Ordering::SeqCst);
            program.kill();
            let began = Instant::now();
            program.restart();
            restarts.push(began.elapsed());
            world.generation.fetch_add(1, Ordering::SeqCst);
        }
        if let (Some(first), Some(last)) = (restarts.first(), restarts.last()) {
            let total: Duration = restarts.iter().sum();
            println!("restarted in {first:?} at first, {last:?} at last, {total:?} in all");
        }
        world.wait("more cuts", || world.cuts.load(Ordering::SeqCst) >= self.cuts)?;
        world.is_over.store(true, Ordering::SeqCst);
        world.wait("pending texts", || world.at_rest.load(Ordering::SeqCst) == people)?;
        let mut reader = Model::new("reader", 1);
        let mut client = program.endpoint.connect();
        client.send(upgrade_offering(&reader.offer()));
        client.expect_switch_to(Some(V2));
        reader.take(&client.text());
        let rooms = 1..=world.rooms;
        let truth = rooms.map(|room| (room, read_room(&mut client, &mut reader, room))).collect();
        Ok((truth, reader.journal))
    }
}

/// Announces the end in a room, and reads the whole history of the room.
fn read_room(reader: &mut Client, model: &mut Model, room: u64) -> Kept {
    // The model has to know which rooms the reader enters, since the others see it. What the reader
    // receives is of no interest.
    reader.request(&model.enter(room));
    reader.skip_to("room");
    reader.request(&format!(r#"{{"type":"text","text":"{END} of {room}","ref":"{room}"}}"#));
    reader.skip_to("text");
    // Enters again for a snapshot that has the end.
    reader.request(&format!(r#"{{"type":"enter_room","roomId":{room}}}"#));
    let snapshot = model::snapshot(&reader.skip_to("room")).expect("a room");
    let mut events = Vec::new();
    let mut before = snapshot.seq + 1;
    loop {
        reader.request(&format!(
            r#"{{"type":"history","roomId":{room},"before":{before},"limit":100}}"#
        ));
        let page = reader.skip_to("history");
        let mut older = model::events(&page["events"]).expect("events");
        assert!(older.len() <= 100, "{page}");
        assert!(older.iter().all(|said| said.seq < before), "before {before}: {page}");
        before = older.first().map_or(1, |said| said.seq);
        older.append(&mut events);
        events = older;
        if page["more"] == false {
            return Kept { epoch: snapshot.epoch, seq: snapshot.seq, events };
        }
        assert!(before > 1, "more messages before the first: {page}");
    }
}

/// Prints what is wrong, with the part of the journal around it.
fn report(violations: &[Violation], witnesses: &Witnesses) {
    for complaint in &witnesses.complaints {
        println!("{complaint}");
    }
    for Violation { kind, what, at } in violations.iter().take(20) {
        println!("\n{kind:?}: {what}");
        let Some((name, place)) = at else { continue };
        println!("seen by {name}, at {place}");
        let around = place.saturating_sub(AROUND)..place + AROUND / 3;
        let journal = witnesses.journals.iter().find(|journal| journal.name == *name);
        let seen = journal.into_iter().flat_map(|journal| journal.seen.iter().enumerate());
        for (place, seen) in seen.filter(|(place, _)| around.contains(place)) {
            println!("  {place} {seen:?}");
        }
    }
    println!("{} violations", violations.len());
}

/// Prints the last entries of every journal.
fn show_last(witnesses: &Witnesses) {
    for journal in &witnesses.journals {
        println!("\nseen last by {}:", journal.name);
        let from = journal.seen.len().saturating_sub(AROUND);
        for seen in &journal.seen[from..] {
            println!("  {seen:?}");
        }
    }
    let mut last: BTreeMap<&str, &BaseJournal> = BTreeMap::new();
    for journal in &witnesses.base {
        last.insert(&journal.name, journal);
    }
    for journal in last.values() {
        println!("\nseen last by {}, user {}:", journal.name, journal.user.id);
        let from = journal.seen.len().saturating_sub(AROUND);
        for seen in &journal.seen[from..] {
            println!("  {seen:?}");
        }
    }
}

impl World {
    /// Waits until the condition holds; an error if there is no progress any more.
    fn wait(&self, what: &str, is_so: impl Fn() -> bool) -> Result<(), String> {
        let mut last = (self.progress.load(Ordering::SeqCst), Instant::now());
        while !is_so() {
            let progress = self.progress.load(Ordering::SeqCst);
            if progress != last.0 {
                last = (progress, Instant::now());
            }
            if last.1.elapsed() > PATIENCE {
                return Err(format!("no progress any more, waiting for {what}"));
            }
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }
}

#[test]
fn a_received_text_survives_a_kill() {
    let rounds = setting("WSCHAT_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let mut program = Program::durable(settings(&json!({})));
    let mut tokens: Option<[String; 2]> = None;
    for round in 1..=rounds {
        let [mut sender, mut receiver] = match &tokens {
            None => [program.endpoint.v2_user(), program.endpoint.v2_user()],
            Some(tokens) => [&tokens[0], &tokens[1]].map(|token| program.endpoint.resume(token)),
        };
        for client in [&mut sender, &mut receiver] {
            client.request(r#"{"type":"enter_room","roomId":1}"#);
            client.skip_to("room");
        }
        sender.request(&format!(r#"{{"type":"text","text":"said {round}","ref":"{round}"}}"#));
        let seen = receiver.skip_to("text");
        program.kill();
        assert_eq!((&seen["text"], &seen["seq"]), (&json!(format!("said {round}")), &json!(round)));
        program.restart();
        let mut fresh = program.endpoint.v2_user();
        fresh.request(r#"{"type":"enter_room","roomId":1}"#);
        let room = fresh.skip_to("room");
        assert_eq!(room["seq"], round, "{room}");
        let kept = model::events(&room["events"]).expect("events");
        let seen = model::events(&json!([seen])).expect("an event");
        assert_eq!(kept.last(), seen.last());
        tokens = Some([sender.token, receiver.token]);
    }
    println!("each received text survived, over {rounds} kills");
}
