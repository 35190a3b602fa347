//! What holds of the chat whatever people do, checked on random histories.
//!
//! A [`World`] puts a chat through a history, entry by entry. A model predicts what each client is told and
//! what the chat is like afterwards. Clients follow the effects as delivery does, and a storage keeps what
//! the effects store. A second property applies entries that no server would propose.
//!
//! | file | subject |
//! |---|---|
//! | `histories.rs` | random histories of plausible steps |
//! | `model.rs`, `heaviest.rs` | what ought to follow from each entry, and who loses a place |
//! | `clients.rs`, `lists.rs` | what clients are told of rooms, and of the list of rooms |
//! | `storage.rs` | what a restart brings back |
//! | `consistency.rs` | what holds between the parts of the chat's state |
//! | `any_entries.rs` | entries with anything at all in them |
//!
//! A failure prints the shortest history that shows it, and appends its seed to a file beside the
//! property's: `property_test.regressions`, or one in the folder. These files belong in the repository: their
//! seeds are tried first in every later run. `PROPTEST_CASES=100000` looks longer.

mod any_entries;
mod clients;
mod consistency;
mod heaviest;
mod histories;
mod lists;
mod model;
mod storage;

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{FileFailurePersistence, TestCaseResult};

use super::*;
use clients::Clients;
use consistency::check_consistency;
use histories::{ClientPick, KeyPick, LinkPick, MAX_WAIT, Step, history, rules};
use lists::{check_list_changes, lists};
use model::{Fate, Heard, Model};
use storage::Storage;

/// Seeds of failures are kept beside the source.
fn config() -> ProptestConfig {
    ProptestConfig::with_failure_persistence(FileFailurePersistence::WithSource("regressions"))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_history_leads_to_what_the_model_predicts(rules in rules(), history in history()) {
        let mut world = World::new(rules)?;
        for step in history {
            world.take(step)?;
        }
        world.end()?;
    }
}

/// A chat, and everybody around it.
struct World {
    chat: Chat,
    model: Model,
    clients: Clients,
    storage: Storage,
    now: Duration,
    /// The next entry is so much behind.
    lag: Duration,
    /// The time of day is so far ahead of the log's clock, in milliseconds.
    time_ahead: u64,
    entries: u64,
    /// Every connection that there has been, and every key.
    links: Vec<Link>,
    keys: Vec<ResumeKey>,
}

impl World {
    fn new(rules: Rules) -> Result<Self, TestCaseError> {
        let (chat, effects) = Chat::restore(rules.clone(), Stored::default());
        let mut storage = Storage::default();
        storage.note(&effects)?;
        Ok(Self {
            chat,
            model: Model::new(rules),
            clients: Clients::default(),
            storage,
            now: Duration::ZERO,
            lag: Duration::ZERO,
            time_ahead: 0,
            entries: 0,
            links: Vec::new(),
            keys: Vec::new(),
        })
    }

    fn take(&mut self, step: Step) -> TestCaseResult {
        let action = match step {
            Step::Connect { link, source, version, keys } => {
                let link = self.connecting(&link);
                let resume = keys.map(|keys| {
                    let resumed = Some(self.key(&keys.resumed));
                    Box::new(ResumeOffer { resumed, fresh: self.key(&keys.fresh) })
                });
                Action::Connect { link, source, version, resume }
            }
            Step::Disconnect(client, is_going_away) => {
                Action::Disconnect { link: self.client(&client), is_going_away }
            }
            Step::Ask { by, request, reference } => {
                Action::Ask { link: self.client(&by), request, reference }
            }
            Step::Saved => Action::Saved,
            Step::NotSaved => Action::NotSaved,
            Step::Reserved(users, rooms) => {
                let IdLimits { user, room } = self.chat.last_ids();
                Action::Reserved(IdLimits { user: user + users, room: room + rooms })
            }
            Step::SetRules(rules) => Action::SetRules(rules),
            Step::Kick(user) => Action::Kick { user: UserId(user) },
            Step::Announce(text) => Action::Announce { text },
            Step::Erase(what, reach) => Action::Erased { what, reach },
            #[cfg(feature = "cluster")]
            Step::LoseNode(node) => Action::NodeGone { node: NodeId(node) },
            Step::Pass(time) => {
                self.now += time;
                return Ok(());
            }
            Step::Sleep(time) => return self.sleep(time),
            Step::SetTimeOfDay(ahead) => {
                self.time_ahead = ahead;
                return Ok(());
            }
            Step::Lag(time) => {
                self.lag = time;
                return Ok(());
            }
        };
        self.apply(action)
    }

