use super::*;
use crate::chat::{ConnectionId, Content, Rules, Source, Version};

const LEASE: Duration = Duration::from_secs(6);
const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);

/// A log that gives each batch the next place.
struct Log {
    nodes: Nodes,
    next: EntryId,
    at: Duration,
}

impl Log {
    fn new() -> Self {
        Self { nodes: Nodes::new(), next: EntryId { term: 1, n: 1 }, at: Duration::ZERO }
    }

    /// One in which these nodes have joined.
    fn of(nodes: &[NodeId]) -> Self {
        let mut log = Self::new();
        for node in nodes {
            assert_eq!(log.join(*node).verdict, Verdict::Applied);
        }
        log
    }

    fn take(&mut self, batch: Option<Batch>) -> Result<Taken, Break> {
        let (id, at) = (self.next, self.at);
        self.next.n += 1;
        self.nodes.take(LogEntry { id, at, time: 0, batch })
    }

    fn batch(&mut self, node: NodeId, counter: u64, commands: Vec<Command>) -> Taken {
        self.take(Some(Batch { node, counter, level: LEVEL, commands })).unwrap()
    }

    fn join(&mut self, node: NodeId) -> Taken {
        self.join_with(node, |_| {})
    }

    fn join_with(&mut self, node: NodeId, change: impl FnOnce(&mut Join)) -> Taken {
        let mut join = join();
        change(&mut join);
        self.batch(node, 1, vec![Command::Join(Box::new(join))])
    }

    fn verdict(&mut self, node: NodeId, counter: u64) -> Verdict {
        self.batch(node, counter, vec![]).verdict
    }

    fn wait(&mut self, time: Duration) {
        self.at += time;
    }

    fn fail_over(&mut self, lost: u64) {
        self.next = EntryId { term: self.next.term + 1, n: self.next.n - lost };
    }

    fn live(&self) -> Vec<NodeId> {
        self.nodes.live().map(|(id, _)| id).collect()
    }
}

fn join() -> Join {
    Join {
        name: "node".to_owned(),
        version: "1".to_owned(),
        lease: LEASE,
        max_level: LEVEL,
        base: "base".to_owned(),
        rules: Rules::sample(&["Lobby"]),
        forked: None,
        skipped: vec![],
    }
}

fn link(node: NodeId, connection: u64) -> Link {
    Link { node, connection: ConnectionId(connection) }
}

fn say(link: Link) -> Action {
    let request = Request::Say(Content::Text("Hello".to_owned()), None);
    Action::Ask { link, request, reference: None }
}

/// What the steps do to the chat.
fn actions(taken: Taken) -> Vec<Action> {
    let action = |step| match step {
        Step::Entry(entry) => Some(entry.action),
        Step::Notice(..) => None,
    };
    taken.steps.into_iter().filter_map(action).collect()
}

#[test]
fn the_first_node_brings_the_rules_and_the_epoch() {
    let mut log = Log::new();
    assert_eq!(log.nodes.epoch(), "");
    let taken = log.join(A);
    assert_eq!(actions(taken), [Action::SetRules(Box::new(Rules::sample(&["Lobby"])))]);
    let taken = log.join_with(B, |join| join.base = "another".to_owned());
    assert_eq!((taken.verdict, taken.is_new_epoch), (Verdict::Applied, false));
    assert_eq!(taken.steps, []);
    assert_eq!(log.nodes.epoch(), "base");
    assert_eq!(log.live(), [A, B]);
}

#[test]
fn each_batch_counts_once() {
    let mut log = Log::of(&[A]);
    let text = |log: &mut Log, counter| log.batch(A, counter, vec![Command::Act(say(link(A, 1)))]);
    assert_eq!(actions(text(&mut log, 2)), [say(link(A, 1)), Action::Saved]);
    for (counter, verdict) in [
        (2, Verdict::Duplicate),
        (4, Verdict::Gap),
        (u64::MAX, Verdict::Gap),
        (0, Verdict::Duplicate),
    ] {
        let taken = text(&mut log, counter);
        assert_eq!((taken.verdict, taken.steps.len()), (verdict, 0), "{counter}");
    }
    assert_eq!(log.nodes.counter(A), Some(2));
    assert_eq!(text(&mut log, 3).verdict, Verdict::Applied);
    assert_eq!(log.nodes.counter(A), Some(3));
    assert_eq!(log.join(A).verdict, Verdict::Duplicate);
}

