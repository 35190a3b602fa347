//! The chat's stories: the golden scripts under `golden/`, each told to a chat of its own.
//!
//! A script is a list of blocks, each with a few lines of what happens, `---`, and what follows from
//! it. Users and rooms go by their numbers. What happens is one of:
//!
//! | line | meaning |
//! |---|---|
//! | `rules max_rooms=4 room=Lobby room=Games` | starts over with [the usual rules](usual_rules), except for these |
//! | `1 connects`, `1 disconnects` | somebody comes or goes |
//! | `1 lists`, `1 enters 2`, `1 leaves`, `1 says "Hello"`, `1 shows 3` (a picture), `1 creates Games`, `1 renames Ann` | the requests |
//! | `1 begins 7`, `1 resumes` | the same with a session, whose key is made of this number |
//! | `1 enters 1 since=5`, `1 says "Hello" ref=a`, `1 types`, `1 pages 1 20` | what only somebody with a session asks (`pages`: what was said before 20) |
//! | `kept`, `lost` | what was said since the last such line is kept, or cannot be |
//! | `1 enters 4 at=10s` | the same at this time since the start; nobody looked at the clock before |
//! | `wait 250ms` | time passes, and the chat is advanced at each of its deadlines on the way |
//! | `deadline` | shows when the chat next has something to do |
//!
//! And what follows is written so:
//!
//! | line | meaning |
//! |---|---|
//! | `1 ← …` | user 1 alone is told |
//! | `room 2 [1 3] ← …` | the room is told, and 1 and 3 are there to hear it |
//! | `1 → room 2`, `1 → no room` | from here on user 1 hears what room 2 is told, or nothing |
//! | `everyone [1 2] ← rooms` | everyone who is connected gets the room list, which stands below |
//! | `watchers ← …` | everyone who watches the list of rooms is told |
//! | `remembered: …` | this is to be remembered |
//! | `at 10s:` | what follows came at this time of a `wait` |
//! | `nothing` | nobody is told anything |
//!
//! What stands below `---` is never written by hand. To change a story or tell a new one, change what
//! stands above (and list a new script in [`stories!`]), let the tests write the rest, and read the
//! difference before it is committed:
//!
//! ```text
//! UPDATE_GOLDENFILES=1 cargo test --lib chat::golden_test
//! git diff src/chat/golden
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use goldenscript::{ArgumentConsumer, Context, Runner};