    fn connecting(&mut self, pick: &LinkPick) -> Link {
        // Late connections have odd numbers, below those of the last one.
        let count = self.links.len() as u64;
        let (node, connection) = match pick {
            LinkPick::New(node) => (*node, 6 + 2 * count),
            LinkPick::Late(node) => (*node, 1 + 2 * count),
            LinkPick::Reused(index) if count > 0 => return *index.get(&self.links),
            LinkPick::Reused(_) => (0, 6),
        };
        let link = Link { node: NodeId(node), connection: ConnectionId(connection) };
        self.links.push(link);
        link
    }

    fn key(&mut self, pick: &KeyPick) -> ResumeKey {
        match pick {
            KeyPick::Used(index) if !self.keys.is_empty() => *index.get(&self.keys),
            KeyPick::Used(_) | KeyPick::Unused => {
                let mut key = [0; 32];
                key[..8].copy_from_slice(&self.keys.len().to_be_bytes());
                self.keys.push(ResumeKey(key));
                ResumeKey(key)
            }
        }
    }

    fn client(&self, pick: &ClientPick) -> Link {
        let pick_from = |links: &[Link], index: &Index| {
            if links.is_empty() { None } else { Some(*index.get(links)) }
        };
        let picked = match pick {
            ClientPick::Present(index) => {
                pick_from(&self.chat.links.keys().copied().collect::<Vec<_>>(), index)
            }
            ClientPick::Any(index) => pick_from(&self.links, index),
            ClientPick::Unknown => None,
        };
        picked.unwrap_or(Link { node: NodeId(9), connection: ConnectionId(9) })
    }

    fn sleep(&mut self, time: Duration) -> TestCaseResult {
        let end = self.now + time;
        while let Some(deadline) = self.chat.next_deadline()
            && deadline <= end
        {
            self.now = self.now.max(deadline);
            self.apply(Action::Wait)?;
        }
        self.now = end;
        self.apply(Action::Wait)
    }

    /// When all have gone, only what is permanent stays, and that does not take for ever.
    fn end(mut self) -> TestCaseResult {
        for link in self.links.clone() {
            self.apply(Action::Disconnect { link, is_going_away: false })?;
        }
        self.apply(Action::Reserved(IdLimits::NONE))?;
        self.sleep(2 * MAX_WAIT)?;
        prop_assert_eq!(self.chat.next_deadline(), None);
        prop_assert!(self.chat.users.is_empty());
        prop_assert_eq!(self.chat.rooms.len(), self.chat.rules.rooms.len());
        Ok(())
    }

    /// First, what is due happens, to a copy of the chat. Then the entry happens, to both.
    fn apply(&mut self, action: Action) -> TestCaseResult {
        self.entries += 1;
        let at = self.now.saturating_sub(std::mem::take(&mut self.lag));
        let time = 1_000_000 + self.time_ahead + u64::try_from(self.now.as_millis()).unwrap();
        let entry = Entry { id: EntryId { term: 0, n: self.entries }, at, time, action };
        let mut copy = Chat::read_snapshot(&self.chat.write_snapshot()).expect("it was written");
        let due = self.apply_due(&mut copy, &entry)?;

        let fate = self.model.act(entry.action.clone(), time);
        let mut effects = Vec::new();
        self.chat.apply(entry.clone(), &mut effects);
        let own = effects.split_off(due.len());
        prop_assert_eq!(&effects, &due, "what is due comes first");
        self.check_fate(&fate, &own, &copy)?;
        let heard = self.clients.follow(&own, &lists(&copy), &lists(&self.chat))?;
        self.check_heard(&heard, &fate)?;
        match entry.action {
            Action::Disconnect { link, .. } => self.clients.disconnect(link),
            #[cfg(feature = "cluster")]
            Action::NodeGone { node } => self.clients.lose_node(node),
            Action::Saved => self.storage.save()?,
            Action::NotSaved => self.storage.fail(),
            _ => {}
        }
        check_list_changes(&own, &lists(&copy), &lists(&self.chat))?;
        check_state(&self.model, &self.chat)?;
        prop_assert_eq!(self.clients.subscriptions(), self.subscriptions());
        self.storage.note(&due)?;
        self.storage.note(&own)?;
        self.storage.check_restart(&self.chat)?;

        copy.apply(entry, &mut Vec::new());
        prop_assert!(copy == self.chat, "looking at the clock before made a difference");
        Ok(())
    }

