//! The same entries give the same chat, from the beginning and from a snapshot in the middle.
//!
//! `WSCHAT_REPLAY_SEED=7` replays one seed, `WSCHAT_REPLAY_ENTRIES=1000000` sets the length of each run.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::random_run::RandomRun;
use super::*;

/// The number of runs and the length of each: 2,000,000 entries in all.
const SEEDS: u64 = 100;
const ENTRIES: usize = 20_000;

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn seeds() -> Vec<u64> {
    from_env("WSCHAT_REPLAY_SEED").map_or_else(|| (0..SEEDS).collect(), |seed| vec![seed])
}

fn entries() -> usize {
    from_env("WSCHAT_REPLAY_ENTRIES").map_or(ENTRIES, |entries| usize::try_from(entries).unwrap())
}

fn digest(chat: &Chat) -> [u8; 32] {
    Sha256::digest(chat.write_snapshot()).into()
}

/// Counts what happened in a run, to check that nothing of interest is missing.
#[derive(Debug, Default)]
struct Seen {
    resumed: usize,
    renamed: usize,
    removed_rooms: usize,
    left_for_good: usize,
    taken_back: usize,
    repeated: usize,
    new_rules: usize,
    announced: usize,
    erased: usize,
}

impl Seen {
    fn note(&mut self, entry: &Entry, effects: &[Effect]) {
        match &entry.action {
            Action::NotSaved => self.taken_back += 1,
            Action::SetRules(_) => self.new_rules += 1,
            _ => {}
        }
        for effect in effects {
            match effect {
                Effect::Connected { welcome, .. } => self.resumed += usize::from(welcome.resumed),
                Effect::Tell { event: Event::Renamed(_), .. } => self.renamed += 1,
                Effect::Repeat { .. } => self.repeated += 1,
                Effect::Announce { .. } => self.announced += 1,
                Effect::Tell { event: Event::Erased(_), .. } => self.erased += 1,
                Effect::Store(Memo::RoomGone(_)) => self.removed_rooms += 1,
                Effect::Store(Memo::UserGone(_)) => self.left_for_good += 1,
                _ => {}
            }
        }
    }

    fn check(&self) {
        let Self { resumed, renamed, removed_rooms, left_for_good, .. } = self;
        let Self { taken_back, repeated, new_rules, announced, erased, .. } = self;
        let counts = [
            resumed,
            renamed,
            removed_rooms,
            left_for_good,
            taken_back,
            repeated,
            new_rules,
            announced,
            erased,
        ];
        assert!(counts.iter().all(|count| **count > 0), "the run is too tame: {self:?}");
    }
}

fn replay(seed: u64, len: usize) {
    let mut run = RandomRun::new(seed);
    let recorded: Vec<Entry> = (0..len).map(|_| run.next_entry()).collect();

    let mut first = Chat::new(RandomRun::rules());
    let mut effects_of_each = Vec::new();
    let mut snapshot = None;
    let mut counts = Seen::default();
    for (index, entry) in recorded.iter().enumerate() {
        if index == len / 2 {
            snapshot = Some(first.write_snapshot());
        }
        let mut effects = Vec::new();
        first.apply(entry.clone(), &mut effects);
        counts.note(entry, &effects);
        effects_of_each.push(effects);
    }
    if len >= 1_000 {
        counts.check();
    }

    let mut fresh = Chat::new(RandomRun::rules());
    let mut restored = Chat::read_snapshot(&snapshot.unwrap()).unwrap();
    for (index, (entry, expected)) in recorded.into_iter().zip(&effects_of_each).enumerate() {
        let mut effects = Vec::new();
        fresh.apply(entry.clone(), &mut effects);
        assert_eq!(&effects, expected, "seed {seed}, entry {index}, from the beginning");
        if index >= len / 2 {
            effects.clear();
            restored.apply(entry, &mut effects);
            assert_eq!(&effects, expected, "seed {seed}, entry {index}, from the snapshot");
        }
    }
    assert!(fresh == first, "seed {seed}: another state from the beginning");
    assert!(restored == first, "seed {seed}: another state from the snapshot");
    assert_eq!(digest(&fresh), digest(&first));
    assert_eq!(digest(&restored), digest(&first));
}

#[test]
fn recorded_entries_give_the_same_chat_again() {
    for seed in seeds() {
        replay(seed, entries());
    }
}

/// Extra `Wait` entries make no difference.
#[test]
fn wait_entries_change_nothing_that_would_not_happen_without_them() {
    for seed in seeds().into_iter().take(20) {
        let mut run = RandomRun::new(seed);
        let (mut plain, mut watched) =
            (Chat::new(RandomRun::rules()), Chat::new(RandomRun::rules()));
        for _ in 0..1_000 {
            let entry = run.next_entry();
            let (mut expected, mut effects) = (Vec::new(), Vec::new());
            watched.apply(Entry { action: Action::Wait, ..entry.clone() }, &mut effects);
            watched.apply(entry.clone(), &mut effects);
            plain.apply(entry, &mut expected);
            assert_eq!(effects, expected, "seed {seed}");
        }
        assert!(plain == watched, "seed {seed}");
    }
}

#[test]
fn a_malformed_snapshot_is_refused_and_none_panics() {
    let mut run = RandomRun::new(1);
    let mut chat = Chat::new(RandomRun::rules());
    for _ in 0..300 {
        chat.apply(run.next_entry(), &mut Vec::new());
    }
    let good = chat.write_snapshot();
    assert!(Chat::read_snapshot(&good).is_ok_and(|read| read == chat));
    for len in 0..good.len() {
        assert!(Chat::read_snapshot(&good[..len]).is_err(), "cut to {len} bytes");
    }
    for index in 0..good.len() {
        for flip in [1, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[index] ^= flip;
            // Some are still readable, and what is read can go on.
            if let Ok(mut chat) = Chat::read_snapshot(&bad) {
                let action = Action::Wait;
                let entry = Entry { id: EntryId::default(), at: Duration::MAX, time: 0, action };
                chat.apply(entry, &mut Vec::new());
            }
        }
    }
}
