use super::*;

const LIMITS: PaceLimits = PaceLimits {
    // So slow that no test sees a token come back.
    messages_per_second: 1e-6,
    message_burst: 3,
    rooms_per_second: 1e-6,
    room_burst: 1,
};

const KEY: ResumeKey = ResumeKey([7; 32]);

fn source(address: &str) -> Source {
    Source::of(address.parse().unwrap())
}

/// How many short messages are allowed at once.
fn allowed(pace: &Pace) -> usize {
    (0..10_000).take_while(|_| pace.message(10) == RateDecision::Allow).count()
}

#[test]
fn a_flood_is_rejected_and_then_disconnected() {
    let pace = Paces::default().connect(&[], source("192.0.2.1"), LIMITS);
    let decisions: Vec<RateDecision> = (0..7).map(|_| pace.message(10)).collect();
    assert_eq!(decisions[..3], [RateDecision::Allow; 3]);
    assert!(decisions[3..6].iter().all(|it| matches!(it, RateDecision::Reject { .. })));
    assert_eq!(decisions[6], RateDecision::Disconnect);
}

#[test]
fn a_session_keeps_its_pace_across_connections_and_addresses() {
    let paces = Paces::default();
    let first = paces.connect(&[KEY], source("192.0.2.1"), LIMITS);
    assert_eq!(allowed(&first), 3);
    assert!(first.take_room().is_ok());
    drop(first);
    let second = paces.connect(&[KEY], source("192.0.2.2"), LIMITS);
    assert!(matches!(second.message(10), RateDecision::Disconnect | RateDecision::Reject { .. }));
    assert!(second.take_room().is_err());
    let another = paces.connect(&[ResumeKey([8; 32])], source("192.0.2.2"), LIMITS);
    assert_eq!(allowed(&another), 3);
}

#[test]
fn a_secret_that_nobody_knows_brings_no_second_burst() {
    let paces = Paces::default();
    let (made_up, fresh) = (ResumeKey([1; 32]), ResumeKey([2; 32]));
    let first = paces.connect(&[made_up, fresh], source("192.0.2.1"), LIMITS);
    assert_eq!(allowed(&first), 3);
    drop(first);
    // The client has been given the fresh one, and resumes with that.
    let resumed = paces.connect(&[fresh, ResumeKey([3; 32])], source("192.0.2.1"), LIMITS);
    assert_eq!(allowed(&resumed), 0);
    for i in 10..20 {
        drop(paces.connect(&[fresh, ResumeKey([i; 32])], source("192.0.2.1"), LIMITS));
    }
    assert_eq!(lock(&paces.known).sessions.len(), 2, "resuming adds nothing");
}

#[test]
fn the_sessions_of_a_network_share_its_pace() {
    for (addresses, other) in [
        (["192.0.2.1", "::ffff:192.0.2.1"], "192.0.2.2"),
        (["2001:db8::1", "2001:db8::ffff:2"], "2001:db8:1::1"),
    ] {
        let paces = Paces::default();
        let connect = |of| paces.connect(&[], source(of), LIMITS);
        let told: usize = (0..100).map(|i| allowed(&connect(addresses[i % 2]))).sum();
        assert_eq!(told, 30, "ten times a session's burst from {addresses:?}");
        assert_eq!(allowed(&connect(other)), 3);
    }
}

#[test]
fn larger_networks_have_a_pace_as_well() {
    let paces = Paces::default();
    let told = |third: &str, range: std::ops::Range<u32>| -> usize {
        let pace = |i| paces.connect(&[], source(&format!("2001:db8:{third}{i:02x}::1")), LIMITS);
        range.map(|i| allowed(&pace(i))).sum()
    };
    for middle in ["aa", "bb", "cc", "dd"] {
        assert_eq!(told(&format!("5:{middle}"), 0..200), 120, "a /56 has four shares");
    }
    assert_eq!(told("5:ee", 0..20), 0, "a /48 has sixteen");
    assert_eq!(told("6:aa", 0..200), 120);
}

