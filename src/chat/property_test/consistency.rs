//! What holds between the parts of the chat's state: every index says what the users and rooms say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use crate::chat::room::Lifetime;
use crate::chat::{Chat, Owner, Room, RoomId, Shares, User, UserId};

type Consistency = Result<(), String>;

/// Checks the whole state as it is after an entry.
pub(super) fn check_consistency(chat: &Chat) -> Consistency {
    check_indexes(chat)?;
    let overdue = chat.away.iter().find(|(until, _)| *until <= chat.now);
    equal("users who should have left", &overdue, &None)?;
    for (id, room) in &chat.rooms {
        let unsaved = chat.unsaved.iter().filter(|unsaved| unsaved.room == *id).count();
        equal("unsaved messages", &room.last_seq, &(room.saved_seq + unsaved as u64))?;
    }
    check_permanent_rooms(chat)
}

/// Checks what later entries rely on.
pub(super) fn check_indexes(chat: &Chat) -> Consistency {
    check_user_indexes(chat)?;
    for (id, user) in &chat.users {
        check_user(chat, *id, user).map_err(|fault| format!("{id:?}: {fault}"))?;
    }
    for (id, room) in &chat.rooms {
        check_room(chat, *id, room).map_err(|fault| format!("{id:?}: {fault}"))?;
    }
    let expiries = chat.rooms.iter().filter_map(|(id, room)| match room.lifetime {
        Lifetime::Temporary { removed_at } => Some((removed_at?, *id)),
        Lifetime::Permanent { .. } => None,
    });
    equal("expiries", &chat.expiries, &expiries.collect())?;
    let mut shares = Shares::default();
    for (id, room) in chat.rooms.iter().filter(|(_, room)| room.place().is_none()) {
        let owner = room.owner(*id);
        shares.add(owner);
        if room.members.is_empty() {
            shares.offer(owner, *id);
        }
    }
    equal("shares of rooms", &chat.room_shares, &shares)
}

fn check_user_indexes(chat: &Chat) -> Consistency {
    let links: Vec<_> =
        chat.users.iter().filter_map(|(id, user)| Some((user.link?, *id))).collect();
    equal("links", &chat.links, &links.iter().copied().collect())?;
    equal("links in use twice", &(links.len() - chat.links.len()), &0)?;

    let resumptions =
        chat.users.iter().filter_map(|(id, user)| Some((*id, user.resumption.as_ref()?)));
    let resumptions: BTreeMap<_, _> = resumptions.collect();
    let keys = resumptions.iter().map(|(id, resumption)| (resumption.key, *id)).collect();
    equal("resumable", &chat.resumable, &keys)?;
    equal("keys in use twice", &(resumptions.len() - keys.len()), &0)?;

    let away = resumptions.iter().filter_map(|(id, resumption)| Some((*id, resumption.away?)));
    let away: Vec<_> = away.collect();
    equal("away", &chat.away, &away.iter().map(|(id, away)| (away.until, *id)).collect())?;
    let mut shares = Shares::default();
    for (id, away) in away {
        let owner = Owner::new(chat.users[&id].source, id.0);
        shares.add(owner);
        shares.offer(owner, away.rank(id));
    }
    equal("shares of those who are away", &chat.away_shares, &shares)
}

fn check_user(chat: &Chat, id: UserId, user: &User) -> Consistency {
    if id.0 == 0 || id.0 > chat.last_user {
        return Err(format!("not an id in use up to {}", chat.last_user));
    }
    let is_away = user.resumption.as_ref().is_some_and(|resumption| resumption.away.is_some());
    equal("is away", &is_away, &user.link.is_none())?;
    if user.is_subscribed && (user.link.is_none() || user.room.is_none()) {
        return Err("is_subscribed a room without a connection, or no room".to_owned());
    }
    if let Some(room) = user.room
        && !chat.rooms.get(&room).is_some_and(|room| room.members.contains(&id))
    {
        return Err(format!("is no member of {room:?}"));
    }
    if let Some(resumption) = &user.resumption {
        let count = (resumption.references.len(), id);
        let is_counted = chat.reference_counts.by_count.contains(&count);
        equal("is counted", &is_counted, &(count.0 > 0))?;
        let references = &resumption.references;
        let names: BTreeSet<_> = references.order.iter().collect();
        equal("references", &names, &references.sent.keys().collect())?;
        equal("references in order", &references.order.len(), &names.len())?;
    }
    Ok(())
}

fn check_room(chat: &Chat, id: RoomId, room: &Room) -> Consistency {
    if id.0 == 0 || id.0 > chat.last_room {
        return Err(format!("not an id in use up to {}", chat.last_room));
    }
    let members = chat.users.iter().filter(|(_, user)| user.room == Some(id));
    equal("members", &room.members, &members.map(|(id, _)| *id).collect())?;
    if let Lifetime::Temporary { removed_at } = room.lifetime {
        equal("has a time to be removed", &removed_at.is_some(), &room.members.is_empty())?;
    }
    Ok(())
}

/// There is one room for each that the rules name, and no other is permanent.
fn check_permanent_rooms(chat: &Chat) -> Consistency {
    let permanent = chat.rooms.values().filter_map(|room| Some((room.place()?, room.title())));
    let mut permanent: Vec<_> = permanent.collect();
    permanent.sort_unstable();
    let named = chat.rules.rooms.iter().map(String::as_str).enumerate();
    if chat.last_room >= chat.reserved.room {
        // There may be no ids for the others.
        let named: BTreeSet<_> = named.collect();
        let is_named = permanent.iter().all(|room| named.contains(room));
        return equal("permanent rooms are named", &is_named, &true);
    }
    equal("permanent rooms", &permanent, &named.collect())
}

fn equal<T: PartialEq + Debug>(what: &str, actual: &T, expected: &T) -> Consistency {
    if actual == expected {
        return Ok(());
    }
    Err(format!("{what}: {actual:?} instead of {expected:?}"))
}
