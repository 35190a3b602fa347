//! The clients, as they follow the effects: where each sits, and what it is told.
//!
//! A client knows its room from what it is shown on entering and from what it hears there afterwards. If
//! all clients of a room know the same as the chat itself, then they have been told everything, and nobody
//! has heard what was not for them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::lists::Lists;
use super::model::Heard;
#[cfg(feature = "cluster")]
use crate::chat::NodeId;
use crate::chat::{Effect, Event, Link, RoomId, UserId};

#[derive(Debug, Default)]
pub(super) struct Clients {
    /// The connection over which each user is reached.
    links: BTreeMap<UserId, Link>,
    seats: BTreeMap<UserId, ClientSeat>,
}

/// A place in a room, and the room as the client there knows it.
#[derive(Debug)]
struct ClientSeat {
    room: RoomId,
    members: BTreeMap<UserId, String>,
}

impl Clients {
    /// Follows the effects of one entry, which has changed the lists of rooms from `before` to `after`.
    /// Returns what each client has been told.
    pub(super) fn follow(
        &mut self,
        effects: &[Effect],
        before: &Lists,
        after: &Lists,
    ) -> Result<Heard, TestCaseError> {
        let mut heard = Heard::new();
        for effect in effects {
            match effect {
                Effect::Connected { link, welcome } => {
                    let user = welcome.person.id;
                    let is_free = !self.seats.contains_key(&user);
                    prop_assert!(is_free, "{:?} is_subscribed already", user);
                    self.links.insert(user, *link);
                    heard.entry(*link).or_default().push(effect.clone());
                }
                Effect::Superseded { link }
                | Effect::TurnedAway { link }
                | Effect::Kicked { link } => {
                    heard.entry(*link).or_default().push(effect.clone());
                    self.disconnect(*link);
                }
                Effect::Announce { .. } => self.hear_everywhere(effect, &mut heard),
                Effect::Subscribe { user, room } => {
                    prop_assert!(self.links.contains_key(user), "{:?} is not connected", user);
                    let members = before[room].members.clone();
                    let earlier = self.seats.insert(*user, ClientSeat { room: *room, members });
                    prop_assert!(earlier.is_none(), "{:?} is_subscribed a room already", user);
                }
                Effect::Unsubscribe { user } => {
                    prop_assert!(
                        self.seats.remove(user).is_some(),
                        "{:?} is_subscribed no room",
                        user
                    );
                }
                Effect::Tell { room, event, .. } => {
                    self.tell(*room, event)?;
                    let hearing = self.seats.iter().filter(|(_, seat)| seat.room == *room);
                    for (user, _) in hearing {
                        heard.entry(self.links[user]).or_default().push(effect.clone());
                    }
                }
                Effect::ShowRoom { to, room, .. } => {
                    let seat = self.seats.get_mut(to).filter(|seat| seat.room == *room);
                    prop_assert!(seat.is_some(), "{:?} is shown a room and does not hear it", to);
                    seat.unwrap().members.clone_from(&after[room].members);
                    heard.entry(self.link_of(*to)?).or_default().push(effect.clone());
                }
                Effect::Reply { to, .. } | Effect::Repeat { to, .. } => {
                    heard.entry(self.link_of(*to)?).or_default().push(effect.clone());
                }
                Effect::RoomListChanged { .. }
                | Effect::PresenceChanged { .. }
                | Effect::Store(_) => {}
            }
        }
        self.check_views(after)?;
        Ok(heard)
    }

    fn hear_everywhere(&self, effect: &Effect, heard: &mut Heard) {
        for link in self.links.values() {
            heard.entry(*link).or_default().push(effect.clone());
        }
    }

    /// The connection has ended, and everybody has been told.
    pub(super) fn disconnect(&mut self, link: Link) {
        self.links.retain(|_, current| *current != link);
    }

    /// A node is gone, with all its connections, and everybody has been told.
    #[cfg(feature = "cluster")]
    pub(super) fn lose_node(&mut self, node: NodeId) {
        self.links.retain(|_, current| current.node != node);
    }

    /// Who hears which room.
    pub(super) fn subscriptions(&self) -> BTreeMap<UserId, RoomId> {
        self.seats.iter().map(|(user, seat)| (*user, seat.room)).collect()
    }

    fn link_of(&self, user: UserId) -> Result<Link, TestCaseError> {
        let link = self.links.get(&user).copied();
        link.ok_or_else(|| TestCaseError::fail(format!("{user:?} is told, and not connected")))
    }

    fn tell(&mut self, room: RoomId, event: &Event) -> TestCaseResult {
        for (user, seat) in self.seats.iter_mut().filter(|(_, seat)| seat.room == room) {
            let members = &mut seat.members;
            match event {
                Event::Entered(person) => {
                    let before = members.insert(person.id, person.name.to_string());
                    prop_assert_eq!(before, None, "{:?} sees {:?} enter twice", user, person);
                }
                Event::Left(person, _) => {
                    let name = members.remove(&person.id);
                    prop_assert_eq!(name.as_deref(), Some(&*person.name), "as {:?} sees it", user);
                }
                Event::Renamed(renaming) => {
                    let new_name = renaming.new_name.to_string();
                    let name = members.insert(renaming.user, new_name);
                    let old_name = Some(&*renaming.old_name);
                    prop_assert_eq!(name.as_deref(), old_name, "as {:?} sees it", user);
                }
                Event::Said(said) => {
                    let name = members.get(&said.from.id).map(String::as_str);
                    prop_assert_eq!(name, Some(&*said.from.name), "as {:?} sees it", user);
                }
                Event::Erased(_) => {}
            }
        }
        Ok(())
    }

    fn check_views(&self, lists: &Lists) -> TestCaseResult {
        for (user, seat) in &self.seats {
            let room = lists.get(&seat.room);
            prop_assert_eq!(Some(&seat.members), room.map(|room| &room.members), "{:?}", user);
        }
        Ok(())
    }
}
