//! Each test sends messages, delivers them to members, and checks the counts.

use super::*;

const RUN: u16 = 7;

/// Clients 0, 1 and 2 are in room 0, clients 3 and 4 in room 1.
fn ledger() -> Ledger {
    Ledger::new(RUN, &[0, 0, 0, 1, 1])
}

fn send(ledger: &mut Ledger, clients: &[usize]) -> Vec<Raw> {
    clients.iter().map(|&client| ledger.send(client, 1_000).to_raw()).collect()
}

#[track_caller]
fn check(ledger: &Ledger, faults: Account) {
    let Account { sent, expected, received, .. } = ledger.account();
    assert_eq!(ledger.account(), Account { sent, expected, received, ..faults });
}

#[test]
fn deliveries_once_and_in_one_order_are_clean() {
    let mut ledger = ledger();
    // The server may choose the order of two senders' messages, if it is the same for all.
    let sent = send(&mut ledger, &[0, 1, 0, 1]);
    for client in 0..3 {
        for index in [1, 0, 2, 3] {
            assert!(ledger.deliver(client, &sent[index]).is_some());
        }
    }
    check(&ledger, Account::default());
    assert_eq!(ledger.account().received, 12);
}

#[test]
fn a_delivery_has_its_sender_and_time() {
    let mut ledger = ledger();
    let text = ledger.send(1, 123).to_raw();
    for client in 0..3 {
        let delivery = ledger.deliver(client, &text);
        assert_eq!(delivery, Some(Delivery { sender: 1, sequence: 0, sent_at: 123 }));
    }
}

#[test]
fn messages_in_flight_count_as_missing() {
    let mut ledger = ledger();
    let sent = send(&mut ledger, &[0, 3]);
    check(&ledger, Account { missing: 5, ..Account::default() });
    ledger.deliver(3, &sent[1]);
    check(&ledger, Account { missing: 4, ..Account::default() });
}

#[test]
fn a_dropped_delivery_is_one_missing_for_any_member() {
    for unlucky in 0..3 {
        for lost in 0..4 {
            let mut ledger = ledger();
            let sent = send(&mut ledger, &[0, 1, 0, 1]);
            for client in 0..3 {
                for (index, text) in sent.iter().enumerate() {
                    if (client, index) != (unlucky, lost) {
                        assert!(ledger.deliver(client, text).is_some());
                    }
                }
            }
            check(&ledger, Account { missing: 1, ..Account::default() });
        }
    }
}

#[test]
fn a_dropped_delivery_is_one_missing_for_any_interleaving() {
    // Each step delivers the next message to the members in this order; one member misses one.
    for steps in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        for unlucky in 0..3 {
            for lost in 0..4 {
                let mut ledger = ledger();
                for (index, sender) in [0, 1, 0, 2].into_iter().enumerate() {
                    let text = ledger.send(sender, 0).to_raw();
                    for client in steps {
                        if (client, index) != (unlucky, lost) {
                            assert!(ledger.deliver(client, &text).is_some());
                        }
                    }
                }
                check(&ledger, Account { missing: 1, ..Account::default() });
            }
        }
    }
}

#[test]
fn random_drops_and_duplicates_are_counted_for_any_interleaving() {
    for seed in 0..500 {
        let mut random = Random(seed);
        let mut ledger = ledger();
        let sent: Vec<Raw> = (0..100).map(|_| ledger.send(random.below(3), 0).to_raw()).collect();
        let (mut next, mut faults) = ([0; 3], Account::default());
        while let Some(client) = random.pick(|client| next[client] < sent.len()) {
            let text = &sent[next[client]];
            next[client] += 1;
            match random.below(50) {
                0 => faults.missing += 1,
                1 => {
                    ledger.deliver(client, text);
                    ledger.deliver(client, text);
                    faults.duplicated += 1;
                }
                _ => assert!(ledger.deliver(client, text).is_some(), "seed {seed}"),
            }
        }
        check(&ledger, faults);
    }
}

#[test]
fn a_repeated_delivery_is_one_duplicate() {
    for doubled in 0..3 {
        let mut ledger = ledger();
        let sent = send(&mut ledger, &[0, 1, 0]);
        for client in 0..3 {
            for text in &sent {
                ledger.deliver(client, text);
            }
        }
        assert_eq!(ledger.deliver(1, &sent[doubled]), None);
        check(&ledger, Account { duplicated: 1, ..Account::default() });
    }
}

#[test]
fn two_swapped_messages_of_one_sender_are_one_out_of_order() {
    for unlucky in 0..3 {
        let mut ledger = ledger();
        let sent = send(&mut ledger, &[0, 0, 0]);
        for client in 0..3 {
            let order = if client == unlucky { [0, 2, 1] } else { [0, 1, 2] };
            for index in order {
                assert!(ledger.deliver(client, &sent[index]).is_some());
            }
        }
        check(&ledger, Account { out_of_order: 1, ..Account::default() });
    }
}

#[test]
fn members_must_agree_on_the_order_of_different_senders() {
    let mut ledger = ledger();
    let sent = send(&mut ledger, &[0, 1]);
    for (client, order) in [(0, [0, 1]), (1, [0, 1]), (2, [1, 0])] {
        for index in order {
            ledger.deliver(client, &sent[index]);
        }
    }
    check(&ledger, Account { out_of_order: 1, ..Account::default() });
}

#[test]
fn a_delivery_to_another_room_is_misrouted_and_not_received() {
    let mut ledger = ledger();
    let sent = send(&mut ledger, &[3]);
    for client in [3, 4] {
        ledger.deliver(client, &sent[0]);
    }
    assert_eq!(ledger.deliver(0, &sent[0]), None);
    check(&ledger, Account { misrouted: 1, ..Account::default() });
    assert_eq!(ledger.account().received, 2);
}

#[test]
fn a_message_that_was_never_sent_is_unknown() {
    let mut ledger = ledger();
    send(&mut ledger, &[0]);
    let marker = Marker { run: RUN, sender: 0, sequence: 0, sent_at: 0 };
    for forged in [
        Marker { run: RUN + 1, ..marker },
        Marker { sender: 99, ..marker },
        Marker { sequence: 1, ..marker },
    ] {
        assert_eq!(ledger.deliver(0, &forged.to_raw()), None);
    }
    check(&ledger, Account { missing: 3, unknown: 3, ..Account::default() });
}

#[test]
fn counts_stay_exact_when_the_log_is_trimmed() {
    let mut ledger = ledger();
    let count = 3 * TRIM_EVERY;
    let mut late = None;
    for index in 0..count {
        let text = ledger.send(index % 3, 0).to_raw();
        for client in 0..3 {
            match (index, client) {
                (10, 0) => {}
                (20, 2) => late = Some(text),
                _ => assert!(ledger.deliver(client, &text).is_some()),
            }
        }
        if index == 30 {
            ledger.deliver(1, &text);
        }
    }
    assert!(ledger.rooms[0].log.len() <= TRIM_EVERY, "the log is trimmed");
    assert!(ledger.deliver(2, &late.unwrap()).is_some());
    check(&ledger, Account { missing: 1, duplicated: 1, out_of_order: 1, ..Account::default() });
}

/// A small random number generator (Knuth's MMIX constants), so that a seed repeats a failure.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    /// One of the clients 0, 1 and 2 for which `is_left` holds.
    fn pick(&mut self, is_left: impl Fn(usize) -> bool) -> Option<usize> {
        let left: Vec<usize> = (0..3).filter(|client| is_left(*client)).collect();
        (!left.is_empty()).then(|| left[self.below(left.len())])
    }
}