use super::{
    Action, Chat, Command, Content, Effect, Event, Memo, Person, Request, Room, RoomChange, RoomId,
    RoomSummary, Rules, Said, SessionKey, Since, UserId,
};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// One test for each of these scripts, and one that there are no others.
macro_rules! stories {
    ($($script:ident)+) => {
        $(
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
    arriving
    creating_rooms
    disconnecting
    entering
    history_pages
    leaving
    moving
    passing_rooms
    references
    renaming
    room_list_at_once
    room_list_paced
    sessions_begin_and_resume
    sessions_that_end
    talking
    typing
    watching_rooms
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

/// Those of the settings at their defaults.
fn usual_rules() -> Rules {
    Rules {
        rooms: ["Room 1", "Room 2", "Room 3"].map(str::to_owned).into(),
        max_rooms: 1_000,
        max_name_chars: 32,
        max_title_chars: 64,
        max_text_chars: 4_000,
        empty_room_ttl: Duration::from_secs(3_600),
        room_list_interval: Duration::from_millis(250),
        resume_grace: Duration::from_secs(60),
        max_away: 100,
        max_kept: 10_000,
        max_age: None,
    }
}

/// What a line of a script says.
enum Line {
    Rules(Rules),
    Wait(Duration),
    Deadline,
    /// Without a time it happens at once.
    Happens {
        author: UserId,
        action: Action,
        reference: Option<Arc<str>>,
        at: Option<Duration>,
    },
    /// What was said since the last such line is kept, or cannot be.
    Kept(bool),
}

fn parse_line(line: &goldenscript::Command) -> Fallible<Line> {
    let mut args = line.consume_args();
    let parsed = match line.name.as_str() {
        "rules" => Line::Rules(parse_rules(&mut args)?),
        "wait" => Line::Wait(parse_time(next(&mut args)?)?),
        "deadline" => Line::Deadline,
        "kept" => Line::Kept(true),
        "lost" => Line::Kept(false),
        author => Line::Happens {
            author: UserId(author.parse().map_err(|_| "neither a user's number nor a command")?),
            at: args.take_key("at").map(parse_time).transpose()?,
            reference: args.take_key("ref").map(Arc::from),
            action: parse_action(&mut args)?,
        },
    };
    args.reject_next()?;
    Ok(parsed)
}

fn parse_action(args: &mut ArgumentConsumer<'_>) -> Fallible<Action> {
    let request = match next(args)? {
        "connects" => return Ok(Action::Connect),
        // Whoever begins is to be told from all others.
        "begins" => return Ok(Action::Begin(SessionKey([next(args)?.parse()?; 32]))),
        "resumes" => return Ok(Action::Resume),
        "disconnects" => return Ok(Action::Disconnect),
        "lists" => Request::ListRooms,
        "enters" => {
            let since = |seq: &str| {
                Ok::<_, Box<dyn Error>>(Since { epoch: "now".to_owned(), seq: seq.parse()? })
            };
            let since = args.take_key("since").map(since).transpose()?;
            Request::EnterRoom(RoomId(next(args)?.parse()?), since)
        }
        "pages" => {
            let room = RoomId(next(args)?.parse()?);
            Request::History { room, before: next(args)?.parse()?, limit: 50 }
        }
        "types" => Request::Typing,
        "leaves" => Request::LeaveRoom,
        "says" => Request::Text(next(args)?.to_owned()),
        "shows" => Request::Gif(next(args)?.parse()?),
        "creates" => Request::CreateRoom(next(args)?.to_owned()),
        "renames" => Request::ChangeName(next(args)?.to_owned()),
        verb => return Err(format!("nobody can do this: {verb}").into()),
    };
    Ok(Action::Request(request))
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
            "max_away" => rules.max_away = value.parse()?,
            "max_kept" => rules.max_kept = value.parse()?,
            "room_list_interval" => rules.room_list_interval = parse_time(value)?,
            _ => return Err(format!("there is no such rule: {key}").into()),
        }
    }
    if !rooms.is_empty() {
        rules.rooms = rooms;
    }
    Ok(rules)
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

/// A chat, and who hears what in it.
struct Story {
    chat: Chat,
    now: Duration,
    /// Everyone connected, with the room whose events they get.
    seats: BTreeMap<UserId, Option<RoomId>>,
}

impl Runner for Story {
    type Command = goldenscript::Command;

    fn run(&mut self, line: &goldenscript::Command, _: &Context) -> Fallible<String> {
        match parse_line(line)? {
            Line::Rules(rules) => {
                *self = Self::new(rules);
                Ok(String::new())
            }
            Line::Wait(time) => self.wait(time),
            Line::Deadline => Ok(match self.chat.next_deadline() {
                Some(deadline) => format!("at {deadline:?}"),
                None => "none".to_owned(),
            }),
            Line::Kept(is_kept) => {
                if is_kept {
                    self.chat.kept();
                } else {
                    self.chat.not_kept();
                }
                Ok(String::new())
            }
            Line::Happens { author, action, reference, at } => {
                let at = at.unwrap_or(self.now);
                if at < self.now {
                    return Err(format!("it is {:?} already", self.now).into());
                }
                self.now = at;
                Ok(self.happens(author, action, reference))
            }
        }
    }
}

impl Story {
    fn new(rules: Rules) -> Self {
        Self { chat: Chat::new(rules), now: Duration::ZERO, seats: BTreeMap::new() }
    }

    fn happens(&mut self, author: UserId, action: Action, reference: Option<Arc<str>>) -> String {
        if matches!(action, Action::Connect | Action::Begin(_) | Action::Resume) {
            self.seats.insert(author, None);
        }
        let gone = matches!(action, Action::Disconnect);
        let mut effects = Vec::new();
        let time = u64::try_from(self.now.as_millis()).expect("a story is short");
        let command = Command { at: self.now, time, author, action, reference };
        self.chat.apply(command, &mut effects);
        let shown = self.follow(&effects);
        if gone {
            self.seats.remove(&author);
        }
        or_nothing(shown)
    }

    /// Lets time pass as the dispatcher does, which sleeps until the next deadline.
    fn wait(&mut self, time: Duration) -> Fallible<String> {
        let end = self.now + time;
        let mut shown = String::new();
        while let Some(deadline) = self.chat.next_deadline()
            && deadline <= end
        {
            let mut effects = Vec::new();
            self.chat.advance(deadline, &mut effects);
            assert_ne!(self.chat.next_deadline(), Some(deadline), "advance leaves nothing undone");
            if !effects.is_empty() {
                writeln!(shown, "at {deadline:?}:")?;
                shown += &self.follow(&effects);
            }
        }
        self.now = end;
        Ok(or_nothing(shown))
    }

    /// Takes the effects in their order, as delivery does, and shows them, one to a line.
    fn follow(&mut self, effects: &[Effect]) -> String {
        let mut shown = String::new();
        for effect in effects {
            let line = match effect {
                Effect::Reply { to, event } => format!("{} ← {}", to.0, show_event(event)),
                Effect::Tell { room, event } => self.told(*room, None, &show_event(event)),
                Effect::TellOthers { room, but, event } => {
                    self.told(*room, Some(*but), &show_event(event))
                }
                Effect::Say { room, said } => self.told(*room, None, &show_said(said)),
                Effect::Enter { room, user } => {
                    let before = self.seats.insert(*user, Some(*room));
                    assert_eq!(before, Some(None), "someone connected who is in no room enters");
                    format!("{} → room {}", user.0, room.0)
                }
                Effect::Leave { user } => {
                    let before = self.seats.insert(*user, None);
                    assert!(matches!(before, Some(Some(_))), "someone in a room leaves");
                    format!("{} → no room", user.0)
                }
                Effect::RoomList { to: Some(user) } => {
                    format!("{} ← rooms\n{}", user.0, self.show_rooms())
                }
                Effect::RoomList { to: None } => {
                    let hears = |user: &UserId| !self.chat.has_session(*user);
                    let everyone = self.seats.keys().filter(|user| hears(user));
                    let everyone = join(everyone.map(|user| user.0.to_string()), " ");
                    format!("everyone [{everyone}] ← rooms\n{}", self.show_rooms())
                }
                Effect::RoomChanges(changes) => {
                    let changes = join(changes.iter().map(show_change), ", ");
                    format!("watchers ← {changes}")
                }
                Effect::Show { to, room, since, upto } => {
                    let since =
                        since.as_ref().map_or("the last".to_owned(), |it| format!("{}", it.seq));
                    format!("{} ← room {}, from {since} to {upto}", to.0, room.0)
                }
                Effect::ShowHistory { to, room, before, limit } => {
                    format!("{} ← {limit} of room {} before {before}", to.0, room.0)
                }
                Effect::Repeat { to, position } => {
                    format!("{} ← room {} at {} again", to.0, position.room.0, position.seq)
                }
                Effect::Remember(memo) => format!("remembered: {}", show_memo(memo)),
            };
            shown += &line;
            shown += "\n";
        }
        shown
    }

    fn told(&self, room: RoomId, but: Option<UserId>, what: &str) -> String {
        let hears =
            |user: &UserId, seat: &Option<RoomId>| *seat == Some(room) && Some(*user) != but;
        let hearers = self.seats.iter().filter(|(user, seat)| hears(user, seat));
        let hearers = join(hearers.map(|(user, _)| user.0.to_string()), " ");
        format!("room {} [{hearers}] ← {what}", room.0)
    }

    fn show_rooms(&self) -> String {
        join(self.chat.rooms().map(|(id, room)| self.show_room(id, room)), "\n")
    }

    fn show_room(&self, id: RoomId, room: &Room) -> String {
        let members = self.chat.members(room).map(|(user, name)| format!("{} {name:?}", user.0));
        match join(members, ", ").as_str() {
            "" => format!("  {} {:?}: nobody", id.0, room.title()),
            members => format!("  {} {:?}: {members}", id.0, room.title()),
        }
    }
}

fn show_event(event: &Event) -> String {
    match event {
        Event::Welcome { person, resumed: false, .. } => {
            format!("welcome, {}", show_person(person))
        }
        Event::Welcome { person, room: None, .. } => {
            format!("welcome back, {}", show_person(person))
        }
        Event::Welcome { person, room: Some(room), .. } => {
            format!("welcome back to room {}, {}", room.0, show_person(person))
        }
        Event::Entered(person) => format!("entered: {}", show_person(person)),
        Event::Left(person) => format!("left: {}", show_person(person)),
        Event::Renamed { old_name, new_name, .. } => {
            format!("renamed: {old_name:?} to {new_name:?}")
        }
        Event::Typing(person) => format!("types: {}", show_person(person)),
        Event::RoomAdded(room) => format!("made: {}", show_summary(room)),
        Event::Refused(refusal) => format!("refused: {refusal:?}"),
    }
}

fn show_said(said: &Said) -> String {
    let reference = said.reference.as_ref().map_or(String::new(), |name| format!(" as {name:?}"));
    let from = show_person(&said.from);
    match &said.content {
        Content::Text(text) => format!("{}: text {text:?}{reference} from {from}", said.seq),
        Content::Gif(gif) => format!("{}: gif {gif}{reference} from {from}", said.seq),
    }
}

fn show_change(change: &RoomChange) -> String {
    match change {
        RoomChange::Added(room) => format!("added: {}", show_summary(room)),
        RoomChange::Changed(room) => format!("changed: {}", show_summary(room)),
        RoomChange::Removed(id) => format!("removed: {}", id.0),
    }
}

fn show_summary(room: &RoomSummary) -> String {
    let said = if room.seq == 0 { String::new() } else { format!(" up to {}", room.seq) };
    format!("{} {:?} with {}{said}", room.id.0, room.title, room.users)
}

fn show_memo(memo: &Memo) -> String {
    match memo {
        Memo::LastUser(user) => format!("users up to {}", user.0),
        Memo::Session(session) => {
            let room = session.room.map_or("no room".to_owned(), |room| format!("room {}", room.0));
            format!("{} {:?} in {room}", session.user.0, session.name)
        }
        Memo::SessionOver(user) => format!("{} is over", user.0),
        Memo::Room(room) => format!("room {} {:?}", room.id.0, room.title),
        Memo::RoomGone(room) => format!("room {} is gone", room.0),
        Memo::Ballast(bytes) => format!("{bytes} bytes of ballast"),
    }
}

fn show_person(person: &Person) -> String {
    format!("{} {:?}", person.id.0, person.name)
}

fn or_nothing(shown: String) -> String {
    if shown.is_empty() { "nothing".to_owned() } else { shown }
}

fn join(parts: impl Iterator<Item = String>, separator: &str) -> String {
    parts.collect::<Vec<_>>().join(separator)
}
