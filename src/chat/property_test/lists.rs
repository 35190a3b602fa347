//! The list of rooms, and whether the effects say how it has changed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::chat::{Chat, Effect, RoomChange, RoomId, UserId};

/// All that any list of rooms shows.
pub(super) type Lists = BTreeMap<RoomId, ListedRoom>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedRoom {
    pub(super) title: String,
    pub(super) members: BTreeMap<UserId, String>,
    /// The last `seq` that is saved.
    pub(super) seq: u64,
}

pub(super) fn lists(chat: &Chat) -> Lists {
    chat.rooms()
        .map(|(id, room)| {
            let members = chat.members(room).map(|(id, name)| (id, name.to_owned())).collect();
            let summary = room.summary(id);
            (id, ListedRoom { title: room.title().to_owned(), members, seq: summary.seq })
        })
        .collect()
}

/// The effects tell every difference between the lists, except for names, and nothing else.
pub(super) fn check_list_changes(
    effects: &[Effect],
    before: &Lists,
    after: &Lists,
) -> TestCaseResult {
    let mut told: BTreeMap<RoomId, Vec<RoomChange>> = BTreeMap::new();
    for effect in effects {
        if let Effect::RoomListChanged { room, change } = effect {
            told.entry(*room).or_default().push(*change);
        }
    }
    let ids: BTreeSet<_> = [before.keys(), after.keys()].into_iter().flatten().collect();
    for id in ids {
        let changes = told.remove(id).unwrap_or_default();
        match (before.get(id), after.get(id)) {
            (None, Some(_)) => prop_assert_eq!(&changes, &[RoomChange::Added], "{:?}", id),
            (Some(_), None) => {
                let (last, others) = changes.split_last().expect("a removal is told");
                prop_assert_eq!(*last, RoomChange::Removed, "{:?}", id);
                // The last members may have left just before.
                let is_leaving = |change: &RoomChange| *change == RoomChange::Members;
                prop_assert!(others.iter().all(is_leaving), "{:?}: {:?}", id, changes);
            }
            (Some(before), Some(after)) => check_changes(*id, &changes, before, after)?,
            (None, None) => unreachable!("the id is from one of the two"),
        }
    }
    prop_assert!(told.is_empty(), "changes of rooms that never were: {:?}", told);
    Ok(())
}

fn check_changes(
    id: RoomId,
    changes: &[RoomChange],
    before: &ListedRoom,
    after: &ListedRoom,
) -> TestCaseResult {
    let members = |room: &ListedRoom| room.members.keys().copied().collect::<Vec<_>>();
    let differences = [
        (RoomChange::Retitled, before.title != after.title),
        (RoomChange::Members, members(before) != members(after)),
        (RoomChange::Messages, before.seq != after.seq),
    ];
    for (change, differs) in differences {
        prop_assert_eq!(changes.contains(&change), differs, "{:?}: {:?}", id, change);
    }
    // Only of members may several come and go at once.
    for change in [RoomChange::Retitled, RoomChange::Messages] {
        let count = changes.iter().filter(|told| **told == change).count();
        prop_assert!(count <= 1, "{:?}: {:?} is told {} times", id, change, count);
    }
    let is_about_it = |change: &RoomChange| differences.iter().any(|(it, _)| it == change);
    prop_assert!(changes.iter().all(is_about_it), "{:?}: {:?}", id, changes);
    Ok(())
}
