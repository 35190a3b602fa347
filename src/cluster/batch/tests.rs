use super::*;
use crate::chat::{
    ConnectionId, Content, Erasure, Request, ResumeKey, ResumeOffer, RoomId, Source, UserId,
    Version,
};

const NODE: NodeId = NodeId(u64::MAX / 3);

fn link(connection: u64) -> Link {
    Link { node: NODE, connection: ConnectionId(connection) }
}

fn join() -> Join {
    Join {
        name: "Zürich 1".to_owned(),
        version: "0.1.0".to_owned(),
        lease: Duration::from_millis(6_500),
        max_level: 3,
        base: "epoch".to_owned(),
        rules: Rules::sample(&["Lobby", "Bar"]),
        forked: Some(EntryId { term: 1_700_000_000_000, n: 5 }),
        skipped: vec![EntryId { term: 1, n: 2 }, EntryId::default()],
    }
}

fn batch(counter: u64, commands: Vec<Command>) -> Batch {
    Batch { node: NODE, counter, level: LEVEL, commands }
}

fn ask(request: Request, reference: Option<&str>) -> Command {
    let reference = reference.map(Into::into);
    Command::Act(Action::Ask { link: link(300), request, reference })
}

/// Every kind of command that a batch can have behind the first.
fn commands() -> Vec<Command> {
    let (resumed, fresh) = (Some(ResumeKey([1; 32])), ResumeKey([2; 32]));
    let offers =
        [None, Some(ResumeOffer { resumed, fresh }), Some(ResumeOffer { resumed: None, fresh })];
    let mut commands: Vec<_> = offers
        .into_iter()
        .zip([Source::V4(u32::MAX), Source::V6(u64::MAX), Source::V6(0)])
        .zip([Version::Base, Version::V2, Version::V2])
        .map(|((offer, source), version)| {
            let resume = offer.map(Box::new);
            Command::Act(Action::Connect { link: link(u64::MAX), source, version, resume })
        })
        .collect();
    let text = "Ä\u{0}\r\n\u{10ffff} \"\\ \u{feff}".to_owned();
    commands.extend([
        ask(Request::EnterRoom(RoomId(0)), None),
        ask(Request::LeaveRoom(None), Some("")),
        ask(Request::LeaveRoom(Some(RoomId(7))), Some("a")),
        ask(Request::Say(Content::Text(text.clone()), None), Some(&text)),
        ask(Request::Say(Content::Text(String::new()), Some(RoomId(128))), None),
        ask(Request::Say(Content::Gif(127), None), None),
        ask(Request::Say(Content::Erased, None), None),
        ask(Request::CreateRoom(text.clone()), None),
        ask(Request::ChangeName(text.clone()), None),
        Command::Act(Action::Disconnect { link: link(0), is_going_away: true }),
        Command::Act(Action::Disconnect { link: link(1), is_going_away: false }),
        Command::Act(Action::Wait),
        Command::Act(Action::SetRules(Box::new(Rules::sample(&[&text])))),
        Command::Act(Action::Kick { user: UserId(3) }),
        Command::Act(Action::Announce { text }),
        Command::Typing(link(5)),
        Command::Beat { place: EntryId { term: 9, n: 8 }, digest: u64::MAX },
        Command::Leave,
    ]);
    for what in [Erasure::User(UserId(1)), Erasure::Room(RoomId(2)), Erasure::Before(u64::MAX)] {
        let reach = vec![(RoomId(1), 5), (RoomId(u64::MAX), 0)];
        commands.push(Command::Act(Action::Erased { what, reach }));
        commands.push(Command::Act(Action::Erased { what, reach: vec![] }));
    }
    commands
}

#[test]
fn a_batch_is_read_as_it_was_written() {
    let mut first = vec![Command::Join(Box::new(join()))];
    first.extend(commands());
    for batch in [batch(1, first), batch(2, commands()), batch(u64::MAX, vec![])] {
        assert_eq!(Batch::decode(&batch.encode()), Ok(batch));
    }
}

