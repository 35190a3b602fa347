//! Entries with anything at all in them: none panics, and all nodes come to the same.

use std::time::Duration;

use crate::chat::{
    Action, ConnectionId, Content, EntryId, Link, NodeId, Request, RoomId, Rules, Source, Version,
};
use crate::cluster::batch::{Batch, Command, Join, LEVEL};
use crate::cluster::nodes::LogEntry;
use crate::cluster::replica::Replica;
use crate::simulation::random::Dice;

/// Few numbers, so that they meet, and the greatest.
fn number(dice: &mut Dice) -> u64 {
    match dice.below(40) {
        0 => u64::MAX,
        1 => u64::MAX - 1,
        _ => dice.below(4),
    }
}

fn duration(dice: &mut Dice) -> Duration {
    if dice.percent(3) { Duration::MAX } else { Duration::from_millis(dice.below(9_000)) }
}

fn entry_id(dice: &mut Dice) -> EntryId {
    EntryId { term: number(dice), n: number(dice) }
}

fn link(dice: &mut Dice) -> Link {
    Link { node: NodeId(number(dice)), connection: ConnectionId(number(dice)) }
}

fn join(dice: &mut Dice) -> Join {
    Join {
        name: String::new(),
        version: String::new(),
        lease: duration(dice),
        max_level: u32::try_from(dice.below(3)).unwrap(),
        base: "base".to_owned(),
        rules: Rules::sample(&["Lobby"]),
        forked: dice.percent(50).then(|| entry_id(dice)),
        skipped: (0..dice.below(3)).map(|_| entry_id(dice)).collect(),
    }
}

fn command(dice: &mut Dice) -> Command {
    let link = link(dice);
    let ask = |request| Action::Ask { link, request, reference: Some("a".into()) };
    Command::Act(match dice.below(12) {
        0..3 => return Command::Join(Box::new(join(dice))),
        3 => return Command::Leave,
        4 => return Command::Beat { place: entry_id(dice), digest: number(dice) },
        5 => return Command::Typing(link),
        6 | 7 => {
            Action::Connect { link, source: Source::SAMPLE, version: Version::Base, resume: None }
        }
        8 => ask(Request::EnterRoom(RoomId(number(dice)))),
        9 => ask(Request::Say(Content::Gif(1), None)),
        10 => Action::NodeGone { node: link.node },
        _ => [Action::Saved, Action::NotSaved, Action::Wait][dice.index(3)].clone(),
    })
}

fn entry(dice: &mut Dice, place: EntryId) -> LogEntry {
    let id = match dice.below(20) {
        0 => entry_id(dice),
        1 => EntryId { term: place.term.saturating_add(1), n: place.n.wrapping_add(1) },
        _ => EntryId { term: place.term, n: place.n.wrapping_add(1) },
    };
    let batch = dice.percent(95).then(|| Batch {
        node: NodeId(number(dice)),
        counter: number(dice),
        level: if dice.percent(90) { LEVEL } else { u32::try_from(dice.below(4)).unwrap() },
        commands: (0..dice.below(4)).map(|_| command(dice)).collect(),
    });
    LogEntry { id, at: duration(dice), time: number(dice), batch }
}

#[test]
fn any_entries_lead_to_the_same_and_none_panics() {
    for seed in super::seeds() {
        println!("seed {seed}");
        let mut dice = Dice::new(seed);
        let mut replica = Replica::fresh();
        for _ in 0..500 {
            let entry = entry(&mut dice, replica.nodes.place());
            let bytes = replica.write();
            // A lease may be longer here than can be read.
            let twin = Replica::read(&bytes);
            let (mut effects, mut effects_of_twin) = (Vec::new(), Vec::new());
            let taken = replica.apply(entry.clone(), &mut effects);
            if let Ok(mut twin) = twin {
                assert_eq!(twin.write(), bytes);
                let mut taken_by_twin = twin.apply(entry, &mut effects_of_twin);
                // It does not remember the digests from before.
                if let (Ok(taken), Ok(by_twin)) = (&taken, &mut taken_by_twin) {
                    by_twin.differs = taken.differs;
                }
                assert_eq!(taken_by_twin, taken);
                assert_eq!(effects_of_twin, effects);
                assert!(twin.write() == replica.write());
            }
            if taken.is_err() {
                replica = Replica::read(&bytes).unwrap_or_else(|_| Replica::fresh());
            }
        }
    }
}