#[test]
fn a_node_that_has_not_joined_is_fenced() {
    let mut log = Log::of(&[A]);
    assert_eq!(log.verdict(B, 1), Verdict::Fenced);
    assert_eq!(log.verdict(B, 2), Verdict::Fenced);
    let late = log.batch(B, 2, vec![Command::Join(Box::new(join()))]);
    assert_eq!(late.verdict, Verdict::Fenced);
    assert_eq!(log.nodes.counter(B), None);
    assert_eq!(log.live(), [A]);
}

#[test]
fn a_node_is_gone_when_its_lease_ends_and_stays_gone() {
    let mut log = Log::of(&[A, B, C]);
    log.wait(LEASE);
    assert_eq!(log.verdict(A, 2), Verdict::Applied);
    assert_eq!(log.live(), [A, B, C], "the lease ends after this moment");
    log.wait(Duration::from_millis(1));
    let taken = log.batch(A, 3, vec![Command::Act(Action::Wait)]);
    assert_eq!(taken.gone, [B, C]);
    let gone = [B, C].map(|node| Action::NodeGone { node });
    assert_eq!(actions(taken), [gone[0].clone(), gone[1].clone(), Action::Wait]);
    assert_eq!(log.verdict(B, 2), Verdict::Fenced);
    // A copy of its first batch that was long on its way does not bring it back.
    assert_eq!(log.join(B).verdict, Verdict::Fenced);
    assert_eq!(log.live(), [A]);
}

#[test]
fn the_entry_of_a_node_that_comes_too_late_removes_it() {
    let mut log = Log::of(&[A]);
    log.wait(LEASE + Duration::from_millis(1));
    let taken = log.batch(A, 2, vec![Command::Act(say(link(A, 1)))]);
    assert_eq!((taken.verdict, taken.gone.as_slice()), (Verdict::Fenced, [A].as_slice()));
    assert_eq!(actions(taken), [Action::NodeGone { node: A }]);
}

#[test]
fn whatever_is_heard_of_a_node_renews_its_lease() {
    let mut log = Log::of(&[A, B]);
    for (counter, (other, expected)) in
        (2..).zip([(1, Verdict::Duplicate), (6, Verdict::Gap)].repeat(4))
    {
        log.wait(LEASE);
        assert_eq!(log.verdict(A, counter), Verdict::Applied);
        assert_eq!(log.verdict(B, other), expected);
    }
    assert_eq!(log.live(), [A, B]);
}

#[test]
fn a_new_term_renews_all_leases() {
    let mut log = Log::of(&[A, B]);
    log.wait(10 * LEASE);
    log.fail_over(0);
    assert_eq!(log.verdict(A, 2), Verdict::Applied);
    log.wait(LEASE);
    assert_eq!(log.verdict(A, 3), Verdict::Applied);
    assert_eq!(log.live(), [A, B]);
    log.wait(LEASE);
    assert_eq!(log.batch(A, 4, vec![]).gone, [B]);
}

#[test]
fn the_clock_never_goes_back() {
    let mut log = Log::of(&[A]);
    log.wait(Duration::from_secs(5));
    log.verdict(A, 2);
    log.at = Duration::ZERO;
    let taken = log.batch(A, 3, vec![Command::Act(Action::Wait)]);
    let Some(Step::Entry(entry)) = taken.steps.first() else { panic!("{taken:?}") };
    assert_eq!(entry.at, Duration::from_secs(5));
    assert_eq!(log.nodes.at(), Duration::from_secs(5));
}

#[test]
fn a_node_that_leaves_says_nothing_more_and_stays_until_its_lease_ends() {
    let mut log = Log::of(&[A, B]);
    let commands = vec![
        Command::Act(Action::Disconnect { link: link(A, 1), is_going_away: false }),
        Command::Leave,
        Command::Act(say(link(A, 2))),
    ];
    let taken = log.batch(A, 2, commands);
    assert_eq!(taken.verdict, Verdict::Applied);
    assert_eq!(taken.steps.len(), 1);
    assert!(log.nodes.live().any(|(id, node)| id == A && node.is_leaving));
    assert_eq!((log.nodes.rank(A), log.nodes.rank(B), log.nodes.rank(C)), (0, 0, 1));
    log.wait(LEASE);
    assert_eq!(log.verdict(A, 3), Verdict::Fenced);
    assert_eq!(log.verdict(A, 2), Verdict::Duplicate);
    assert_eq!(log.verdict(B, 2), Verdict::Applied);
    log.wait(Duration::from_millis(1));
    assert_eq!(log.batch(B, 3, vec![]).gone, [A]);
    assert_eq!(log.nodes.rank(C), 1);
}

