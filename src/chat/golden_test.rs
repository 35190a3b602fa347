//! Runs the golden scripts in `golden/`, each on a new chat.
//!
//! A script is a list of blocks. Each block has input lines, which say what happens, then `---`, then the
//! output that follows from them. Users and rooms are referred to by their ids. The input lines are:
//!
//! | line | meaning |
//! |---|---|
//! | `rules max_rooms=4 room=Lobby room=Games` | starts over with [the usual rules](usual_rules) and these changes |
//! | `new_rules room=Lobby` | changes the rules to the usual ones with these changes, in the running chat |
//! | `1 connects`, `1 disconnects` | a client of the base protocol connects or disconnects |
//! | `1 goes_away` | a client disconnects and says that it goes away |
//! | `1 enters 2`, `1 leaves`, `1 says "Hello"`, `1 shows 3` (a picture), `1 creates Games`, `1 renames Ann` | the requests |
//! | `1 begins 7`, `1 resumes` | a client of `wschat.v2` connects as a new user with a key made from this number, or resumes user 1 |
//! | `1 connects from=203.0.113.7` | a client connects, begins or resumes from this address; usually, each client has its own |
//! | `1 connects node=2` | a client connects, begins or resumes on this node; usually, on node 1 |
//! | `1 resumes late` | resumes over a connection that was accepted before the present one |
//! | `1 loses` | the connection ends that the present one has replaced |
//! | `1 enters 1 ref=a`, `1 says "Hello" ref=a` | a request with a reference |
//! | `1 says "Hello" room=2`, `1 leaves room=2` | a request that is meant for this room |
//! | `node_gone 2` | this node is no longer there |
//! | `saved`, `not_saved` | the messages since the last such line are saved, or cannot be |
//! | `kick 1`, `announce "Hello"` | the operator does this |
//! | `erase user=1`, `erase room=1`, `erase before=5000`, each with `up_to=3` or without | messages up to this one, or to the last, have been erased |
//! | `1 enters 4 at=10s` | a request at this time of the log |
//! | `wait 250ms` | time passes; a `Wait` entry is applied at each deadline on the way |
//! | `deadline` | shows the chat's next deadline |
//! | `rooms` | shows all rooms and their members |
//!
//! The output lines are:
//!
//! | line | meaning |
//! |---|---|
//! | `1 ← …` | a reply to user 1 alone |
//! | `room 2 [1 3] ← …` | an event in room 2, which users 1 and 3 get |
//! | `1 → room 2`, `1 → no room` | from now on user 1 gets the events of room 2, or of no room |
//! | `list: room 2 …` | room 2 has changed in the list of rooms |
//! | `presence: 1 in room 2 is away` | user 1 has lost the connection |
//! | `stored: …` | a change to store |
//! | `at 10s:` | the lines below happened at this time during a `wait` |
//! | `nothing` | no effect |
//!
//! The output is never written by hand. To change or add a script, write its input (and list a new script
//! in [`stories!`]), let the tests write the output, and read the difference before you commit it:
//!
//! ```text
//! UPDATE_GOLDENFILES=1 cargo test --lib chat::golden_test
//! git diff src/chat/golden
//! ```

mod show;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use goldenscript::{ArgumentConsumer, Context, Runner};

