//! Applying what the log has put in order, and what follows from it. The dispatcher's thread runs it.

use super::Dispatcher;
use crate::chat::{Action, Effect, Event, Link, Reply, RoomId, UserId};
use crate::log::{Local, Log, Ordered};
use crate::output::Output;
use crate::protocol::Since;
use crate::recall::{Lookup, Query};

impl<L: Log> Dispatcher<L> {
    /// Applies what the log has put in order.
    pub(super) fn apply(&mut self) {
        // A shared log may have any number of entries.
        while (!L::IS_SHARED || self.weight <= self.max_tick_bytes)
            && let Some(ordered) = self.log.next()
        {
            match ordered {
                Ordered::Entry { entry, mut since } => {
                    let mut effects = std::mem::take(&mut self.effects);
                    let has_rules = L::IS_SHARED && matches!(entry.action, Action::SetRules(_));
                    if L::IS_SHARED && entry.action == Action::Saved {
                        // The list of rooms shows what is saved from now on, with whom it mentions.
                        self.lobby.settle(true);
                    }
                    self.chat.apply(entry, &mut effects);
                    self.log.observe(&effects);
                    if has_rules {
                        // They may come from another node.
                        self.delivery.set_rules(self.chat.rules());
                        #[cfg(feature = "cluster")]
                        self.saver.set_max_events(self.chat.rules().max_kept);
                    }
                    for effect in effects.drain(..) {
                        self.follow(effect, &mut since);
                    }
                    self.effects = effects;
                }
                Ordered::Local(local) => self.apply_local(local),
                #[cfg(feature = "cluster")]
                Ordered::Notice(link, notice) => {
                    let outputs = &mut self.outputs;
                    self.lobby.hear(link, notice, self.now, &self.chat, outputs);
                }
            }
            self.announce();
        }
    }

    pub(super) fn apply_local(&mut self, local: Local) {
        match local {
            Local::Request { connection, request, reference } => {
                let first = self.outputs.len();
                let outputs = &mut self.outputs;
                let link = Link { node: self.log.node(), connection };
                self.lobby.answer(link, request, reference, self.now, &self.chat, outputs);
                self.weigh(first);
                #[cfg(feature = "cluster")]
                if let Some(notice) = self.lobby.take_notice() {
                    self.log.notify(link, notice);
                }
                let bytes = self.outputs[first..].iter().map(Output::weight).sum();
                if let Some(pace) = self.delivery.pace(connection) {
                    pace.charge_answer(bytes);
                }
            }
            Local::Refuse { connection, error } => {
                self.push(Output::Refuse { to: connection, error });
            }
            Local::QueryResult { connection, frames } => {
                self.recall.release_permit();
                if let Some(pace) = self.delivery.pace(connection) {
                    pace.charge_answer(frames.len());
                }
                self.push(Output::QueryResult { connection, frames });
            }
            Local::Close { connection, reason } => {
                self.lobby.forget(connection, &self.chat);
                self.desk.forget(connection);
                self.push(Output::Close { connection, reason });
            }
        }
    }

    /// Passes one effect on: to the lobby, and to the saver or to the outputs.
    fn follow(&mut self, effect: Effect, since: &mut Option<Box<Since>>) {
        if L::IS_SHARED && self.is_of_other_node(&effect) {
            return;
        }
        self.lobby.observe(&effect, self.now, &self.chat);
        if L::IS_SHARED
            && let Effect::Tell { room, event: Event::Said(said), .. } = &effect
            && self.chat.link_of(said.from.id).is_none_or(|link| link.node != self.log.node())
        {
            // Only what is said on this node has been counted before it was said.
            self.lobby.charge(*room, said.weight(), self.now);
        }
        match effect {
            Effect::Store(memo) => self.saver.note(memo),
            Effect::RoomListChanged { .. } | Effect::PresenceChanged { .. } => {}
            Effect::Reply { to, reply: Reply::Refused(ref refusal), .. }
                if refusal.is_of_new_room() =>
            {
                if let Some(pace) = self.delivery.pace_of(to) {
                    pace.refund_room();
                }
                self.push(Output::Effect(effect));
            }
            Effect::ShowRoom { to, room: id, up_to: seq, reference } => {
                let comes_back = since.is_some();
                if let Some(what) = self.lobby.show_room(&self.chat, to, (id, seq), since.take()) {
                    self.push(Output::Query { to, query: Query { what, reference } });
                }
                if comes_back {
                    self.repeat_erasures(to, id);
                }
            }
            Effect::Repeat { to, position, reference } => {
                let what = Lookup::Message(position);
                self.push(Output::Query { to, query: Query { what, reference } });
            }
            effect => self.push(Output::Effect(effect)),
        }
    }

    /// Tells a client what has been erased in a room since the start: it may know messages from before.
    fn repeat_erasures(&mut self, to: UserId, room: RoomId) {
        for erased in self.chat.erasures(room) {
            let (time, reply, reference) = (erased.time, Reply::Erased(room, erased), None);
            self.outputs.push(Output::Effect(Effect::Reply { to, time, reply, reference }));
        }
    }

    /// Whether an effect is about a client of another node. If the user was connected to this node before,
    /// that connection ends.
    fn is_of_other_node(&mut self, effect: &Effect) -> bool {
        let node = self.log.node();
        match effect {
            #[cfg(feature = "cluster")]
            Effect::Connected { link, welcome } if link.node != node => {
                self.push(Output::Replace { user: welcome.person.id });
                true
            }
            Effect::Superseded { link }
            | Effect::TurnedAway { link }
            | Effect::Kicked { link }
            | Effect::Connected { link, .. } => link.node != node,
            Effect::Repeat { to, .. } => {
                self.chat.link_of(*to).is_none_or(|link| link.node != node)
            }
            _ => false,
        }
    }
}