#[test]
fn nobody_speaks_for_the_connections_of_another_node() {
    let mut log = Log::of(&[A, B]);
    let (own, other) = (link(A, 1), link(B, 1));
    let commands = [other, own].into_iter().flat_map(|link| {
        [
            Command::Act(say(link)),
            Command::Notice(link, Notice::Typing),
            Command::Act(Action::Disconnect { link, is_going_away: false }),
            Command::Act(Action::Connect {
                link,
                source: Source::SAMPLE,
                version: Version::Base,
                resume: None,
            }),
        ]
    });
    let taken = log.batch(A, 2, commands.collect());
    assert_eq!(taken.steps[1], Step::Notice(own, Notice::Typing));
    let links: Vec<_> = actions(taken).iter().filter_map(Action::link).collect();
    assert_eq!(links, [own, own, own]);
}

#[test]
fn only_what_follows_is_taken() {
    let mut log = Log::of(&[A]);
    log.fail_over(0);
    assert_eq!(log.verdict(A, 2), Verdict::Applied);
    let place = log.nodes.place();
    assert_eq!(place, EntryId { term: 2, n: 2 });
    for (id, expected) in [
        ((2, 4), Err(Break::Behind)),
        ((3, 4), Err(Break::Behind)),
        ((2, u64::MAX), Err(Break::Behind)),
        ((3, 2), Err(Break::Forked)),
        ((3, 1), Err(Break::Forked)),
        ((2, 2), Ok(Verdict::Duplicate)),
        ((2, 1), Ok(Verdict::Duplicate)),
        ((1, 9), Ok(Verdict::Duplicate)),
    ] {
        let id = EntryId { term: id.0, n: id.1 };
        let batch = Batch { node: A, counter: 3, level: LEVEL, commands: vec![] };
        let entry = LogEntry { id, at: log.at, time: 0, batch: Some(batch) };
        assert_eq!(log.nodes.take(entry).map(|taken| taken.verdict), expected, "{id:?}");
        assert_eq!((log.nodes.place(), log.nodes.counter(A)), (place, Some(2)));
    }
    log.fail_over(0);
    assert_eq!(log.verdict(A, 3), Verdict::Applied);
}

#[test]
fn each_loss_changes_the_epoch_once() {
    let mut log = Log::of(&[A, B]);
    let lost = log.nodes.place();
    log.fail_over(0);
    assert_eq!(log.verdict(A, 2), Verdict::Applied);
    assert_eq!(log.nodes.epoch(), "base", "nothing was lost");
    let forked = |log: &mut Log, node, lost| log.join_with(node, |join| join.forked = Some(lost));
    assert!(forked(&mut log, NodeId(10), lost).is_new_epoch);
    assert_eq!(log.nodes.epoch(), "base-2");
    assert!(!forked(&mut log, NodeId(11), lost).is_new_epoch, "told before");
    let (now, future) = (log.nodes.place(), EntryId { term: 9, n: 9 });
    assert!(!forked(&mut log, NodeId(12), now).is_new_epoch, "this is not lost");
    assert!(!forked(&mut log, NodeId(13), future).is_new_epoch, "this has not happened");
    assert_eq!(log.nodes.epoch(), "base-2");
    log.fail_over(0);
    assert!(forked(&mut log, NodeId(14), now).is_new_epoch);
    assert!(!forked(&mut log, NodeId(15), now).is_new_epoch);
    assert!(!forked(&mut log, NodeId(16), lost).is_new_epoch);
    assert_eq!(log.nodes.epoch(), "base-3");
}

#[test]
fn the_level_is_the_least_of_all_live_nodes() {
    let mut log = Log::of(&[A]);
    let at_level = |log: &mut Log, node, max_level| {
        log.join_with(node, |join| join.max_level = max_level).verdict
    };
    assert_eq!(at_level(&mut log, B, 3), Verdict::Applied);
    assert_eq!(at_level(&mut log, C, 2), Verdict::Applied);
    assert_eq!(log.nodes.level(), 1);
    let later = |counter| Batch { node: B, counter, level: 2, commands: vec![] };
    assert_eq!(log.take(Some(later(2))).unwrap().verdict, Verdict::Fenced);
    log.wait(LEASE);
    assert_eq!((log.verdict(B, 2), log.verdict(C, 2)), (Verdict::Applied, Verdict::Applied));
    log.wait(Duration::from_millis(1));
    assert_eq!(log.batch(B, 3, vec![]).gone, [A]);
    assert_eq!(log.nodes.level(), 2);
    assert_eq!(at_level(&mut log, NodeId(9), 1), Verdict::Fenced);
    assert_eq!(log.take(Some(later(4))), Err(Break::Newer { level: 2 }));
}

