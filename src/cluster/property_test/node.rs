//! A node as the log sees it: it proposes, sends again what it does not see, and joins anew when it must.

use std::time::Duration;

use super::{LEASE, Seen};
use crate::chat::{
    Action, ConnectionId, Content, Effect, EntryId, Erasure, Link, NodeId, Request, ResumeKey,
    ResumeOffer, RoomId, Rules, Source, UserId, Version,
};
use crate::cluster::batch::{Batch, Command, Join, Notice};
use crate::cluster::nodes::{Break, LEVEL, LogEntry, Verdict};
use crate::cluster::replica::Replica;
use crate::simulation::random::Dice;

pub(super) struct SimNode {
    pub(super) id: NodeId,
    pub(super) replica: Replica,
    /// What was proposed and has not been seen in the log: counter and batch.
    unseen: Vec<(u64, Vec<u8>)>,
    counter: u64,
    connections: u64,
}

impl SimNode {
    pub(super) fn new(id: NodeId, replica: Replica) -> Self {
        Self { id, replica, unseen: Vec::new(), counter: 0, connections: 0 }
    }

    /// How many batches it has proposed.
    pub(super) fn counter(&self) -> u64 {
        self.counter
    }

    pub(super) fn unseen(&self) -> Vec<Vec<u8>> {
        self.unseen.iter().map(|(_, batch)| batch.clone()).collect()
    }

    fn batch(&mut self, commands: Vec<Command>) -> Vec<u8> {
        self.counter += 1;
        let (node, counter, level) = (self.id, self.counter, LEVEL);
        let bytes = Batch { node, counter, level, commands }.encode();
        self.unseen.push((counter, bytes.clone()));
        bytes
    }

    pub(super) fn join(&mut self, forked: Option<EntryId>) -> Vec<u8> {
        let mut rules = Rules::sample(&["Lobby", "Bar"]);
        rules.resume_grace = Duration::from_secs(20);
        rules.max_away = 3;
        self.batch(vec![Command::Join(Box::new(Join {
            name: format!("node {}", self.id.0 % 3),
            version: "1".to_owned(),
            lease: LEASE,
            max_level: LEVEL,
            base: format!("base{}", self.id.0),
            rules,
            forked,
            skipped: self.replica.nodes.skipped().collect(),
        }))])
    }

    pub(super) fn leave(&mut self) -> Vec<u8> {
        self.batch(vec![Command::Leave])
    }

    /// What its clients do in a tick. Nothing before it has joined, and nothing while too much is on its way.
    pub(super) fn propose(
        &mut self,
        dice: &mut Dice,
        keys: &mut Vec<ResumeKey>,
        last: &mut u64,
    ) -> Option<Vec<u8>> {
        if self.replica.nodes.counter(self.id).is_none() || self.unseen.len() > 8 {
            return None;
        }
        let count = dice.below(4);
        let mut commands = Vec::new();
        for _ in 0..count {
            let command = self.command(dice, keys, last);
            let connected = matches!(command, Command::Act(Action::Connect { .. }));
            let link = command.link();
            commands.push(command);
            if let Some(link) = link.filter(|_| connected) {
                let room = RoomId(1 + dice.below(2));
                commands.push(Command::Act(ask(link, Request::EnterRoom(room))));
            }
        }
        Some(self.batch(commands))
    }