#[test]
fn loopback_has_no_pace_of_a_network() {
    let paces = Paces::default();
    for of in ["127.0.0.1", "::1"] {
        let told: usize = (0..100).map(|_| allowed(&paces.connect(&[], source(of), LIMITS))).sum();
        assert_eq!(told, 300, "{of}");
    }
}

#[test]
fn long_messages_and_what_follows_from_a_request_cost_more() {
    let paces = Paces::default();
    let connect = || paces.connect(&[], source("127.0.0.1"), LIMITS);
    assert_eq!(connect().message(4 * 65_536), RateDecision::Allow, "a whole burst allows it");
    let pace = connect();
    assert_eq!(pace.message(2 * 65_536), RateDecision::Allow);
    assert_eq!(allowed(&pace), 1);
    let pace = connect();
    pace.charge_answer(65_536);
    pace.charge_answer(3 * 65_536);
    assert_eq!(allowed(&pace), 1);
    let pace = connect();
    pace.charge_told(1_048_576);
    pace.charge_told(3 * 1_048_576);
    assert_eq!(allowed(&pace), 1);
}

#[test]
fn bytes_and_frames_make_a_pause() {
    let paces = Paces::default();
    let connect = || paces.connect(&[], source("127.0.0.1"), LIMITS);
    let pace = connect();
    assert_eq!(pace.intake(3 * 65_536, 0), Duration::ZERO);
    assert_ne!(pace.intake(1, 0), Duration::ZERO);
    assert_ne!(connect().intake(0, 1_000), Duration::ZERO, "a thousand empty frames are too many");
    assert_eq!(connect().intake(0, 20), Duration::ZERO);
    let pace = connect();
    let reads = (0..1_000).take_while(|_| pace.intake(1, 0).is_zero()).count();
    assert_eq!(reads, 96, "single bytes count as 2 KiB each");
}

#[test]
fn a_refused_room_costs_nothing() {
    let pace = Paces::default().connect(&[], source("192.0.2.1"), LIMITS);
    for _ in 0..5 {
        assert!(pace.take_room().is_ok());
        pace.refund_room();
    }
    assert!(pace.take_room().is_ok());
    assert!(pace.take_room().is_err());
}

#[test]
fn no_rate_of_messages_means_no_limit_at_all() {
    let limits = PaceLimits { messages_per_second: 0.0, ..LIMITS };
    let pace = Paces::default().connect(&[KEY], source("192.0.2.1"), limits);
    assert_eq!(allowed(&pace), 10_000);
    assert_eq!(pace.intake(usize::MAX, usize::MAX), Duration::ZERO);
}

#[test]
fn limits_may_change_between_connections() {
    let paces = Paces::default();
    let first = paces.connect(&[KEY], source("192.0.2.1"), LIMITS);
    assert_eq!(allowed(&first), 3);
    let more = PaceLimits { messages_per_second: 1e9, message_burst: 100, ..LIMITS };
    let second = paces.connect(&[KEY], source("192.0.2.1"), more);
    assert_eq!(second.message(10), RateDecision::Allow);
}

#[test]
fn paces_that_are_as_good_as_new_are_forgotten() {
    let paces = Paces::default();
    let held = paces.connect(&[KEY], source("192.0.2.1"), LIMITS);
    for i in 0..100_000_u32 {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&i.to_be_bytes());
        let pace = paces.connect(&[ResumeKey(key)], source("192.0.2.1"), LIMITS);
        if i == 5 {
            assert_eq!(pace.message(10), RateDecision::Allow);
        }
    }
    let known = lock(&paces.known);
    assert!(known.sessions.len() < 3_000, "{}", known.sessions.len());
    assert!(known.sessions.contains_key(&KEY), "it is in use");
    let mut used = [0; 32];
    used[..4].copy_from_slice(&5_u32.to_be_bytes());
    assert!(known.sessions.contains_key(&ResumeKey(used)), "it has spent something");
    drop(held);
}
