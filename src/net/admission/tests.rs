use super::*;

fn source(address: &str) -> Source {
    Source::of(address.parse().unwrap())
}

/// An admission at a time that the test decides.
struct Gate {
    admission: Arc<Admission>,
    limits: AdmissionLimits,
    now: Instant,
}

impl Gate {
    fn new(limits: AdmissionLimits) -> Self {
        Self { admission: Arc::default(), limits, now: Instant::now() }
    }

    fn admit(&self, address: &str) -> Result<Ticket, NotAdmitted> {
        self.admission.admit(Some(source(address)), None, self.limits, self.now)
    }

    /// So many more connections from this address, all of them admitted.
    fn admit_all(&self, count: usize, address: &str) -> Vec<Ticket> {
        (0..count).map(|_| self.admit(address).unwrap()).collect()
    }

    /// So many upgraded connections from each address.
    fn seat_all(&self, count: usize, address: impl Fn(usize) -> String) -> Vec<Ticket> {
        let seat = |index| {
            let mut ticket = self.admit(&address(index)).unwrap();
            ticket.end_handshake();
            assert!(ticket.take_place(false, self.limits), "{index}");
            ticket
        };
        (0..count).map(seat).collect()
    }

    fn is_there(&self, ticket: &Ticket) -> bool {
        self.admission.lock().visitors.contains_key(&ticket.id)
    }

    #[track_caller]
    fn expect_empty(&self) {
        let counts = self.admission.lock();
        let Counts { connections, handshakes, reserve, places, visitors, .. } = &*counts;
        for tally in [connections, handshakes, reserve] {
            assert_eq!((tally.total, &tally.shares), (0, &Shares::default()));
        }
        assert_eq!((*places, visitors.len()), (0, 0));
    }
}

#[test]
fn each_source_and_each_wider_network_has_a_limit() {
    let limits = AdmissionLimits { max_per_source: 2, ..AdmissionLimits::default() };
    let gate = Gate::new(limits);
    let mut held = Vec::new();
    for (address, is_admitted) in [
        ("203.0.113.1", true),
        ("::ffff:203.0.113.1", true),
        ("203.0.113.1", false),
        ("203.0.113.2", true),
        ("2001:db8::1", true),
        ("2001:db8::2", true),
        ("2001:db8:0:0:ffff::3", false),
        ("2001:db8:0:1::1", true),
    ] {
        let admitted = gate.admit(address);
        assert_eq!(admitted.is_ok(), is_admitted, "{address}");
        held.extend(admitted);
    }
    held.remove(0);
    assert!(gate.admit("203.0.113.1").is_ok());

    let admitted = |address: &dyn Fn(u16) -> String| {
        let admitted: Vec<_> = (0..100).filter_map(|i| gate.admit(&address(i)).ok()).collect();
        admitted.len()
    };
    assert_eq!(admitted(&|i| format!("2001:db8:7:{i:x}::1")), 8, "a /56");
    assert_eq!(admitted(&|i| format!("2001:db8:8:{:x}::1", i << 8)), 32, "a /48");
    assert_eq!(admitted(&|i| format!("2001:db8:{:x}::1", 1_000 + i)), 100);
    drop(held);
    gate.expect_empty();
}

#[test]
fn one_network_has_half_of_all_connections_at_most() {
    let (max_connections, max_per_source) = (100, 10);
    let gate = Gate::new(AdmissionLimits { max_connections, max_per_source, ..Default::default() });
    let address = |i: usize| format!("2001:db8:0:{:x}::1", i << 8);
    let taken = gate.seat_all(50, address);
    assert_eq!(gate.admit(&address(99)).err(), Some(NotAdmitted::SourceHasTooMany));
    assert!(gate.admit("203.0.113.1").is_ok());
    drop(taken);
    gate.expect_empty();
}

#[test]
fn loopback_has_no_limit_of_its_own_unless_it_speaks_for_somebody_unknown() {
    let limits = AdmissionLimits { max_per_source: 2, ..AdmissionLimits::default() };
    let gate = Gate::new(limits);
    let mut held = gate.admit_all(10, "127.0.0.1");
    held.extend(gate.admit_all(10, "::1"));
    let proxied = |address: &str, is_exempt: bool| {
        let mut ticket = gate.admission.admit(None, None, limits, gate.now).unwrap();
        ticket.count_for(source(address), is_exempt, limits, gate.now).map(|()| ticket)
    };
    assert!(proxied("127.0.0.1", true).is_ok());
    assert_eq!(proxied("127.0.0.1", false).err(), Some(NotAdmitted::SourceHasTooMany));
    held.extend(proxied("203.0.113.1", true));
    held.extend(proxied("203.0.113.1", false));
    assert_eq!(proxied("203.0.113.1", true).err(), Some(NotAdmitted::SourceHasTooMany));
    assert!(gate.admission.lock().has_warned, "the operator knows of the crowd");
    drop(held);
    gate.expect_empty();
}

