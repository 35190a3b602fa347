use super::*;
use crate::chat::Source;
use crate::pace::{PaceLimits, Paces};

const ROOM: RoomId = RoomId(1);

/// A burst of 40,000 bytes.
const RATE: f64 = 10_000.0;

const NOW: Duration = Duration::from_secs(100);

/// Somebody who has been there for long.
fn author(paces: &Paces, address: &str) -> Pace {
    let author = newcomer(paces, address);
    author.grow_old();
    author
}

fn newcomer(paces: &Paces, address: &str) -> Pace {
    let limits = PaceLimits {
        messages_per_second: 1e6,
        message_burst: 1_000_000,
        rooms_per_second: 1.0,
        room_burst: 1,
    };
    paces.connect(&[], Source::of(address.parse().unwrap()), limits)
}

/// How many bytes this author can say at once, in messages of 100.
fn said(rates: &mut RoomRates, author: &Pace) -> usize {
    100 * (0..10_000).take_while(|_| rates.take(ROOM, author, 100, NOW).is_ok()).count()
}

#[test]
fn a_room_is_told_a_burst_and_then_the_rate() {
    let (mut rates, paces) = (RoomRates::new(RATE), Paces::old());
    let total: usize = (0..100).map(|_| said(&mut rates, &author(&paces, "127.0.0.1"))).sum();
    assert_eq!(total, 40_000);
    let wait = rates.take(ROOM, &author(&paces, "127.0.0.1"), 100, NOW).unwrap_err();
    assert_eq!(wait.as_millis(), 10);
    assert!(rates.take(RoomId(2), &author(&paces, "127.0.0.1"), 100, NOW).is_ok());
}

#[test]
fn those_who_have_said_most_are_refused_first() {
    let (mut rates, paces) = (RoomRates::new(RATE), Paces::old());
    let loud = author(&paces, "127.0.0.1");
    let said_by_loud = said(&mut rates, &loud);
    assert!((20_000..=25_000).contains(&said_by_loud), "{said_by_loud}");
    let quiet = author(&paces, "127.0.0.1");
    assert!(rates.take(ROOM, &quiet, 4_000, NOW).is_ok());
    assert!(rates.take(ROOM, &loud, 100, NOW).is_err());
}

#[test]
fn the_sessions_of_one_network_count_together() {
    let (mut rates, paces) = (RoomRates::new(RATE), Paces::old());
    let total: usize = (0..1_000).map(|_| said(&mut rates, &author(&paces, "192.0.2.1"))).sum();
    assert!(total <= 26_000, "{total}");
    assert!(rates.take(ROOM, &author(&paces, "192.0.2.2"), 4_000, NOW).is_ok());
}

#[test]
fn newcomers_leave_something_to_others_however_many_they_are() {
    let (mut rates, paces) = (RoomRates::new(RATE), Paces::old());
    let total: usize = (0..1_000).map(|_| said(&mut rates, &newcomer(&paces, "127.0.0.1"))).sum();
    assert!((20_000..=25_000).contains(&total), "{total}");
    assert!(rates.take(ROOM, &author(&paces, "127.0.0.1"), 4_000, NOW).is_ok());
}

#[test]
fn a_rate_of_zero_is_no_limit() {
    let (mut rates, paces) = (RoomRates::new(0.0), Paces::old());
    assert_eq!(said(&mut rates, &author(&paces, "192.0.2.1")), 1_000_000);
}

#[test]
fn what_has_to_be_told_counts_and_is_never_refused() {
    let (mut rates, paces) = (RoomRates::new(RATE), Paces::old());
    rates.charge(ROOM, 50_000, NOW);
    let wait = rates.take(ROOM, &author(&paces, "192.0.2.1"), 1, NOW).unwrap_err();
    assert_eq!(wait.as_millis(), 1_000);
}

#[test]
fn full_buckets_are_dropped() {
    let (mut rates, paces) = (RoomRates::new(RATE), Paces::old());
    let author = author(&paces, "192.0.2.1");
    for room in 0..10_000 {
        let now = NOW + Duration::from_secs(room);
        assert!(rates.take(RoomId(room), &author, 100, now).is_ok());
    }
    assert!(rates.buckets.len() < 600, "{}", rates.buckets.len());
}