    fn command(&mut self, dice: &mut Dice, keys: &mut Vec<ResumeKey>, last: &mut u64) -> Command {
        *last += 1;
        let link = self.link(dice);
        Command::Act(match dice.below(100) {
            0..20 => self.connect(dice, keys, *last),
            20..28 => Action::Disconnect { link, is_going_away: dice.percent(50) },
            28..31 => Action::Wait,
            31 => Action::Kick { user: UserId(dice.below(*last)) },
            32 => Action::Announce { text: "Hello".to_owned() },
            33 => Action::SetRules(Box::new(Rules::sample(&["Lobby", "Bar", "Attic"]))),
            34..36 => {
                let reach = vec![(RoomId(1), dice.below(20)), (RoomId(2), dice.below(20))];
                Action::Erased { what: Erasure::Before(dice.below(99)), reach }
            }
            36..40 => return Command::Notice(link, Notice::Typing),
            40..46 => return self.replica.nodes.beat(),
            46..60 => ask(link, Request::EnterRoom(RoomId(1 + dice.below(3)))),
            60..63 => ask(link, Request::CreateRoom("Games".to_owned())),
            63..66 => ask(link, Request::ChangeName(format!("Name {last}"))),
            66..69 => ask(link, Request::LeaveRoom(None)),
            _ => ask(link, Request::Say(Content::Text(format!("Text {last}")), None)),
        })
    }

    fn connect(&mut self, dice: &mut Dice, keys: &mut Vec<ResumeKey>, last: u64) -> Action {
        self.connections += 1;
        let link = Link { node: self.id, connection: ConnectionId(self.connections) };
        let mut key = [0; 32];
        key[..8].copy_from_slice(&last.to_be_bytes());
        let fresh = ResumeKey(key);
        let resumed = (!keys.is_empty() && dice.percent(50)).then(|| {
            let back = dice.index(keys.len().min(10));
            keys[keys.len() - 1 - back]
        });
        keys.push(fresh);
        let source = Source::V4(u32::try_from(dice.below(3)).unwrap());
        if dice.percent(30) {
            return Action::Connect { link, source, version: Version::Base, resume: None };
        }
        let resume = Some(Box::new(ResumeOffer { resumed, fresh }));
        Action::Connect { link, source, version: Version::V2, resume }
    }

    fn link(&self, dice: &mut Dice) -> Link {
        let back = dice.below(4);
        let connection = ConnectionId(self.connections.saturating_sub(back));
        Link { node: self.id, connection }
    }

    /// Applies the next entry. Returns what has to be sent again, or that the node has to join anew, and then
    /// what it had applied last if the log has lost it.
    pub(super) fn apply(
        &mut self,
        entry: LogEntry,
        seen: &mut Seen,
    ) -> Result<Vec<Vec<u8>>, Option<EntryId>> {
        let place = self.replica.nodes.place();
        let epoch = self.replica.nodes.epoch();
        let is_in = self.replica.nodes.counter(self.id).is_some();
        let batch = entry.batch.as_ref().map(|batch| (batch.node, batch.counter));
        let own = batch.filter(|(node, _)| *node == self.id);
        let mut effects = Vec::new();
        let taken = match self.replica.apply(entry, &mut effects) {
            Ok(taken) => taken,
            Err(Break::Forked) => {
                seen.forked += 1;
                return Err(Some(place));
            }
            Err(other) => panic!("{other:?} after {place:?}"),
        };
        assert!(!taken.differs, "{place:?}");
        assert_eq!(taken.skipped, [], "all skip the same");
        if !epoch.is_empty() {
            assert_eq!(taken.is_new_epoch, epoch != self.replica.nodes.epoch());
        }
        let is_resumed = |effect: &&Effect| matches!(effect, Effect::Connected { welcome, .. } if welcome.resumed);
        seen.resumed += effects.iter().filter(is_resumed).count();
        seen.gone += taken.gone.len();
        seen.new_epochs += usize::from(taken.is_new_epoch);
        seen.left += self.replica.nodes.live().filter(|(_, node)| node.is_leaving).count();
        if taken.gone.contains(&self.id) || (taken.is_new_epoch && is_in) {
            return Err(None);
        }
        let Some((_, counter)) = own else { return Ok(Vec::new()) };
        match taken.verdict {
            Verdict::Applied | Verdict::Duplicate => {
                self.unseen.retain(|(unseen, _)| *unseen > counter);
                Ok(Vec::new())
            }
            Verdict::Gap => Ok(self.unseen()),
            Verdict::Fenced => Err(None),
        }
    }
}

fn ask(link: Link, request: Request) -> Action {
    Action::Ask { link, request, reference: None }
}
