use std::time::Duration;

use super::*;
use crate::chat::{Action, ConnectionId};
use crate::log::Local;
use crate::protocol::{CloseReason, Since};

fn wait(log: &mut LocalLog) {
    log.propose(Proposal::Action { action: Action::Wait, since: None });
}

fn close(log: &mut LocalLog, connection: u64) {
    let (connection, reason) = (ConnectionId(connection), CloseReason::ConnectionLost);
    log.propose(Proposal::Local(Local::Close { connection, reason }));
}

/// What the log hands back: the ids of entries, and the connections of local things.
fn order(log: &mut LocalLog) -> Vec<String> {
    let show = |ordered| match ordered {
        Ordered::Entry { entry, .. } => format!("entry {}", entry.id.n),
        Ordered::Local(Local::Close { connection, .. }) => format!("close {}", connection.0),
        other => panic!("{other:?}"),
    };
    std::iter::from_fn(|| log.next()).map(show).collect()
}

#[test]
fn entries_are_numbered_without_a_gap_and_local_things_keep_their_place() {
    let mut log = LocalLog::default();
    assert!(log.next().is_none());
    close(&mut log, 7);
    wait(&mut log);
    wait(&mut log);
    close(&mut log, 8);
    close(&mut log, 9);
    wait(&mut log);
    let expected = ["close 7", "entry 1", "entry 2", "close 8", "close 9", "entry 3"];
    assert_eq!(order(&mut log), expected);
    // Local things take no number, and neither does looking.
    assert!(log.next().is_none());
    close(&mut log, 7);
    wait(&mut log);
    assert_eq!(order(&mut log), ["close 7", "entry 4"]);
}

#[test]
fn an_entry_has_the_time_of_its_proposal() {
    let mut log = LocalLog::default();
    let times = [(1, 5_000), (1, 4_000), (2, 6_000)];
    for (seconds, time) in times {
        log.set_time(Now { at: Duration::from_secs(seconds), time });
        wait(&mut log);
    }
    for (seconds, time) in times {
        let Some(Ordered::Entry { entry, .. }) = log.next() else { panic!("an entry") };
        assert_eq!((entry.at, entry.time), (Duration::from_secs(seconds), time));
    }
}

#[test]
fn what_stays_on_the_node_comes_back_with_its_entry() {
    let mut log = LocalLog::default();
    let since = Since { epoch: "e".to_owned(), seq: 3, time: None };
    wait(&mut log);
    let kept = Some(Box::new(since.clone()));
    log.propose(Proposal::Action { action: Action::Wait, since: kept });
    let sinces = std::iter::from_fn(|| log.next()).map(|ordered| match ordered {
        Ordered::Entry { since, .. } => since.map(|since| *since),
        other => panic!("{other:?}"),
    });
    assert_eq!(sinces.collect::<Vec<_>>(), [None, Some(since)]);
}
