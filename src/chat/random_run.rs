//! Random but plausible entries: what a few clients do and what happens to them.

use std::time::Duration;

use super::*;

/// A run, determined by its seed.
pub(super) struct RandomRun {
    state: u64,
    now: Duration,
    entries: u64,
    connections: u64,
    /// The connections that have not ended yet, each with the key of its user.
    links: Vec<(Link, Option<ResumeKey>)>,
    /// Keys of users who may be away.
    keys: Vec<ResumeKey>,
}

const MAX_CLIENTS: usize = 12;

impl RandomRun {
    pub(super) fn new(seed: u64) -> Self {
        let now = Duration::ZERO;
        Self { state: seed, now, entries: 0, connections: 0, links: Vec::new(), keys: Vec::new() }
    }

    /// The rules at the start.
    pub(super) fn rules() -> Rules {
        Rules {
            rooms: vec!["Lobby".to_owned(), "Bar".to_owned()],
            max_rooms: 6,
            max_name_chars: 8,
            max_title_chars: 8,
            max_text_chars: 8,
            empty_room_ttl: Duration::from_secs(5),
            resume_grace: Duration::from_secs(3),
            reload_grace: Duration::from_secs(1),
            max_away: 4,
            max_kept: 5,
            max_references: 200,
        }
    }

    pub(super) fn next_entry(&mut self) -> Entry {
        self.entries += 1;
        // Most entries follow each other quickly, with a pause now and then.
        let pause = match self.below(50) {
            0 => 4_000,
            1..10 => 250,
            _ => self.below(20),
        };
        self.now += Duration::from_millis(pause);
        // The time of day may be set back.
        let time = u64::try_from(self.now.as_millis()).unwrap() + 1_000 * self.below(3);
        let id = EntryId { term: 0, n: self.entries };
        Entry { id, at: self.now, time, action: self.action() }
    }

    fn action(&mut self) -> Action {
        match self.below(100) {
            0..12 => self.connect(),
            12..20 => self.disconnect(),
            20..23 => Action::Wait,
            23..33 => Action::Saved,
            33..36 => Action::NotSaved,
            36 => self.set_rules(),
            37 => Action::Kick { user: UserId(self.below(self.connections + 1)) },
            38 => Action::Announce { text: self.wording() },
            39 => self.erase(),
            _ => self.ask(),
        }
    }

    fn connect(&mut self) -> Action {
        if self.links.len() >= MAX_CLIENTS {
            return self.disconnect();
        }
        self.connections += 1;
        // Some connections finish their handshake after a later one.
        let connection = ConnectionId(self.connections ^ u64::from(self.below(8) == 0));
        let link = Link { node: NodeId(self.below(2)), connection };
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.connections.to_le_bytes());
        let fresh = ResumeKey(key);
        let source = Source::V6(self.below(3) << 15 | self.below(3) << 7 | self.below(2));
        if self.below(3) == 0 {
            self.links.push((link, None));
            return Action::Connect { link, source, version: Version::Base, resume: None };
        }
        let back = self.index(8);
        let resumed = self.keys.iter().rev().nth(back).copied();
        let resumed = resumed.filter(|_| self.below(4) != 0);
        let key = resumed.unwrap_or(fresh);
        self.keys.push(key);
        self.links.push((link, Some(key)));
        let resume = Some(Box::new(ResumeOffer { resumed, fresh }));
        Action::Connect { link, source, version: Version::V2, resume }
    }

    fn meant_room(&mut self) -> Option<RoomId> {
        (self.below(4) == 0).then(|| RoomId(self.below(9)))
    }

    fn disconnect(&mut self) -> Action {
        match self.links.len() {
            0 => Action::Wait,
            len => {
                let index = self.index(len);
                let link = self.links.swap_remove(index).0;
                Action::Disconnect { link, is_going_away: self.below(3) == 0 }
            }
        }
    }

    fn set_rules(&mut self) -> Action {
        let mut rules = Self::rules();
        match self.below(6) {
            0 => rules.rooms.push("Cellar".to_owned()),
            1 => rules.rooms.truncate(1),
            2 => rules.rooms[0] = "Hall".to_owned(),
            3 => rules.max_away = 1,
            4 => rules.resume_grace = Duration::ZERO,
            _ => rules.max_kept = 1,
        }
        Action::SetRules(Box::new(rules))
    }

    fn erase(&mut self) -> Action {
        let what = match self.below(3) {
            0 => Erasure::User(UserId(self.below(20))),
            1 => Erasure::Room(RoomId(self.below(9))),
            _ => Erasure::Before(self.below(100_000)),
        };
        let reach = (0..4).map(|_| (RoomId(self.below(9)), self.below(9))).collect();
        Action::Erased { what, reach }
    }

    fn ask(&mut self) -> Action {
        let index = self.index(MAX_CLIENTS);
        let Some(&(link, key)) = self.links.get(index % self.links.len().max(1)) else {
            return Action::Wait;
        };
        let request = match self.below(20) {
            0..5 => Request::EnterRoom(RoomId(self.below(9))),
            5 => Request::LeaveRoom(self.meant_room()),
            6 => Request::CreateRoom(self.wording()),
            7 => Request::ChangeName(self.wording()),
            8..11 => Request::Say(Content::Gif(self.below(3)), self.meant_room()),
            _ => Request::Say(Content::Text(self.wording()), None),
        };
        let reference = key.and_then(|_| match self.below(3) {
            0 => None,
            _ => Some(self.below(6).to_string().into()),
        });
        Action::Ask { link, request, reference }
    }

    fn wording(&mut self) -> String {
        let wordings =
            ["Ann", "Bob", "Games", "12345678", "名名名", " x ", "", "A\nB", "123456789"];
        wordings[self.index(wordings.len())].to_owned()
    }

    /// A number below `bound`, by `SplitMix64`.
    fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }
}