    /// What is due by the time of the entry, all of it and nothing else, and only if the deadline said so.
    fn apply_due(&mut self, copy: &mut Chat, entry: &Entry) -> Result<Vec<Effect>, TestCaseError> {
        prop_assert!(*copy == self.chat, "the snapshot is another chat");
        let is_due =
            self.chat.next_deadline().is_some_and(|due| due <= self.chat.now.max(entry.at));
        self.model.pass(entry.at, entry.time);
        let mut due = Vec::new();
        copy.apply(Entry { action: Action::Wait, ..entry.clone() }, &mut due);
        prop_assert_eq!(is_due, !due.is_empty(), "{:?}", due);
        prop_assert!(copy.next_deadline().is_none_or(|deadline| deadline > copy.now));
        let heard = self.clients.follow(&due, &lists(&self.chat), &lists(copy))?;
        self.check_heard(&heard, &Fate::Granted)?;
        check_list_changes(&due, &lists(&self.chat), &lists(copy))?;
        check_state(&self.model, copy)?;
        Ok(due)
    }

    /// What is refused or ignored changes nothing of the chat as it was before.
    fn check_fate(&self, fate: &Fate, effects: &[Effect], before: &Chat) -> TestCaseResult {
        match fate {
            Fate::Granted => return Ok(()),
            Fate::Refused(answer) => prop_assert_eq!(effects, std::slice::from_ref(answer)),
            Fate::Ignored => prop_assert_eq!(effects, []),
        }
        prop_assert!(self.chat == *before, "it has changed something");
        Ok(())
    }

    /// Each client has been told what the model says, in this order.
    fn check_heard(&mut self, heard: &Heard, fate: &Fate) -> TestCaseResult {
        let expected = std::mem::take(&mut self.model.heard);
        match fate {
            Fate::Granted | Fate::Ignored => prop_assert_eq!(heard, &expected),
            // Checked already: it is the only effect.
            Fate::Refused(_) => prop_assert_eq!(expected, Heard::new()),
        }
        Ok(())
    }

    fn subscriptions(&self) -> BTreeMap<UserId, RoomId> {
        let hearing = self.model.users.iter().filter(|(_, user)| user.is_subscribed);
        hearing.filter_map(|(id, user)| Some((*id, user.room?))).collect()
    }
}

/// The chat is what the model is.
fn check_state(model: &Model, chat: &Chat) -> TestCaseResult {
    check_consistency(chat).map_err(TestCaseError::fail)?;
    prop_assert_eq!(chat.now, model.now);
    prop_assert_eq!(&chat.rules, &model.rules);
    prop_assert_eq!((chat.last_user, chat.last_room), (model.last_user, model.last_room));
    prop_assert_eq!(chat.next_deadline(), model.next_deadline());
    prop_assert!(chat.users.keys().eq(model.users.keys()), "{:?}", model.users);
    for (id, user) in &chat.users {
        let expected = &model.users[id];
        prop_assert_eq!(&*user.name, &expected.name, "{:?}", id);
        prop_assert_eq!(user.source, Some(expected.source), "{:?}", id);
        let reached = (user.version, user.link, user.room, user.is_subscribed);
        let expected_reached =
            (expected.version, expected.link, expected.room, expected.is_subscribed);
        prop_assert_eq!(reached, expected_reached, "{:?}", id);
        let resumption = user.resumption.as_ref();
        prop_assert_eq!(resumption.map(|it| it.key), expected.key, "{:?}", id);
        let away = resumption.and_then(|it| it.away).map(|away| (away.until, away.has_nothing));
        prop_assert_eq!(away, expected.away, "{:?}", id);
        let references = resumption.map(|it| &it.references);
        prop_assert_eq!(references.map_or(0, |it| it.order.len()), expected.sent.len(), "{:?}", id);
        for sent in &expected.sent {
            let hash = ReferenceHash::of(&sent.reference, sent.position.seq);
            let found = references.and_then(|it| it.find(hash));
            prop_assert_eq!(found, Some(sent.position), "{:?}: {:?}", id, sent);
        }
    }
    prop_assert!(chat.rooms.keys().eq(model.rooms.keys()), "{:?}", model.rooms);
    for (id, room) in &chat.rooms {
        let expected = &model.rooms[id];
        let shown = (&*room.title, room.place(), room.last_seq, room.saved_seq);
        let (title, place) = (expected.title.as_str(), expected.place);
        prop_assert_eq!(shown, (title, place, expected.last_seq, expected.saved_seq), "{:?}", id);
        let erasures: Vec<_> = chat.erasures(*id).collect();
        let last = expected.erasures.len().saturating_sub(16);
        prop_assert_eq!(&erasures, &expected.erasures[last..], "{:?}", id);
    }
    Ok(())
}