use super::*;
use show::*;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// One test for each script, and one that checks that no script is missing here.
macro_rules! stories {
    ($($(#[$condition:meta])? $script:ident)+) => {
        $(
            $(#[$condition])?
            #[test]
            fn $script() {
                tell(stringify!($script));
            }
        )+

        #[test]
        fn every_script_is_a_story() {
            let mut scripts: Vec<String> = std::fs::read_dir(folder())
                .expect("the scripts are beside this file")
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            scripts.sort();
            assert_eq!(scripts, [$(stringify!($script)),+], "listed in stories!, in this order");
        }
    };
}

stories! {
    announcing
    arriving
    creating_rooms
    disconnecting
    entering
    erasing
    ids
    kicking
    leaving
    #[cfg(feature = "cluster")]
    losing_a_node
    messages
    moving
    references
    renaming
    resuming
    resuming_too_late
    rules_change
    saving
    shares
    temporary_rooms
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/chat/golden")
}

#[track_caller]
fn tell(script: &str) {
    if let Err(error) = goldenscript::run(&mut Story::new(usual_rules()), folder().join(script)) {
        panic!("src/chat/golden/{script}: {error}");
    }
}

/// The rules with the default settings.
fn usual_rules() -> Rules {
    Rules {
        rooms: ["Room 1", "Room 2", "Room 3"].map(str::to_owned).into(),
        max_rooms: 1_000,
        max_name_chars: 32,
        max_title_chars: 64,
        max_text_chars: 4_000,
        empty_room_ttl: Duration::from_secs(3_600),
        resume_grace: Duration::from_secs(60),
        reload_grace: Duration::from_secs(10),
        max_away: 100,
        max_kept: 10_000,
        max_references: 1_000,
    }
}

/// A parsed input line.
enum Line {
    Rules(Rules),
    Wait(Duration),
    Deadline,
    Rooms,
    /// Without a time it happens at once.
    Happens {
        action: Action,
        at: Option<Duration>,
    },
}

fn parse_rules(args: &mut ArgumentConsumer<'_>) -> Fallible<Rules> {
    let mut rules = usual_rules();
    let mut rooms = Vec::new();
    while let Some((key, value)) = args.next_key() {
        match key {
            "room" => rooms.push(value.to_owned()),
            "max_rooms" => rules.max_rooms = value.parse()?,
            "max_name_chars" => rules.max_name_chars = value.parse()?,
            "max_title_chars" => rules.max_title_chars = value.parse()?,
            "max_text_chars" => rules.max_text_chars = value.parse()?,
            "empty_room_ttl" => rules.empty_room_ttl = parse_time(value)?,
            "resume_grace" => rules.resume_grace = parse_time(value)?,
            "reload_grace" => rules.reload_grace = parse_time(value)?,
            "max_away" => rules.max_away = value.parse()?,
            "max_kept" => rules.max_kept = value.parse()?,
            _ => return Err(format!("there is no such rule: {key}").into()),
        }
    }
    if !rooms.is_empty() {
        rules.rooms = rooms;
    }
    Ok(rules)
}

fn parse_request(verb: &str, args: &mut ArgumentConsumer<'_>) -> Fallible<Request> {
    let room = args.take_key("room").map(str::parse).transpose()?.map(RoomId);
    Ok(match verb {
        "enters" => Request::EnterRoom(RoomId(next(args)?.parse()?)),
        "leaves" => Request::LeaveRoom(room),
        "says" => Request::Say(Content::Text(next(args)?.to_owned()), room),
        "shows" => Request::Say(Content::Gif(next(args)?.parse()?), room),
        "creates" => Request::CreateRoom(next(args)?.to_owned()),
        "renames" => Request::ChangeName(next(args)?.to_owned()),
        verb => return Err(format!("nobody can do this: {verb}").into()),
    })
}

fn parse_time(time: &str) -> Fallible<Duration> {
    if let Some(millis) = time.strip_suffix("ms") {
        Ok(Duration::from_millis(millis.parse()?))
    } else if let Some(secs) = time.strip_suffix('s') {
        Ok(Duration::from_secs(secs.parse()?))
    } else {
        Err(format!("a time is like 250ms or 10s, not {time}").into())
    }
}

fn next<'a>(args: &mut ArgumentConsumer<'a>) -> Fallible<&'a str> {
    args.next_pos().ok_or_else(|| "something is missing at the end".into())
}

/// A chat, its clients, and the room whose events each user gets.
struct Story {
    chat: Chat,
    now: Duration,
    entries: u64,
    /// The connections of each user, the present one last, and the user's key.
    clients: BTreeMap<UserId, (Vec<Link>, Option<ResumeKey>)>,
    connections: u64,
    /// The room whose events each user gets.
    heard: BTreeMap<UserId, RoomId>,
}

impl Runner for Story {
    type Command = goldenscript::Command;

    fn run(&mut self, line: &goldenscript::Command, _: &Context) -> Fallible<String> {
        match self.parse_line(line)? {
            Line::Rules(rules) => {
                *self = Self::new(rules);
                Ok(String::new())
            }
            Line::Wait(time) => self.wait(time),
            Line::Deadline => Ok(match self.chat.next_deadline() {
                Some(deadline) => format!("at {deadline:?}"),
                None => "none".to_owned(),
            }),
            Line::Rooms => Ok(self.show_rooms()),
            Line::Happens { action, at } => {
                let at = at.unwrap_or(self.now);
                if at < self.now {
                    return Err(format!("it is {:?} already", self.now).into());
                }
                self.now = at;
                Ok(or_nothing(self.apply(action)))
            }
        }
    }
}

impl Story {
    fn new(rules: Rules) -> Self {
        Self {
            chat: Chat::new(rules),
            now: Duration::ZERO,
            entries: 0,
            clients: BTreeMap::new(),
            connections: 0,
            heard: BTreeMap::new(),
        }
    }

    fn parse_line(&mut self, line: &goldenscript::Command) -> Fallible<Line> {
        let mut args = line.consume_args();
        let at = args.take_key("at").map(parse_time).transpose()?;
        let happens = |action| Line::Happens { action, at };
        let parsed = match line.name.as_str() {
            "rules" => Line::Rules(parse_rules(&mut args)?),
            "new_rules" => happens(Action::SetRules(Box::new(parse_rules(&mut args)?))),
            "wait" => Line::Wait(parse_time(next(&mut args)?)?),
            "deadline" => Line::Deadline,
            "rooms" => Line::Rooms,
            "reserved" => happens(Action::Reserved(IdLimits {
                user: next(&mut args)?.parse()?,
                room: next(&mut args)?.parse()?,
            })),
            "saved" => happens(Action::Saved),
            "not_saved" => happens(Action::NotSaved),
            #[cfg(feature = "cluster")]
            "node_gone" => happens(Action::NodeGone { node: NodeId(next(&mut args)?.parse()?) }),
            "kick" => happens(Action::Kick { user: UserId(next(&mut args)?.parse()?) }),
            "announce" => happens(Action::Announce { text: next(&mut args)?.to_owned() }),
            "erase" => happens(self.parse_erasure(&mut args)?),
            user => {
                let user = user.parse().map_err(|_| "neither a user's number nor a command")?;
                happens(self.parse_action(UserId(user), &mut args)?)
            }
        };
        args.reject_next()?;
        Ok(parsed)
    }

    /// What is erased, and up to which message of each room, if not up to the last.
    fn parse_erasure(&self, args: &mut ArgumentConsumer<'_>) -> Fallible<Action> {
        let up_to: Option<u64> = args.take_key("up_to").map(str::parse).transpose()?;
        let (what, number) = args.next_key().ok_or("it is not said what to erase")?;
        let number = number.parse()?;
        let what = match what {
            "user" => Erasure::User(UserId(number)),
            "room" => Erasure::Room(RoomId(number)),
            "before" => Erasure::Before(number),
            what => return Err(format!("that cannot be erased: {what}").into()),
        };
        let mut reach = self.chat.reach_of(what);
        for (_, last) in &mut reach {
            *last = up_to.unwrap_or(*last);
        }
        Ok(Action::Erased { what, reach })
    }

    fn parse_action(&mut self, user: UserId, args: &mut ArgumentConsumer<'_>) -> Fallible<Action> {
        let reference = args.take_key("ref").map(Arc::from);
        let source = match args.take_key("from") {
            Some(address) => Source::of(address.parse()?),
            None => Source::V4(u32::try_from(self.connections)?),
        };
        let node = NodeId(args.take_key("node").map_or(Ok(1), str::parse)?);
        let place = (node, source);
        let verb = next(args)?;
        let (links, key) = self.clients.get(&user).cloned().unwrap_or_default();
        // A user who does not exist has no connection. The chat must ignore requests from an unknown one.
        let nowhere = Link { node: NodeId(9), connection: ConnectionId(u64::MAX) };
        let link = links.last().copied().unwrap_or(nowhere);
        Ok(match verb {
            "connects" => self.connect(place, Version::Base, None),
            "begins" => {
                let fresh = ResumeKey([next(args)?.parse()?; 32]);
                self.connect(place, Version::V2, Some(ResumeOffer { resumed: None, fresh }))
            }
            "resumes" => {
                let offer = ResumeOffer { resumed: key, fresh: ResumeKey([255; 32]) };
                let mut action = self.connect(place, Version::V2, Some(offer));
                if args.next_pos().is_some_and(|word| word == "late")
                    && let Action::Connect { link: late, .. } = &mut action
                {
                    late.connection = ConnectionId(0);
                }
                action
            }
            "disconnects" => Action::Disconnect { link, is_going_away: false },
            "goes_away" => Action::Disconnect { link, is_going_away: true },
            "loses" => Action::Disconnect { link: links[links.len() - 2], is_going_away: false },
            verb => Action::Ask { link, request: parse_request(verb, args)?, reference },
        })
    }

    fn connect(
        &mut self,
        (node, source): (NodeId, Source),
        version: Version,
        resume: Option<ResumeOffer>,
    ) -> Action {
        self.connections += 1;
        let link = Link { node, connection: ConnectionId(self.connections) };
        Action::Connect { link, source, version, resume: resume.map(Box::new) }
    }

    fn apply(&mut self, action: Action) -> String {
        self.entries += 1;
        let time = u64::try_from(self.now.as_millis()).expect("a story is short");
        let id = EntryId { term: 0, n: self.entries };
        let key = match &action {
            Action::Connect { resume, .. } => resume.as_ref().map(|offer| offer.fresh),
            _ => None,
        };
        let mut effects = Vec::new();
        self.chat.apply(Entry { id, at: self.now, time, action }, &mut effects);
        effects.iter().map(|effect| self.follow(effect, key) + "\n").collect()
    }

    /// Lets time pass as the dispatcher does: from deadline to deadline.
    fn wait(&mut self, time: Duration) -> Fallible<String> {
        let end = self.now + time;
        let mut shown = String::new();
        while let Some(deadline) = self.chat.next_deadline()
            && deadline <= end
        {
            self.now = deadline;
            let follows = self.apply(Action::Wait);
            assert_ne!(self.chat.next_deadline(), Some(deadline), "nothing is left undone");
            if !follows.is_empty() {
                writeln!(shown, "at {deadline:?}:")?;
                shown += &follows;
            }
        }
        self.now = end;
        Ok(or_nothing(shown))
    }

    /// Follows an effect as `delivery` does, and shows it on one line. `key` is the key of the client that
    /// connects.
    fn follow(&mut self, effect: &Effect, key: Option<ResumeKey>) -> String {
        match effect {
            Effect::Connected { link, welcome } => {
                let client = self.clients.entry(welcome.person.id).or_default();
                client.0.push(*link);
                if !welcome.resumed {
                    client.1 = key;
                }
                format!("{} ← {}", welcome.person.id.0, show_welcome(welcome))
            }
            Effect::Superseded { .. } => "superseded by a newer connection".to_owned(),
            Effect::TurnedAway { .. } => "turned away".to_owned(),
            Effect::Kicked { link } => {
                let is_it = |(links, _): &(Vec<Link>, _)| links.last() == Some(link);
                let user = self.clients.iter().find(|(_, client)| is_it(client));
                format!("{} ← kicked", user.expect("it was connected").0.0)
            }
            Effect::Announce { text, .. } => format!("everyone ← {text:?}"),
            Effect::Subscribe { user, room } => {
                let before = self.heard.insert(*user, *room);
                assert_eq!(before, None, "nobody is_subscribed two rooms");
                format!("{} → room {}", user.0, room.0)
            }
            Effect::Unsubscribe { user } => {
                assert!(self.heard.remove(user).is_some(), "they heard a room");
                format!("{} → no room", user.0)
            }
            Effect::Tell { room, event, .. } => {
                let hearers = self.heard.iter().filter(|(_, heard)| *heard == room);
                let hearers = join(hearers.map(|(user, _)| user.0.to_string()), " ");
                format!("room {} [{hearers}] ← {}", room.0, show_event(event))
            }
            Effect::Reply { to, reply, reference, .. } => {
                let reference = show_reference(reference);
                format!("{} ← {}{reference}", to.0, show_reply(reply))
            }
            Effect::ShowRoom { to, room, up_to, reference } => {
                let reference = show_reference(reference);
                format!("{} ← room {} up to {up_to}{reference}", to.0, room.0)
            }
            Effect::Repeat { to, position, reference } => {
                let reference = show_reference(reference);
                format!("{} ← room {} at {} again{reference}", to.0, position.room.0, position.seq)
            }
            Effect::PresenceChanged { room, user, is_away } => {
                let state = if *is_away { "away" } else { "back" };
                format!("presence: {} in room {} is {state}", user.0, room.0)
            }
            Effect::RoomListChanged { room, change } => match self.chat.room(*room) {
                Some(it) => {
                    format!("list: {} {change:?}", show_summary(&it.summary(*room)))
                }
                None => format!("list: {} {change:?}", room.0),
            },
            Effect::Store(memo) => format!("stored: {}", show_memo(memo)),
        }
    }

    fn show_rooms(&self) -> String {
        let rooms = self.chat.rooms().map(|(id, room)| {
            let members =
                self.chat.members(room).map(|(user, name)| format!("{} {name:?}", user.0));
            match join(members, ", ").as_str() {
                "" => format!("{} {:?}: nobody", id.0, room.title()),
                members => format!("{} {:?}: {members}", id.0, room.title()),
            }
        });
        join(rooms, "\n")
    }
}

fn or_nothing(shown: String) -> String {
    if shown.is_empty() { "nothing".to_owned() } else { shown }
}

fn join(parts: impl Iterator<Item = String>, separator: &str) -> String {
    parts.collect::<Vec<_>>().join(separator)
}