#[test]
fn places_run_out_but_for_those_who_resume() {
    let gate = Gate::new(AdmissionLimits { max_connections: 4, ..Default::default() });
    let limits = gate.limits;
    let taken = gate.seat_all(4, |_| "203.0.113.1".to_owned());
    let visit = |address| {
        let mut ticket = gate.admit(address).unwrap();
        ticket.end_handshake();
        assert!(ticket.is_full(limits));
        ticket
    };
    assert!(!visit("198.51.100.1").take_place(false, limits));
    // Of the reserve of eight, nobody has more than a half.
    let mut back = Vec::new();
    for (address, seated) in [("198.51.100.1", 4), ("2001:db8::1", 4), ("203.0.113.9", 0)] {
        let mut those: Vec<Ticket> = (0..6).map(|_| visit(address)).collect();
        those.retain_mut(|ticket| ticket.take_place(true, limits));
        assert_eq!(those.len(), seated, "{address}");
        back.push(those);
    }
    drop((taken, back));
    gate.expect_empty();
}

#[test]
fn a_newcomer_replaces_a_visitor_of_a_heavier_source() {
    let mut gate = Gate::new(AdmissionLimits { max_connections: 4, ..Default::default() });
    let slow = gate.admit_all(gate.limits.max_in_all(), "203.0.113.1");
    assert_eq!(gate.admit("203.0.113.1").err(), Some(NotAdmitted::Full));
    let mut newcomer = gate.admit("198.51.100.1").unwrap();
    assert!(!gate.is_there(&slow[0]), "the oldest is cut off");
    assert!(slow[1..].iter().all(|ticket| gate.is_there(ticket)));
    assert!(newcomer.take_place(false, gate.limits));
    // Where there is no room at all, those do not have long either who come from the same source.
    gate.now += FRESH_WHEN_FULL;
    let same = gate.admit("203.0.113.1").unwrap();
    assert!(!gate.is_there(&slow[1]) && gate.is_there(&same));
    drop((slow, newcomer, same));
    gate.expect_empty();
}

#[test]
fn a_visitor_that_has_had_its_time_makes_room_for_any() {
    let mut gate = Gate::new(AdmissionLimits { max_handshakes: 3, ..Default::default() });
    let mut slow = gate.admit_all(3, "127.0.0.1");
    // A crowd that comes at once is not cut off by itself.
    let crowd = gate.admit_all(3, "127.0.0.1");
    assert!(slow.iter().chain(&crowd).all(|ticket| gate.is_there(ticket)));
    gate.now += FRESH;
    let _newcomer = gate.admit("127.0.0.1").unwrap();
    assert!(!gate.is_there(&slow[0]));
    assert!(!slow[0].take_place(false, gate.limits), "it is late");
    assert!(slow[1..].iter().all(|ticket| gate.is_there(ticket)));
}

#[test]
fn handshakes_of_one_source_have_a_limit() {
    let mut gate =
        Gate::new(AdmissionLimits { max_handshakes_per_source: 2, ..Default::default() });
    let mut slow = gate.admit_all(2, "203.0.113.1");
    assert_eq!(gate.admit("203.0.113.1").err(), Some(NotAdmitted::SourceHasTooMany));
    slow[1].end_handshake();
    slow.push(gate.admit("203.0.113.1").unwrap());
    gate.now += FRESH;
    slow.push(gate.admit("203.0.113.1").unwrap());
    let there: Vec<bool> = slow.iter().map(|ticket| gate.is_there(ticket)).collect();
    assert_eq!(there, [false, true, true, true], "who has sent a head stays");
    drop(slow);
    gate.expect_empty();
}

#[test]
fn limits_may_change_while_connections_are_open() {
    let mut gate = Gate::new(AdmissionLimits::default());
    let _taken = gate.seat_all(2, |_| "203.0.113.1".to_owned());
    let mut visitor = gate.admit("203.0.113.1").unwrap();
    gate.limits.max_connections = 2;
    assert!(!visitor.take_place(false, gate.limits));
    gate.limits.max_connections = 3;
    assert!(visitor.take_place(false, gate.limits));
}