#[test]
fn an_entry_without_a_batch_has_no_effect_but_its_place() {
    let mut log = Log::of(&[A, B]);
    log.wait(2 * LEASE);
    let before = log.nodes.digest();
    let taken = log.take(None).unwrap();
    assert_eq!(taken, Taken::nothing(Verdict::Fenced));
    assert_eq!(log.nodes.place().n, 3);
    assert_ne!(log.nodes.digest(), before);
    assert_eq!(log.live(), [A, B]);
    assert_eq!(log.nodes.skipped().collect::<Vec<_>>(), [log.nodes.place()]);
    assert_eq!(log.batch(A, 2, vec![]).gone, [A, B], "the clock has gone on");
}

#[test]
fn a_node_learns_that_another_has_skipped_what_it_has_applied() {
    let mut log = Log::of(&[A]);
    let applied = log.nodes.place();
    log.take(None).unwrap();
    let both = log.nodes.place();
    let future = EntryId { term: 1, n: 99 };
    let taken = log.join_with(B, |join| join.skipped = vec![applied, both, future]);
    assert_eq!(taken.skipped, [applied]);
}

#[test]
fn only_the_last_skipped_entries_are_remembered() {
    let mut log = Log::of(&[A]);
    for _ in 0..2 * MAX_SKIPPED {
        log.take(None).unwrap();
    }
    let last = log.nodes.place().n;
    let skipped: Vec<_> = log.nodes.skipped().map(|id| id.n).collect();
    assert_eq!(skipped, (last + 1 - MAX_SKIPPED as u64..=last).collect::<Vec<_>>());
}

#[test]
fn a_beat_with_another_digest_is_noticed() {
    let mut log = Log::of(&[A]);
    let effects = [Effect::Kicked { link: link(A, 1) }];
    log.nodes.mix(&effects);
    let (place, digest) = (log.nodes.place(), log.nodes.digest());
    let mut beat = |counter, place, digest| {
        log.batch(A, counter, vec![Command::Beat { place, digest }]).differs
    };
    assert!(!beat(2, place, digest));
    assert!(beat(3, place, digest + 1));
    // A place in a branch that was lost, or one that is long ago.
    assert!(!beat(4, EntryId { term: 0, ..place }, digest + 1));
    for counter in 5..5 + MAX_DIGESTS as u64 {
        assert!(!beat(counter, EntryId { term: 1, n: 10_000 }, 0));
    }
    assert!(!beat(5 + MAX_DIGESTS as u64, place, digest + 1));
    let last = log.nodes.place();
    let digest = log.nodes.digest();
    let commands = vec![Command::Beat { place: last, digest }];
    assert!(!log.batch(A, 6 + MAX_DIGESTS as u64, commands).differs);
}

#[test]
fn a_beat_in_the_midst_of_an_entry_is_that_of_the_one_before() {
    let mut log = Log::of(&[A]);
    let effects: Vec<_> = (1..5).map(|id| Effect::Kicked { link: link(A, id) }).collect();
    log.nodes.mix(&effects);
    let (place, digest) = (log.nodes.place(), log.nodes.digest());
    assert!(!log.batch(A, 2, vec![Command::Leave]).differs);
    // A node stops here when its clients have enough to read for now, and goes on later.
    log.nodes.mix(&effects[..2]);
    let beat = log.nodes.beat();
    log.nodes.mix(&effects[2..]);
    assert_eq!(beat, Command::Beat { place, digest });
    assert!(!log.batch(A, 3, vec![beat]).differs);
}

#[test]
fn the_digest_depends_on_what_happened_and_not_on_its_parts() {
    let effects: Vec<_> = (1..5).map(|id| Effect::Kicked { link: link(A, id) }).collect();
    let digest = |parts: &[&[Effect]]| {
        let mut log = Log::of(&[A]);
        for part in parts {
            log.nodes.mix(part);
        }
        log.nodes.digest()
    };
    assert_eq!(digest(&[&effects]), digest(&[&effects[..1], &[], &effects[1..]]));
    assert_ne!(digest(&[&effects]), digest(&[&effects[1..], &effects[..1]]));
    assert_ne!(digest(&[&effects]), digest(&[&effects[1..]]));
    // Every build has to come to the same.
    assert_eq!(digest(&[&effects]), 18_234_103_518_600_374_517);
}