#[test]
fn what_no_node_may_propose_is_refused() {
    let limits = crate::chat::IdLimits::NONE;
    for action in
        [Action::Saved, Action::NotSaved, Action::Reserved(limits), Action::NodeGone { node: NODE }]
    {
        let bytes = batch(2, vec![Command::Act(action.clone())]).encode();
        assert_eq!(Batch::decode(&bytes), Err(MalformedBatch), "{action:?}");
    }
}

#[test]
fn a_node_joins_with_the_first_command_of_its_first_batch_alone() {
    let join = || Command::Join(Box::new(join()));
    for (counter, commands) in [
        (0, vec![]),
        (0, vec![join()]),
        (1, vec![]),
        (1, vec![Command::Leave]),
        (1, vec![Command::Leave, join()]),
        (1, vec![join(), join()]),
        (2, vec![join()]),
    ] {
        let bytes = batch(counter, commands.clone()).encode();
        assert_eq!(Batch::decode(&bytes), Err(MalformedBatch), "{counter}: {commands:?}");
    }
}

#[test]
fn what_a_node_brings_has_limits() {
    let long = || "x".repeat(MAX_LABEL_BYTES);
    let changes: [fn(&mut Join, String); 6] = [
        |join, long| join.name = long,
        |join, long| join.version = long,
        |join, long| join.base = long,
        |join, long| join.lease = MAX_LEASE + Duration::from_nanos(long.len() as u64 - 255),
        |join, long| join.skipped = vec![EntryId::default(); MAX_SKIPPED + long.len() - 255],
        |join, long| join.max_level = if long.len() > 255 { 0 } else { u32::MAX },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        for (label, is_fine) in [(long(), true), (long() + "x", false)] {
            let mut join = join();
            change(&mut join, label);
            let bytes = batch(1, vec![Command::Join(Box::new(join))]).encode();
            assert_eq!(Batch::decode(&bytes).is_ok(), is_fine, "{index}");
        }
    }
}

#[test]
fn commands_about_the_links_of_other_nodes_are_left_out() {
    let own = Command::Typing(link(1));
    let other = Link { node: NodeId(1), connection: ConnectionId(1) };
    let action = Action::Disconnect { link: other, is_going_away: false };
    let mixed = vec![Command::Typing(other), own.clone(), Command::Act(action)];
    assert_eq!(Batch::decode(&batch(2, mixed).encode()), Ok(batch(2, vec![own])));
}

#[test]
fn of_a_level_that_is_not_known_the_head_is_read() {
    let mut later = batch(7, vec![]);
    later.level = LEVEL + 1;
    let mut bytes = later.encode();
    bytes.extend([255; 9]);
    assert_eq!(Batch::decode(&bytes), Ok(later.clone()));
    later.level = 0;
    assert_eq!(Batch::decode(&later.encode()), Err(MalformedBatch));
}

#[test]
fn malformed_bytes_are_refused_and_none_panics() {
    let mut first = vec![Command::Join(Box::new(join()))];
    first.extend(commands());
    let good = batch(1, first).encode();
    for index in 0..good.len() {
        for flip in 1..=255 {
            let mut bad = good.clone();
            bad[index] ^= flip;
            // What can be read has one form only.
            if let Ok(read) = Batch::decode(&bad)
                && read.level == LEVEL
            {
                assert_eq!(read.encode(), bad);
            }
        }
        // Cut between two commands it is a shorter batch.
        if let Ok(read) = Batch::decode(&good[..index]) {
            assert_eq!(read.encode(), good[..index]);
        }
    }
    assert_eq!(Batch::decode(&vec![0; MAX_BATCH_BYTES + 1]), Err(MalformedBatch));
}

#[test]
fn a_length_alone_takes_no_memory() {
    let mut out = ByteWriter(batch(2, vec![]).encode());
    // An erasure that says that it reaches nearly endlessly many rooms.
    for number in [tag::ACT, 8, 0, 1, u64::MAX >> 1, 1, 1] {
        out.number(number);
    }
    assert_eq!(Batch::decode(&out.0), Err(MalformedBatch));
}
